//! Whom messages come from, and whom they go to.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use bytes::Bytes;

use crate::multipart::Envelope;

/// One connection of a transport, for as long as that connection lives.
///
/// Whoever drives a [`Session`](crate::Session) hands them out: any number will do, as long as no other connection of the
/// same session has it, or ever gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId(Name);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Nameless,
    Number(u64),
}

impl PeerId {
    /// The single peer of a transport that cannot tell its peers apart (libzmq). No number equals it.
    ///
    /// Behind a ROUTER of such a transport, the first frame of the envelope names the peer.
    pub const NAMELESS: Self = Self(Name::Nameless);

    /// The connection with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(Name::Number(number))
    }

    /// The number that it was made of; `None` for the [nameless](Self::NAMELESS) one.
    #[must_use]
    pub const fn number(self) -> Option<u64> {
        match self.0 {
            Name::Nameless => None,
            Name::Number(number) => Some(number),
        }
    }

    /// Whether this is one certain connection.
    pub(crate) const fn is_named(self) -> bool {
        matches!(self.0, Name::Number(_))
    }
}

impl Hash for PeerId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The nameless one may meet a number: it is one alone.
        state.write_u64(self.number().unwrap_or(u64::MAX));
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            None => f.write_str("the peer"),
            Some(number) => write!(f, "peer {number}"),
        }
    }
}

/// Whom a call is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// Whichever peer is up and has the fewest calls; none being up, the first one to come.
    Any,
    /// This one alone.
    Peer(PeerId),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any peer"),
            Self::Peer(peer) => peer.fmt(f),
        }
    }
}

impl From<PeerId> for Target {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

/// Which queue of a transport a message goes through: that of a connection, or, where connections have no
/// names, that of the first identity in the envelope.
// Exhaustive: two routes are one where both are the same. Transports make them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// The connection.
    pub peer: PeerId,
    /// The first identity, behind a transport with nameless peers.
    pub identity: Option<Bytes>,
}

impl Route {
    /// The route of a message.
    #[must_use]
    pub fn of(peer: PeerId, envelope: &Envelope) -> Self {
        let identity = match peer.is_named() {
            true => None,
            false => envelope.frames().first().cloned(),
        };
        Self { peer, identity }
    }
}

impl From<PeerId> for Route {
    fn from(peer: PeerId) -> Self {
        Self { peer, identity: None }
    }
}
