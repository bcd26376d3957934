//! Connections at work: reading, writing, coming and going.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use zerorpc_proto::{
    Envelope, MonitorEvent, Multipart, Payload, PeerEvent, PeerId, Route, SocketKind, Transmit,
};

use super::{MioTransport, sources::Slot};
use crate::connection::{Connection, Ending, Origin, Read};
use zerorpc_zmtp::{Frames, Outgoing, PeerInfo, Violation, ZmtpEvent};

impl MioTransport {
    /// Reads once from a connection, so that a fast peer does not starve others; how many bytes.
    pub(super) fn run(&mut self, slot: usize, now: Instant) -> usize {
        let mut scratch = std::mem::take(&mut self.scratch);
        let Some(connection) = self.connection(slot) else {
            self.scratch = scratch;
            return 0;
        };
        connection.runnable = false;
        let read = connection.read(now, &mut scratch);
        scratch.clear();
        self.scratch = scratch;
        self.follow_up(slot, read)
    }

    /// Does what follows from a read; how many bytes.
    fn follow_up(&mut self, slot: usize, read: Result<Read, Ending>) -> usize {
        // What came before an error counts.
        self.take_events(slot);
        match read {
            Ok(Read { count, more }) => {
                // Reading may have called for an answer: the next step of the handshake, a PONG.
                self.flush(slot);
                let timeout =
                    self.connection(slot).and_then(|connection| connection.engine.poll_timeout());
                self.schedule(slot, timeout);
                let failed = self.connection(slot).and_then(|connection| connection.failed.clone());
                match failed {
                    Some(ending) if !more => self.end(slot, &ending),
                    _ if more => self.enqueue(slot),
                    _ => {}
                }
                if self.connection(slot).is_some_and(|connection| connection.going_away.is_some()) {
                    self.retire(slot);
                }
                count
            }
            Err(ending) => {
                self.end(slot, &ending);
                0
            }
        }
    }

    /// A connection has been silent for too long, or has to say something.
    pub(super) fn expire_connection(&mut self, slot: usize, now: Instant) {
        // What waits may show that the peer is there: this process may have been stopped for a while.
        self.run(slot, now);
        let Some(connection) = self.connection(slot) else { return };
        let mute = !connection.engine.has_heard();
        match connection.engine.handle_timeout(now) {
            Ok(()) => {
                let timeout = connection.engine.poll_timeout();
                self.flush(slot);
                self.schedule(slot, timeout);
            }
            Err(Violation::HandshakeTimeout(after)) if mute => self.end(slot, &Ending::Mute(after)),
            Err(violation) => self.end(slot, &violation.into()),
        }
    }

    fn take_events(&mut self, slot: usize) {
        while let Some(connection) = self.slots.get_mut(slot).and_then(Slot::connection_mut)
            && let Some(event) = connection.engine.poll_event()
        {
            match event {
                ZmtpEvent::Message(frames) => {
                    connection.spoke_at = Some(connection.heard_at);
                    if let Some((peer, message)) = connection.peer.zip(multipart(frames)) {
                        self.inbox.add_message(peer, message);
                    }
                }
                ZmtpEvent::Subscribe(topic) => connection.topics.subscribe(topic),
                ZmtpEvent::Cancel(topic) => connection.topics.cancel(&topic),
                ZmtpEvent::Ready(info) => self.welcome(slot, &info),
                ZmtpEvent::GoAway { is_last } => self.hear_goodbye(slot, is_last),
            }
        }
    }

    /// The handshake is over: the connection is a peer.
    fn welcome(&mut self, slot: usize, info: &PeerInfo) {
        if self.kind == SocketKind::Router && !info.identity.is_empty() {
            if let Err(ending) = self.claim(slot, &info.identity) {
                return self.end(slot, &ending);
            }
            self.identities.insert(info.identity.clone(), PeerId(self.next_peer));
        }
        let peer = PeerId(self.next_peer);
        let kind = self.kind;
        let Some(connection) = self.connection(slot) else { return };
        connection.peer = Some(peer);
        if kind == SocketKind::Router {
            connection.identity = info.identity.clone();
        }
        if kind == SocketKind::Sub {
            connection.engine.subscribe(b"");
        }
        let remote = connection.stream.to_string();
        if let Some(Slot::Dialer(dialed)) = self.slots.get_mut(slot) {
            dialed.dialer.established();
        }
        self.next_peer += 1;
        self.peers.insert(peer, slot);
        if matches!(kind, SocketKind::Dealer | SocketKind::Push) {
            self.rotation.add(peer);
        }
        self.inbox.add_event(PeerEvent::Up(peer));
        self.tell(MonitorEvent::Connected { peer, remote });
        if self.is_draining {
            self.say_goodbye(slot);
        }
        self.send_waiting();
    }

    /// Remembers that a connection has something to say.
    pub(super) fn flush_later(&mut self, slot: usize) {
        if let Some(connection) = self.connection(slot)
            && !std::mem::replace(&mut connection.unwritten, true)
        {
            self.unwritten.push(slot);
        }
    }

    /// Writes what all those connections have to say, as far as there is room.
    pub(super) fn flush_all(&mut self) {
        while let Some(slot) = self.unwritten.pop() {
            self.flush(slot);
        }
    }

    /// Writes what a connection has to say, as far as there is room.
    pub(super) fn flush(&mut self, slot: usize) {
        let (messages, bytes) = (self.options.high_water_mark, self.options.high_water_bytes);
        let kind = self.kind;
        let Some(connection) = self.connection(slot) else { return };
        connection.unwritten = false;
        connection.write();
        self.recount(slot);
        let Some(connection) = self.connection(slot) else { return };
        if connection.failed.is_some() {
            // What the peer sent before it went is still to be read; that ends the connection.
            return self.enqueue(slot);
        }
        let retired = connection.origin == Origin::Retired;
        if retired && kind == SocketKind::Push && !connection.engine.has_output() {
            // Nothing comes that would have to be waited for, and nothing more can be said, not even a PING.
            connection.stream.shut_down_writing();
            self.schedule(slot, None);
        }
        let Some(connection) = self.connection(slot) else { return };
        if connection.congested && !connection.is_over(messages.div_ceil(2), bytes / 2) {
            connection.congested = false;
            connection.beyond = 0;
            if let Some(peer) = connection.peer {
                self.inbox.add_event(PeerEvent::Drained(Route { peer, identity: None }));
                if matches!(kind, SocketKind::Dealer | SocketKind::Push) && !retired {
                    self.rotation.add(peer);
                    self.send_waiting();
                }
            }
        }
    }

    /// Has messages that have not left go to others, before those that wait already.
    pub(super) fn give_back(&mut self, unsent: Vec<Outgoing>) {
        for message in unsent.into_iter().rev() {
            self.waiting.push_front(message);
        }
        self.send_waiting();
    }

    /// Counts what is kept for a connection.
    pub(super) fn recount(&mut self, slot: usize) {
        if let Some(connection) = self.slots.get_mut(slot).and_then(Slot::connection_mut) {
            // Nobody's before the handshake is over, which is bounded by itself.
            let retained = connection.peer.map_or(0, |_| connection.retained_bytes());
            self.retained += retained;
            self.retained -= std::mem::replace(&mut connection.retained, retained);
        }
    }

    /// A peer has gone: its name is free, and what it did not get goes back.
    pub(super) fn farewell(&mut self, peer: PeerId, connection: &mut Connection, told: Arc<str>) {
        self.peers.remove(&peer);
        self.rotation.remove(peer);
        if !connection.identity.is_empty() {
            self.identities.remove(&connection.identity);
        }
        let unsent = connection.engine.take_unsent();
        match self.kind {
            SocketKind::Dealer => {
                for message in unsent {
                    if let Some(message) = returned(peer, message) {
                        self.inbox.add_event(PeerEvent::Returned(message));
                    }
                }
            }
            SocketKind::Push => self.give_back(unsent),
            SocketKind::Router | SocketKind::Pull | SocketKind::Pub | SocketKind::Sub => {}
        }
        self.inbox.add_event(PeerEvent::Down(peer, told));
    }
}

/// The message that was handed to [`MioTransport::send`](zerorpc_proto::Transport::send), from what was made
/// of it.
fn returned(to: PeerId, message: Outgoing) -> Option<Transmit> {
    let Outgoing { mut frames, tail } = message;
    let head = frames.pop()?;
    let _delimiter = frames.pop();
    let envelope: Envelope = frames.into_iter().collect::<Envelope>();
    let payload = Payload { head, body: if tail.is_empty() { Bytes::new() } else { tail } };
    Some(Transmit { to, envelope, payload })
}

/// Splits a message into envelope and payload.
fn multipart(mut frames: Frames) -> Option<Multipart> {
    match frames.len() {
        // A delimiter and a payload, as nearly all messages have.
        2 => frames.pop().map(Multipart::direct),
        _ => Multipart::from_frames(None, frames),
    }
}
