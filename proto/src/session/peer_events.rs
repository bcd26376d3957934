//! Peers that come and go, and what becomes of what is open with them.

use std::sync::Arc;

use web_time::Instant;

use super::{Session, channel_key::ChannelKey};
use crate::{
    answer::Loss,
    channel::{CallState, Channel, Role},
    peer::{PeerId, Route},
    peer_event::PeerEvent,
};

/// Calls whose connection has ended, but whose requests may still come back.
#[derive(Debug)]
pub(super) struct Disconnected {
    peer: PeerId,
    reason: Arc<str>,
    calls: Vec<ChannelKey>,
}

impl Session {
    /// Something happened to a peer.
    ///
    /// Events of one connection that are handed over one after the other may come in any order. A peer that is not known,
    /// or not any more, is no error: there is nothing to do then.
    pub fn handle_peer_event(&mut self, now: Instant, event: PeerEvent) {
        self.advance(now);
        match event {
            PeerEvent::Up(peer) => {
                // Who uses a number again has told everything of its former connection.
                self.lose_disconnected();
                self.peers.up(peer);
                self.resume_unassigned();
            }
            PeerEvent::Lossless(peer) => self.peers.lossless(peer),
            PeerEvent::Returned(token) => self.handle_returned(token),
            PeerEvent::GoingAway(peer) => self.handle_going_away(peer),
            PeerEvent::Gone(peer) => self.handle_gone(peer),
            PeerEvent::Down(peer, reason) => self.handle_down(peer, reason),
            PeerEvent::Denied(reason) => self.handle_denied(&reason),
            PeerEvent::Congested(route, bytes) => self.handle_congested(route, bytes),
            PeerEvent::Drained(route) => self.handle_drained(&route),
        }
    }

    /// Nobody is there to take requests, and nobody will be before settings change.
    fn handle_denied(&mut self, reason: &Arc<str>) {
        if self.peers.is_any_up() {
            return;
        }
        // Requests for peers without names are not assigned, but wait until the transport has room.
        let nameless = self.store.of_peer(PeerId::NAMELESS).into_iter();
        let unsent: Vec<_> = nameless.filter(|at| self.is_unsent_call(*at)).collect();
        for at in std::mem::take(&mut self.unassigned).into_iter().chain(unsent) {
            self.lose(at, Loss::Denied { reason: Arc::clone(reason) });
        }
    }

    fn is_unsent_call(&self, at: ChannelKey) -> bool {
        let role = self.store.get(at).map(|channel| &channel.role);
        matches!(role, Some(Role::Client(call)) if call.has_request())
    }

    /// Whether requests wait for a peer to come, or to have room.
    #[must_use]
    pub fn has_unassigned(&self) -> bool {
        !self.unassigned.is_empty()
    }

    /// Everything that is open with a peer ends at once, but for calls whose requests may have come to nothing: those end
    /// when somebody looks.
    fn handle_down(&mut self, peer: PeerId, reason: Arc<str>) {
        self.peers.down(peer);
        let mut calls = Vec::new();
        for at in self.store.of_peer(peer) {
            if self.may_come_back(at, peer) {
                calls.push(at);
            } else {
                self.lose(at, Loss::Disconnected { reason: Arc::clone(&reason) });
            }
        }
        if !calls.is_empty() {
            self.disconnected.push(Disconnected { peer, reason, calls });
        }
        match peer.is_named() {
            true => drop(self.end_congestion(&Route::from(peer))),
            false => {
                let routes = self.congested.keys().filter(|route| route.peer == peer);
                for route in routes.cloned().collect::<Vec<_>>() {
                    self.end_congestion(&route);
                }
            }
        }
        self.store.forget_peer(peer);
        // Calls may have waited for this peer to have room; now they go to whoever is left.
        self.resume_unassigned();
    }

    /// Whether a call is at this peer, which has shown no sign of it.
    pub(super) fn may_come_back(&self, at: ChannelKey, from: PeerId) -> bool {
        self.call_at(at, from).is_some_and(|call| call.is_unanswered() && !call.is_heard)
    }

    /// A call that was given to this peer, and is open.
    fn call_at(&self, at: ChannelKey, given_to: PeerId) -> Option<&CallState> {
        match self.store.get(at) {
            Some(Channel { peer, role: Role::Client(call), .. }) => {
                (*peer == Some(given_to) && call.assigned).then_some(call)
            }
            _ => None,
        }
    }

    /// Whether the connection of a call has ended, and nobody was told yet.
    #[cfg(feature = "invariants")]
    pub(super) fn is_disconnected(&self, at: ChannelKey) -> bool {
        let mut ended = self.disconnected.iter();
        ended.any(|ended| ended.calls.contains(&at) && self.call_at(at, ended.peer).is_some())
    }

    /// Ends the calls whose requests have not come back, also where the beginning of an answer was still to be read.
    #[inline]
    pub(crate) fn lose_disconnected(&mut self) {
        if !self.disconnected.is_empty() {
            self.lose_all_disconnected();
        }
    }

    #[cold]
    fn lose_all_disconnected(&mut self) {
        for Disconnected { peer, reason, calls } in std::mem::take(&mut self.disconnected) {
            for at in calls {
                if self.call_at(at, peer).is_some() {
                    self.lose(at, Loss::Disconnected { reason: Arc::clone(&reason) });
                }
            }
        }
    }

    /// Nothing more is to be sent on a route for now, where so many bytes wait.
    fn handle_congested(&mut self, route: Route, bytes: usize) {
        if let Some((number, account)) = self.store.account_of_route(&route) {
            account.queued_bytes = bytes;
            if account.becomes_crowded(&self.config.limits) {
                self.crowded.push(number);
            }
        }
        self.congested.entry(route).or_default();
    }

    /// What was held back on a route may be sent.
    fn handle_drained(&mut self, route: &Route) {
        if self.end_congestion(route) {
            self.resume_unassigned();
        }
    }

    /// Channels that waited for this route go on; false when it was not congested.
    pub(super) fn end_congestion(&mut self, route: &Route) -> bool {
        let Some(waiting) = self.congested.remove(route) else { return false };
        for at in waiting {
            if let Some(channel) = self.store.get_mut(at)
                // Meanwhile its call may have gone to another peer.
                && channel.peer.is_some_and(|peer| *route == Route::of(peer, &channel.envelope))
            {
                channel.leave_congestion();
                self.enqueue(at);
            }
        }
        if let Some((number, account)) = self.store.account_of_route(route) {
            account.queued_bytes = 0;
            self.resume_postponed(number);
        }
        true
    }

    /// Calls that waited for a peer try again.
    pub(super) fn resume_unassigned(&mut self) {
        for at in std::mem::take(&mut self.unassigned) {
            self.enqueue(at);
        }
    }
}
