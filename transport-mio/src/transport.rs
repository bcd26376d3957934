//! The sockets: many connections behind one pattern.
//!
//! Every source of readiness has a slot: listeners, dialers (with the connection that each has made), groups of
//! dialers, and accepted connections. Readiness comes from the [`MioWaiter`] by way of a mailbox;
//! everything else happens in the calls of the thread that moves messages.

mod accepting;
mod closing;
mod connection;
mod draining;
mod endings;
mod endpoints;
mod groups;
mod line;
mod partings;
mod readiness;
mod report;
mod slots;
mod strangers;
mod traffic;

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use mio::Registry;
use slab::Slab;
use zerorpc_proto::{
    Multipart, PeerEvent, PeerId, RateLimited, Route, Transmit,
    transport::{
        AcceptStats, Cause, EndpointAction, EndpointError, Flow, MonitorEvent, Principal, Probes,
        SocketKind, SocketOptions, Transport, TransportError, Waker, earliest,
    },
};
use zerorpc_zmtp::{EngineConfig, Socket};

use crate::{
    Parts,
    link::{LinkOptions, Pace, Permissions},
    pool::Pool,
    random::SystemRandom,
    waiter::{Mailbox, MioWaiter, MioWaker, Readiness},
};
use connection::SCRATCH;
use endings::Complaint;
use line::{Line, Share};
use partings::Partings;
use report::Report;
use slots::Slot;
use strangers::Strangers;

/// How many bytes are read between two waits, which alone find out who else has something to say.
/// Not measured: four full reads.
const BUDGET: usize = 256 << 10;

/// How many things to tell are kept for somebody who asks. Not measured: a bound; what is more is counted.
const MONITORED: usize = 256;

/// A ZeroMQ socket over mio that never blocks and knows its peers.
///
/// # Endpoints
///
/// `tcp://host:port` with IPv4 and IPv6 addresses, names, names of interfaces, `*` and ports of the system's choice
/// where it is bound; `ipc://path` (for its owner alone unless [`SocketOptions::ipc_mode`] says otherwise; a stale file
/// is replaced, a live one is an error, and the file is removed at the end),
/// `ipc://@name` on Linux, and `inproc://name` within a process.
///
/// A DEALER and a PUSH socket that connect to a name use all its addresses at the same time: each has a connection of
/// its own, where an IPv6 address only stands in for an IPv4 address that does not answer, as long as there are enough
/// of those. (So `localhost` is one connection, and a name with three addresses is three.) Names are looked up again
/// every [`SocketOptions::resolve_interval`] and when a connection was lost or could not be made: addresses that are
/// new are connected to, those that are gone no more. A look-up that fails changes nothing. On the other sockets, which
/// would get messages twice or mean one certain peer, a name is one connection: the addresses are tried one after the
/// other, and looked up for every round.
///
/// `tcp://host:port?connections=2` makes so many connections to each address, 1 to 64, so that one socket can use
/// several of the servers behind a balancer; not on PUB and SUB sockets. In `ipc://` and `inproc://` endpoints, `?` is a
/// character as any other.
///
/// # Closing
///
/// Dropping the transport blocks until all messages of ready connections have left, for
/// [`SocketOptions::linger`] at most; without a linger as long as those connections stand.
pub struct MioTransport {
    kind: SocketKind,
    options: SocketOptions,
    links: LinkOptions,
    /// The ZeroMQ socket, to which the streams belong.
    socket: Socket,
    registry: Registry,
    /// Where the waiter leaves what it has found.
    mailbox: Arc<Mailbox>,
    waker: MioWaker,
    /// The sources of readiness, by their tokens.
    slots: Slab<Slot>,
    /// The slots of connections, by their indices in the socket.
    places: Vec<usize>,
    /// Slots of connections that have something to read, but for strangers.
    runnable: VecDeque<usize>,
    /// Connections that others have made.
    strangers: Strangers,
    /// Strangers that have something to read, and listeners that have somebody to accept.
    line: Line,
    /// How much of the time these get.
    share: Share,
    /// What is to be told of those that come to nothing.
    report: Report,
    /// When listeners, dialers and groups are to be looked at.
    timers: BTreeSet<(Instant, usize)>,
    pool: Pool,
    /// When the pool is looked through, if there is anything in it.
    pool_due: Option<Instant>,
    /// When work was done last.
    worked: Instant,
    /// How many waits there were before it.
    round: u64,
    /// How many bytes may still be read before the next wait.
    budget: usize,
    /// All that was known to be readable has been read; whoever takes the last message need not look again before he waits.
    is_exhausted: bool,
    /// What the waiter was told of when there is something to do.
    due: Option<Instant>,
    /// No connection is accepted or made any more.
    is_draining: bool,
    /// Everything that was received has been answered.
    is_finished: bool,
    /// What happened, for whoever asks.
    monitor: VecDeque<MonitorEvent>,
    /// What was told at the log's default level.
    complaints: RateLimited<Complaint>,
    /// The same of names that several connections want.
    names: RateLimited<Bytes>,
    /// Connections that are over but for what their peers are to read.
    partings: Partings,
    /// What the mailbox is emptied into.
    ready: Vec<Readiness>,
    /// What connections are read into.
    scratch: Vec<u8>,
}

impl MioTransport {
    pub(crate) fn open(
        kind: SocketKind,
        options: &SocketOptions,
        mut engine: EngineConfig,
    ) -> Result<Parts, TransportError> {
        let failed = |error: std::io::Error| {
            let words = |error: &std::io::Error| format!("cannot open a {kind:?} socket: {error}");
            TransportError::new(Cause::explained(error, words))
        };
        let (waiter, waker, registry, mailbox) = MioWaiter::new().map_err(failed)?;
        let pool = Pool::default();
        engine.buffers = Arc::new(pool.clone());
        engine.random = Arc::new(SystemRandom);
        let links = LinkOptions {
            keepalive: options.keepalive.map(|keepalive| Probes::new(kind, &keepalive)),
            connect_timeout: Some(options.dial_timeout),
            resolve_interval: options.resolve_interval,
            pace: Pace { first: options.reconnect, longest: options.reconnect_longest },
            permissions: Permissions { mode: options.ipc_mode, group: options.ipc_group.clone() },
        };
        let transport = Self {
            kind,
            options: options.clone(),
            links,
            socket: Socket::with_engine(kind, options, engine),
            registry,
            mailbox,
            waker: waker.clone(),
            slots: Slab::new(),
            places: Vec::new(),
            runnable: VecDeque::new(),
            strangers: Strangers::new(options),
            line: Line::default(),
            share: Share::default(),
            report: Report::default(),
            timers: BTreeSet::new(),
            pool,
            pool_due: None,
            worked: Instant::now(),
            round: 0,
            budget: BUDGET,
            is_exhausted: false,
            due: None,
            is_draining: false,
            is_finished: false,
            monitor: VecDeque::new(),
            complaints: RateLimited::default(),
            names: RateLimited::default(),
            partings: Partings::default(),
            ready: Vec::new(),
            scratch: Vec::with_capacity(SCRATCH),
        };
        Ok(Parts { transport, waiter, waker })
    }

    /// When there is something to do though nothing becomes ready: a connection is to be tried again, or has taken too long.
    /// Its waiter knows.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.runnable.is_empty() && !self.socket.has_news() {
            let timer = self.timers.first().map(|(at, _)| *at);
            earliest([
                timer,
                self.socket.poll_timeout(),
                self.pool_due,
                self.partings.due(),
                self.strangers_due(),
                self.report.due(),
            ])
        } else {
            // What was too much for one round makes the next wait a short one.
            Some(self.worked)
        }
    }

    /// Lets the waiter know when there is something to do.
    fn publish_deadline(&mut self) {
        let due = self.poll_timeout();
        if due != self.due {
            self.due = due;
            if self.mailbox.set_due(due) {
                self.waker.wake();
            }
        }
    }

    /// Keeps something to tell, and tells it to the log.
    fn emit(&mut self, event: MonitorEvent) {
        self.emit_as(event, None);
    }

    /// The same, at the log's default level if there is something to complain of, though once in a while only.
    fn emit_as(&mut self, event: MonitorEvent, complaint: Option<Complaint>) {
        let admitted = complaint.and_then(|complaint| match complaint {
            // Apart from the others: peers choose them, and could choose so many that nothing else is told.
            Complaint::Name(name) => self.names.admit(self.worked, name),
            complaint => self.complaints.admit(self.worked, complaint),
        });
        match admitted {
            Some(0) => tracing::warn!("{event}"),
            Some(alike) => tracing::warn!(alike, "{event}"),
            None => tracing::debug!("{event}"),
        }
        if self.monitor.len() == MONITORED {
            self.monitor.pop_front();
        }
        self.monitor.push_back(event);
    }
}

/// Puts the outcome of an action on an endpoint into words.
fn conclude<T>(
    action: EndpointAction,
    endpoint: &str,
    result: Result<T, Cause>,
) -> Result<T, EndpointError> {
    result.map_err(|cause| EndpointError::new(action, endpoint, cause))
}

impl Transport for MioTransport {
    fn bind(&mut self, endpoint: &str) -> Result<String, EndpointError> {
        conclude(EndpointAction::Bind, endpoint, self.try_bind(endpoint))
    }

    fn connect(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        conclude(EndpointAction::Connect, endpoint, self.try_connect(endpoint))
    }

    fn unbind(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        conclude(EndpointAction::Unbind, endpoint, self.try_unbind(endpoint))
    }

    fn disconnect(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        conclude(EndpointAction::Disconnect, endpoint, self.try_disconnect(endpoint))
    }

    fn can_send(&mut self) -> bool {
        self.socket.can_send()
    }

    fn send(&mut self, message: Transmit) -> Result<Flow, TransportError> {
        self.share.note_busy(self.worked);
        self.route(message)
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        self.flush_all();
        self.publish_deadline();
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<(PeerId, Multipart)>, TransportError> {
        if !self.socket.has_messages() {
            self.flush_all();
            if !std::mem::take(&mut self.is_exhausted) {
                self.work();
            }
        }
        let message = self.socket.receive();
        if message.is_none() {
            self.publish_deadline();
        } else {
            self.share.note_busy(self.worked);
        }
        Ok(message)
    }

    fn poll_peer(&mut self) -> Option<PeerEvent> {
        self.socket.poll_peer_event()
    }

    fn knows_peers(&self) -> bool {
        true
    }

    fn denial(&self) -> Option<Arc<str>> {
        self.latest_denial()
    }

    fn principal(&self, peer: PeerId) -> Option<Arc<Principal>> {
        self.socket.principal(peer).cloned()
    }

    fn remote(&self, peer: PeerId) -> Option<String> {
        let connection = self.socket.connection_of(peer)?;
        self.socket.remote(connection).map(str::to_owned)
    }

    fn reset(&mut self, peer: PeerId, reason: &str) {
        self.socket.reset(peer, reason);
        self.follow();
        self.publish_deadline();
    }

    fn drain(&mut self) {
        self.stop_accepting();
        self.publish_deadline();
    }

    fn finish(&mut self) {
        self.is_finished = true;
    }

    fn cut_off(&mut self, peer: PeerId, reason: &str) {
        self.flush_peer(peer);
        self.socket.cut_off(peer, reason);
        self.follow();
        self.publish_deadline();
    }

    fn discard(&mut self, route: &Route) {
        self.socket.discard(route.peer);
    }

    fn retained_bytes(&self) -> usize {
        self.socket.retained_bytes()
    }

    fn retained_by_route(&self) -> Vec<(Route, usize)> {
        self.socket.retained_by_route()
    }

    fn progress_of(&self, peer: PeerId) -> Option<u64> {
        self.socket.progress_of(peer)
    }

    fn accept_stats(&self) -> Option<AcceptStats> {
        Some(self.strangers.stats.clone())
    }

    fn poll_monitor(&mut self) -> Option<MonitorEvent> {
        self.monitor.pop_front()
    }
}

impl Drop for MioTransport {
    fn drop(&mut self) {
        self.linger();
        self.mailbox.close();
        self.waker.wake();
    }
}

impl fmt::Debug for MioTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MioTransport")
            .field("kind", &self.kind)
            .field("peers", &self.socket.peer_count())
            .finish_non_exhaustive()
    }
}
