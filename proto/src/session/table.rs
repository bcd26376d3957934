//! Which channels are open, and how each kind of event finds its own.

use std::{collections::HashMap, hash::BuildHasher, time::Duration};

use bytes::Bytes;
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use slab::Slab;

use crate::{
    channel::{Channel, Side, phase::Phase},
    id::{OwnId, TheirId},
    multipart::Envelope,
    transport::PeerId,
};

/// Names one channel for ever: slots are used again, serials are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct At {
    serial: u64,
    slot: u32,
}

/// All channels. Calls are found by their ids, which tell the slot; requests by peer, envelope and id, never by the
/// id alone: two peers may use the same one.
#[derive(Debug)]
pub(crate) struct Table {
    channels: Slab<Entry>,
    next_serial: u64,
    /// The slots of requests.
    requests: HashTable<u32>,
    /// Of peers that have names.
    peers: HashMap<PeerId, OfPeer, FixedState>,
    /// Requests by the first identity of their envelope, where peers have no names.
    counts: HashMap<Bytes, usize, FixedState>,
    hasher: FixedState,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    /// Where the channel stands among those of its peer.
    place: u32,
    channel: Channel,
}

/// The channels of a peer.
#[derive(Debug, Default)]
struct OfPeer {
    slots: Vec<u32>,
    requests: usize,
    /// The longest time that it has let pass before a first beat, once it has beaten.
    rhythm: Option<Duration>,
    /// Forgotten with its last channel.
    is_gone: bool,
}

impl Table {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self {
            channels: Slab::new(),
            next_serial: 0,
            requests: HashTable::new(),
            peers: HashMap::with_hasher(hasher.clone()),
            counts: HashMap::with_hasher(hasher.clone()),
            hasher,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// How many requests that came the same way are open.
    pub(crate) fn requests_from(&self, peer: PeerId, envelope: &Envelope) -> usize {
        if peer == PeerId::NAMELESS {
            return self.counts.get(identity(envelope)).copied().unwrap_or(0);
        }
        self.peers.get(&peer).map_or(0, |of_peer| of_peer.requests)
    }

    /// How often a peer beats on its requests, once it has: it does so on all of them.
    pub(crate) fn rhythm_of(&self, peer: PeerId) -> Option<Duration> {
        self.peers.get(&peer)?.rhythm
    }

    /// The first beat has come on a request.
    pub(crate) fn note_rhythm(&mut self, at: At, rhythm: Duration) {
        let Some(peer) = self.get(at).map(|channel| channel.peer) else { return };
        if let Some(of_peer) = self.peers.get_mut(&peer) {
            of_peer.rhythm = of_peer.rhythm.max(Some(rhythm));
        }
    }

    /// Where the next channel will be.
    pub(crate) fn next_slot(&self) -> u32 {
        u32::try_from(self.channels.vacant_key()).unwrap_or(u32::MAX)
    }

    pub(crate) fn insert(&mut self, channel: Channel) -> At {
        let at = At { serial: self.next_serial, slot: self.next_slot() };
        self.next_serial += 1;
        let (peer, hash) = (channel.peer, Key::of(&channel).map(|key| key.hash(&self.hasher)));
        let is_request = hash.is_some();
        if is_request && peer == PeerId::NAMELESS {
            *self.counts.entry(identity(&channel.envelope).clone()).or_default() += 1;
        }
        self.channels.insert(Entry { serial: at.serial, place: 0, channel });
        if let Some(hash) = hash {
            self.insert_request(hash, at.slot);
        }
        self.join(at.slot, peer, is_request);
        at
    }

    /// An id that is in use already: the newer channel gets what comes (reference behaviour).
    fn insert_request(&mut self, hash: u64, slot: u32) {
        let Self { channels, requests, hasher, .. } = self;
        let key = |slot: &u32| channels.get(*slot as usize).and_then(|it| Key::of(&it.channel));
        let new = key(&slot);
        match requests.find_mut(hash, |other| key(other) == new) {
            Some(older) => *older = slot,
            None => {
                let hash_of = |slot: &u32| key(slot).map_or(0, |key| key.hash(hasher));
                requests.insert_unique(hash, slot, hash_of);
            }
        }
    }

    pub(crate) fn get(&self, at: At) -> Option<&Channel> {
        let entry = self.channels.get(at.slot as usize)?;
        (entry.serial == at.serial).then_some(&entry.channel)
    }

    pub(crate) fn get_mut(&mut self, at: At) -> Option<&mut Channel> {
        let entry = self.channels.get_mut(at.slot as usize)?;
        (entry.serial == at.serial).then_some(&mut entry.channel)
    }

    /// A call that is not at its end, by what was echoed of its id.
    pub(crate) fn find_call(&self, echo: &[u8], from: PeerId) -> Option<At> {
        let slot = OwnId::slot(echo)?;
        let Entry { serial, channel, .. } = self.channels.get(slot as usize)?;
        match &channel.side {
            Side::Caller(caller)
                if channel.peer == from && channel.phase != Phase::Ended && caller.own.is(echo) =>
            {
                Some(At { serial: *serial, slot })
            }
            Side::Caller(_) | Side::Server(_) => None,
        }
    }

    /// A request, by its id as its caller encodes it.
    pub(crate) fn find_request(&self, peer: PeerId, envelope: &Envelope, id: &[u8]) -> Option<At> {
        let key = Key { peer, envelope, id: TheirId(id) };
        let slot = *self.requests.find(key.hash(&self.hasher), |slot| {
            let entry = self.channels.get(*slot as usize);
            entry.is_some_and(|entry| Key::of(&entry.channel).as_ref() == Some(&key))
        })?;
        let serial = self.channels.get(slot as usize)?.serial;
        Some(At { serial, slot })
    }

    /// Gives a call that is open to any peer to one, or takes it back.
    pub(crate) fn move_call(&mut self, at: At, to: PeerId) {
        let Some(channel) = self.get_mut(at) else { return };
        let from = std::mem::replace(&mut channel.peer, to);
        self.part(at.slot, from, false);
        self.join(at.slot, to, false);
    }

    pub(crate) fn remove(&mut self, at: At) -> Option<Channel> {
        let channel = self.get(at)?;
        let (peer, hash) = (channel.peer, Key::of(channel).map(|key| key.hash(&self.hasher)));
        let is_request = hash.is_some();
        if let Some(hash) = hash {
            // Gone already if a newer channel has the id.
            if let Ok(found) = self.requests.find_entry(hash, |slot| *slot == at.slot) {
                found.remove();
            }
        }
        self.part(at.slot, peer, is_request);
        let Entry { channel, .. } = self.channels.remove(at.slot as usize);
        if is_request
            && peer == PeerId::NAMELESS
            && let Some(count) = self.counts.get_mut(identity(&channel.envelope))
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(identity(&channel.envelope));
            }
        }
        Some(channel)
    }

    /// All channels of a peer that has a name, the oldest first.
    pub(crate) fn of_peer(&self, peer: PeerId) -> Vec<At> {
        let slots = self.peers.get(&peer).map_or(&[][..], |of_peer| &of_peer.slots);
        let at = |slot: &u32| {
            let Entry { serial, .. } = self.channels.get(*slot as usize)?;
            Some(At { serial: *serial, slot: *slot })
        };
        let mut channels: Vec<At> = slots.iter().filter_map(at).collect();
        channels.sort_unstable();
        channels
    }

    /// Puts a channel among those of its peer.
    fn join(&mut self, slot: u32, peer: PeerId, is_request: bool) {
        if !peer.is_named() {
            return;
        }
        let of_peer = self.peers.entry(peer).or_default();
        of_peer.requests += usize::from(is_request);
        if let Some(entry) = self.channels.get_mut(slot as usize) {
            entry.place = u32::try_from(of_peer.slots.len()).unwrap_or(u32::MAX);
        }
        of_peer.slots.push(slot);
    }

    fn part(&mut self, slot: u32, peer: PeerId, is_request: bool) {
        let Some(of_peer) = self.peers.get_mut(&peer) else { return };
        let Some(place) = self.channels.get(slot as usize).map(|entry| entry.place as usize) else {
            return;
        };
        of_peer.requests -= usize::from(is_request);
        of_peer.slots.swap_remove(place);
        if let Some(moved) = of_peer.slots.get(place)
            && let Some(entry) = self.channels.get_mut(*moved as usize)
        {
            entry.place = u32::try_from(place).unwrap_or(u32::MAX);
        }
        if of_peer.is_gone && of_peer.slots.is_empty() {
            self.peers.remove(&peer);
        }
    }

    /// A peer has gone and will never come back.
    pub(crate) fn forget_peer(&mut self, peer: PeerId) {
        if let Some(of_peer) = self.peers.get_mut(&peer) {
            of_peer.is_gone = true;
            if of_peer.slots.is_empty() {
                self.peers.remove(&peer);
            }
        }
    }
}

/// What finds a request.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key<'a> {
    peer: PeerId,
    envelope: &'a Envelope,
    id: TheirId<'a>,
}

impl<'a> Key<'a> {
    /// The key of a channel that a peer has opened.
    fn of(channel: &'a Channel) -> Option<Self> {
        match &channel.side {
            Side::Server(serving) => Some(Self {
                peer: channel.peer,
                envelope: &channel.envelope,
                id: TheirId(serving.id.as_encoded()),
            }),
            Side::Caller(_) => None,
        }
    }

    fn hash(&self, hasher: &FixedState) -> u64 {
        hasher.hash_one(self)
    }
}

/// The first identity of an envelope; the empty one if it has none.
fn identity(envelope: &Envelope) -> &Bytes {
    static NONE: Bytes = Bytes::new();
    envelope.frames().first().unwrap_or(&NONE)
}
