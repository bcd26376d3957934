//! Requests that come back, and go to another peer.

use std::time::{Duration, Instant};

use super::{Session, table::At};
use crate::{
    channel::{Channel, Side, heartbeat::Heartbeat},
    event::Event,
    multipart::Transmit,
    transport::{PeerId, Route},
};

/// A request that comes back is sent again at once; when it does so again, after this time, and from then on after twice
/// as long each time,
const RETRY: Duration = Duration::from_millis(50);
/// but no longer than this.
const LONGEST_RETRY: Duration = Duration::from_secs(1);

impl Session {
    /// A connection ended before any byte of this message was written. A request that was open to any peer
    /// goes to another one; tell this before [`handle_peer`](Self::handle_peer).
    pub fn handle_returned(&mut self, now: Instant, message: Transmit) {
        self.advance(now);
        let Transmit { to, payload, .. } = message;
        let id = Event::own_header(&payload.head).and_then(|header| header.message_id);
        let Some(at) = id.and_then(|id| self.table.find_call(id.content(), to)) else { return };
        if let Some(Channel { side: Side::Caller(caller), .. }) = self.table.get_mut(at)
            && caller.assigned
        {
            caller.request = Some(payload);
            self.take_back(at);
        }
    }

    /// A peer wants no new calls, since it is about to stop. Those that are open there go on.
    pub fn handle_going_away(&mut self, now: Instant, peer: PeerId) {
        self.advance(now);
        self.peers.going_away(peer);
        // Calls may have waited for this peer to have room.
        self.resume_unassigned();
    }

    /// A peer that is [going away](Self::handle_going_away) has said its last word: it has answered all requests that it
    /// has ever looked at. What is still open there and was not heard of goes to another peer; tell this before
    /// [`handle_peer`](Self::handle_peer).
    pub fn handle_gone(&mut self, now: Instant, peer: PeerId) {
        self.advance(now);
        for at in self.table.of_route(&Route { peer, identity: None }) {
            if let Some(Channel { side: Side::Caller(caller), .. }) = self.table.get(at)
                && caller.assigned
                && caller.is_unanswered()
                && !caller.is_heard
            {
                self.take_back(at);
            }
        }
    }

    /// The server has turned a request down, since it is stopping: it has not begun with it. True when it will be sent
    /// again: to another peer, or through a queue or libzmq, where another server may get it.
    pub(super) fn is_retried(&mut self, now: Instant, at: At) -> bool {
        let Some(Channel { peer, side: Side::Caller(caller), .. }) = self.table.get_mut(at) else {
            return false;
        };
        if !caller.is_unanswered() || !(caller.assigned || *peer == PeerId::NAMELESS) {
            return false;
        }
        caller.refusals += 1;
        let doublings = caller.refusals.saturating_sub(2).min(10);
        let wait = (RETRY * 2_u32.pow(doublings)).min(LONGEST_RETRY);
        caller.retry = if caller.refusals > 1 { now.checked_add(wait) } else { None };
        self.take_back(at);
        self.reschedule(at);
        true
    }

    /// A request is as it was before it was sent.
    fn take_back(&mut self, at: At) {
        let Some(channel) = self.table.get_mut(at) else { return };
        let peer = channel.peer;
        channel.heartbeat = Heartbeat::idle();
        channel.beat = false;
        channel.stop_holding();
        channel.dialect = None;
        let Side::Caller(caller) = &mut channel.side else { return };
        caller.is_sent = false;
        caller.has_beaten = false;
        caller.is_heard = false;
        if std::mem::take(&mut caller.assigned) {
            self.peers.release(peer);
            self.table.move_call(at, PeerId::ANY);
        }
        self.enqueue(at);
    }
}
