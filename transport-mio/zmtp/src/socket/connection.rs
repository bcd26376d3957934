//! One connection of a socket.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use web_time::Instant;
use zerorpc_proto::{PeerId, transport::Principal};

use super::{close_reason::CloseReason, topics::Topics};
use crate::{
    Engine, EngineConfig, PeerInfo, Violation,
    foreign::{Foreign, OPENING},
};

/// A connection of a [`Socket`](super::Socket), for as long as it is open. Never given out twice by one socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    index: usize,
    serial: u64,
}

impl ConnectionId {
    pub(super) fn new(index: usize, serial: u64) -> Self {
        Self { index, serial }
    }

    /// A small number that no other open connection of the socket has: for tables of what goes with connections.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({})", self.serial)
    }
}

/// Which side made a connection.
// Exhaustive: a connection has two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The peer; this side accepted it.
    Accepted,
    /// This side.
    Dialed,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) origin: Origin,
    /// Where it leads to.
    pub(super) remote: Arc<str>,
    pub(super) engine: Engine,
    /// Set when the handshake is over.
    pub(super) peer: Option<PeerId>,
    /// Who that is. Set then, too.
    pub(super) principal: Option<Arc<Principal>>,
    /// The first bytes that came, by which other protocols are known.
    opening: [u8; OPENING],
    opened: u8,
    /// The peer's name for itself, claimed on a ROUTER.
    pub(super) identity: Bytes,
    /// What the peer told of itself, while another connection has its name.
    pub(super) newcomer: Option<Box<PeerInfo>>,
    /// Why nothing new is to be sent over it, if so.
    pub(super) retired: Option<&'static str>,
    /// The peer has said its last word.
    pub(super) is_finished: bool,
    /// Nothing is going to be said any more, not even a PING.
    pub(super) is_mute: bool,
    /// When something came last.
    pub(super) heard_at: Instant,
    /// When a message came last.
    pub(super) message_at: Option<Instant>,
    /// Stands among the connections that have something to write.
    pub(super) is_unwritten: bool,
    /// Where the connection stands among the timers.
    pub(super) deadline: Option<Instant>,
    /// More waits to be sent than is good; senders were told.
    pub(super) congested: bool,
    /// Bytes of messages that were sent all the same.
    pub(super) sent_while_congested: usize,
    /// Bytes that are kept for it, as they were counted last.
    pub(super) retained: usize,
    /// Counts the bytes that were written.
    pub(super) written: u64,
    /// What the peer wants to hear, of a publisher.
    pub(super) topics: Topics,
}

impl Connection {
    pub(super) fn new(
        id: ConnectionId,
        origin: Origin,
        remote: Arc<str>,
        config: &Arc<EngineConfig>,
        now: Instant,
    ) -> Self {
        let mut engine = Engine::new(Arc::clone(config), now);
        engine.set_remote(Arc::clone(&remote), None);
        Self {
            id,
            origin,
            remote,
            engine,
            peer: None,
            principal: None,
            opening: [0; OPENING],
            opened: 0,
            identity: Bytes::new(),
            newcomer: None,
            retired: None,
            is_finished: false,
            is_mute: false,
            heard_at: now,
            message_at: None,
            is_unwritten: false,
            deadline: None,
            congested: false,
            sent_while_congested: 0,
            retained: 0,
            written: 0,
            topics: Topics::default(),
        }
    }

    /// Takes bytes from the peer.
    pub(super) fn feed(&mut self, now: Instant, chunk: Bytes) -> Result<(), CloseReason> {
        self.heard_at = now;
        if self.peer.is_none() {
            let filled = usize::from(self.opened);
            let read = chunk.len().min(OPENING - filled);
            self.opening[filled..filled + read].copy_from_slice(&chunk[..read]);
            self.opened += u8::try_from(read).unwrap_or_default();
        }
        self.engine.handle_chunk(now, chunk).map_err(|violation| self.identify(violation))
    }

    /// Whom a violation comes from, if that is something else than ZMTP. A peer behind it is told.
    fn identify(&mut self, violation: Violation) -> CloseReason {
        let opening = &self.opening[..usize::from(self.opened)];
        match Foreign::recognise(opening) {
            Some(foreign) if self.peer.is_none() && violation.is_strange() => {
                if foreign.is_proxied() {
                    self.engine.refuse_unheard(&foreign.words());
                }
                CloseReason::Foreign(foreign)
            }
            _ => violation.into(),
        }
    }

    /// Whether the other side has said anything at all.
    pub(super) fn was_heard(&self) -> bool {
        self.opened > 0
    }

    /// Whether both ends are on this machine, of which the system tells either when the other has gone.
    pub(super) fn is_local(&self) -> bool {
        is_local(&self.remote)
    }

    /// Whether so many messages or bytes wait to be sent; 0 messages is no limit.
    pub(super) fn is_over(&self, messages: u32, bytes: usize) -> bool {
        let queued = self.engine.queued_messages();
        messages > 0 && queued >= messages as usize
            || queued > 0 && self.engine.queued_bytes() > bytes
    }

    /// Bytes that are kept for the peer: messages that wait to be written, and parts of those to come. Nobody's before
    /// the handshake is over, which is bounded by itself.
    pub(super) fn retained_bytes(&self) -> usize {
        self.peer.map_or(0, |_| self.engine.queued_bytes() + self.engine.partial_bytes())
    }
}

/// Whether an endpoint is one within this machine.
pub(super) fn is_local(remote: &str) -> bool {
    remote.starts_with("ipc://") || remote.starts_with("inproc://")
}
