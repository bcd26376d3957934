//! Which peers are there, and which of them a call goes to.

use std::collections::{BTreeSet, HashMap};

use foldhash::quality::FixedState;

use crate::transport::PeerId;

/// The peers that are up, those with the fewest open calls first; among equals, the one that has waited longest.
///
/// A peer that has lost a call by its silence is set aside: it is asked nothing as long as there is another one,
/// until it is heard again. Otherwise one that hangs would always have the fewest calls, and lose them all.
#[derive(Debug)]
pub(crate) struct Peers {
    loads: HashMap<PeerId, Load, FixedState>,
    /// Empty as long as there is one peer alone, which needs no order.
    order: BTreeSet<(Load, PeerId)>,
    turn: u64,
    /// How many are set aside.
    silent: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    is_silent: bool,
    calls: usize,
    last_turn: u64,
}

impl Peers {
    pub(crate) fn new(seed: u64) -> Self {
        let loads = HashMap::with_hasher(FixedState::with_seed(seed));
        Self { loads, order: BTreeSet::new(), turn: 0, silent: 0 }
    }

    pub(crate) fn up(&mut self, peer: PeerId) {
        if !self.loads.contains_key(&peer) {
            self.turn += 1;
            self.place(peer, Load { is_silent: false, calls: 0, last_turn: self.turn });
        }
    }

    pub(crate) fn down(&mut self, peer: PeerId) {
        self.take(peer);
        if self.loads.len() == 1 {
            self.order.clear();
        }
    }

    /// The peer that a call should go to, of those that `has_room` does not refuse; counts the call.
    pub(crate) fn assign(&mut self, has_room: impl Fn(PeerId) -> bool) -> Option<PeerId> {
        if self.loads.len() == 1 {
            let (peer, load) = self.loads.iter_mut().next().filter(|(peer, _)| has_room(**peer))?;
            load.calls += 1;
            return Some(*peer);
        }
        // The silent ones come last, and are no way out for the others' lack of room.
        let all_silent = self.silent == self.loads.len();
        let mut eligible = self.order.iter().take_while(|(load, _)| load.is_silent == all_silent);
        let (_, peer) = *eligible.find(|(_, peer)| has_room(*peer))?;
        let load = self.take(peer)?;
        self.turn += 1;
        self.place(peer, Load { calls: load.calls + 1, last_turn: self.turn, ..load });
        Some(peer)
    }

    /// A call that was assigned has ended.
    pub(crate) fn release(&mut self, peer: PeerId) {
        if self.loads.len() == 1 {
            if let Some(load) = self.loads.get_mut(&peer) {
                load.calls = load.calls.saturating_sub(1);
            }
        } else if let Some(load) = self.take(peer) {
            self.place(peer, Load { calls: load.calls.saturating_sub(1), ..load });
        }
    }

    /// Sets a peer aside: a call of it was lost by its silence.
    pub(crate) fn set_aside(&mut self, peer: PeerId) {
        if let Some(load) = self.take(peer) {
            self.place(peer, Load { is_silent: true, ..load });
        }
    }

    /// Something was heard from a peer. True when it had been set aside and takes part again.
    pub(crate) fn heard(&mut self, peer: PeerId) -> bool {
        if self.silent == 0 || !self.loads.get(&peer).is_some_and(|load| load.is_silent) {
            return false;
        }
        if let Some(load) = self.take(peer) {
            self.place(peer, Load { is_silent: false, ..load });
        }
        true
    }

    fn take(&mut self, peer: PeerId) -> Option<Load> {
        let load = self.loads.remove(&peer)?;
        self.order.remove(&(load, peer));
        self.silent -= usize::from(load.is_silent);
        Some(load)
    }

    fn place(&mut self, peer: PeerId, load: Load) {
        self.silent += usize::from(load.is_silent);
        if self.order.len() < self.loads.len() {
            // There was one alone.
            self.order.extend(self.loads.iter().map(|(peer, load)| (*load, *peer)));
        }
        self.loads.insert(peer, load);
        if self.loads.len() > 1 {
            self.order.insert((load, peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_busy_peer_is_next_and_equals_take_turns() {
        let mut peers = Peers::new(1);
        assert_eq!(peers.assign(|_| true), None);
        let [a, b, c] = [1, 2, 3].map(PeerId);
        for peer in [a, b, c] {
            peers.up(peer);
        }
        let mut next = || peers.assign(|_| true);
        assert_eq!([next(), next(), next(), next()], [a, b, c, a].map(Some));
        peers.release(c);
        assert_eq!(peers.assign(|_| true), Some(c), "it has the fewest");
        peers.release(a);
        peers.release(b);
        assert_eq!(
            peers.assign(|peer| peer != b),
            Some(a),
            "one call each but for b, a longest ago"
        );
        peers.down(c);
        peers.release(c);
        assert_eq!(peers.assign(|_| true), Some(b));
    }

    #[test]
    fn a_silent_peer_is_asked_last_until_it_is_heard() {
        let mut peers = Peers::new(1);
        let [a, b] = [1, 2].map(PeerId);
        for peer in [a, b] {
            peers.up(peer);
        }
        assert_eq!(peers.assign(|_| true), Some(a));
        peers.set_aside(a);
        peers.release(a);
        for _ in 0..3 {
            assert_eq!(peers.assign(|_| true), Some(b), "though it has more calls");
        }
        assert_eq!(peers.assign(|peer| peer != b), None, "b will have room again");
        peers.set_aside(b);
        assert_eq!(peers.assign(|_| true), Some(a), "no other is left");
        assert!(peers.heard(b));
        assert!(!peers.heard(b), "it is no news any more");
        assert_eq!(peers.assign(|_| true), Some(b));
        peers.down(b);
        assert_eq!(peers.assign(|_| true), Some(a));
        peers.down(a);
        peers.up(a);
        assert!(!peers.heard(a), "a new connection begins anew");
        peers.set_aside(b);
        assert_eq!(peers.assign(|_| true), Some(a));
    }
}
