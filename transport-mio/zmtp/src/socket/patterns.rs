//! Which peer gets a message.

use std::collections::VecDeque;

use bytes::Bytes;
use zerorpc_proto::{
    PeerEvent, PeerId, Route, Transmit,
    transport::{Flow, SocketKind},
};

use super::{CloseReason, ConnectionId, Socket};
use crate::{Frames, Outgoing};

/// How many times the high-water marks may wait for a peer that does not read before it is given up. Between
/// the two, senders are held back; this is for those that cannot be, and for peers that provoke answers.
const GIVEN_UP: usize = 4;

/// May write to a connection for which much waits.
pub(super) type Write<'a> = dyn FnMut(&mut Socket, ConnectionId) + 'a;

/// A message was to be sent over a socket that does not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {0:?} socket only receives")]
pub struct ReceivesOnly(SocketKind);

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

impl Socket {
    pub(super) fn route(
        &mut self,
        message: Transmit,
        write: &mut Write<'_>,
    ) -> Result<Flow, ReceivesOnly> {
        let to = message.to;
        match self.kind {
            SocketKind::Pull | SocketKind::Sub => Err(ReceivesOnly(self.kind)),
            SocketKind::Pub => {
                let outgoing = self.outgoing(message);
                self.publish(&outgoing, write);
                Ok(Flow::Clear)
            }
            SocketKind::Dealer | SocketKind::Push if to == PeerId::NAMELESS => {
                let route = Route::of(to, &message.envelope);
                let outgoing = self.outgoing(message);
                self.waiting.push_back(outgoing);
                self.send_waiting(write);
                if self.waiting.is_empty() {
                    return Ok(Flow::Clear);
                }
                if !self.congested_routes.contains(&route) {
                    self.congested_routes.push(route);
                }
                // They are nobody's yet.
                Ok(Flow::Congested(0))
            }
            SocketKind::Dealer | SocketKind::Router | SocketKind::Push => {
                let outgoing = self.outgoing(message);
                Ok(self.send_to(to, outgoing, write))
            }
        }
    }

    /// The frames of a message as they go over the wire.
    fn outgoing(&self, message: Transmit) -> Outgoing {
        let Transmit { envelope, payload, token, .. } = message;
        let mut frames = Frames::new();
        if self.kind.has_delimiter() {
            for frame in envelope.frames() {
                frames.push(frame.clone());
            }
            frames.push(Bytes::new());
        }
        frames.push(payload.head);
        Outgoing { frames, tail: payload.body, token }
    }

    /// Hands a message to one peer; one that is gone does not get it.
    fn send_to(&mut self, peer: PeerId, mut message: Outgoing, write: &mut Write<'_>) -> Flow {
        let Some(index) = self.peers.get(&peer).copied() else { return Flow::Clear };
        let (messages, bytes) = (self.options.high_water_mark, self.options.high_water_bytes);
        let Some(connection) = self.connections.get_mut(index) else { return Flow::Clear };
        let before = connection.engine.queued_bytes();
        if connection.congested {
            // It may wait for long, and should keep no memory that it shares with what does not.
            message.detach();
        }
        connection.engine.send_message(message);
        let more = connection.engine.queued_bytes() - before;
        if connection.congested {
            connection.sent_while_congested += more;
        }
        connection.retained += more;
        self.retained += more;
        if !std::mem::replace(&mut connection.is_unwritten, true) {
            self.unwritten.push(index);
        }
        if !connection.is_over(messages, bytes) {
            return Flow::Clear;
        }
        let id = connection.id;
        write(self, id);
        let most_messages = messages.saturating_mul(u32::try_from(GIVEN_UP).unwrap_or(u32::MAX));
        let Some(connection) = self.connections.get_mut(index).filter(|it| it.id == id) else {
            return Flow::Clear;
        };
        if !connection.is_over(messages, bytes) {
            return Flow::Clear;
        }
        connection.congested = true;
        let queued = connection.engine.queued_bytes();
        // The message that congests may be as large as it likes.
        let is_lost = connection.is_over(most_messages, usize::MAX)
            || connection.sent_while_congested > bytes.saturating_mul(GIVEN_UP);
        self.rotation.remove(peer);
        if is_lost {
            let words = "what was asked for is not read; read faster, or ask for less at a time";
            connection.engine.part(words);
            let reason = CloseReason::Dropped("it does not read what it asks for".to_owned());
            self.finish_off(index, reason, true);
            return Flow::Clear;
        }
        Flow::Congested(queued)
    }

    /// Hands out messages that wait for whoever comes first.
    pub(super) fn send_waiting(&mut self, write: &mut Write<'_>) {
        while !self.waiting.is_empty()
            && let Some(peer) = self.rotation.next()
            && let Some(message) = self.waiting.pop_front()
        {
            self.send_to(peer, message, write);
        }
        if self.waiting.is_empty() {
            for route in std::mem::take(&mut self.congested_routes) {
                self.inbox.add_event(PeerEvent::Drained(route));
            }
        }
    }

    /// Has messages that have not left go to others, before those that wait already.
    pub(super) fn give_back(&mut self, unsent: Vec<Outgoing>) {
        for message in unsent.into_iter().rev() {
            self.waiting.push_front(message);
        }
        self.send_waiting(&mut |_, _| {});
    }

    /// Hands a message to every subscriber of it that keeps up.
    fn publish(&mut self, message: &Outgoing, write: &mut Write<'_>) {
        let Some(topic) = message.frames.first() else { return };
        // The first frame is in two pieces when it is the only one.
        let more: &[u8] = if message.frames.len() == 1 { &message.tail } else { &[] };
        let (messages, bytes) = (self.options.high_water_mark, self.options.high_water_bytes);
        let wants = |connection: &super::Connection| {
            connection.peer.is_some() && connection.topics.matches(topic, more)
        };
        let subscribers = self.connections.iter().filter(|(_, connection)| wants(connection));
        let subscribers: Vec<usize> = subscribers.map(|(index, _)| index).collect();
        for index in subscribers {
            let Some(connection) = self.connections.get(index) else { continue };
            if connection.is_over(messages, bytes) {
                let id = connection.id;
                write(self, id);
            }
            let Some(connection) = self.connections.get_mut(index) else { continue };
            if connection.is_over(messages, bytes) {
                self.dropped += 1;
                continue;
            }
            connection.engine.send_message(message.clone());
            self.recount(index);
            self.mark_unwritten(index);
        }
    }
}
