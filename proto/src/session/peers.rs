//! Which peers are there, and which of them a call goes to.

#[cfg(feature = "invariants")]
mod invariants;

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::quality::FixedState;
use web_time::{Duration, Instant};

use crate::peer::PeerId;

/// The peers that are up, those with the fewest open calls first; among equals, the one that has waited longest.
///
/// A peer that has lost a call by its silence is set aside: it is asked nothing as long as there is another one,
/// until it is heard again. Otherwise one that hangs would always have the fewest calls, and lose them all.
///
/// When the last call on it has ended and nothing was heard meanwhile, its connection is of no use to anybody, and may be
/// dead without a word (a router that was restarted, a frozen proxy): it is to be ended and made anew. So is the only
/// connection, as soon as nothing was heard of it for as long as it takes to lose a call.
///
/// A peer that is going away is asked nothing. Its connection is to be ended with the last call that is open there.
#[derive(Debug)]
pub(crate) struct Peers {
    loads: HashMap<PeerId, Load, FixedState>,
    /// Empty as long as there is one peer alone, which needs no order.
    order: BTreeSet<(Load, PeerId)>,
    turn: u64,
    /// Those that are set aside.
    silent: Vec<Silent>,
    /// Those that are going away, with the number of their calls.
    going_away: Vec<(PeerId, usize)>,
    /// Connections to be ended that nobody was told of yet, and why.
    disconnects: Vec<(PeerId, &'static str)>,
    /// Those that drop nothing of what they send.
    lossless: HashSet<PeerId, FixedState>,
    /// When something was heard last, as long as there is one peer alone.
    heard_at: Option<Instant>,
    /// Since when one peer alone has answered nothing of what it was asked.
    unanswered_since: Option<Instant>,
}

/// A peer that is set aside.
#[derive(Debug)]
struct Silent {
    peer: PeerId,
    /// Its connection is to be ended.
    is_given_up: bool,
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
        Self {
            loads,
            order: BTreeSet::new(),
            turn: 0,
            silent: Vec::new(),
            going_away: Vec::new(),
            disconnects: Vec::new(),
            lossless: HashSet::with_hasher(FixedState::with_seed(seed)),
            heard_at: None,
            unanswered_since: None,
        }
    }

    pub(crate) fn up(&mut self, peer: PeerId) {
        if self.loads.contains_key(&peer) {
            return;
        }
        self.forget_times();
        self.turn += 1;
        let calls = self.stays(peer);
        let load = Load { is_silent: false, calls, last_turn: self.turn };
        self.loads.insert(peer, load);
        match self.loads.len() {
            1 => {}
            // There was one alone.
            2 => self.order.extend(self.loads.iter().map(|(peer, load)| (*load, *peer))),
            _ => drop(self.order.insert((load, peer))),
        }
    }

    /// A peer that was going away is told of anew, so it stays after all; how many calls it has.
    fn stays(&mut self, peer: PeerId) -> usize {
        let Some(place) = self.going_away.iter().position(|(it, _)| *it == peer) else { return 0 };
        self.disconnects.retain(|(other, _)| *other != peer);
        self.going_away.swap_remove(place).1
    }

    /// Whether there is a peer that calls may go to.
    pub(crate) fn is_any_up(&self) -> bool {
        !self.loads.is_empty()
    }

    /// A peer drops nothing of what it sends.
    pub(crate) fn lossless(&mut self, peer: PeerId) {
        self.lossless.insert(peer);
    }

    pub(crate) fn is_lossless(&self, peer: PeerId) -> bool {
        self.lossless.contains(&peer)
    }

    pub(crate) fn down(&mut self, peer: PeerId) {
        self.remove(peer);
        self.lossless.remove(&peer);
        self.going_away.retain(|(other, _)| *other != peer);
        self.disconnects.retain(|(other, _)| *other != peer);
    }

    /// A peer wants no new calls.
    pub(crate) fn going_away(&mut self, peer: PeerId) {
        let Some(Load { calls, .. }) = self.remove(peer) else { return };
        self.going_away.push((peer, calls));
        self.end_if_idle(peer);
    }

    /// Takes a peer from those that calls go to.
    fn remove(&mut self, peer: PeerId) -> Option<Load> {
        let load = self.loads.remove(&peer)?;
        self.forget_times();
        self.order.remove(&(load, peer));
        self.silent.retain(|silent| silent.peer != peer);
        if self.loads.len() == 1 {
            self.order.clear();
        }
        Some(load)
    }

    /// Ends the connection of a peer that is going away when nothing is open there.
    fn end_if_idle(&mut self, peer: PeerId) {
        if self.going_away.contains(&(peer, 0)) {
            self.disconnect(peer, "it gets no new calls, and has no open ones");
        }
    }

    /// Has a connection ended, for the first reason that there is.
    fn disconnect(&mut self, peer: PeerId, why: &'static str) {
        if self.disconnects.iter().all(|(other, _)| *other != peer) {
            self.disconnects.push((peer, why));
        }
    }

    /// The peer that a call should go to, of those that `has_room` does not refuse; counts the call.
    pub(crate) fn assign(
        &mut self,
        now: Option<Instant>,
        has_room: impl Fn(PeerId) -> bool,
    ) -> Option<PeerId> {
        if self.loads.len() == 1 {
            let (peer, load) = self.loads.iter_mut().next().filter(|(peer, _)| has_room(**peer))?;
            load.calls += 1;
            self.unanswered_since = self.unanswered_since.or(now);
            return Some(*peer);
        }
        // The silent ones come last, and are no way out for the others' lack of room.
        let all_silent = self.silent.len() == self.loads.len();
        let mut eligible = self.order.iter().take_while(|(load, _)| load.is_silent == all_silent);
        let (_, peer) = *eligible.find(|(_, peer)| has_room(*peer))?;
        self.turn += 1;
        let turn = self.turn;
        self.change(peer, |load| {
            load.calls += 1;
            load.last_turn = turn;
        });
        Some(peer)
    }

    /// A call that was assigned has ended.
    pub(crate) fn release(&mut self, peer: PeerId) {
        let after = self.change(peer, |load| load.calls = load.calls.saturating_sub(1));
        match after {
            Some(Load { is_silent: true, calls: 0, .. }) => self.give_up(peer),
            Some(_) => {}
            None => {
                if let Some((_, calls)) = self.going_away.iter_mut().find(|(it, _)| *it == peer) {
                    *calls = calls.saturating_sub(1);
                    self.end_if_idle(peer);
                }
            }
        }
    }

    /// A call was lost by its silence, which may last for so long. Its peer is set aside, unless something else was heard
    /// of it meanwhile, as far as that is known.
    pub(crate) fn lost_by_silence(&mut self, peer: PeerId, now: Instant, longest: Duration) {
        let was_heard = |at| now.saturating_duration_since(at) < longest;
        let is_alone = self.loads.len() == 1;
        if !is_alone || !self.heard_at.is_some_and(was_heard) {
            self.set_aside(peer, is_alone);
        }
    }

    /// A call has timed out, which may have had less time than silence may last. Its peer is given up as well, if it is
    /// the only one and has answered nothing at all for that long; unless it need not be heard of before its answers, and
    /// others wait for some (`may_be_mute`).
    pub(crate) fn lost_by_timeout(
        &mut self,
        peer: PeerId,
        now: Instant,
        longest: Duration,
        may_be_mute: bool,
    ) {
        let is_silent = |since| now.saturating_duration_since(since) >= longest;
        if self.loads.len() == 1 && self.unanswered_since.is_some_and(is_silent) && !may_be_mute {
            self.set_aside(peer, true);
        }
    }

    fn set_aside(&mut self, peer: PeerId, is_given_up: bool) {
        let is_known = self.silent.iter().any(|silent| silent.peer == peer);
        if !is_known && self.change(peer, |load| load.is_silent = true).is_some() {
            self.silent.push(Silent { peer, is_given_up: false });
        }
        if is_given_up {
            self.give_up(peer);
        }
    }

    fn give_up(&mut self, peer: PeerId) {
        if let Some(silent) = self.silent.iter_mut().find(|silent| silent.peer == peer)
            && !std::mem::replace(&mut silent.is_given_up, true)
        {
            self.disconnect(peer, "it was silent for too long");
        }
    }

    /// The next connection to be ended, and why.
    pub(crate) fn poll_disconnect(&mut self) -> Option<(PeerId, &'static str)> {
        self.disconnects.pop()
    }

    pub(crate) fn has_disconnects(&self) -> bool {
        !self.disconnects.is_empty()
    }

    /// Something was heard from a peer. True when it had been set aside and takes part again.
    pub(crate) fn heard(&mut self, now: Instant, peer: PeerId) -> bool {
        if !self.going_away.is_empty() && !self.loads.contains_key(&peer) {
            // It says nothing of the one that is left.
            return false;
        }
        self.heard_at = Some(now);
        self.unanswered_since = None;
        let Some(at) = self.silent.iter().position(|silent| silent.peer == peer) else {
            return false;
        };
        self.silent.swap_remove(at);
        self.disconnects.retain(|(other, _)| *other != peer);
        self.change(peer, |load| load.is_silent = false);
        true
    }

    /// What was heard was of another peer, or may be from now on.
    fn forget_times(&mut self) {
        self.heard_at = None;
        self.unanswered_since = None;
    }

    /// Changes the load of a peer; what it is then.
    fn change(&mut self, peer: PeerId, change: impl FnOnce(&mut Load)) -> Option<Load> {
        let load = self.loads.get_mut(&peer)?;
        let before = *load;
        change(load);
        let after = *load;
        if !self.order.is_empty() {
            self.order.remove(&(before, peer));
            self.order.insert((after, peer));
        }
        Some(after)
    }
}

#[cfg(test)]
mod tests;
