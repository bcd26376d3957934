//! Which channels are open, and how each kind of event finds its own.

use std::collections::{BTreeSet, HashMap};

use foldhash::quality::FixedState;
use slab::Slab;

use crate::{
    channel::{Channel, Side},
    id::{MessageId, OwnId},
    multipart::Envelope,
    transport::{PeerId, Route},
};

/// Names one channel for ever: slots are used again, serials are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct At {
    slot: usize,
    serial: u64,
}

/// What finds a server's channel. Never the id alone: two peers may use the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    pub(crate) peer: PeerId,
    pub(crate) envelope: Envelope,
    pub(crate) id: MessageId,
}

#[derive(Debug)]
pub(crate) struct Table {
    channels: Slab<(u64, Channel)>,
    next_serial: u64,
    calls: HashMap<OwnId, At, FixedState>,
    requests: HashMap<RequestKey, At, FixedState>,
    /// Requests per route.
    counts: HashMap<Route, usize, FixedState>,
    /// Channels by peer, where peers have names.
    by_peer: BTreeSet<(PeerId, At)>,
}

impl Table {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = || FixedState::with_seed(seed);
        Self {
            channels: Slab::new(),
            next_serial: 0,
            calls: HashMap::with_hasher(hasher()),
            requests: HashMap::with_hasher(hasher()),
            counts: HashMap::with_hasher(hasher()),
            by_peer: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// How many requests that came the same way are open.
    pub(crate) fn requests_from(&self, peer: PeerId, envelope: &Envelope) -> usize {
        self.counts.get(&Route::of(peer, envelope)).copied().unwrap_or(0)
    }

    pub(crate) fn insert(&mut self, channel: Channel) -> At {
        let serial = self.next_serial;
        self.next_serial += 1;
        let at = At { slot: self.channels.vacant_key(), serial };
        match &channel.side {
            Side::Caller(caller) => {
                self.calls.insert(caller.own, at);
            }
            Side::Server(_) => {
                *self.counts.entry(Route::of(channel.peer, &channel.envelope)).or_default() += 1;
                // An id that is in use already: the newer channel gets what comes (reference behaviour).
                self.requests.insert(request_key(&channel), at);
            }
        }
        if !matches!(channel.peer, PeerId::NAMELESS | PeerId::ANY) {
            self.by_peer.insert((channel.peer, at));
        }
        self.channels.insert((serial, channel));
        at
    }

    pub(crate) fn get(&self, at: At) -> Option<&Channel> {
        let (serial, channel) = self.channels.get(at.slot)?;
        (*serial == at.serial).then_some(channel)
    }

    pub(crate) fn get_mut(&mut self, at: At) -> Option<&mut Channel> {
        let (serial, channel) = self.channels.get_mut(at.slot)?;
        (*serial == at.serial).then_some(channel)
    }

    pub(crate) fn find_call(&self, id: &MessageId, from: PeerId) -> Option<At> {
        let at = *self.calls.get(&OwnId::from_echo(id)?)?;
        self.get(at).is_some_and(|channel| channel.peer == from).then_some(at)
    }

    pub(crate) fn find_request(&self, key: &RequestKey) -> Option<At> {
        self.requests.get(key).copied()
    }

    /// Gives a call that is open to any peer to one, or takes it back.
    pub(crate) fn move_call(&mut self, at: At, to: PeerId) {
        let Some(channel) = self.get_mut(at) else { return };
        let from = std::mem::replace(&mut channel.peer, to);
        self.by_peer.remove(&(from, at));
        if to != PeerId::ANY {
            self.by_peer.insert((to, at));
        }
    }

    /// Stops finding a call by its id; what it has received stays.
    pub(crate) fn forget_call(&mut self, at: At) {
        if let Some(Channel { side: Side::Caller(caller), .. }) = self.get(at) {
            let own = caller.own;
            self.calls.remove(&own);
        }
    }

    pub(crate) fn remove(&mut self, at: At) -> Option<Channel> {
        self.get(at)?;
        self.forget_call(at);
        let (_, channel) = self.channels.remove(at.slot);
        self.by_peer.remove(&(channel.peer, at));
        if matches!(channel.side, Side::Server(_)) {
            let key = request_key(&channel);
            if self.requests.get(&key) == Some(&at) {
                self.requests.remove(&key);
            }
            let route = Route::of(channel.peer, &channel.envelope);
            if let Some(count) = self.counts.get_mut(&route) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&route);
                }
            }
        }
        Some(channel)
    }

    /// All channels of a peer that has a name.
    pub(crate) fn of_peer(&self, peer: PeerId) -> Vec<At> {
        let (first, last) = (At { slot: 0, serial: 0 }, At { slot: usize::MAX, serial: u64::MAX });
        self.by_peer.range((peer, first)..=(peer, last)).map(|(_, at)| *at).collect()
    }
}

fn request_key(channel: &Channel) -> RequestKey {
    RequestKey { peer: channel.peer, envelope: channel.envelope.clone(), id: channel.id.clone() }
}
