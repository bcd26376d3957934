//! Messages on their way out, and what names them.

use std::num::NonZeroU32;

use crate::{
    multipart::{Envelope, Payload},
    peer::PeerId,
};

/// A message that wants to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The connection to send it on.
    pub to: PeerId,
    /// The return address of the channel. On a transport with nameless peers, the first frame is the
    /// routing id for the ROUTER.
    pub envelope: Envelope,
    /// The event.
    pub payload: Payload,
    /// Comes back in [`PeerEvent::Returned`](crate::PeerEvent::Returned) if no byte of the message could be written; `None`
    /// where nobody needs to hear of that.
    pub token: Option<Token>,
}

impl Transmit {
    /// A message of one's own, which nobody needs to have back.
    #[must_use]
    pub fn new(to: PeerId, envelope: Envelope, payload: Payload) -> Self {
        Self { to, envelope, payload, token: None }
    }
}

/// Names a message for whoever has sent it. A session knows its own ones; those of another session, or of a message that it has
/// sent once more since, name nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    pub(crate) serial: u64,
    pub(crate) slot: u32,
    pub(crate) attempt: NonZeroU32,
}

impl Token {
    /// For messages that no session has made.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self { serial: number, slot: u32::MAX, attempt: NonZeroU32::MIN }
    }
}
