//! What requests and their peers are found by.

use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::quality::FixedState;

use crate::{
    channel::{Channel, Role},
    id::TheirId,
    multipart::Envelope,
    peer::PeerId,
};

/// What finds a request.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key<'a> {
    pub(super) peer: PeerId,
    pub(super) envelope: &'a Envelope,
    pub(super) id: TheirId<'a>,
}

impl<'a> Key<'a> {
    /// The key of a channel that a peer has opened.
    pub(super) fn of(channel: &'a Channel) -> Option<Self> {
        match &channel.role {
            Role::Server(request) => Some(Self {
                peer: channel.peer?,
                envelope: &channel.envelope,
                id: TheirId(request.id.as_encoded()),
            }),
            Role::Client(_) => None,
        }
    }

    pub(super) fn hash(&self, hasher: &FixedState) -> u64 {
        hasher.hash_one(self)
    }
}

/// The first identity of an envelope; the empty one if it has none.
pub(super) fn identity(envelope: &Envelope) -> &Bytes {
    static NONE: Bytes = Bytes::new();
    envelope.frames().first().unwrap_or(&NONE)
}
