//! Requests that come back, and go to another peer.

use web_time::{Duration, Instant};

use super::{Session, channel_key::ChannelKey};
use crate::{
    channel::{Channel, Role, heartbeat::Heartbeat},
    faults::{self, Fault},
    peer::PeerId,
    transmit::Token,
};

/// A request that comes back is sent again at once; when it does so again, after this time, and from then on after twice
/// as long each time (not measured: about as long as a server takes to stop, or a balancer to notice),
const RETRY: Duration = Duration::from_millis(50);
/// but no longer than this.
const LONGEST_RETRY: Duration = Duration::from_secs(1);

impl Session {
    /// A request that was open to any peer goes to another one, unless it was sent once more since.
    pub(super) fn handle_returned(&mut self, token: Token) {
        let at = ChannelKey::named_by(token);
        if let Some(Channel { role: Role::Client(call), .. }) = self.store.get(at)
            && call.assigned
            && call.attempts == token.attempt.get()
            && call.is_unanswered()
            && !call.is_heard
        {
            self.take_back(at);
        }
    }

    /// A peer gets no new calls.
    pub(super) fn handle_going_away(&mut self, peer: PeerId) {
        self.peers.going_away(peer);
        // Calls may have waited for this peer to have room.
        self.resume_unassigned();
    }

    /// What a peer that goes away has shown no sign of goes to another one.
    pub(super) fn handle_gone(&mut self, peer: PeerId) {
        self.handle_going_away(peer);
        for at in self.store.of_peer(peer) {
            if self.may_come_back(at, peer) {
                self.take_back(at);
            }
        }
    }

    /// The server has turned a request down, since it is stopping: it has not begun with it. True when it will be sent
    /// again: to another peer, or through a queue or libzmq, where another server may get it.
    pub(super) fn is_retried(&mut self, now: Instant, at: ChannelKey) -> bool {
        let Some(Channel { peer, role: Role::Client(call), .. }) = self.store.get_mut(at) else {
            return false;
        };
        if call.request.is_some() && !call.is_sent {
            // It comes twice, of what is to be sent again already.
            return true;
        }
        if !call.is_unanswered() || !(call.assigned || *peer == Some(PeerId::NAMELESS)) {
            return false;
        }
        call.refusals += 1;
        let doublings = call.refusals.saturating_sub(2).min(10);
        let wait = (RETRY * 2_u32.pow(doublings)).min(LONGEST_RETRY);
        call.retry = if call.refusals > 1 { now.checked_add(wait) } else { None };
        self.take_back(at);
        self.reschedule(at);
        true
    }

    /// A request is as it was before it was sent.
    fn take_back(&mut self, at: ChannelKey) {
        let Some(channel) = self.store.get_mut(at) else { return };
        let peer = channel.peer;
        channel.heartbeat = Heartbeat::idle();
        channel.heartbeat_pending = false;
        channel.leave_congestion();
        if !faults::has(Fault::VersionKept) {
            channel.dialect = None;
        }
        let Role::Client(call) = &mut channel.role else { return };
        call.is_sent = false;
        call.has_beaten = false;
        call.is_heard = false;
        if std::mem::take(&mut call.assigned)
            && let Some(peer) = peer
        {
            self.peers.release(peer);
            self.store.move_call(at, None);
        }
        self.enqueue(at);
    }
}
