//! Which peers are there, and which of them a call goes to.

use std::collections::{BTreeSet, HashMap};

use foldhash::quality::FixedState;

use crate::transport::PeerId;

/// The peers that are up, those with the fewest open calls first; among equals, the one that has waited longest.
#[derive(Debug)]
pub(crate) struct Peers {
    loads: HashMap<PeerId, Load, FixedState>,
    order: BTreeSet<(Load, PeerId)>,
    turn: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    calls: usize,
    last_turn: u64,
}

impl Peers {
    pub(crate) fn new(seed: u64) -> Self {
        let loads = HashMap::with_hasher(FixedState::with_seed(seed));
        Self { loads, order: BTreeSet::new(), turn: 0 }
    }

    pub(crate) fn up(&mut self, peer: PeerId) {
        if !self.loads.contains_key(&peer) {
            self.turn += 1;
            self.place(peer, Load { calls: 0, last_turn: self.turn });
        }
    }

    pub(crate) fn down(&mut self, peer: PeerId) {
        if let Some(load) = self.loads.remove(&peer) {
            self.order.remove(&(load, peer));
        }
    }

    /// The peer that a call should go to, of those that `has_room` does not refuse; counts the call.
    pub(crate) fn assign(&mut self, has_room: impl Fn(PeerId) -> bool) -> Option<PeerId> {
        let (load, peer) = *self.order.iter().find(|(_, peer)| has_room(*peer))?;
        self.order.remove(&(load, peer));
        self.turn += 1;
        self.place(peer, Load { calls: load.calls + 1, last_turn: self.turn });
        Some(peer)
    }

    /// A call that was assigned has ended.
    pub(crate) fn release(&mut self, peer: PeerId) {
        if let Some(load) = self.loads.get(&peer).copied() {
            self.order.remove(&(load, peer));
            self.place(peer, Load { calls: load.calls.saturating_sub(1), ..load });
        }
    }

    fn place(&mut self, peer: PeerId, load: Load) {
        self.loads.insert(peer, load);
        self.order.insert((load, peer));
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
}
