//! Going away in good order, from either end: which connections stay for what is open on them.

use std::{
    os::fd::{AsFd, AsRawFd},
    sync::Arc,
    time::Instant,
};

use mio::{Interest, Registry, Token, event::Source as _, unix::SourceFd};
use zerorpc_proto::transport::SocketKind;

use super::{
    MioTransport,
    connection::{Source, StreamEnd},
    slots::Slot,
};

/// Why the dialer of a peer that is about to stop tries again.
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
        self.socket.drain();
    }

    /// Goes on without a peer that is about to stop: its dialer makes another connection, as there may be somebody else at
    /// the endpoint, while this one stays for what is open on it.
    pub(super) fn retire(&mut self, slot: usize) {
        let now = Instant::now();
        if !self.move_out(slot) {
            return;
        }
        if let Some(Slot::Dialer(dialed)) = self.slots.get_mut(slot) {
            let retry = dialed.dialer.lost(now);
            let (endpoint, group) = (dialed.given.to_string(), dialed.group);
            self.retry(slot, endpoint, STOPPING.to_owned(), retry, now);
            self.look_up_again(group, now);
        }
    }

    /// Gives the connection of a dialer a slot of its own; false when there is none.
    pub(super) fn move_out(&mut self, slot: usize) -> bool {
        debug_assert!(
            matches!(self.kind, SocketKind::Dealer | SocketKind::Push),
            "others have nothing open on a connection"
        );
        let Some(Slot::Dialer(dialed)) = self.slots.get_mut(slot) else { return false };
        let Some(mut connection) = dialed.connection.take() else { return false };
        connection.source = Source::Retired;
        connection.given = Some(Arc::clone(&dialed.given));
        let id = connection.id;
        // Whatever it stood in line for was under the other slot.
        let runnable = std::mem::replace(&mut connection.runnable, false);
        let entry = self.slots.vacant_entry();
        let place = entry.key();
        let interests = Interest::READABLE | Interest::WRITABLE;
        let descriptor = connection.stream.as_fd().as_raw_fd();
        let watched = reregister(&self.registry, descriptor, Token(place), interests);
        entry.insert(Slot::Accepted(Box::new(connection)));
        self.set_place(id, place);
        match watched {
            // What is there to be read is told anew, but for what was told before.
            Ok(()) if runnable => self.enqueue(place),
            Ok(()) => {}
            Err(error) => {
                let reason = format!("it cannot be watched: {error}");
                self.end_of_stream(id, StreamEnd::Failed(reason), Instant::now());
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
