//! What passes between the session and its socket, and whom they make way for when too much is kept.

use web_time::Instant;
use zerorpc_proto::{
    PeerEvent, RemoteError, Route,
    transport::{Flow, MemoryBounds},
};

use super::RpcSocket;

impl RpcSocket {
    /// Moves messages between session and socket until nothing moves any more.
    pub(super) fn exchange(&mut self, now: Instant) {
        while self.messages_were_moved(now) || self.bounds_were_enforced(now) {}
    }

    /// Moves what there is to move; whether there was anything.
    fn messages_were_moved(&mut self, now: Instant) -> bool {
        let Self { session, socket, .. } = self;
        let mut moved = false;
        while let Some((from, message)) = socket.receive() {
            session.handle_message(now, from, message);
            moved = true;
        }
        while let Some(event) = socket.poll_peer_event() {
            session.handle_peer_event(now, event);
            moved = true;
        }
        while let Some((peer, reason)) = session.poll_disconnect() {
            socket.reset(peer, reason);
            moved = true;
        }
        while session.has_output()
            && socket.can_send()
            && let Some(message) = session.poll_transmit()
        {
            let route = Route::of(message.to, &message.envelope);
            if let Ok(Flow::Congested(bytes)) = socket.send(message) {
                session.handle_peer_event(now, PeerEvent::Congested(route, bytes));
            }
            moved = true;
        }
        moved
    }

    /// Dismisses whoever makes this side keep too much, to be cut off when it was told so; whether there was anybody.
    fn bounds_were_enforced(&mut self, now: Instant) -> bool {
        let Self { session, socket, bounds, parting, .. } = self;
        let mut found = bounds.unread(now, session, |peer| socket.progress_of(peer));
        let retained = session.retained_bytes() + socket.retained_bytes();
        if found.is_empty() && bounds.is_over(retained) {
            let retained = session.retained_by_route().chain(socket.retained_by_route());
            let is_parting = |peer| parting.iter().any(|(parting, _)| *parting == peer);
            let others = retained.filter(|(route, _)| !is_parting(route.peer));
            found.extend(MemoryBounds::largest(others));
        }
        let any = !found.is_empty();
        for (route, reason) in found {
            socket.discard(route.peer);
            let words = format!("the connection was ended: {reason}");
            session.dismiss(now, &route, &RemoteError::new("ServerBusy", words));
            parting.push((route.peer, reason));
        }
        any
    }
}
