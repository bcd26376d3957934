//! A stream with its engine: bytes become events here, and messages become bytes.

use std::{
    io::{ErrorKind, IoSlice},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_proto::PeerId;

use crate::{link::Stream, topics::Topics};
use zerorpc_zmtp::{Engine, EngineConfig, Foreign, OPENING, Violation, Want};

/// What one read takes at most, and so what a fast peer gets done before it is somebody else's turn.
pub(crate) const SCRATCH: usize = 64 << 10;

/// How many parts one write gathers at most.
const SLICES: usize = 16;

/// One connection of a socket.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) engine: Engine,
    pub(crate) origin: Origin,
    /// Set when the handshake is over.
    pub(crate) peer: Option<PeerId>,
    /// The first bytes that came, by which other protocols are known.
    opening: [u8; OPENING],
    opened: u8,
    /// The peer's name for itself, claimed on a ROUTER.
    pub(crate) identity: Bytes,
    /// The system has room for output, as far as is known.
    writable: bool,
    /// The peer has said its last; what it sent before that is still to be read.
    pub(crate) closing: bool,
    /// Writing came to an end; what the peer sent before that is still to be read.
    pub(crate) failed: Option<Ending>,
    /// The endpoint that it was made for, as the caller wrote it, once its dialer has another one.
    pub(crate) given: Option<Arc<str>>,
    /// Why nothing new is to be sent over it, if so.
    pub(crate) going_away: Option<&'static str>,
    /// Everything was said, and the peer is to end the connection.
    pub(crate) has_hung_up: bool,
    /// When something came last,
    pub(crate) heard_at: Instant,
    /// and when a message did.
    pub(crate) spoke_at: Option<Instant>,
    /// Stands among the connections to be written to.
    pub(crate) unwritten: bool,
    /// Stands among the connections that have something to read.
    pub(crate) runnable: bool,
    /// Where the connection stands among the timers.
    pub(crate) wake: Option<Instant>,
    /// More waits to be sent than is good; told to whoever sends.
    pub(crate) congested: bool,
    /// Bytes of messages that were sent all the same, since it was told.
    pub(crate) beyond: usize,
    /// Bytes that are kept for it, as they were counted last.
    pub(crate) retained: usize,
    /// Counts the bytes that were written.
    pub(crate) written: u64,
    /// What the peer wants to hear, of a publisher.
    pub(crate) topics: Topics,
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Accepted by a listener.
    Accepted,
    /// Made by a dialer, which has to know when it ends.
    Dialed,
    /// Made by a dialer that makes another one meanwhile, or is there no more.
    Retired,
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ending {
    #[error("the peer closed the connection")]
    Closed,
    /// The system at the other end has a connection, of which the program there makes nothing.
    #[error(
        "the peer said nothing within {} ms of the connection: it is frozen or overloaded, or does not speak ZMTP",
        .0.as_millis()
    )]
    Mute(Duration),
    /// What it was told before it was closed.
    #[error("the peer ended the connection: {0}")]
    CutOff(String),
    /// What the system says.
    #[error("{0}")]
    Failed(String),
    /// This side has had enough of it.
    #[error("{0}")]
    Dropped(String),
    /// Whoever uses this side wants it so.
    #[error("{0}")]
    Left(&'static str),
    #[error("{0}")]
    Violation(#[from] Violation),
    #[error("{0}")]
    Foreign(Foreign),
    /// Another connection has its name.
    #[error(
        "another connection has the same identity (\"{}\" at {holder}); {what_then}",
        name.escape_ascii()
    )]
    Name { name: Bytes, holder: String, what_then: &'static str },
}

/// What a read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// So many bytes were read.
    pub(crate) count: usize,
    /// There may be more. If not, readiness will be told again.
    pub(crate) more: bool,
}

/// A copy of what was read, in one allocation if it is small. (A vector takes another one as soon as it is shared.)
pub(crate) fn chunk(read: &[u8]) -> Bytes {
    const SMALL: usize = 256;
    let mut small = [0; SMALL];
    match small.get_mut(..read.len()) {
        Some(start) => {
            start.copy_from_slice(read);
            Bytes::from_owner(small).slice(..read.len())
        }
        None => Bytes::copy_from_slice(read),
    }
}

impl Connection {
    pub(crate) fn new(
        stream: Stream,
        config: &Arc<EngineConfig>,
        origin: Origin,
        now: Instant,
    ) -> Self {
        Self {
            stream,
            engine: Engine::new(Arc::clone(config), now),
            origin,
            peer: None,
            opening: [0; OPENING],
            opened: 0,
            identity: Bytes::new(),
            writable: true,
            closing: false,
            failed: None,
            given: None,
            going_away: None,
            has_hung_up: false,
            heard_at: now,
            spoke_at: None,
            unwritten: false,
            runnable: false,
            wake: None,
            congested: false,
            beyond: 0,
            retained: 0,
            written: 0,
            topics: Topics::default(),
        }
    }

    /// Reads once, into the engine. `scratch` is empty but for its capacity, and is so again afterwards.
    pub(crate) fn read(&mut self, now: Instant, scratch: &mut Vec<u8>) -> Result<Read, Ending> {
        let (read, room) = match self.engine.want() {
            Want::Body(missing) => {
                let room = missing.len();
                (self.stream.read_into(missing), room)
            }
            Want::Chunk => (self.stream.read(scratch), scratch.capacity()),
        };
        let count = match read {
            Ok(0) => return Err(Ending::Closed),
            Ok(count) => {
                self.heard_at = now;
                count
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Ok(Read { count: 0, more: false });
            }
            Err(error) => return Err(Ending::Failed(error.to_string())),
        };
        if scratch.is_empty() {
            self.engine.handle_body(now, count)?;
        } else {
            // One allocation for all messages of the chunk, which are slices of it.
            let chunk = chunk(scratch);
            scratch.clear();
            self.feed(now, chunk)?;
        }
        // A stream that gave less than it was asked for is empty; its end alone is not told again.
        Ok(Read { count, more: count == room || self.closing })
    }

    fn feed(&mut self, now: Instant, chunk: Bytes) -> Result<(), Ending> {
        if self.peer.is_none() {
            let filled = usize::from(self.opened);
            let read = chunk.len().min(OPENING - filled);
            self.opening[filled..filled + read].copy_from_slice(&chunk[..read]);
            self.opened += u8::try_from(read).unwrap_or_default();
        }
        self.engine.handle_chunk(now, chunk).map_err(|violation| self.identify(violation))
    }

    /// Whom a violation comes from, if that is something else than ZMTP. A peer behind it is told.
    fn identify(&mut self, violation: Violation) -> Ending {
        let opening = &self.opening[..usize::from(self.opened)];
        match Foreign::recognise(opening) {
            Some(foreign) if self.peer.is_none() && violation.is_strange() => {
                if foreign.is_proxied() {
                    self.engine.refuse_unheard(&foreign.words());
                }
                Ending::Foreign(foreign)
            }
            _ => violation.into(),
        }
    }

    /// What the peer said about the end of the connection.
    pub(crate) fn told(&self) -> Option<String> {
        self.engine.told().map(str::to_owned)
    }

    /// Whether the other side has said anything at all.
    pub(crate) fn was_heard(&self) -> bool {
        self.opened > 0
    }

    /// Whether so many messages or bytes wait to be sent; 0 messages is no limit.
    pub(crate) fn is_over(&self, messages: u32, bytes: usize) -> bool {
        let queued = self.engine.queued_messages();
        messages > 0 && queued >= messages as usize
            || queued > 0 && self.engine.queued_bytes() > bytes
    }

    /// Bytes that are kept for it: messages that wait to be written, and parts of those to come.
    pub(crate) fn retained_bytes(&self) -> usize {
        self.engine.queued_bytes() + self.engine.held_bytes()
    }

    /// The system has room for output again.
    pub(crate) fn set_writable(&mut self) {
        self.writable = true;
    }

    /// Writes as much of the output as there is room for. When that has [failed](Self::failed) once, it is not
    /// tried again.
    pub(crate) fn write(&mut self) {
        while self.writable && self.failed.is_none() && self.engine.has_output() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.engine.output(&mut slices);
            if filled == 0 {
                return;
            }
            match self.stream.write(&slices[..filled]) {
                Ok(written) => {
                    self.written += written as u64;
                    self.engine.advance(written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) => self.failed = Some(Ending::Failed(error.to_string())),
            }
        }
    }
}
