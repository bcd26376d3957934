//! One ZeroMQ socket over many connections.

mod close_reason;
mod closed;
mod connection;
mod denial;
mod draining;
mod events;
mod getters;
mod identities;
mod inbox;
mod patterns;
mod profiles;
mod streams;
mod topics;
mod traffic;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    io::IoSlice,
    sync::Arc,
};

use bytes::Bytes;
use hashbrown::HashMap;
use slab::Slab;
use web_time::Instant;
use zerorpc_proto::{
    Multipart, PeerEvent, PeerId, Route, Transmit,
    transport::{Flow, ProcessCredentials, SocketKind, SocketOptions},
};

use crate::{EngineConfig, Outgoing, Want, WireLimits};
pub use close_reason::CloseReason;
use connection::Connection;
pub use connection::{ConnectionId, Origin};
pub use events::{Closed, LastWords, SocketEvent};
use inbox::Inbox;
pub use patterns::ReceivesOnly;
use patterns::Rotation;
use profiles::Profiles;

/// One ZeroMQ socket (DEALER, ROUTER, PUSH, PULL, PUB or SUB) over many connections, without any IO.
///
/// ```text
///  open_connection ─────────► ConnectionId
///  want, handle_chunk, handle_body, handle_eof ─┐   ┌─► receive          messages in
///  handle_timeout ──────────────────────────────┤   ├─► poll_peer_event  for a Session
///  send ────────────────────────────────────────┼─► ├─► poll_event       connections: ready, to be closed
///  reset, cut_off, discard, drain ──────────────┘   ├─► poll_flush       who has something to write:
///                                                   │     output, advance
///                                                   └─► poll_timeout     when to come back
/// ```
///
/// Its embedder makes and accepts connections, reads and writes their bytes, and closes them when it is told to. The socket
/// does what is ZeroMQ's: it shakes hands, puts delimiters before messages, knows peers by their identities, hands messages
/// out in turn, keeps those that nobody can take yet, remembers subscriptions, bounds what waits for each peer and tells
/// senders so, gives up peers that never read, and takes back what a lost peer did not get.
///
/// Methods may come in any order. After bytes have come, after [`handle_timeout`](Self::handle_timeout) and after
/// [`send`](Self::send), there may be something to take from each of the `poll_…` methods; none of them costs more with
/// many idle connections. An older `now` counts as the latest one seen.
///
/// ```
/// use std::{io::IoSlice, time::Instant};
///
/// use bytes::Bytes;
/// use zerorpc_proto::{PeerEvent, transport::{SocketKind, SocketOptions}};
/// use zerorpc_zmtp::{ConnectionId, Origin, Socket};
///
/// /// What a stream would do. A real one may write less: then go on when there is room.
/// fn carry(from: (&mut Socket, ConnectionId), to: (&mut Socket, ConnectionId), now: Instant) -> bool {
///     let mut slices = [IoSlice::new(&[]); 16];
///     let filled = from.0.output(from.1, &mut slices);
///     let written: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
///     from.0.advance(from.1, written.len());
///     to.0.handle_chunk(now, to.1, Bytes::from(written));
///     filled > 0
/// }
///
/// let now = Instant::now();
/// let options = SocketOptions::default();
/// let mut dealer = Socket::new(SocketKind::Dealer, &options);
/// let mut router = Socket::new(SocketKind::Router, &options);
/// let dialed = dealer.open_connection(now, Origin::Dialed, "tcp://192.0.2.1:4242");
/// let accepted = router.open_connection(now, Origin::Accepted, "tcp://192.0.2.7:50123");
/// while carry((&mut dealer, dialed), (&mut router, accepted), now)
///     | carry((&mut router, accepted), (&mut dealer, dialed), now)
/// {}
/// assert!(matches!(dealer.poll_peer_event(), Some(PeerEvent::Up(_))));
/// assert!(matches!(router.poll_peer_event(), Some(PeerEvent::Up(_))));
/// ```
pub struct Socket {
    kind: SocketKind,
    options: SocketOptions,
    profiles: Profiles,
    /// The latest instant seen; there is one as soon as there was a connection.
    now: Option<Instant>,
    #[allow(
        clippy::vec_box,
        reason = "connections are large, and the slab moves them as it grows"
    )]
    connections: Slab<Box<Connection>>,
    next_connection: u64,
    /// Where each peer's connection is.
    peers: HashMap<PeerId, usize, foldhash::fast::FixedState>,
    next_peer: u64,
    /// On a ROUTER: which peer has which name.
    identities: BTreeMap<Bytes, PeerId>,
    /// Newcomers with a name that another connection has.
    contested: Vec<ConnectionId>,
    /// The peers that take turns, on sockets that pick one themselves.
    rotation: Rotation,
    /// Messages for whoever comes first, on such sockets.
    waiting: VecDeque<Outgoing>,
    /// Senders were told that messages wait on these routes.
    congested_routes: Vec<Route>,
    /// Connections that have something to write of which their embedder was not told.
    unwritten: Vec<usize>,
    /// When connections are to be looked at.
    timers: BTreeSet<(Instant, usize)>,
    inbox: Inbox,
    events: VecDeque<SocketEvent>,
    /// Peers that come are told that this side is about to stop.
    is_draining: bool,
    /// Bytes that are kept for all peers.
    retained: usize,
    /// Messages that no subscriber with room wanted.
    dropped: u64,
    /// What [`read_from`](Self::read_from) reads into.
    scratch: Vec<u8>,
}

impl Socket {
    /// A socket without connections. Its mechanism is that of `options`; for CURVE, use
    /// [`with_engine`](Self::with_engine) and give it a source of random numbers.
    #[must_use]
    pub fn new(kind: SocketKind, options: &SocketOptions) -> Self {
        Self::with_engine(kind, options, EngineConfig::new(kind))
    }

    /// A socket with an identity, heartbeats of ZMTP's own or a source of random numbers. Its kind, its mechanism, its
    /// authenticator, its limit of frames and its time-outs of handshakes are those of `kind` and `options`.
    #[must_use]
    pub fn with_engine(
        kind: SocketKind,
        options: &SocketOptions,
        mut engine: EngineConfig,
    ) -> Self {
        engine.kind = kind;
        engine.security = options.security.clone();
        engine.authenticator = options.authenticator.clone();
        engine.limits = WireLimits::with_frame_bytes(options.max_frame);
        Self {
            kind,
            options: options.clone(),
            profiles: Profiles::new(engine, options),
            now: None,
            connections: Slab::new(),
            next_connection: 1,
            peers: HashMap::default(),
            next_peer: 1,
            identities: BTreeMap::new(),
            contested: Vec::new(),
            rotation: Rotation::default(),
            waiting: VecDeque::new(),
            congested_routes: Vec::new(),
            unwritten: Vec::new(),
            timers: BTreeSet::new(),
            inbox: Inbox::default(),
            events: VecDeque::new(),
            is_draining: false,
            retained: 0,
            dropped: 0,
            scratch: Vec::new(),
        }
    }

    /// What kind of socket this is.
    #[must_use]
    pub fn kind(&self) -> SocketKind {
        self.kind
    }

    /// Takes up a connection that has just been made or accepted. `remote` is where it leads to, as an endpoint; it
    /// stands in what is told of the connection. Over `ipc://` and `inproc://`, where the system tells of ends, no PINGs
    /// are sent.
    pub fn open_connection(
        &mut self,
        now: Instant,
        origin: Origin,
        remote: impl Into<Arc<str>>,
    ) -> ConnectionId {
        let now = self.advance_clock(now);
        let entry = self.connections.vacant_entry();
        let index = entry.key();
        let id = ConnectionId::new(index, self.next_connection);
        self.next_connection += 1;
        let remote = remote.into();
        let profile = self.profiles.of(origin, &remote);
        entry.insert(Box::new(Connection::new(id, origin, remote, profile, now)));
        self.reschedule(index);
        self.mark_unwritten(index);
        id
    }

    /// Says who runs the peer of a connection that has just been [opened](Self::open_connection), where the system tells:
    /// for the authenticator, which is asked within the handshake.
    pub fn set_process(&mut self, connection: ConnectionId, process: ProcessCredentials) {
        if let Some(index) = self.index_of(connection) {
            let connection = &mut self.connections[index];
            connection.engine.set_remote(Arc::clone(&connection.remote), Some(process));
        }
    }

    /// How to read from a connection next.
    pub fn want(&mut self, connection: ConnectionId) -> Want<'_> {
        match self.index_of(connection) {
            Some(index) => self.connections[index].engine.want(),
            None => Want::Chunk,
        }
    }

    /// Fills `slices` from the front with what is to be written to a connection, for one vectored write, and returns how
    /// many it filled; none when there is nothing to write. What follows may wait until this is written: ask again.
    pub fn output<'a>(&'a mut self, connection: ConnectionId, slices: &mut [IoSlice<'a>]) -> usize {
        match self.index_of(connection) {
            Some(index) => self.connections[index].engine.output(slices),
            None => 0,
        }
    }

    /// Takes note that `written` bytes of the output of a connection were written.
    pub fn advance(&mut self, connection: ConnectionId, written: usize) {
        if let Some(index) = self.index_of(connection) {
            let connection = &mut self.connections[index];
            connection.written += written as u64;
            connection.engine.advance(written);
            self.recount(index);
            self.relieve(index);
            self.finish_retired(index);
        }
    }

    /// Whether there is anything to write to a connection.
    #[must_use]
    pub fn has_output(&self, connection: ConnectionId) -> bool {
        self.get(connection).is_some_and(|connection| connection.engine.has_output())
    }

    /// The next connection that has something to write; each is told once. Write until nothing is left or the stream has
    /// no room, and go on when it has.
    pub fn poll_flush(&mut self) -> Option<ConnectionId> {
        while let Some(index) = self.unwritten.pop() {
            if let Some(connection) = self.connections.get_mut(index) {
                connection.is_unwritten = false;
                if connection.engine.has_output() {
                    return Some(connection.id);
                }
            }
        }
        None
    }

    /// What happened to a connection: it is ready, or to be closed.
    pub fn poll_event(&mut self) -> Option<SocketEvent> {
        self.events.pop_front()
    }

    /// The next message that has arrived, and who sent it.
    pub fn receive(&mut self) -> Option<(PeerId, Multipart)> {
        self.inbox.next_message()
    }

    /// The next peer that came, went, has room again or gave a message back, for a
    /// [`Session`](zerorpc_proto::Session). What happened after a message is told once the message was taken.
    pub fn poll_peer_event(&mut self) -> Option<PeerEvent> {
        self.inbox.next_event()
    }

    /// Whether a message waits to be [received](Self::receive).
    #[must_use]
    pub fn has_messages(&self) -> bool {
        self.inbox.has_messages()
    }

    /// Whether a message or an event of a peer waits to be taken.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.inbox.has_news()
    }

    /// Whether a message handed to [`send`](Self::send) now would find a peer with room.
    #[must_use]
    pub fn can_send(&self) -> bool {
        match self.kind {
            // Each peer has a queue of its own, which says when it is full.
            SocketKind::Dealer | SocketKind::Router | SocketKind::Pub => true,
            SocketKind::Push => self.waiting.is_empty() && self.rotation.has_any(),
            SocketKind::Pull | SocketKind::Sub => false,
        }
    }

    /// Takes one message, to be written to its connection. One to a peer that is gone is dropped without an error, as
    /// ROUTER sockets do.
    ///
    /// # Errors
    /// On sockets that only receive.
    pub fn send(&mut self, message: Transmit) -> Result<Flow, ReceivesOnly> {
        self.send_with(message, &mut |_, _| {})
    }

    /// As [`send`](Self::send), where so much waits for a connection that senders are to be held back, `write` may write
    /// to it first: that much may wait for nothing but this thread.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with(
        &mut self,
        message: Transmit,
        write: &mut dyn FnMut(&mut Self, ConnectionId),
    ) -> Result<Flow, ReceivesOnly> {
        self.route(message, write)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None`: never, as things stand.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.contested.is_empty() { self.timers.first().map(|(at, _)| *at) } else { self.now }
    }

    fn index_of(&self, connection: ConnectionId) -> Option<usize> {
        self.get(connection).map(|_| connection.index())
    }

    fn get(&self, connection: ConnectionId) -> Option<&Connection> {
        let found = self.connections.get(connection.index())?;
        (found.id == connection).then_some(found)
    }

    /// The latest instant seen, this one included.
    fn advance_clock(&mut self, now: Instant) -> Instant {
        *self.now.insert(self.now.map_or(now, |latest| latest.max(now)))
    }

    /// Remembers that a connection has something to write, if it has.
    fn mark_unwritten(&mut self, index: usize) {
        if let Some(connection) = self.connections.get_mut(index)
            && !connection.is_unwritten
            && connection.engine.has_output()
        {
            connection.is_unwritten = true;
            self.unwritten.push(index);
        }
    }

    /// Has a connection looked at when its engine wants it, and at no other time.
    fn reschedule(&mut self, index: usize) {
        if let Some(connection) = self.connections.get_mut(index) {
            let at = connection.engine.poll_timeout().filter(|_| !connection.is_mute);
            if connection.deadline == at {
                return;
            }
            if let Some(other) = std::mem::replace(&mut connection.deadline, at) {
                self.timers.remove(&(other, index));
            }
            if let Some(at) = at {
                self.timers.insert((at, index));
            }
        }
    }

    /// Counts what is kept for a connection.
    fn recount(&mut self, index: usize) {
        if let Some(connection) = self.connections.get_mut(index) {
            let retained = connection.retained_bytes();
            self.retained += retained;
            self.retained -= std::mem::replace(&mut connection.retained, retained);
        }
    }
}

/// The queue of a peer.
fn route(peer: PeerId) -> Route {
    Route { peer, identity: None }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("kind", &self.kind)
            .field("connections", &self.connections.len())
            .field("peers", &self.peers.len())
            .finish_non_exhaustive()
    }
}
