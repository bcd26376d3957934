//! The seam under the core: what a transport must offer for a [`Session`](crate::Session) to be driven by it.
//!
//! A transport moves whole multipart messages to and from peers and reports peers that come and go. It
//! knows nothing of events. **Waiting and moving are separate**: moving bytes ([`Transport`]) never
//! blocks, and waiting for readiness ([`Waiter`]) needs no access to what moves them. So any thread may
//! wait, and the thread that has something to say writes it to the socket itself.

use std::{
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::multipart::{Envelope, Multipart, Transmit};

/// One connection of a transport, for as long as that connection lives.
///
/// Numbers are never used twice by one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

impl PeerId {
    /// The single peer of a transport that cannot tell its peers apart (libzmq).
    ///
    /// Behind a ROUTER of such a transport, the first frame of the envelope names the peer.
    pub const NAMELESS: Self = Self(0);

    /// For calls: whichever peer is up and has the fewest of them; none being up, the first one to come.
    pub const ANY: Self = Self(u64::MAX);

    /// Whether this is one certain connection.
    pub(crate) fn is_named(self) -> bool {
        !matches!(self, Self::NAMELESS | Self::ANY)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NAMELESS => f.write_str("the peer"),
            Self::ANY => f.write_str("any peer"),
            Self(number) => write!(f, "peer {number}"),
        }
    }
}

/// Which queue of a transport a message goes through: that of a connection, or, where connections have no
/// names, that of the first identity in the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// The connection.
    pub peer: PeerId,
    /// The first identity, behind a transport with nameless peers.
    pub identity: Option<Bytes>,
}

impl Route {
    /// The route of a message.
    #[must_use]
    pub fn of(peer: PeerId, envelope: &Envelope) -> Self {
        let identity =
            if peer == PeerId::NAMELESS { envelope.frames().first().cloned() } else { None };
        Self { peer, identity }
    }
}

/// The ZeroMQ socket patterns that zerorpc uses (protocol section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketKind {
    /// The client's side of calls.
    Dealer,
    /// The server's side of calls.
    Router,
    /// Sends each event to one puller.
    Push,
    /// Receives what pushers send.
    Pull,
    /// Sends each event to every subscriber.
    Pub,
    /// Receives everything that publishers send.
    Sub,
}

impl SocketKind {
    /// Whether an empty delimiter frame stands before the payload on this kind of socket.
    #[must_use]
    pub fn has_delimiter(self) -> bool {
        matches!(self, Self::Dealer | Self::Router)
    }
}

/// Options of a socket, given when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketOptions {
    /// How long closing waits for unsent messages to leave; `None` waits as long as it takes.
    pub linger: Option<Duration>,
    /// How many messages may queue per peer and direction before the sender is held back; 0 is no limit.
    pub high_water_mark: u32,
    /// How many bytes may queue per peer before the sender is held back. A single message may be larger. (libzmq
    /// has no such limit.)
    pub high_water_bytes: usize,
    /// The largest frame accepted from a peer, in bytes; a peer that sends a larger one is disconnected.
    pub max_frame: u64,
    /// How long a peer that has connected to this side may take to the end of the handshake.
    pub handshake_timeout: Duration,
    /// How long this side waits, when it connects, for the system at the other end, and then again for the end of the
    /// handshake, before it tries the next address, or the same again after a while.
    pub dial_timeout: Duration,
    /// How connections over TCP find out that their peer has vanished without a word; `None` leaves it to the system,
    /// which never asks, and notices after a quarter of an hour when there is something to be sent.
    pub keepalive: Option<Keepalive>,
    /// The first wait before connecting again; chance adds up to as much again.
    pub reconnect: Duration,
    /// The longest such wait: they double until they reach it.
    pub reconnect_longest: Duration,
    /// How often the name in an endpoint is looked up again, to connect to addresses that are new and leave those that
    /// are gone; `None`: only when a connection was lost or could not be made. For sockets that use all addresses of
    /// a name: those of clients and pushers. (Not over libzmq.)
    pub resolve_interval: Option<Duration>,
    /// On a ROUTER: a peer that comes back with its identity takes it over from a connection that is dead or silent. The
    /// old connection is asked for a sign of life (a PING, 2 s; peers older than ZMTP 3.1, which know none, may be silent
    /// for 15 s), and the newcomer is refused until it has failed to give one; one that is alive keeps the name.
    /// Without it, whoever has the name keeps it until its connection ends. Peers without an identity are not concerned.
    /// (libzmq asks nobody: with it the newcomer has the name at once.)
    pub handover: bool,
    /// Who may connect to the socket file of `ipc://path` that is bound, as `chmod` takes it: 0o660 is its owner and its
    /// group. Up to 0o777; `None`, the default, is its owner alone (0o600). (Over libzmq, `None` leaves it to the umask of
    /// the process, and a mode is set only once the file is there.)
    pub ipc_mode: Option<u32>,
    /// The group of that file, by its name or number; the process must be in it. `None`, the default, leaves it to the
    /// system: mostly the main group of the process.
    pub ipc_group: Option<String>,
}

impl Default for SocketOptions {
    /// One second of linger, 1000 messages (libzmq's default) or 16 MiB, frames up to 1 GiB, 30 s for the handshake of
    /// whoever connects, 3 s for whom this side connects to, [`Keepalive::default`], waits from 0.1 s to 5 s, names
    /// looked up every 30 s, identities handed over, socket files for their owner.
    fn default() -> Self {
        Self {
            linger: Some(Duration::from_secs(1)),
            high_water_mark: 1000,
            high_water_bytes: 16 << 20,
            max_frame: 1 << 30,
            handshake_timeout: Duration::from_secs(30),
            dial_timeout: Duration::from_secs(3),
            keepalive: Some(Keepalive::default()),
            reconnect: Duration::from_millis(100),
            reconnect_longest: Duration::from_secs(5),
            resolve_interval: Some(Duration::from_secs(30)),
            handover: true,
            ipc_mode: None,
            ipc_group: None,
        }
    }
}

/// How a connection over TCP finds out that its peer has vanished: a cable was pulled, a firewall has forgotten the
/// connection, a machine lost its power. Whoever has vanished is given up after `interval` and `timeout` together.
///
/// A peer of ZMTP 3.1 is asked by a PING (23/ZMTP), which proxies pass on; that the machine at the other end of the
/// TCP connection is there, the system asks every peer. Both keep the way open through routers, firewalls and proxies
/// that forget idle connections. An idle connection costs two small packets each way in an `interval`, a busy one nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// How long a connection is idle before its peer is asked for a sign of life; 15 s by default.
    pub interval: Duration,
    /// How long the peer may take to give one, and how much longer than `interval` data may go unacknowledged; 15 s by
    /// default.
    pub timeout: Duration,
}

impl Keepalive {
    /// Asks after `interval` of idleness, and waits for as long again.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self { interval, timeout: interval }
    }

    /// How long nothing may be heard or acknowledged before the peer is given up.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.interval.saturating_add(self.timeout)
    }

    /// How soon the peer may give this side up in turn: sent with each PING.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.patience().saturating_mul(2)
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self::every(Duration::from_secs(15))
    }
}

/// Moves messages; never blocks.
///
/// After any call of [`receive`](Self::receive), it must be called until it returns `None` before anybody waits:
/// readiness is reported once, at the edge. The same after [`flush`](Self::flush) where
/// [`sending_hides_arrivals`](Self::sending_hides_arrivals).
pub trait Transport: Send {
    /// Accepts connections at `endpoint`; returns the endpoint as bound, with a wildcard port resolved.
    ///
    /// # Errors
    /// When the endpoint cannot be parsed or cannot be bound.
    fn bind(&mut self, endpoint: &str) -> Result<String, EndpointError>;

    /// Connects to `endpoint`, now and again whenever the connection is lost; to all addresses of a name, where that
    /// makes sense.
    ///
    /// # Errors
    /// When the endpoint cannot be parsed. A peer that is not there yet is no error.
    fn connect(&mut self, endpoint: &str) -> Result<(), EndpointError>;

    /// Stops accepting at `endpoint`, as returned by [`bind`](Self::bind).
    ///
    /// # Errors
    /// When nothing is bound there.
    fn unbind(&mut self, endpoint: &str) -> Result<(), EndpointError>;

    /// Ends all connections to `endpoint`, as given to [`connect`](Self::connect), and looks its name up no more.
    ///
    /// # Errors
    /// When nothing is connected there.
    fn disconnect(&mut self, endpoint: &str) -> Result<(), EndpointError>;

    /// Whether a message handed to [`send`](Self::send) now would find a peer with room.
    ///
    /// As long as this is false, leave requests in the session: what was not transmitted can still be
    /// withdrawn.
    fn can_send(&mut self) -> bool;

    /// Takes one message, to be written by [`flush`](Self::flush) at the latest, or once its peer has room.
    ///
    /// A message to a peer that is gone is dropped without an error, as ROUTER sockets do.
    ///
    /// # Errors
    /// Only when the socket itself is unusable.
    fn send(&mut self, message: Transmit) -> Result<Flow, TransportError>;

    /// Writes what [`send`](Self::send) has taken, as far as there is room: several messages for one peer by one
    /// system call.
    ///
    /// # Errors
    /// Only when the socket itself is unusable.
    fn flush(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    /// Whether sending may use up the announcement of messages that have arrived: then look for them after it.
    fn sending_hides_arrivals(&self) -> bool {
        false
    }

    /// The next whole message that has arrived, and who sent it.
    ///
    /// # Errors
    /// Only when the socket itself is unusable.
    fn receive(&mut self) -> Result<Option<(PeerId, Multipart)>, TransportError>;

    /// The next peer that came, went or has room again. A transport that cannot tell its peers apart reports
    /// only the last. Ask after every round of receiving.
    fn poll_peer(&mut self) -> Option<PeerEvent>;

    /// Whether connections have names: then calls may go to [`PeerId::ANY`], and each stays with its peer.
    fn knows_peers(&self) -> bool {
        false
    }

    /// Where a connection leads to, as long as it stands.
    fn remote(&self, peer: PeerId) -> Option<String> {
        let _nameless = peer;
        None
    }

    /// Ends a connection for a reason, and makes it anew if this side has made it. What the peer had sent before, and the
    /// end of the connection, are told as always. Nothing to do where connections have no names.
    fn reset(&mut self, peer: PeerId, reason: &str) {
        let _nameless = (peer, reason);
    }

    /// Ends the connection of a peer for which too much is kept, for this reason, of which the peer is told if it reads. What
    /// waits to be sent is dropped. Nothing to do where connections have no names.
    fn cut_off(&mut self, peer: PeerId, reason: &str) {
        let _nameless = (peer, reason);
    }

    /// Drops what waits to be sent on a route, but for a message that has begun.
    fn discard(&mut self, route: &Route) {
        let _has_nothing = route;
    }

    /// How many bytes are kept for all peers: messages that wait to be written, and parts of messages that are to come.
    /// Costs nothing to ask.
    fn retained_bytes(&self) -> usize {
        0
    }

    /// How many bytes are kept for each peer, or for each route where peers have no names.
    fn retained_by_route(&self) -> Vec<(Route, usize)> {
        Vec::new()
    }

    /// A number that changes whenever a peer takes anything of what is sent to it; `None` where that cannot be seen.
    fn progress_of(&self, peer: PeerId) -> Option<u64> {
        let _unseen = peer;
        None
    }

    /// Stops to accept and to make connections, and tells peers that new requests are not welcome, as far as they
    /// understand it; they hear of it as [`PeerEvent::GoingAway`]. Connections that stand go on. Where that cannot be had
    /// without ending connections, nothing happens, and requests that come have to be refused.
    fn drain(&mut self) {}

    /// Everything that was received has been answered. As its last word, each peer is told so when the transport is
    /// dropped, if everything else that waits for it could be sent; it hears of it as [`PeerEvent::Gone`].
    fn finish(&mut self) {}

    /// When to call [`receive`](Self::receive) even if nothing becomes ready: a connection is to be tried again, or
    /// has taken too long.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What happened to connections and endpoints, for people and for monitoring. A transport may have nothing to
    /// tell. What nobody takes is dropped, oldest first.
    fn poll_monitor(&mut self) -> Option<MonitorEvent> {
        None
    }
}

/// Waits for a transport; owned by one thread at a time.
pub trait Waiter: Send {
    /// Returns when the transport may have something to move, when it was woken, or after `timeout`
    /// (`None`: never on its own account). May return early without a reason.
    ///
    /// # Errors
    /// Only when waiting is impossible; being interrupted by a signal is a return without a reason.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// As [`wait`](Self::wait), but may hear of a wake, or of a new connection, only after some milliseconds. A transport
    /// may have a cheaper way to wait like this.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    fn wait_undisturbed(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.wait(timeout)
    }
}

/// Ends the wait of a [`Waiter`] from any thread; a wake before the wait begins ends it at once.
pub trait Waker: Send + Sync {
    /// Wakes whoever waits.
    fn wake(&self);
}

/// What a transport says to a message that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More may follow.
    Clear,
    /// The message waits for its peer to read. Hold back what else goes the same way, until
    /// [`PeerEvent::Drained`] tells of it.
    Congested,
}

/// What a transport tells of its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// A connection is ready to carry messages.
    Up(PeerId),
    /// No byte of this message was written before its connection ended; told before [`Down`](Self::Down).
    Returned(Transmit),
    /// The peer is about to stop, or its address is not one of the endpoint any more: it is to get no new requests.
    GoingAway(PeerId),
    /// The peer has answered every request that it has looked at, and looks at no other; told before
    /// [`Down`](Self::Down).
    Gone(PeerId),
    /// A connection ended; nothing more will come from it.
    Down(PeerId, Arc<str>),
    /// Nothing waits any more on a route that was [`Flow::Congested`].
    Drained(Route),
}

/// Something that happened to a connection or an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MonitorEvent {
    /// A connection is ready to carry messages.
    Connected {
        /// Its number.
        peer: PeerId,
        /// Where it leads to.
        remote: String,
    },
    /// A connection that was ready has ended.
    Disconnected {
        /// Its number.
        peer: PeerId,
        /// Where it led to.
        remote: String,
        /// Why.
        reason: String,
    },
    /// A peer is about to stop, and wants no new requests.
    GoingAway {
        /// Its number.
        peer: PeerId,
        /// Where it leads to.
        remote: String,
    },
    /// A connection ended before it was ready.
    HandshakeFailed {
        /// Where it led to.
        remote: String,
        /// Why.
        reason: String,
    },
    /// Connecting failed and will be tried again.
    Retried {
        /// The endpoint to connect to.
        endpoint: String,
        /// Why it failed.
        reason: String,
        /// When it will be tried again.
        after: Duration,
    },
    /// Connections cannot be accepted for the moment.
    AcceptFailed {
        /// The endpoint that is bound.
        endpoint: String,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for MonitorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { peer, remote } => write!(f, "{peer} at {remote} is connected"),
            Self::Disconnected { peer, remote, reason } => {
                write!(f, "{peer} at {remote} is gone: {reason}")
            }
            Self::GoingAway { peer, remote } => write!(f, "{peer} at {remote} is stopping"),
            Self::HandshakeFailed { remote, reason } => {
                write!(f, "no connection with {remote}: {reason}")
            }
            Self::Retried { endpoint, reason, after } => {
                write!(f, "cannot connect to {endpoint} ({reason}); trying again in {after:?}")
            }
            Self::AcceptFailed { endpoint, reason } => {
                write!(f, "cannot accept connections at {endpoint}: {reason}")
            }
        }
    }
}

/// Why an endpoint could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} {endpoint:?}: {reason}")]
pub struct EndpointError {
    /// What was tried: `bind`, `connect`, `unbind` or `disconnect`.
    pub action: &'static str,
    /// The endpoint as it was given.
    pub endpoint: String,
    /// What stood in the way, and what to do about it.
    pub reason: String,
}

/// A socket that can no longer be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the socket failed: {0}")]
pub struct TransportError(pub String);
