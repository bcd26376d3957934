//! One step of a dialogue.

use std::sync::Arc;

use zerorpc_proto::transport::Principal;

use super::Ciphers;
use crate::metadata::Metadata;

/// What a command leads to.
#[derive(Debug)]
pub(crate) enum Turn<State> {
    Next(State),
    Done(Agreement),
}

/// What two sides know of each other when a dialogue is over.
#[derive(Debug)]
pub(crate) struct Agreement {
    /// What the peer says of itself.
    pub(crate) metadata: Metadata,
    /// What is sure of it.
    pub(crate) principal: Arc<Principal>,
    /// What their traffic is encrypted with, if it is.
    pub(crate) ciphers: Option<Box<Ciphers>>,
}

impl<State> Turn<State> {
    /// The same, of a dialogue in which this one is a part.
    pub(super) fn map<Whole>(self, whole: impl FnOnce(State) -> Whole) -> Turn<Whole> {
        match self {
            Self::Next(state) => Turn::Next(whole(state)),
            Self::Done(agreement) => Turn::Done(agreement),
        }
    }
}
