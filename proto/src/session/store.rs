//! Which channels are open, and how each kind of event finds its own.

#[cfg(feature = "invariants")]
mod invariants;
mod key;

use std::{collections::HashMap, hash::BuildHasher, time::Duration};

use bytes::Bytes;
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use slab::Slab;

use super::{
    accounts::{Account, NOBODY},
    channel_key::ChannelKey,
};
use crate::{
    channel::{Channel, Role, Turn, phase::Phase},
    faults::{self, Fault},
    id::{OwnId, TheirId},
    multipart::Envelope,
    peer::{PeerId, Route},
};
use key::{Key, identity};

/// All channels. Calls are found by their ids, which tell the slot; requests by peer, envelope and id, never by the
/// id alone: two peers may use the same one.
#[derive(Debug)]
pub(crate) struct Store {
    channels: Slab<Entry>,
    next_serial: u64,
    /// The slots of requests.
    requests: HashTable<u32>,
    accounts: Slab<Account>,
    /// Of peers that have names.
    peers: HashMap<PeerId, u32, FixedState>,
    /// Of requests by the first identity of their envelope, where peers have no names.
    routes: HashMap<Bytes, u32, FixedState>,
    hasher: FixedState,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    /// The number of its peer's account.
    account: u32,
    /// Its index among the channels of that account.
    index_in_peer: u32,
    /// Of the key of a request.
    hash: u64,
    channel: Channel,
}

impl Store {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self {
            channels: Slab::new(),
            // Far from those of other sessions, and as far from the end.
            next_serial: hasher.hash_one("serial") >> 1,
            requests: HashTable::new(),
            accounts: Slab::new(),
            peers: HashMap::with_hasher(hasher.clone()),
            routes: HashMap::with_hasher(hasher.clone()),
            hasher,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// What came the same way, if anything is open.
    pub(crate) fn account_of(&self, peer: PeerId, envelope: &Envelope) -> Option<&Account> {
        let number = match peer {
            PeerId::NAMELESS => self.routes.get(identity(envelope)),
            _ => self.peers.get(&peer),
        };
        self.accounts.get(*number? as usize)
    }

    /// The number of that account.
    fn number_of(&self, route: &Route) -> Option<u32> {
        match (&route.identity, route.peer) {
            (Some(identity), PeerId::NAMELESS) => self.routes.get(identity).copied(),
            (None, PeerId::NAMELESS) => self.routes.get(&Bytes::new()).copied(),
            (_, peer) => self.peers.get(&peer).copied(),
        }
    }

    /// The account of a route, with its number, if anything is or was open there.
    pub(crate) fn account_of_route(&mut self, route: &Route) -> Option<(u32, &mut Account)> {
        let number = self.number_of(route)?;
        Some((number, self.accounts.get_mut(number as usize)?))
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().map(|(_, account)| account)
    }

    pub(crate) fn account(&self, number: u32) -> Option<&Account> {
        self.accounts.get(number as usize)
    }

    pub(crate) fn account_mut(&mut self, number: u32) -> Option<&mut Account> {
        self.accounts.get_mut(number as usize)
    }

    /// A channel with the account of its peer, and the number of that.
    pub(crate) fn get_with_account(
        &mut self,
        at: ChannelKey,
    ) -> Option<(&mut Channel, u32, Option<&mut Account>)> {
        let entry = self.channels.get_mut(at.slot as usize)?;
        if entry.serial != at.serial {
            return None;
        }
        let account = self.accounts.get_mut(entry.account as usize);
        Some((&mut entry.channel, entry.account, account))
    }

    /// The first beat has come on a request.
    pub(crate) fn note_rhythm(&mut self, at: ChannelKey, rhythm: Duration) {
        if let Some((_, _, Some(account))) = self.get_with_account(at) {
            account.rhythm = account.rhythm.max(Some(rhythm));
        }
    }

    /// Where the next channel will be.
    pub(crate) fn next_slot(&self) -> u32 {
        u32::try_from(self.channels.vacant_key()).unwrap_or(u32::MAX)
    }

    pub(crate) fn insert(&mut self, channel: Channel) -> ChannelKey {
        let at = ChannelKey { serial: self.next_serial, slot: self.next_slot() };
        self.next_serial += 1;
        let (peer, hash) = (channel.peer, Key::of(&channel).map(|key| key.hash(&self.hasher)));
        let account = match (hash, peer) {
            (Some(_), Some(PeerId::NAMELESS)) => self.open_route(identity(&channel.envelope)),
            _ => self.open_account(peer),
        };
        self.channels.insert(Entry {
            serial: at.serial,
            account,
            index_in_peer: 0,
            hash: hash.unwrap_or_default(),
            channel,
        });
        if let Some(hash) = hash {
            self.insert_request(hash, at.slot);
        }
        self.join(at.slot, account);
        at
    }

    /// An id that is in use already: the newer channel gets what comes (reference behaviour).
    fn insert_request(&mut self, hash: u64, slot: u32) {
        let Self { channels, requests, .. } = self;
        let key = |slot: &u32| channels.get(*slot as usize).and_then(|it| Key::of(&it.channel));
        let new = key(&slot);
        match requests.find_mut(hash, |other| key(other) == new) {
            Some(older) => *older = slot,
            None => {
                let hash_of = |slot: &u32| channels.get(*slot as usize).map_or(0, |it| it.hash);
                requests.insert_unique(hash, slot, hash_of);
            }
        }
    }

    pub(crate) fn get(&self, at: ChannelKey) -> Option<&Channel> {
        let entry = self.channels.get(at.slot as usize)?;
        (entry.serial == at.serial).then_some(&entry.channel)
    }

    pub(crate) fn get_mut(&mut self, at: ChannelKey) -> Option<&mut Channel> {
        let entry = self.channels.get_mut(at.slot as usize)?;
        (entry.serial == at.serial).then_some(&mut entry.channel)
    }

    /// A call that is not at its end, by what was echoed of its id.
    pub(crate) fn find_call(&self, echo: &[u8], from: PeerId) -> Option<ChannelKey> {
        let slot = OwnId::slot(echo)?;
        let Entry { serial, channel, .. } = self.channels.get(slot as usize)?;
        match &channel.role {
            Role::Client(call)
                if channel.peer == Some(from)
                    && channel.phase != Phase::Ended
                    && (call.own.is(echo) || faults::has(Fault::AnswerToNewer)) =>
            {
                Some(ChannelKey { serial: *serial, slot })
            }
            Role::Client(_) | Role::Server(_) => None,
        }
    }

    /// A request, by its id as its caller encodes it.
    pub(crate) fn find_request(
        &self,
        peer: PeerId,
        envelope: &Envelope,
        id: &[u8],
    ) -> Option<ChannelKey> {
        let key = Key { peer, envelope, id: TheirId(id) };
        let slot = *self.requests.find(key.hash(&self.hasher), |slot| {
            let entry = self.channels.get(*slot as usize);
            entry.is_some_and(|entry| Key::of(&entry.channel).as_ref() == Some(&key))
        })?;
        let serial = self.channels.get(slot as usize)?.serial;
        Some(ChannelKey { serial, slot })
    }

    /// Gives a call that is open to any peer to one, or takes it back.
    pub(crate) fn move_call(&mut self, at: ChannelKey, to: Option<PeerId>) {
        let Some(channel) = self.get_mut(at) else { return };
        channel.peer = to;
        self.part(at.slot);
        let account = self.open_account(to);
        self.join(at.slot, account);
    }

    /// Drops a channel that is there; the number of its account.
    pub(crate) fn remove(&mut self, at: ChannelKey) -> u32 {
        if let Some(Entry { hash, channel: Channel { role: Role::Server(_), .. }, .. }) =
            self.channels.get(at.slot as usize)
            // Gone already if a newer channel has the id.
            && let Ok(found) = self.requests.find_entry(*hash, |slot| *slot == at.slot)
        {
            found.remove();
        }
        let account = self.part(at.slot);
        self.channels.remove(at.slot as usize);
        account
    }

    /// All channels of a peer, the oldest first.
    pub(crate) fn of_peer(&self, peer: PeerId) -> Vec<ChannelKey> {
        if peer.is_named() {
            return self.of_route(&Route::from(peer));
        }
        let all = self.channels.iter().filter(|(_, entry)| entry.channel.peer == Some(peer));
        let mut channels: Vec<ChannelKey> = all
            .map(|(slot, entry)| ChannelKey { serial: entry.serial, slot: slot as u32 })
            .collect();
        channels.sort_unstable();
        channels
    }

    /// Whether no more than one channel is open with a peer that has a name.
    pub(crate) fn is_alone(&self, peer: PeerId) -> bool {
        let number = self.number_of(&Route::from(peer));
        number.and_then(|number| self.account(number)).is_none_or(|it| it.slots.len() < 2)
    }

    /// All channels of a peer that has a name, or of a route, the oldest first.
    pub(crate) fn of_route(&self, route: &Route) -> Vec<ChannelKey> {
        let account = self.number_of(route).and_then(|number| self.account(number));
        let slots = account.map_or(&[][..], |account| &account.slots);
        let at = |slot: &u32| {
            let Entry { serial, .. } = self.channels.get(*slot as usize)?;
            Some(ChannelKey { serial: *serial, slot: *slot })
        };
        let mut channels: Vec<ChannelKey> = slots.iter().filter_map(at).collect();
        channels.sort_unstable();
        channels
    }

    /// All channels of an account.
    pub(crate) fn of_account(&self, account: &Account) -> impl Iterator<Item = &Channel> {
        let slots = account.slots.iter();
        slots.filter_map(|slot| Some(&self.channels.get(*slot as usize)?.channel))
    }

    /// The number of a peer's account; [`NOBODY`] where it has no name.
    fn open_account(&mut self, peer: Option<PeerId>) -> u32 {
        let Some(peer) = peer.filter(|peer| peer.is_named()) else { return NOBODY };
        let Self { accounts, peers, .. } = self;
        *peers.entry(peer).or_insert_with(|| open(accounts, Account::new(peer, None)))
    }

    /// The same for a route, where peers have no names.
    fn open_route(&mut self, identity: &Bytes) -> u32 {
        if let Some(number) = self.routes.get(identity) {
            return *number;
        }
        let identity = Bytes::copy_from_slice(identity);
        let account = Account::new(PeerId::NAMELESS, Some(identity.clone()));
        let number = open(&mut self.accounts, account);
        self.routes.insert(identity, number);
        number
    }

    /// Puts a channel among those of its peer.
    fn join(&mut self, slot: u32, number: u32) {
        let Some(entry) = self.channels.get_mut(slot as usize) else { return };
        entry.account = number;
        let Some(account) = self.accounts.get_mut(number as usize) else { return };
        if let Role::Server(request) = &entry.channel.role {
            account.requests += 1;
            account.requested_bytes += request.retained_bytes;
        }
        entry.index_in_peer = u32::try_from(account.slots.len()).unwrap_or(u32::MAX);
        account.slots.push(slot);
    }

    /// Takes a channel from those of its peer; whose it was.
    fn part(&mut self, slot: u32) -> u32 {
        let Some(entry) = self.channels.get_mut(slot as usize) else { return NOBODY };
        let (number, index) =
            (std::mem::replace(&mut entry.account, NOBODY), entry.index_in_peer as usize);
        let Some(account) = self.accounts.get_mut(number as usize) else { return NOBODY };
        if let Role::Server(request) = &entry.channel.role {
            account.requests -= 1;
            account.requested_bytes -= request.retained_bytes;
            account.unsent_bytes -= entry.channel.unsent_bytes;
            account.unsent_answers -= entry.channel.unsent_answers;
            account.taken_bytes -= request.taken_bytes;
            account.stalled -= u32::from(request.is_stalled());
            if request.turn == Turn::Running {
                account.running -= 1;
                account.expected_bytes -= request.expected_bytes;
            }
        }
        account.slots.swap_remove(index);
        if let Some(moved) = account.slots.get(index)
            && let Some(entry) = self.channels.get_mut(*moved as usize)
        {
            entry.index_in_peer = u32::try_from(index).unwrap_or(u32::MAX);
        }
        if account.slots.is_empty() {
            self.close_account(number);
        }
        number
    }

    /// An account without channels goes, unless its peer may be back.
    fn close_account(&mut self, number: u32) {
        let Some(account) = self.accounts.get(number as usize) else { return };
        match &account.identity {
            Some(identity) => drop(self.routes.remove(identity)),
            None if account.is_gone => drop(self.peers.remove(&account.peer)),
            None => return,
        }
        self.accounts.remove(number as usize);
    }

    /// A peer has gone and will never come back.
    pub(crate) fn forget_peer(&mut self, peer: PeerId) {
        let Some(number) = self.peers.get(&peer).copied() else { return };
        let Some(account) = self.accounts.get_mut(number as usize) else { return };
        account.is_gone = true;
        if account.slots.is_empty() {
            self.close_account(number);
        }
    }
}

fn open(accounts: &mut Slab<Account>, account: Account) -> u32 {
    u32::try_from(accounts.insert(account)).unwrap_or(NOBODY)
}
