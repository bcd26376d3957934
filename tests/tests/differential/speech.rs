//! What a peer says on one connection, byte by byte.

use std::fmt;

/// Everything that it says, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Speech {
    pub(crate) opening: Opening,
    pub(crate) parts: Vec<Part>,
    /// How many bytes are written at a time.
    pub(crate) piece: usize,
    /// Whether nobody waits for the other side's handshake.
    pub(crate) is_early: bool,
}

/// Greeting and handshake.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Opening {
    /// ZMTP 3.
    Modern { version: [u8; 2], mechanism: &'static str, spoilt: Option<(usize, u8)>, ready: Ready },
    /// ZMTP 2.0: a socket type, and how long the identity is.
    Two { kind: u8, identity: usize },
    /// ZMTP 1.0: how long the identity is.
    One { identity: usize },
}

/// READY, or what comes in its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ready {
    pub(crate) flags: u8,
    pub(crate) name: &'static str,
    /// None without a type.
    pub(crate) kind: Option<&'static str>,
    pub(crate) properties: Vec<(&'static str, Vec<u8>)>,
    /// How long the identity is, if one is named.
    pub(crate) identity: Option<usize>,
    /// So many bytes at its end are missing, or too many (without changing its length).
    pub(crate) tail: i8,
}

/// What is said afterwards.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Message(Vec<Body>),
    /// A frame with any flags; with those of the long form, its length is written so.
    Frame(u8, Body),
    Command(&'static str, Vec<u8>),
    /// A body behind the flags of a command.
    Broken(Vec<u8>),
    /// A frame of which only flags and length come.
    Announced(u8, u64),
}

/// So many bytes of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Body {
    pub(crate) length: usize,
    pub(crate) byte: u8,
}

impl Body {
    fn bytes(self) -> Vec<u8> {
        vec![self.byte; self.length]
    }
}

/// An identity that no other connection has, unless it is empty.
fn identity(length: usize, number: u64) -> Vec<u8> {
    let mut bytes = vec![b'i'; length];
    let digits = format!("{number:08}");
    bytes.iter_mut().zip(digits.bytes()).for_each(|(byte, digit)| *byte = digit);
    bytes
}

/// A frame as ZMTP 2 and 3 have it.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = match u8::try_from(body.len()) {
        Ok(length) if flags & 2 == 0 => vec![flags, length],
        _ => [&[flags | 2][..], &(body.len() as u64).to_be_bytes()].concat(),
    };
    bytes.extend(body);
    bytes
}

/// A frame as ZMTP 1 has it.
fn old_frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = match u8::try_from(body.len() + 1) {
        Ok(length @ ..=254) => vec![length, flags],
        _ => [&[0xff][..], &(body.len() as u64 + 1).to_be_bytes(), &[flags]].concat(),
    };
    bytes.extend(body);
    bytes
}

fn named(name: &str, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a short name");
    [&[length], name.as_bytes(), data].concat()
}

impl Ready {
    pub(crate) fn of(kind: &'static str) -> Self {
        Self {
            flags: 4,
            name: "READY",
            kind: Some(kind),
            properties: vec![],
            identity: None,
            tail: 0,
        }
    }

    fn bytes(&self, number: u64) -> Vec<u8> {
        let mut properties = Vec::new();
        let kind = self.kind.map(|kind| ("Socket-Type", kind.as_bytes().to_vec()));
        let own = self.identity.map(|length| ("Identity", identity(length, number)));
        for (name, value) in kind.into_iter().chain(own).chain(self.properties.iter().cloned()) {
            let length = u32::try_from(value.len()).expect("a short value");
            properties.extend(named(name, &length.to_be_bytes()));
            properties.extend(value);
        }
        let mut body = named(self.name, &properties);
        body.resize(body.len().saturating_add_signed(self.tail.into()), 1);
        frame(self.flags, &body)
    }
}

impl Opening {
    pub(crate) fn modern(ready: Ready) -> Self {
        Self::Modern { version: [3, 1], mechanism: "NULL", spoilt: None, ready }
    }

    /// The bytes of the connection with this number.
    pub(crate) fn bytes(&self, number: u64) -> Vec<u8> {
        const SIGNATURE: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f";
        match self {
            Self::Modern { version, mechanism, spoilt, ready } => {
                let mut greeting = [SIGNATURE, version, mechanism.as_bytes()].concat();
                greeting.resize(64, 0);
                if let Some((at, byte)) = spoilt {
                    greeting[*at] = *byte;
                }
                [greeting, ready.bytes(number)].concat()
            }
            Self::Two { kind, identity: length } => {
                let frame = frame(0, &identity(*length, number));
                [SIGNATURE, &[1, *kind], &frame].concat()
            }
            Self::One { identity: length } => old_frame(0, &identity(*length, number)),
        }
    }
}

impl Part {
    fn bytes(&self, is_old: bool) -> Vec<u8> {
        let frame = if is_old { old_frame } else { frame };
        match self {
            Self::Message(bodies) => {
                let last = bodies.len() - 1;
                let more = |index: usize| u8::from(index < last);
                let frames = bodies.iter().enumerate();
                frames.flat_map(|(index, body)| frame(more(index), &body.bytes())).collect()
            }
            Self::Frame(flags, body) => frame(*flags, &body.bytes()),
            Self::Command(name, data) => frame(4, &named(name, data)),
            Self::Broken(body) => frame(4, body),
            Self::Announced(flags, length) => [&[*flags | 2][..], &length.to_be_bytes()].concat(),
        }
    }
}

impl Speech {
    pub(crate) fn new(opening: Opening, parts: Vec<Part>) -> Self {
        Self { opening, parts, piece: 100_000, is_early: false }
    }

    pub(crate) fn is_modern(&self) -> bool {
        matches!(self.opening, Opening::Modern { .. })
    }

    /// What follows the opening, with a last message.
    pub(crate) fn rest(&self, last: &[u8]) -> Vec<u8> {
        let is_old = matches!(self.opening, Opening::One { .. });
        let mut bytes: Vec<u8> = self.parts.iter().flat_map(|part| part.bytes(is_old)).collect();
        bytes.extend(if is_old { old_frame(0, last) } else { frame(0, last) });
        bytes
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.length)
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind.unwrap_or("without a type"))?;
        if self.flags != 4 {
            write!(f, " flags={}", self.flags)?;
        }
        if let Some(length) = self.identity {
            write!(f, " identity of {length} bytes")?;
        }
        for (name, value) in &self.properties {
            write!(f, " {name}={}", value.escape_ascii())?;
        }
        match self.tail {
            0 => Ok(()),
            tail => write!(f, " tail={tail}"),
        }
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Modern { version: [major, minor], mechanism, spoilt, ready } => {
                write!(f, "{major}.{minor} {mechanism}")?;
                if let Some((at, byte)) = spoilt {
                    write!(f, " byte {at}={byte}")?;
                }
                write!(f, " {ready}")
            }
            Self::Two { kind, identity } => write!(f, "2.0 type {kind} identity {identity}"),
            Self::One { identity } => write!(f, "1.0 identity {identity}"),
        }
    }
}

impl Part {
    /// In words. What peers do not say that have no meaning for these flags is told as odd.
    fn told(&self, reserved: u8) -> String {
        let start = if reserved & 4 == 0 { "" } else { "odd " };
        match self {
            Self::Message(bodies) => {
                let bodies: Vec<_> = bodies.iter().map(ToString::to_string).collect();
                format!("message of {}", bodies.join(", "))
            }
            Self::Frame(flags, body) => {
                let start = if flags & reserved == 0 { "" } else { "odd " };
                format!("{start}frame flags={flags} {body}")
            }
            Self::Command("PING", data) if data.len() < 2 => {
                format!("{start}PING without TTL {}", data.escape_ascii())
            }
            Self::Command(name, data) => format!("{start}{name} {}", data.escape_ascii()),
            Self::Broken(body) => format!("{start}broken command {}", body.escape_ascii()),
            Self::Announced(flags, length) => format!("announced flags={flags} {length}"),
        }
    }
}

impl fmt::Display for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_early { "early " } else { "" })?;
        self.opening.fmt(f)?;
        let reserved = match self.opening {
            Opening::Modern { .. } => 0xf8,
            Opening::Two { .. } => 0xfc,
            Opening::One { .. } => 0xfe,
        };
        let told = self.parts.iter().map(|part| part.told(reserved));
        told.into_iter().try_for_each(|part| write!(f, " / {part}"))
    }
}
