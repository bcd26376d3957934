//! Going away in good order: GOAWAY, from either end.
//!
//! Who is about to stop says so to all peers that understand it: new requests go elsewhere, and what is open goes on. Its
//! last word, behind everything else, says that it has answered all requests that it has looked at. Both are commands of
//! our own, named after HTTP/2's (RFC 9113, section 6.8), and are sent to peers alone that announce that they know them.

use std::{
    os::fd::{AsFd, AsRawFd},
    sync::Arc,
    time::Instant,
};

use mio::{Interest, Registry, Token, event::Source, unix::SourceFd};
use zerorpc_proto::{MonitorEvent, PeerEvent, SocketKind};

use super::{MioTransport, sources::Slot};
use crate::connection::{Ending, Origin};

/// What is said of a peer that is about to stop.
const STOPPING: &str = "the peer is stopping";

impl MioTransport {
    /// Accepts and makes no connections any more, and tells peers.
    pub(super) fn stop_accepting(&mut self) {
        self.is_draining = true;
        let slots = self.slots.iter().filter(|(_, slot)| slot.connection().is_none());
        let idle: Vec<usize> = slots.map(|(slot, _)| slot).collect();
        for slot in idle {
            self.remove_slot(slot);
        }
        let peers: Vec<usize> = self.peers.values().copied().collect();
        for slot in peers {
            self.say_goodbye(slot);
        }
    }

    /// Tells a peer that this side is about to stop.
    pub(super) fn say_goodbye(&mut self, slot: usize) {
        if let Some(connection) = self.connection(slot)
            && connection.engine.go_away(false)
        {
            self.flush_later(slot);
        }
    }

    /// A peer is about to stop, or has.
    pub(super) fn hear_goodbye(&mut self, slot: usize, is_last: bool) {
        let Some(connection) = self.connection(slot) else { return };
        let Some(peer) = connection.peer else { return };
        let is_news = connection.going_away.replace(STOPPING).is_none();
        if is_last {
            connection.failed = Some(Ending::Left(STOPPING));
        }
        let remote = connection.stream.to_string();
        if is_news {
            self.inbox.add_event(PeerEvent::GoingAway(peer));
            self.tell(MonitorEvent::GoingAway { peer, remote });
        }
        if is_last {
            self.inbox.add_event(PeerEvent::Gone(peer));
        }
    }

    /// Goes on without a peer that is about to stop: its dialer makes another connection, as there may be somebody else at
    /// the endpoint, while this one stays for what is open on it.
    pub(super) fn retire(&mut self, slot: usize) {
        let now = Instant::now();
        if !self.move_out(slot, STOPPING) {
            return;
        }
        if let Some(Slot::Dialer(dialed)) = self.slots.get_mut(slot) {
            let retry = dialed.dialer.lost(now);
            let (endpoint, group) = (dialed.given.to_string(), dialed.group);
            self.retry(slot, endpoint, STOPPING.to_owned(), retry, now);
            self.look_up_again(group, now);
        }
    }

    /// Gives the connection of a dialer a slot of its own, for a reason; false when there is none.
    pub(super) fn move_out(&mut self, slot: usize, reason: &'static str) -> bool {
        debug_assert!(
            matches!(self.kind, SocketKind::Dealer | SocketKind::Push),
            "others have nothing open on a connection"
        );
        if !matches!(self.slots.get(slot), Some(Slot::Dialer(dialed)) if dialed.connection.is_some())
        {
            return false;
        }
        self.schedule(slot, None);
        let Some(Slot::Dialer(dialed)) = self.slots.get_mut(slot) else { return false };
        let Some(mut connection) = dialed.connection.take() else { return false };
        connection.origin = Origin::Retired;
        connection.going_away = Some(reason);
        connection.given = Some(Arc::clone(&dialed.given));
        let (peer, timeout) = (connection.peer, connection.engine.poll_timeout());
        // Whatever it stood in line for was under the other slot.
        let runnable = std::mem::replace(&mut connection.runnable, false);
        connection.unwritten = false;
        let entry = self.slots.vacant_entry();
        let place = entry.key();
        let interests = Interest::READABLE | Interest::WRITABLE;
        let descriptor = connection.stream.as_fd().as_raw_fd();
        let watched = reregister(&self.registry, descriptor, Token(place), interests);
        entry.insert(Slot::Accepted(Box::new(connection)));
        if let Some(peer) = peer {
            self.peers.insert(peer, place);
            self.rotation.remove(peer);
        }
        match watched {
            Ok(()) => {
                self.schedule(place, timeout);
                self.flush_later(place);
                // Not without a reason: a waiter may be reading from it. What is there to be read is told anew.
                if runnable {
                    self.enqueue(place);
                }
            }
            Err(error) => {
                self.end(place, &Ending::Failed(format!("it cannot be watched: {error}")));
            }
        }
        true
    }
}

/// Has a socket watched under another token.
fn reregister(
    registry: &Registry,
    descriptor: i32,
    token: Token,
    interests: Interest,
) -> std::io::Result<()> {
    SourceFd(&descriptor).reregister(registry, token, interests)
}
