//! The kinds of sockets that there are on the wire, and which go together.

use std::fmt;

use zerorpc_proto::transport::SocketKind;

/// The kind of a peer's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are ZeroMQ's own")]
#[non_exhaustive]
pub enum SocketType {
    Pair,
    Pub,
    Sub,
    Req,
    Rep,
    Dealer,
    Router,
    Pull,
    Push,
    XPub,
    XSub,
}

/// Every kind, its number in ZMTP 2.0 and its name in ZMTP 3.x.
const TABLE: [(SocketType, u8, &str); 11] = [
    (SocketType::Pair, 0, "PAIR"),
    (SocketType::Pub, 1, "PUB"),
    (SocketType::Sub, 2, "SUB"),
    (SocketType::Req, 3, "REQ"),
    (SocketType::Rep, 4, "REP"),
    (SocketType::Dealer, 5, "DEALER"),
    (SocketType::Router, 6, "ROUTER"),
    (SocketType::Pull, 7, "PULL"),
    (SocketType::Push, 8, "PUSH"),
    (SocketType::XPub, 9, "XPUB"),
    (SocketType::XSub, 10, "XSUB"),
];

impl SocketType {
    /// The name in ZMTP 3.x.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().2
    }

    pub(super) fn number(self) -> u8 {
        self.row().1
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// Names are compared exactly.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        TABLE.iter().find(|row| row.2.as_bytes() == name).map(|row| row.0)
    }

    /// The table is in the order of the variants.
    fn row(self) -> &'static (Self, u8, &'static str) {
        &TABLE[self as usize]
    }
}

impl From<SocketKind> for SocketType {
    fn from(kind: SocketKind) -> Self {
        match kind {
            SocketKind::Dealer => Self::Dealer,
            SocketKind::Router => Self::Router,
            SocketKind::Push => Self::Push,
            SocketKind::Pull => Self::Pull,
            SocketKind::Pub => Self::Pub,
            SocketKind::Sub => Self::Sub,
        }
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of our own kind.
pub(super) fn name_of(kind: SocketKind) -> &'static str {
    SocketType::from(kind).name()
}

/// Whether a socket of our kind goes with one of theirs.
pub(super) fn go_together(ours: SocketKind, theirs: SocketType) -> bool {
    use SocketType::{Dealer, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub};
    match ours {
        SocketKind::Dealer => matches!(theirs, Rep | Dealer | Router),
        SocketKind::Router => matches!(theirs, Req | Dealer | Router),
        SocketKind::Push => theirs == Pull,
        SocketKind::Pull => theirs == Push,
        SocketKind::Pub => matches!(theirs, Sub | XSub),
        SocketKind::Sub => matches!(theirs, Pub | XPub),
    }
}

/// Whether messages from a peer mean anything to a socket of this kind.
pub(super) fn receives(kind: SocketKind) -> bool {
    !matches!(kind, SocketKind::Push | SocketKind::Pub)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_variants() {
        for (kind, number, name) in TABLE {
            assert_eq!((kind.number(), kind.name()), (number, name));
            assert_eq!(SocketType::from_number(number), Some(kind));
            assert_eq!(SocketType::from_name(name.as_bytes()), Some(kind));
        }
        assert_eq!(SocketType::from_number(11), None);
        for wrong in ["dealer", "DEALERS", "DEALE", ""] {
            assert_eq!(SocketType::from_name(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_matrix() {
        let matrix = [
            (SocketKind::Dealer, "REP DEALER ROUTER"),
            (SocketKind::Router, "REQ DEALER ROUTER"),
            (SocketKind::Push, "PULL"),
            (SocketKind::Pull, "PUSH"),
            (SocketKind::Pub, "SUB XSUB"),
            (SocketKind::Sub, "PUB XPUB"),
        ];
        for (ours, allowed) in matrix {
            for (theirs, _, name) in TABLE {
                let expected = allowed.split(' ').any(|one| one == name);
                assert_eq!(go_together(ours, theirs), expected, "{ours:?} {name}");
            }
        }
    }
}
