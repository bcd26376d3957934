//! What the application is told: of each channel that is open one thing of each kind at most, and nothing of channels
//! that have come and gone unheard of.

use std::{collections::VecDeque, mem::discriminant};

use super::{CallId, Notice, RequestId, Session, channel_key::ChannelKey};
use crate::{answer::Loss, error::PeerMisbehaved, peer::PeerId};

/// Kinds of notices; a channel knows which of them are on their way.
pub(super) const REQUESTED: u8 = 1;
pub(super) const READABLE: u8 = 2;
pub(super) const WRITABLE: u8 = 4;
pub(super) const CALL_LOST: u8 = 8;
pub(super) const ON_THEIR_WAY: u8 = 15;
/// The application has heard of the request.
const KNOWN: u8 = 16;

/// So many notices of channels that are gone do no harm. Not measured: some KiB.
const FEW: usize = 64;

/// So many kinds of misbehaviour wait to be told, each of one peer; what comes when that many wait is counted only. Not
/// measured: a bound that only floods meet.
const MOST_MISBEHAVIOURS: usize = 32;

/// What peers did wrong that nobody was told of yet.
#[derive(Debug, Default)]
pub(super) struct Misbehaviours {
    waiting: VecDeque<Misbehaviour>,
    /// How often any peer has misbehaved, told or not.
    count: u64,
}

#[derive(Debug)]
struct Misbehaviour {
    peer: PeerId,
    how: PeerMisbehaved,
    times: u64,
}

impl Misbehaviours {
    fn add(&mut self, peer: PeerId, how: PeerMisbehaved) {
        self.count += 1;
        let is_alike = |other: &&mut Misbehaviour| {
            other.peer == peer && discriminant(&other.how) == discriminant(&how)
        };
        if let Some(alike) = self.waiting.iter_mut().find(is_alike) {
            alike.times += 1;
            alike.how = how;
        } else if self.waiting.len() < MOST_MISBEHAVIOURS {
            self.waiting.push_back(Misbehaviour { peer, how, times: 1 });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    #[cold]
    fn next(&mut self) -> Option<Notice> {
        let Misbehaviour { peer, how, times } = self.waiting.pop_front()?;
        Some(Notice::Misbehaved { peer, how, times })
    }
}

impl Session {
    /// The next thing to look at.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.lose_disconnected();
        if !self.misbehaviours.is_empty() {
            return self.misbehaviours.next();
        }
        loop {
            let notice = self.notices.pop_front()?;
            let (at, kind) = match notice {
                Notice::Requested(RequestId(at)) => (at, REQUESTED),
                Notice::Readable(CallId(at)) => (at, READABLE),
                Notice::Writable(RequestId(at)) => (at, WRITABLE),
                Notice::CallLost(CallId(at)) => (at, CALL_LOST),
                Notice::RequestLost(..) | Notice::Misbehaved { .. } => return Some(notice),
            };
            let Some(channel) = self.store.get_mut(at) else {
                self.stale_notices -= 1;
                continue;
            };
            channel.notices &= !kind;
            if kind == REQUESTED {
                channel.notices |= KNOWN;
            }
            if matches!(kind, REQUESTED | WRITABLE) && !channel.is_open_request() {
                // It was answered meanwhile, and only its answer is still on its way.
                continue;
            }
            return Some(notice);
        }
    }

    /// How often peers have broken the protocol, all in all: each time counts, also those that
    /// [`Notice::Misbehaved`] does not tell of.
    #[must_use]
    pub fn misbehaviours(&self) -> u64 {
        self.misbehaviours.count
    }

    #[cold]
    pub(super) fn tell_misbehaved(&mut self, peer: PeerId, how: PeerMisbehaved) {
        self.misbehaviours.add(peer, how);
    }

    pub(crate) fn tell_requested(&mut self, at: ChannelKey) {
        self.tell(at, REQUESTED, Notice::Requested(RequestId(at)));
    }

    pub(crate) fn tell_writable(&mut self, at: ChannelKey) {
        self.tell(at, WRITABLE, Notice::Writable(RequestId(at)));
    }

    pub(crate) fn tell_call_lost(&mut self, at: ChannelKey) {
        self.tell(at, CALL_LOST, Notice::CallLost(CallId(at)));
    }

    fn tell(&mut self, at: ChannelKey, kind: u8, notice: Notice) {
        if let Some(channel) = self.store.get_mut(at)
            && channel.notices & kind == 0
        {
            channel.notices |= kind;
            self.notices.push_back(notice);
        }
    }

    /// A request is gone that may be known of.
    pub(crate) fn tell_request_lost(&mut self, at: ChannelKey, notices: u8, loss: Loss) {
        if notices & KNOWN != 0 {
            self.notices.push_back(Notice::RequestLost(RequestId(at), loss));
        }
    }

    /// A channel with these notices is gone: what is on its way of it means nothing any more.
    pub(crate) fn forget_notices(&mut self, notices: u8) {
        self.stale_notices += (notices & ON_THEIR_WAY).count_ones() as usize;
        if self.stale_notices > FEW.max(self.notices.len() / 2) {
            let store = &self.store;
            self.notices.retain(|notice| match notice {
                Notice::Requested(RequestId(at)) | Notice::Writable(RequestId(at)) => {
                    store.get(*at).is_some()
                }
                Notice::Readable(CallId(at)) | Notice::CallLost(CallId(at)) => {
                    store.get(*at).is_some()
                }
                Notice::RequestLost(..) | Notice::Misbehaved { .. } => true,
            });
            self.stale_notices = 0;
        }
    }
}
