//! Commands after the handshake.

use std::time::Duration;

use super::{Violation, error::show};

/// More of a PING's context is not given back.
const CONTEXT_MAX: usize = 16;

/// A command, by what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// To be answered with the context; the peer will be heard again within the TTL unless that is zero.
    Ping {
        ttl: Duration,
        context: &'a [u8],
    },
    Subscribe(&'a [u8]),
    Cancel(&'a [u8]),
    /// The peer is about to stop. Of our own making: only peers that announce it are sent one.
    GoAway {
        is_last: bool,
    },
    /// The peer is about to end the connection, and says why.
    Error(&'a [u8]),
    /// A PONG, which is traffic and no more; what later versions may bring; and what is broken.
    Other,
}

impl<'a> Command<'a> {
    pub(super) fn read(body: &'a [u8]) -> Self {
        let Some((name, data)) = split(body) else { return Self::Other };
        match name {
            b"PING" => match data {
                &[high, low, ref context @ ..] => Self::Ping {
                    ttl: Duration::from_millis(u64::from(u16::from_be_bytes([high, low])) * 100),
                    context: &context[..context.len().min(CONTEXT_MAX)],
                },
                _ => Self::Other,
            },
            b"SUBSCRIBE" => Self::Subscribe(data),
            b"CANCEL" => Self::Cancel(data),
            b"GOAWAY" => Self::GoAway { is_last: data == [1] },
            b"ERROR" => split(data).map_or(Self::Other, |(reason, _)| Self::Error(reason)),
            _ => Self::Other,
        }
    }
}

/// Whether the command that begins like this is one that ZMTP has, or we do.
pub(super) fn is_known(body: &[u8]) -> bool {
    const KNOWN: [&[u8]; 7] =
        [b"READY", b"ERROR", b"SUBSCRIBE", b"CANCEL", b"PING", b"PONG", b"GOAWAY"];
    split(body).is_some_and(|(name, _)| KNOWN.contains(&name))
}

/// The name of a command and its data; `None` when the name goes beyond the end.
pub(super) fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = body.split_first()?;
    rest.split_at_checked(usize::from(length))
}

/// The data of the command that is due; names are compared exactly.
pub(super) fn expect<'a>(name: &'static str, body: &'a [u8]) -> Result<&'a [u8], Violation> {
    match split(body) {
        Some((got, data)) if got == name.as_bytes() => Ok(data),
        Some((got, _)) => Err(Violation::OutOfTurn { expected: name, got: show(got) }),
        None => Err(Violation::OutOfTurn { expected: name, got: "no command".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let ping = |tenths: u64, context| Command::Ping {
            ttl: Duration::from_millis(tenths * 100),
            context,
        };
        let table: [(&[u8], Command<'_>); 22] = [
            (b"\x04PING\x00\x00", ping(0, b"")),
            (b"\x04PING\x00\x0aabc", ping(10, b"abc")),
            (b"\x04PING\x02\xbc", ping(700, b"")),
            (b"\x04PING\xff\xff0123456789abcdef", ping(65535, b"0123456789abcdef")),
            (b"\x04PING\x00\x010123456789abcdefg", ping(1, b"0123456789abcdef")),
            (b"\x04PING\x00", Command::Other),
            (b"\x04PING", Command::Other),
            (b"\x04PONGabc", Command::Other),
            (b"\x04ping\x00\x00", Command::Other),
            (b"\x09SUBSCRIBE", Command::Subscribe(b"")),
            (b"\x09SUBSCRIBEtopic", Command::Subscribe(b"topic")),
            (b"\x06CANCELtopic", Command::Cancel(b"topic")),
            (b"\x06GOAWAY", Command::GoAway { is_last: false }),
            (b"\x06GOAWAY\x01", Command::GoAway { is_last: true }),
            (b"\x06GOAWAY\x02and more", Command::GoAway { is_last: false }),
            (b"\x05ERROR\x03why", Command::Error(b"why")),
            (b"\x05ERROR\x03whyever", Command::Error(b"why")),
            (b"\x05ERROR\x00", Command::Error(b"")),
            (b"\x05ERROR\x04why", Command::Other),
            (b"\x05ERROR", Command::Other),
            (b"\x09SUB", Command::Other),
            (b"", Command::Other),
        ];
        for (body, expected) in table {
            assert_eq!(Command::read(body), expected, "{}", body.escape_ascii());
        }
    }
}
