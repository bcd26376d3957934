//! What each peer has open here, and what is kept on its behalf.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use super::store::ChannelKey;
use crate::{
    limits::Limits,
    peer::{PeerId, Route},
};

/// Stands for no account.
pub(crate) const NOBODY: u32 = u32::MAX;

/// So many requests of a peer are run at a time whose answers pile up.
const FEW: u32 = 2;

/// One peer, or where peers have no names, one route.
#[derive(Debug)]
pub(crate) struct Account {
    /// Whose it is.
    peer: PeerId,
    /// The first identity of the route, where peers have no names.
    identity: Option<Bytes>,
    /// The slots of the peer's channels.
    pub(crate) slots: Vec<u32>,
    /// How many of these channels are requests.
    pub(crate) requests: usize,
    /// The longest time that the peer has let pass before a first beat, once it has beaten.
    pub(crate) rhythm: Option<Duration>,
    /// The peer is gone: the account is forgotten with its last channel.
    pub(crate) is_gone: bool,
    /// The account stands among those that are looked at by whoever bounds memory.
    pub(crate) is_crowded: bool,
    /// How many of the peer's requests are being answered.
    pub(crate) running: u32,
    /// How many bytes of requests wait to be taken.
    pub(crate) requested_bytes: usize,
    /// How many bytes of arguments were taken by requests that are being answered.
    pub(crate) taken_bytes: usize,
    /// How many bytes of answers wait to be sent.
    pub(crate) unsent_bytes: usize,
    /// How many answers wait to be sent.
    pub(crate) unsent_answers: u32,
    /// Requests that are not run before answers have left, or others have ended.
    pub(crate) postponed: VecDeque<ChannelKey>,
}

impl Account {
    pub(crate) fn new(peer: PeerId, identity: Option<Bytes>) -> Self {
        Self {
            peer,
            identity,
            slots: Vec::new(),
            requests: 0,
            rhythm: None,
            is_gone: false,
            is_crowded: false,
            running: 0,
            requested_bytes: 0,
            taken_bytes: 0,
            unsent_bytes: 0,
            unsent_answers: 0,
            postponed: VecDeque::new(),
        }
    }

    pub(crate) fn route(&self) -> Route {
        Route { peer: self.peer, identity: self.identity.clone() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.requested_bytes.saturating_add(self.taken_bytes).saturating_add(self.unsent_bytes)
    }

    /// One more answer waits. True when the peer has become one that may not keep up.
    #[inline]
    pub(crate) fn add_unsent(&mut self, weight: usize, limits: &Limits) -> bool {
        self.unsent_bytes += weight;
        self.unsent_answers += 1;
        self.is_over(limits) && !std::mem::replace(&mut self.is_crowded, true)
    }

    /// An answer has left. True when requests have waited for that.
    #[inline]
    pub(crate) fn remove_unsent(&mut self, weight: usize) -> bool {
        self.unsent_bytes -= weight;
        self.unsent_answers -= 1;
        !self.postponed.is_empty()
    }

    /// Whether one more request may be run, beside others that begin now with so many bytes of arguments. As long as its
    /// answers pile up, a few are at a time; when half of what may wait does, none. Nor is one while those that run have
    /// taken more arguments than that: the last of them may have any size.
    pub(crate) fn may_run(&self, limits: &Limits, beginning: usize) -> bool {
        let half = limits.peer_bytes / 2;
        self.taken_bytes.saturating_add(beginning) <= half
            && (!self.is_tight(limits) || self.unsent_bytes <= half && self.running < FEW)
    }

    /// How many bytes of requests count when another one comes in. Room for half of what may wait is left beside those
    /// that run, however large those are.
    pub(crate) fn requested_and_taken(&self, limits: &Limits) -> usize {
        self.requested_bytes.saturating_add(self.taken_bytes.min(limits.peer_bytes / 2))
    }

    /// Whether answers pile up.
    pub(crate) fn is_tight(&self, limits: &Limits) -> bool {
        self.unsent_bytes > limits.peer_bytes / 8
    }

    /// Whether a peer that reads nothing has to go: more answers wait for it than may, or requests wait for that. One
    /// answer alone may be of any size.
    #[inline]
    pub(crate) fn is_over(&self, limits: &Limits) -> bool {
        self.unsent_bytes > limits.peer_bytes / 2
            && (!self.postponed.is_empty()
                || self.unsent_bytes > limits.peer_bytes && self.unsent_answers > 1)
    }
}
