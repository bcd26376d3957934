//! What holds of the store, recomputed from nothing.

use super::{Account, ChannelKey, Key, NOBODY, PeerId, Role, Route, Store};
use crate::channel::{Channel, Turn};

impl Store {
    /// Every channel.
    pub(in super::super) fn channels(&self) -> impl Iterator<Item = (ChannelKey, &Channel)> {
        self.channels.iter().map(|(slot, entry)| {
            let slot = u32::try_from(slot).expect("slots are that small");
            (ChannelKey { serial: entry.serial, slot }, &entry.channel)
        })
    }

    /// Every account, with its number.
    pub(in super::super) fn numbered_accounts(&self) -> impl Iterator<Item = (u32, &Account)> {
        let number = |number| u32::try_from(number).expect("numbers are that small");
        self.accounts.iter().map(move |(it, account)| (number(it), account))
    }

    pub(in super::super) fn check_invariants(&self) {
        for (slot, entry) in &self.channels {
            assert!(entry.serial < self.next_serial, "{entry:?} comes from the future");
            if entry.account == NOBODY {
                let is_free = !entry.channel.peer.is_some_and(PeerId::is_named);
                assert!(is_free, "a channel of a named peer is nobody's: {entry:?}");
                continue;
            }
            let account = self.accounts.get(entry.account as usize).expect("the account is there");
            let listed = account.slots.get(entry.index_in_peer as usize).map(|slot| *slot as usize);
            assert_eq!(listed, Some(slot), "{entry:?} stands elsewhere among those of its peer");
        }
        let names = self.peers.len() + self.routes.len();
        assert_eq!(self.accounts.len(), names, "accounts, and names that lead to one");
        for (number, account) in self.numbered_accounts() {
            self.check_account(number, account);
        }
        self.check_requests();
    }

    fn check_account(&self, number: u32, account: &Account) {
        let route = account.route();
        let found = match &route.identity {
            Some(identity) => self.routes.get(identity),
            None => self.peers.get(&route.peer),
        };
        assert_eq!(found, Some(&number), "the account of {route:?} is found by its name");
        let may_be_empty = route.identity.is_none() && !account.is_gone;
        assert!(may_be_empty || !account.slots.is_empty(), "nobody needs {account:?}");
        let (mut requests, mut requested, mut unsent, mut unsent_count) = (0, 0, 0, 0);
        let (mut running, mut stalled, mut taken, mut expected) = (0, 0, 0, 0);
        for slot in &account.slots {
            let entry = self.channels.get(*slot as usize).expect("the channel is there");
            assert_eq!(entry.account, number, "{entry:?} is another's");
            let peer = entry.channel.peer.expect("what has an account has a peer");
            let own = Route::of(peer, &entry.channel.envelope);
            let nobody = PeerId::NAMELESS;
            let is_own = own.peer == route.peer
                && (own.peer != nobody
                    || own.identity.unwrap_or_default()
                        == route.identity.clone().unwrap_or_default());
            assert!(is_own, "{entry:?} has the account of {route:?}");
            if let Role::Server(request) = &entry.channel.role {
                requests += 1;
                requested += request.retained_bytes;
                unsent += entry.channel.unsent_bytes;
                unsent_count += entry.channel.unsent_answers;
                if request.turn == Turn::Running && request.ending.is_none() {
                    running += 1;
                    expected += request.expected_bytes;
                }
                stalled += u32::from(request.is_stalled());
                taken += request.taken_bytes;
            }
        }
        assert_eq!(account.requests, requests, "requests of {route:?}");
        assert_eq!(account.requested_bytes, requested, "bytes of requests of {route:?}");
        assert_eq!(account.taken_bytes, taken, "bytes of arguments of {route:?} that were taken");
        assert_eq!(account.expected_bytes, expected, "bytes that answers to {route:?} will take");
        assert_eq!(account.unsent_bytes, unsent, "bytes of answers for {route:?}");
        assert_eq!(account.unsent_answers, unsent_count, "answers for {route:?}");
        assert_eq!(account.running, running, "requests of {route:?} that are being answered");
        assert_eq!(account.stalled, stalled, "requests of {route:?} that wait for credit");
    }

    /// Each request is found by its id, unless a newer one has the same.
    fn check_requests(&self) {
        for slot in &self.requests {
            let entry = self.channels.get(*slot as usize).expect("a request leads to its channel");
            let Some(Key { peer, envelope, id }) = Key::of(&entry.channel) else {
                panic!("a call is found among requests: {entry:?}");
            };
            let found = self.find_request(peer, envelope, id.0).map(|at| at.slot);
            assert_eq!(found, Some(*slot), "{entry:?} is not what its id leads to");
        }
        for (at, channel) in self.channels() {
            let Some(Key { peer, envelope, id }) = Key::of(channel) else { continue };
            if let Some(found) = self.find_request(peer, envelope, id.0) {
                assert!(found.serial >= at.serial, "{found:?} is older than {at:?}");
            }
        }
    }
}
