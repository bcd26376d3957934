//! Which peer gets a message.

use std::collections::VecDeque;

use bytes::Bytes;
use zerorpc_proto::{Flow, PeerEvent, PeerId, Route, SocketKind, Transmit, TransportError};

use super::{MioTransport, sources::Slot};
use zerorpc_zmtp::{Frames, Outgoing};

/// How many times the high-water marks may wait for a peer that does not read before it is given up. Between
/// the two, senders are held back; this is for those that cannot be, and for peers that provoke answers.
const GIVEN_UP: usize = 4;

/// The peers that take turns.
#[derive(Debug, Default)]
pub(super) struct Rotation(VecDeque<PeerId>);

impl Rotation {
    /// A peer takes part (again).
    pub(super) fn add(&mut self, peer: PeerId) {
        if !self.0.contains(&peer) {
            self.0.push_back(peer);
        }
    }

    pub(super) fn remove(&mut self, peer: PeerId) {
        self.0.retain(|other| *other != peer);
    }

    pub(super) fn has_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The peer whose turn it is; it comes last from now on.
    fn next(&mut self) -> Option<PeerId> {
        self.0.rotate_left(1.min(self.0.len()));
        self.0.back().copied()
    }
}

impl MioTransport {
    pub(super) fn route(&mut self, message: Transmit) -> Result<Flow, TransportError> {
        let to = message.to;
        let route = Route::of(to, &message.envelope);
        let outgoing = self.outgoing(message);
        match self.kind {
            SocketKind::Pull | SocketKind::Sub => {
                Err(TransportError(format!("a {:?} socket only receives", self.kind)))
            }
            SocketKind::Pub => {
                self.publish(&outgoing);
                Ok(Flow::Clear)
            }
            SocketKind::Dealer | SocketKind::Push
                if matches!(to, PeerId::NAMELESS | PeerId::ANY) =>
            {
                self.waiting.push_back(outgoing);
                self.send_waiting();
                if self.waiting.is_empty() {
                    return Ok(Flow::Clear);
                }
                if !self.held.contains(&route) {
                    self.held.push(route);
                }
                Ok(Flow::Congested)
            }
            SocketKind::Dealer | SocketKind::Router | SocketKind::Push => {
                Ok(self.send_to(to, outgoing))
            }
        }
    }

    /// The frames of a message as they go over the wire.
    fn outgoing(&self, message: Transmit) -> Outgoing {
        let Transmit { envelope, payload, .. } = message;
        let mut frames = Frames::new();
        if self.kind.has_delimiter() {
            for frame in envelope.frames() {
                frames.push(frame.clone());
            }
            frames.push(Bytes::new());
        }
        frames.push(payload.head);
        Outgoing { frames, tail: payload.body }
    }

    /// Hands a message to one peer; one that is gone does not get it.
    fn send_to(&mut self, peer: PeerId, mut message: Outgoing) -> Flow {
        let Some(slot) = self.peers.get(&peer).copied() else {
            tracing::trace!("dropped a message: {peer} is gone");
            return Flow::Clear;
        };
        let (messages, bytes) = (self.options.high_water_mark, self.options.high_water_bytes);
        let Some(connection) = self.slots.get_mut(slot).and_then(Slot::connection_mut) else {
            return Flow::Clear;
        };
        let before = connection.engine.queued_bytes();
        if connection.congested {
            // It may wait for long, and should keep no memory that it shares with what does not.
            message.detach();
        }
        connection.engine.send_message(message);
        if connection.congested {
            connection.beyond += connection.engine.queued_bytes() - before;
        }
        if !std::mem::replace(&mut connection.unwritten, true) {
            self.unwritten.push(slot);
        }
        if !connection.is_over(messages, bytes) {
            return Flow::Clear;
        }
        // That much may be in the way of nothing but this thread.
        self.flush(slot);
        let Some(connection) = self.connection(slot) else { return Flow::Clear };
        let most_messages = messages.saturating_mul(u32::try_from(GIVEN_UP).unwrap_or(u32::MAX));
        if !connection.is_over(messages, bytes) {
            return Flow::Clear;
        }
        // The message that congests may be as large as it likes.
        let is_lost = connection.is_over(most_messages, usize::MAX)
            || connection.beyond > bytes.saturating_mul(GIVEN_UP);
        connection.congested = true;
        if is_lost {
            connection.stream.abort();
        }
        self.rotation.remove(peer);
        if is_lost {
            let words = "what was asked for is not read; read faster, or ask for less at a time";
            self.end_connection(slot, "it does not read what it asks for", words);
            return Flow::Clear;
        }
        Flow::Congested
    }

    /// Hands out messages that wait for whoever comes first.
    pub(super) fn send_waiting(&mut self) {
        while !self.waiting.is_empty()
            && let Some(peer) = self.rotation.next()
            && let Some(message) = self.waiting.pop_front()
        {
            self.send_to(peer, message);
        }
        if self.waiting.is_empty() {
            for route in std::mem::take(&mut self.held) {
                self.inbox.add_event(PeerEvent::Drained(route));
            }
        }
    }

    /// Hands a message to every subscriber of it that keeps up.
    fn publish(&mut self, message: &Outgoing) {
        let Some(topic) = message.frames.first() else { return };
        // The first frame is in two pieces when it is the only one.
        let more: &[u8] = if message.frames.len() == 1 { &message.tail } else { &[] };
        let (messages, bytes) = (self.options.high_water_mark, self.options.high_water_bytes);
        let slots: Vec<usize> = self.peers.values().copied().collect();
        for slot in slots {
            let Some(connection) = self.connection(slot) else { continue };
            if !connection.topics.matches(topic, more) {
                continue;
            }
            if connection.is_over(messages, bytes) {
                self.flush(slot);
            }
            let Some(connection) = self.connection(slot) else { continue };
            if connection.is_over(messages, bytes) {
                tracing::debug!("dropped a message: {} does not keep up", connection.stream);
                continue;
            }
            connection.engine.send_message(message.clone());
            self.flush_later(slot);
        }
    }
}
