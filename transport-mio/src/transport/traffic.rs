//! Connections at work: reading and writing, and what the socket says of them.

use std::time::Instant;

use zerorpc_proto::{
    PeerId, Transmit,
    transport::{Flow, MonitorEvent, TransportError},
};
use zerorpc_zmtp::{ConnectionId, SocketEvent};

use super::{
    MioTransport,
    connection::{Read, StreamEnd},
    slots::Slot,
};

impl MioTransport {
    /// Reads once from a connection, so that a fast peer does not starve others; how many bytes.
    pub(super) fn run(&mut self, slot: usize, now: Instant) -> usize {
        let Self { slots, socket, scratch, .. } = self;
        let Some(connection) = slots.get_mut(slot).and_then(Slot::connection_mut) else { return 0 };
        connection.runnable = false;
        let read = connection.read(socket, now, scratch);
        scratch.clear();
        let id = connection.id;
        match read {
            Ok(Read { count, more }) => {
                self.follow();
                if let Some(slot) = self.slot_of(id) {
                    // Reading may have called for an answer: the next step of the handshake, a PONG.
                    self.flush_all();
                    self.after_read(slot, more, now);
                }
                count
            }
            Err(end) => {
                self.end_of_stream(id, end, now);
                0
            }
        }
    }

    pub(super) fn after_read(&mut self, slot: usize, more: bool, now: Instant) {
        if more {
            return self.enqueue(slot);
        }
        if let Some(connection) = self.connection(slot)
            && let Some(error) = connection.write_error.take()
        {
            let id = connection.id;
            self.end_of_stream(id, StreamEnd::Failed(error), now);
        }
    }

    /// Tells the socket that a stream has ended.
    #[cold]
    pub(super) fn end_of_stream(&mut self, id: ConnectionId, end: StreamEnd, now: Instant) {
        match end {
            StreamEnd::Eof => self.socket.handle_eof(now, id),
            StreamEnd::Failed(error) => self.socket.handle_io_error(now, id, &error),
        }
        self.follow();
    }

    /// Has the socket judge those that were silent for too long, if there are any.
    pub(super) fn expire_connections(&mut self, now: Instant) {
        if self.socket.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        // What waits may show that a peer is there: this process may have been stopped for a while.
        for id in self.socket.due(now) {
            if let Some(slot) = self.slot_of(id) {
                self.run(slot, now);
            }
        }
        self.socket.handle_timeout(now);
        self.follow();
        self.flush_all();
    }

    /// Does what the socket says of connections: after each step, and mostly it says nothing.
    #[inline]
    pub(super) fn follow(&mut self) {
        while let Some(event) = self.socket.poll_event() {
            self.on_event(event);
        }
    }

    #[cold]
    fn on_event(&mut self, event: SocketEvent) {
        match event {
            SocketEvent::Ready { connection, peer, remote } => {
                if let Some(slot) = self.slot_of(connection) {
                    self.on_ready(slot);
                }
                let remote = remote.to_string();
                self.emit(MonitorEvent::Connected { peer, remote });
            }
            SocketEvent::GoingAway { connection, peer, remote } => {
                let remote = remote.to_string();
                self.emit(MonitorEvent::GoingAway { peer, remote });
                if let Some(slot) = self.slot_of(connection) {
                    self.retire(slot);
                }
            }
            SocketEvent::AllWritten { connection } => {
                let slot = self.slot_of(connection);
                if let Some(connection) = slot.and_then(|slot| self.connection(slot)) {
                    connection.stream.shut_down_writing();
                }
            }
            SocketEvent::Closed(closed) => self.on_closed(*closed),
            _ => {}
        }
    }

    /// The handshake of a connection is over.
    fn on_ready(&mut self, slot: usize) {
        match self.slots.get_mut(slot) {
            Some(Slot::Dialer(dialed)) => {
                dialed.denial = None;
                dialed.is_suspect = false;
                dialed.dialer.established();
            }
            Some(Slot::Accepted(connection)) => {
                if let Some(accepted) = &mut connection.accepted {
                    self.strangers.establish(accepted);
                    self.share.note_handshake(false);
                }
                if let Some(place) = connection.place.take() {
                    self.line.remove(place);
                    self.runnable.push_back(slot);
                }
            }
            Some(Slot::Listener(_) | Slot::Group(_)) | None => {}
        }
    }

    /// Hands a message to the socket, which may have it written at once where much waits.
    pub(super) fn route(&mut self, message: Transmit) -> Result<Flow, TransportError> {
        let Self { socket, slots, places, runnable, .. } = self;
        let dropped = socket.dropped_messages();
        let sent = socket.send_with(message, &mut |socket, id| {
            let slot = places.get(id.index()).copied();
            let Some(slot) = slot else { return };
            let Some(connection) = slots.get_mut(slot).and_then(Slot::connection_mut) else {
                return;
            };
            connection.write(socket);
            if connection.write_error.is_some()
                && !std::mem::replace(&mut connection.runnable, true)
            {
                runnable.push_back(slot);
            }
        });
        if socket.dropped_messages() > dropped {
            tracing::debug!("dropped a message for subscribers that do not keep up");
        }
        self.follow();
        sent.map_err(|error| TransportError::new(error.to_string()))
    }

    /// Writes what all connections have to say, as far as there is room.
    pub(super) fn flush_all(&mut self) {
        while let Some(id) = self.socket.poll_flush() {
            if let Some(slot) = self.slot_of(id) {
                self.flush(slot);
            }
        }
    }

    /// Writes what a connection has to say, as far as there is room.
    pub(super) fn flush(&mut self, slot: usize) {
        let Self { slots, socket, .. } = self;
        let Some(connection) = slots.get_mut(slot).and_then(Slot::connection_mut) else { return };
        connection.write(socket);
        if connection.write_error.is_some() {
            // What the peer sent before it went is still to be read; that ends the connection.
            self.enqueue(slot);
        }
        self.follow();
    }

    /// Writes what a peer's connection has to say, as far as there is room.
    pub(super) fn flush_peer(&mut self, peer: PeerId) {
        if let Some(slot) = self.socket.connection_of(peer).and_then(|id| self.slot_of(id)) {
            self.flush(slot);
        }
    }

    /// The slot of a connection, as long as it stands.
    pub(super) fn slot_of(&self, id: ConnectionId) -> Option<usize> {
        let slot = *self.places.get(id.index())?;
        let connection = self.slots.get(slot)?.connection()?;
        (connection.id == id).then_some(slot)
    }

    /// Remembers where a connection is.
    pub(super) fn set_place(&mut self, id: ConnectionId, slot: usize) {
        if self.places.len() <= id.index() {
            self.places.resize(id.index() + 1, usize::MAX);
        }
        self.places[id.index()] = slot;
    }
}
