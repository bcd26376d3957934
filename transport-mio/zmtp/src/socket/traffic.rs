//! Connections at work: bytes and time come in.

use bytes::Bytes;
use web_time::Instant;
use zerorpc_proto::{Multipart, PeerEvent, PeerId, transport::SocketKind};

use super::{CloseReason, ConnectionId, Socket, SocketEvent, route};
use crate::{Frames, PeerInfo, Violation, ZmtpEvent};

impl Socket {
    /// Takes bytes that came over a connection, any number of them. Messages are slices of `chunk`.
    pub fn handle_chunk(&mut self, now: Instant, connection: ConnectionId, chunk: Bytes) {
        let now = self.advance_clock(now);
        if let Some(index) = self.index_of(connection) {
            let read = self.connections[index].feed(now, chunk);
            self.after_read(index, read);
        }
    }

    /// Takes note of `count` bytes that were read into the slice of [`Want::Body`](crate::Want::Body).
    pub fn handle_body(&mut self, now: Instant, connection: ConnectionId, count: usize) {
        let now = self.advance_clock(now);
        if let Some(index) = self.index_of(connection) {
            let connection = &mut self.connections[index];
            connection.heard_at = now;
            let read = connection.engine.handle_body(now, count);
            self.after_read(index, read.map_err(CloseReason::from));
        }
    }

    /// The connections that [`handle_timeout`](Self::handle_timeout) would judge now. Read from them first: what waits there
    /// may show that the peer is alive, as this process may have been stopped for a while; or that it is gone.
    #[must_use]
    pub fn due(&self, now: Instant) -> Vec<ConnectionId> {
        let timers = self.timers.iter().take_while(|(at, _)| *at <= now).map(|(_, index)| *index);
        let holders =
            self.contested.iter().filter(|_| self.hands_over()).filter_map(|newcomer| {
                self.holder(&self.get(*newcomer)?.newcomer.as_ref()?.identity)
            });
        timers.chain(holders).filter_map(|index| Some(self.connections.get(index)?.id)).collect()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance_clock(now);
        while let Some((at, index)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, index));
            let Some(connection) = self.connections.get_mut(index) else { continue };
            connection.deadline = None;
            let is_unheard = !connection.engine.has_heard();
            match connection.engine.handle_timeout(now) {
                Ok(()) => {
                    self.mark_unwritten(index);
                    self.reschedule(index);
                }
                Err(Violation::HandshakeTimeout(after)) if is_unheard => {
                    self.end(index, CloseReason::Mute(after));
                }
                Err(violation) => self.end(index, violation.into()),
            }
        }
        self.settle_contested();
    }

    /// Does what follows from bytes that have come.
    pub(super) fn after_read(&mut self, index: usize, read: Result<(), CloseReason>) {
        // What came before an error counts.
        self.take_events(index);
        if let Err(reason) = read {
            return self.end(index, reason);
        }
        match self
            .connections
            .get(index)
            .map(|connection| (connection.is_finished, connection.retired))
        {
            Some((true, Some(why))) => return self.end(index, CloseReason::Left(why)),
            Some(_) => {}
            None => return,
        }
        self.recount(index);
        self.reschedule(index);
        self.mark_unwritten(index);
    }

    fn take_events(&mut self, index: usize) {
        while let Some(connection) = self.connections.get_mut(index)
            && connection.newcomer.is_none()
            && let Some(event) = connection.engine.poll_event()
        {
            match event {
                ZmtpEvent::Message(frames) => {
                    connection.message_at = Some(connection.heard_at);
                    if let Some((peer, message)) = connection.peer.zip(multipart(frames)) {
                        self.inbox.add_message(peer, message);
                    }
                }
                ZmtpEvent::Subscribe(topic) => connection.topics.subscribe(topic),
                ZmtpEvent::Cancel(topic) => connection.topics.cancel(&topic),
                ZmtpEvent::Ready(info) => self.on_ready(index, info),
                ZmtpEvent::GoAway { is_last } => self.on_goaway(index, is_last),
            }
        }
    }

    /// The handshake is over: the connection is a peer, unless another one has its name.
    #[cold]
    fn on_ready(&mut self, index: usize, info: Box<PeerInfo>) {
        let has_name = self.kind == SocketKind::Router && !info.identity.is_empty();
        if has_name && self.holder(&info.identity).is_some() {
            let connection = &mut self.connections[index];
            connection.newcomer = Some(info);
            self.contested.push(connection.id);
            return;
        }
        self.on_admitted(index, &info);
    }

    pub(super) fn on_admitted(&mut self, index: usize, info: &PeerInfo) {
        let kind = self.kind;
        let peer = PeerId::new(self.next_peer);
        self.next_peer += 1;
        let connection = &mut self.connections[index];
        connection.peer = Some(peer);
        connection.principal.clone_from(&info.principal);
        if kind == SocketKind::Router && !info.identity.is_empty() {
            connection.identity = info.identity.clone();
            self.identities.insert(info.identity.clone(), peer);
        }
        if kind == SocketKind::Sub {
            connection.engine.subscribe(b"");
        }
        let (connection, remote) = (connection.id, connection.remote.clone());
        self.peers.insert(peer, index);
        if matches!(kind, SocketKind::Dealer | SocketKind::Push) {
            self.rotation.add(peer);
        }
        self.inbox.add_event(PeerEvent::Up(peer));
        if info.lossless {
            self.inbox.add_event(PeerEvent::Lossless(peer));
        }
        self.events.push_back(SocketEvent::Ready { connection, peer, remote });
        if self.is_draining {
            self.say_goaway(index);
        }
        self.send_waiting(&mut |_, _| {});
    }

    /// Tells senders when there is room again.
    pub(super) fn relieve(&mut self, index: usize) {
        let (messages, bytes) = (self.options.high_water_mark, self.options.high_water_bytes);
        let Some(connection) = self.connections.get_mut(index) else { return };
        if !connection.congested || connection.is_over(messages.div_ceil(2), bytes / 2) {
            return;
        }
        connection.congested = false;
        connection.sent_while_congested = 0;
        let (peer, is_retired) = (connection.peer, connection.retired.is_some());
        if let Some(peer) = peer {
            self.inbox.add_event(PeerEvent::Drained(route(peer)));
            if matches!(self.kind, SocketKind::Dealer | SocketKind::Push) && !is_retired {
                self.rotation.add(peer);
                self.send_waiting(&mut |_, _| {});
            }
        }
    }
}

/// Splits a message into envelope and payload.
fn multipart(mut frames: Frames) -> Option<Multipart> {
    match frames.len() {
        // A delimiter and a payload, as nearly all messages have.
        2 => frames.pop().map(Multipart::direct),
        _ => Multipart::from_frames(None, frames),
    }
}
