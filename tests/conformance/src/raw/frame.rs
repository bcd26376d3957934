//! Frames of ZMTP 1.0, 2.0 and 3.x: written in any form, legal or not, and read as what they say.

use std::fmt::{self, Display};

use crate::event::shown_bytes;

/// Another frame of the same message follows.
pub const MORE: u8 = 1;
/// The size takes eight bytes. Readers see it by themselves, writers set it for what is short.
pub const LONG: u8 = 2;
/// A command (ZMTP 3.x), which is part of no message.
pub const COMMAND: u8 = 4;

/// How frames look on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// ZMTP 1.0: the length of flags and body, flags, body.
    V1,
    /// ZMTP 2.0 and 3.x: flags, the length of the body, body.
    V2,
}

/// A frame that has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The flags as they stood there, [`LONG`] included.
    pub flags: u8,
    /// What it carries.
    pub body: Vec<u8>,
}

/// A property of READY: its name and its value.
pub type Property = (Vec<u8>, Vec<u8>);

/// A command that has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    /// `PING`, `READY`; empty where it cannot be read.
    pub name: String,
    /// What is behind the name.
    pub data: Vec<u8>,
}

impl Framing {
    /// A whole frame. It is short where it fits, unless the flags say [`LONG`].
    #[must_use]
    pub fn frame(self, flags: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = self.header(flags, body.len() as u64);
        bytes.extend_from_slice(body);
        bytes
    }

    /// What stands in front of a body of this size, which need not follow.
    #[must_use]
    pub fn header(self, flags: u8, size: u64) -> Vec<u8> {
        let long = flags & LONG != 0;
        match (self, u8::try_from(size)) {
            (Self::V1, Ok(size @ ..=253)) if !long => vec![size + 1, flags],
            (Self::V1, _) => {
                let length = size.wrapping_add(1).to_be_bytes();
                [&[0xff][..], &length, &[flags & !LONG]].concat()
            }
            (Self::V2, Ok(size)) if !long => vec![flags, size],
            (Self::V2, _) => [&[flags | LONG][..], &size.to_be_bytes()].concat(),
        }
    }

    /// How long the header is, as its first byte says.
    pub(crate) fn header_length(self, first: u8) -> usize {
        match (self, first) {
            (Self::V1, 0xff) => 10,
            (Self::V2, flags) if flags & LONG != 0 => 9,
            (Self::V1 | Self::V2, _) => 2,
        }
    }

    /// The flags and the size of the body that a whole header tells.
    pub(crate) fn read(self, header: &[u8]) -> Option<(u8, u64)> {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
        match (self, header) {
            (Self::V1, [0xff, size @ .., flags]) => Some((*flags, number(size).checked_sub(1)?)),
            (Self::V1, [size, flags]) => Some((*flags, u64::from(*size).checked_sub(1)?)),
            (Self::V2, [flags, size @ ..]) => Some((*flags, number(size))),
            _ => None,
        }
    }
}

impl Frame {
    /// Whether another frame of the same message follows.
    #[must_use]
    pub fn more(&self) -> bool {
        self.flags & MORE != 0
    }

    /// Whether it is a command.
    #[must_use]
    pub fn is_command(&self) -> bool {
        self.flags & COMMAND != 0
    }

    /// What it says as a command.
    #[must_use]
    pub fn as_command(&self) -> Command {
        let name = self.body.split_first().and_then(|(length, rest)| {
            let (name, data) = rest.split_at_checked(usize::from(*length))?;
            Some((std::str::from_utf8(name).ok()?.to_owned(), data.to_vec()))
        });
        let (name, data) = name.unwrap_or_else(|| (String::new(), self.body.clone()));
        Command { name, data }
    }
}

impl Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name.as_str(), self.data.as_slice()) {
            ("READY", data) => match read_properties(data) {
                Ok(properties) => {
                    formatter.write_str("READY")?;
                    for (name, value) in properties {
                        write!(formatter, " {}={}", name.escape_ascii(), shown_bytes(&value))?;
                    }
                    Ok(())
                }
                Err(error) => write!(formatter, "READY that cannot be read ({error})"),
            },
            ("PING", [high, low, context @ ..]) => {
                let ttl = u16::from_be_bytes([*high, *low]);
                write!(
                    formatter,
                    "PING with a TTL of {ttl} and the context {}",
                    shown_bytes(context)
                )
            }
            ("ERROR", [_, reason @ ..]) => write!(formatter, "ERROR {}", shown_bytes(reason)),
            (name, []) => formatter.write_str(name),
            (name, data) => write!(formatter, "{name} {}", shown_bytes(data)),
        }
    }
}

/// The body of a command.
#[must_use]
pub fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    [&[length], name.as_bytes(), data].concat()
}

/// A property as it stands in READY.
#[must_use]
pub fn property(name: &[u8], value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let size = u32::try_from(value.len()).unwrap_or(u32::MAX);
    [&[length], name, &size.to_be_bytes(), value].concat()
}

/// The properties of a READY, in their order.
///
/// # Errors
/// In words, what is wrong with them.
pub fn read_properties(mut data: &[u8]) -> Result<Vec<Property>, String> {
    let mut properties = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (name, rest) =
            rest.split_at_checked(usize::from(*length)).ok_or("a name goes beyond the end")?;
        let (size, rest) = rest.split_first_chunk::<4>().ok_or("a size goes beyond the end")?;
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
        let (value, rest) = rest.split_at_checked(size).ok_or("a value goes beyond the end")?;
        properties.push((name.to_vec(), value.to_vec()));
        data = rest;
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        for framing in [Framing::V1, Framing::V2] {
            for size in [0, 1, 253, 254, 255, 256, 70_000, u64::from(u32::MAX) * 4] {
                for flags in [0, MORE, LONG, MORE | LONG] {
                    let header = framing.header(flags, size);
                    assert_eq!(
                        header.len(),
                        framing.header_length(header[0]),
                        "{framing:?} {size} {flags}"
                    );
                    let (seen, length) = framing.read(&header).expect("it is whole");
                    assert_eq!((seen & MORE, length), (flags & MORE, size), "{framing:?}");
                }
            }
        }
    }

    #[test]
    fn the_forms_of_the_specifications() {
        assert_eq!(Framing::V1.frame(MORE, b"ab"), b"\x03\x01ab");
        assert_eq!(Framing::V1.header(0, 254), [0xff, 0, 0, 0, 0, 0, 0, 0, 255, 0]);
        assert_eq!(Framing::V2.frame(0, b""), [0, 0]);
        assert_eq!(Framing::V2.frame(LONG, b"a"), [2, 0, 0, 0, 0, 0, 0, 0, 1, b'a']);
        assert_eq!(Framing::V2.header(COMMAND, 256), [6, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(Framing::V1.read(&[0, 0]), None);
    }

    #[test]
    fn commands_and_properties_are_shown() {
        let ready = command(
            "READY",
            &[property(b"Socket-Type", b"DEALER"), property(b"Identity", b"")].concat(),
        );
        let shown = |body: Vec<u8>| Frame { flags: COMMAND, body }.as_command().to_string();
        assert_eq!(shown(ready), r#"READY Socket-Type=b"DEALER" Identity=b"""#);
        assert_eq!(
            shown(command("READY", b"\x05ab")),
            "READY that cannot be read (a name goes beyond the end)"
        );
        assert_eq!(
            shown(command("PING", b"\0\x0actx")),
            r#"PING with a TTL of 10 and the context b"ctx""#
        );
        assert_eq!(shown(b"\x09x".to_vec()), r#" b"\tx""#);
    }
}
