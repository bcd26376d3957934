//! What becomes of a socket's connections, by what its monitor tells.
//!
//! libzmq queues messages for every endpoint that it was told to connect to, whether anybody is there or not.
//! It could be made to wait for a connection (`ZMQ_IMMEDIATE`), but then it throws away what has arrived
//! and was not received yet as soon as the connection ends: the last answers of a server that closes.
//!
//! On the path of messages this costs nothing but to look at a flag: whoever waits for the socket sees that there is
//! news. Sockets that pick the peer themselves look once in a while without being told.

mod emitter;
mod refusals;
mod table;

use std::{
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
use zerorpc_proto::transport::Probes;
use zerorpc_proto::transport::{MonitorEvent, SocketKind, SocketOptions};
use zmq::{Error, Socket, SocketEvent};

#[cfg(target_os = "linux")]
use crate::probes;
use crate::{
    frames,
    lingering::Lingering,
    waiter::{MONITOR_REST, Signs},
};
use emitter::Emitter;
use refusals::Refusals;
use table::Table;

/// Where the socket tells its monitor; every socket has a context of its own.
const CHANNEL: &str = "inproc://links";

/// How many events may wait to be noted. Further ones make libzmq's thread wait, which is no harm while
/// nobody uses the socket, and ends when somebody does. Not measured: a bound, of some MiB.
const MOST_EVENTS: u16 = 1 << 15;

/// How long it may go unnoticed that the last connection has ended. To look takes a system call, which
/// is too much to be done for every message. Not measured: so there are a
/// thousand of them in a second at most.
const FRESHNESS: Duration = Duration::from_millis(1);

const CONNECTED: u16 = SocketEvent::CONNECTED as u16;
const RETRIED: u16 = SocketEvent::CONNECT_RETRIED as u16;
const ACCEPTED: u16 = SocketEvent::ACCEPTED as u16;
const ACCEPT_FAILED: u16 = SocketEvent::ACCEPT_FAILED as u16;
const READY: u16 = SocketEvent::HANDSHAKE_SUCCEEDED as u16;
const HANDSHAKE_FAILED: u16 = SocketEvent::HANDSHAKE_FAILED_NO_DETAIL as u16;
const HANDSHAKE_BROKEN: u16 = SocketEvent::HANDSHAKE_FAILED_PROTOCOL as u16;
const HANDSHAKE_REFUSED: u16 = SocketEvent::HANDSHAKE_FAILED_AUTH as u16;
const DISCONNECTED: u16 = SocketEvent::DISCONNECTED as u16;

const FOLLOWED: u16 = CONNECTED
    | RETRIED
    | ACCEPTED
    | ACCEPT_FAILED
    | READY
    | HANDSHAKE_FAILED
    | HANDSHAKE_BROKEN
    | HANDSHAKE_REFUSED
    | DISCONNECTED;

/// The connections of one socket, as far as they are known.
pub(crate) struct Links {
    monitor: Socket,
    signs: Arc<Signs>,
    /// Of sockets that pick the peer themselves.
    table: Option<Table>,
    emitter: Emitter,
    refusals: Refusals,
    #[cfg(target_os = "linux")]
    probes: Option<Probes>,
    looked: Instant,
    /// Until when the monitor is left alone, if it is.
    rest: Option<Instant>,
}

/// What the monitor tells, in libzmq's terms.
struct Happened<'a> {
    event: u16,
    /// A descriptor, an error, or a time, as the event has it.
    value: u32,
    endpoint: &'a str,
}

impl Links {
    /// Follows `socket`, which must be dropped first, from now on. Whether anybody is there is known of sockets that pick
    /// the peer themselves.
    pub(crate) fn of(
        socket: &Socket,
        context: &Lingering,
        signs: Arc<Signs>,
        kind: SocketKind,
        options: &SocketOptions,
    ) -> Result<Self, Error> {
        let picks = matches!(kind, SocketKind::Dealer | SocketKind::Push);
        socket.monitor(CHANNEL, i32::from(FOLLOWED))?;
        let monitor = context.socket(zmq::PAIR)?;
        monitor.set_rcvhwm(i32::from(MOST_EVENTS))?;
        monitor.connect(CHANNEL)?;
        let mut links = Self {
            monitor,
            signs,
            table: picks.then(Table::default),
            emitter: Emitter::default(),
            refusals: Refusals::new(options),
            #[cfg(target_os = "linux")]
            probes: options.keepalive.as_ref().map(|keepalive| Probes::new(kind, keepalive)),
            looked: Instant::now(),
            rest: None,
        };
        // Nothing is announced before it was seen once that there is nothing.
        links.catch_up(&[])?;
        Ok(links)
    }

    /// Becomes readable when there is news, until [`refresh`](Self::refresh) takes note of it.
    pub(crate) fn readiness(&self) -> RawFd {
        self.monitor.as_raw_fd()
    }

    /// Takes note of what has happened, if anything may have, at the endpoints that this side connects to and elsewhere; true
    /// when something has.
    pub(crate) fn refresh(&mut self, connected: &[String]) -> Result<bool, Error> {
        if self.is_due() { self.catch_up(connected) } else { Ok(false) }
    }

    fn is_due(&self) -> bool {
        if let Some(until) = self.rest {
            return until <= Instant::now();
        }
        let is_stale = || !self.any() || self.looked.elapsed() >= FRESHNESS;
        self.signs.take_monitor_events() || self.table.is_some() && is_stale()
    }

    /// Takes note of everything that has happened up to now; true when something has.
    pub(crate) fn catch_up(&mut self, connected: &[String]) -> Result<bool, Error> {
        self.looked = Instant::now();
        let (mut any, mut full) = (false, false);
        while let Some(head) = frames::receive_frame(&self.monitor)? {
            any = true;
            let Some(endpoint) = frames::receive_frame(&self.monitor)? else { break };
            let &[e0, e1, v0, v1, v2, v3] = &head[..] else { continue };
            let happened = Happened {
                event: u16::from_ne_bytes([e0, e1]),
                value: u32::from_ne_bytes([v0, v1, v2, v3]),
                endpoint: &String::from_utf8_lossy(&endpoint),
            };
            self.care_for(&happened);
            if let Some(table) = &mut self.table {
                table.note(&happened);
            }
            self.refusals.note(&happened, connected, self.looked);
            full |= self.emitter.note(&happened, self.looked);
        }
        self.signs.set_refused(self.refusals.are_any());
        self.signs.set_resting(full);
        self.rest = full.then(|| Instant::now() + MONITOR_REST);
        Ok(any)
    }

    /// Has the system look after a new connection.
    fn care_for(&self, happened: &Happened<'_>) {
        #[cfg(target_os = "linux")]
        if let (Some(probes), CONNECTED | ACCEPTED) = (&self.probes, happened.event)
            && let Err(error) = probes::ask(probes, happened.value, happened.endpoint)
        {
            tracing::debug!(happened.endpoint, %error, "the system cannot be asked for keepalive");
        }
        #[cfg(not(target_os = "linux"))]
        let _libzmq_alone = happened;
    }

    /// Whether there may be somebody to talk to; always, of a socket that does not pick the peer itself.
    pub(crate) fn any(&self) -> bool {
        self.table.as_ref().is_none_or(Table::any)
    }

    /// What there is to tell of connections.
    pub(crate) fn poll_monitor(&mut self) -> Option<MonitorEvent> {
        self.emitter.next()
    }

    /// The next endpoint that libzmq has given up, and that it is time to connect to again.
    pub(crate) fn take_due(&mut self) -> Option<String> {
        // Costs nothing where there is none.
        if self.refusals.are_any() { self.refusals.take_due(Instant::now()) } else { None }
    }

    /// Why nobody is at any of the endpoints that this side connects to, and what to do.
    pub(crate) fn denial(&self, connected: &[String]) -> Option<Arc<str>> {
        self.refusals.of_all(connected)
    }

    /// Forgets the connections of an endpoint that was given up: libzmq ends them without a word.
    ///
    /// A connection to a name that broke and came back goes by its address, and may be missed. It is taken for
    /// alive until its descriptor is used again.
    pub(crate) fn forget(&mut self, endpoint: &str) {
        if let Some(table) = &mut self.table {
            table.forget(endpoint);
        }
        self.refusals.forget(endpoint);
    }
}
