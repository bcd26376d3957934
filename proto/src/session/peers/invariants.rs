//! What holds of peers, recomputed from nothing.

use std::collections::{BTreeSet, HashMap};

use foldhash::quality::FixedState;

use super::{Load, PeerId, Peers};

impl Peers {
    /// `calls`: how many were given to each peer.
    pub(in super::super) fn check_invariants(&self, calls: &HashMap<PeerId, usize, FixedState>) {
        let count = |peer: &PeerId| calls.get(peer).copied().unwrap_or_default();
        for (peer, load) in &self.loads {
            assert_eq!(load.calls, count(peer), "calls of {peer:?}");
            let is_listed = self.silent.iter().any(|silent| silent.peer == *peer);
            assert_eq!(load.is_silent, is_listed, "{peer:?} is set aside");
        }
        for (peer, open) in &self.going_away {
            assert!(!self.loads.contains_key(peer), "{peer:?} is going away, and gets calls");
            assert_eq!(*open, count(peer), "calls of {peer:?}, which is going away");
        }
        for peer in calls.keys() {
            let is_going = self.going_away.iter().any(|(going, _)| going == peer);
            assert!(is_going || self.loads.contains_key(peer), "calls of {peer:?}, which is gone");
        }
        let order: BTreeSet<(Load, PeerId)> = match self.loads.len() {
            0 | 1 => BTreeSet::new(),
            _ => self.loads.iter().map(|(peer, load)| (*load, *peer)).collect(),
        };
        assert_eq!(self.order, order, "the order of peers");
        check_once(self.silent.iter().map(|silent| silent.peer), "set aside");
        check_once(self.going_away.iter().map(|(peer, _)| *peer), "going away");
        check_once(self.disconnects.iter().map(|(peer, _)| *peer), "to be disconnected");
        for silent in &self.silent {
            assert!(self.loads.contains_key(&silent.peer), "{silent:?} is gone");
        }
    }
}

fn check_once(mut peers: impl Iterator<Item = PeerId>, what: &str) {
    let mut seen = BTreeSet::new();
    assert!(peers.all(|peer| seen.insert(peer)), "a peer is there twice: {what}");
}
