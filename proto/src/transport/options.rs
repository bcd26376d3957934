//! Options of sockets.

use std::{sync::Arc, time::Duration};

use super::{AcceptLimits, Authenticator, Networks, Security, SocketKind};

/// Options of a socket, given when it is opened.
///
/// ```
/// use std::time::Duration;
/// use zerorpc_proto::transport::{Keepalive, SocketOptions};
///
/// let options = SocketOptions::new()
///     .keepalive(Keepalive::every(Duration::from_secs(5)))
///     .max_frame(1 << 20);
/// assert_eq!(options.high_water_mark, 1000);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SocketOptions {
    /// As it was set; see [`linger_of`](Self::linger_of).
    linger: Option<Option<Duration>>,
    /// How many messages may queue per peer and direction before the sender is held back, 1000 by default (as in libzmq); 0 is
    /// no limit.
    pub high_water_mark: u32,
    /// How many bytes may queue per peer before the sender is held back, 8 MiB by default. A single message may be larger.
    /// (libzmq has no such limit.)
    pub high_water_bytes: usize,
    /// The largest frame accepted from a peer, in bytes, 1 GiB by default; a peer that sends a larger one is disconnected.
    pub max_frame: u64,
    /// How long a peer that has connected to this side may take to the end of the handshake, 30 s by default.
    pub handshake_timeout: Duration,
    /// How long this side waits, when it connects, for the system at the other end, and then again for the end of the
    /// handshake, before it tries the next address, or the same again after a while; 3 s by default.
    pub dial_timeout: Duration,
    /// How connections over TCP find out that their peer has vanished without a word, [`Keepalive::default`] by default; `None` leaves it to the system,
    /// which never asks, and notices after a quarter of an hour when there is something to be sent.
    pub keepalive: Option<Keepalive>,
    /// The first wait before connecting again, 0.1 s by default; chance adds up to as much again.
    pub reconnect: Duration,
    /// The longest such wait, 5 s by default: they double until they reach it.
    pub reconnect_longest: Duration,
    /// How often the name in an endpoint is looked up again, 30 s by default, to connect to addresses that are new and leave those that
    /// are gone; `None`: only when a connection was lost or could not be made. For sockets that use all addresses of
    /// a name: those of clients and pushers. (Not over libzmq.)
    pub resolve_interval: Option<Duration>,
    /// On a ROUTER, [`Handover::Allowed`] by default: a peer that comes back with its identity takes it over from a connection that is dead or silent. The
    /// old connection is asked for a sign of life (a PING, 2 s; peers older than ZMTP 3.1, which know none, may be silent
    /// for 15 s), and the newcomer is refused until it has failed to give one; one that is alive keeps the name.
    /// With [`Handover::Refused`], whoever has the name keeps it until its connection ends. Peers without an identity are not concerned.
    /// (libzmq asks nobody: the newcomer has the name at once; but where an authenticator, or a mechanism, says who comes in, no name
    /// is handed over there.)
    pub handover: Handover,
    /// Who may connect to the socket file of `ipc://path` that is bound, as `chmod` takes it: 0o660 is its owner and its
    /// group. Up to 0o777; `None`, the default, is its owner alone (0o600). (Over libzmq, `None` leaves it to the umask of
    /// the process, and a mode is set only once the file is there.) With a mode, `ipc://@name` cannot be bound: it has no
    /// file, and everybody on the machine may connect there.
    pub ipc_mode: Option<u32>,
    /// The group of that file, by its name or number; the process must be in it. `None`, the default, leaves it to the
    /// system: mostly the main group of the process. As for modes, `ipc://@name` has none.
    pub ipc_group: Option<String>,
    /// The mechanism by which peers make sure of each other, and its keys; [`Security::Null`], the default, is none.
    pub security: Security,
    /// Says which peers come in, and under which names, whatever the mechanism; `None`, the default, lets everybody in who has
    /// passed the mechanism.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// How many connections this side accepts, [`AcceptLimits::default`] by default. (libzmq has no such limits: over it,
    /// others than these are an error.)
    pub accept_limits: AcceptLimits,
    /// Which networks may connect to this side, all by default. (Over libzmq, others are an error.)
    pub networks: Networks,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            linger: None,
            high_water_mark: 1000,
            high_water_bytes: 8 << 20,
            max_frame: 1 << 30,
            handshake_timeout: Duration::from_secs(30),
            dial_timeout: Duration::from_secs(3),
            keepalive: Some(Keepalive::default()),
            reconnect: Duration::from_millis(100),
            reconnect_longest: Duration::from_secs(5),
            resolve_interval: Some(Duration::from_secs(30)),
            handover: Handover::default(),
            ipc_mode: None,
            ipc_group: None,
            security: Security::Null,
            authenticator: None,
            accept_limits: AcceptLimits::default(),
            networks: Networks::default(),
        }
    }
}

impl SocketOptions {
    /// Everything as by default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long closing waits for unsent messages to leave; `None` waits as long as it takes. By default one second,
    /// but a client does not wait at all: what it has not sent yet need not be, for nobody waits for the answer.
    #[must_use]
    pub fn linger(mut self, linger: impl Into<Option<Duration>>) -> Self {
        self.linger = Some(linger.into());
        self
    }

    /// How long closing a socket of this kind waits for unsent messages; see [`linger`](Self::linger).
    #[must_use]
    pub fn linger_of(&self, kind: SocketKind) -> Option<Duration> {
        const DEFAULT: Duration = Duration::from_secs(1);
        self.linger.unwrap_or(Some(if kind == SocketKind::Dealer {
            Duration::ZERO
        } else {
            DEFAULT
        }))
    }

    setters! {
        high_water_mark: u32,
        high_water_bytes: usize,
        max_frame: u64,
        handshake_timeout: Duration,
        dial_timeout: Duration,
        keepalive: into Option<Keepalive>,
        reconnect: Duration,
        reconnect_longest: Duration,
        resolve_interval: into Option<Duration>,
        handover: Handover,
        ipc_mode: into Option<u32>,
        ipc_group: into Option<String>,
        security: Security,
        authenticator: into Option<Arc<dyn Authenticator>>,
        accept_limits: AcceptLimits,
        networks: Networks,
    }
}

/// What becomes of a name on a ROUTER when another peer comes with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Handover {
    /// The newcomer gets it if the connection that has it is dead or silent.
    #[default]
    Allowed,
    /// It stays where it is until that connection has ended.
    Refused,
}

/// How a connection over TCP finds out that its peer has vanished: a cable was pulled, a firewall has forgotten the
/// connection, a machine lost its power. Whoever has vanished is given up after `interval` and `timeout` together.
///
/// A peer of ZMTP 3.1 is asked by a PING (23/ZMTP), which proxies pass on; that the machine at the other end of the
/// TCP connection is there, the system asks every peer. Both keep the way open through routers, firewalls and proxies
/// that forget idle connections. An idle connection costs two small packets each way in an `interval`, a busy one nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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

    setters! {
        interval: Duration,
        timeout: Duration,
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

/// What the system is asked for, to find out that the machine at the other end of a TCP connection has vanished. All times
/// are such as Linux takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probes {
    /// How long a connection is idle before it is probed; from a second to nine hours.
    pub idle: Duration,
    /// The time between probes; from a second to nine hours.
    pub interval: Duration,
    /// How many probes go unanswered before the connection is lost.
    pub retries: u32,
    /// How long data may go unacknowledged (`TCP_USER_TIMEOUT`, where the system has it); `None` leaves it to the system.
    pub unacknowledged: Option<Duration>,
}

impl Probes {
    /// What a socket of this kind asks the system for.
    #[must_use]
    pub fn new(kind: SocketKind, keepalive: &Keepalive) -> Self {
        const RETRIES: u32 = 3;
        const LONGEST: Duration = Duration::from_secs(32_767);
        const LONGEST_UNACKNOWLEDGED: Duration = Duration::from_millis(i32::MAX as u64);
        let clamp = |time: Duration| time.clamp(Duration::from_secs(1), LONGEST);
        Self {
            idle: clamp(keepalive.interval),
            interval: clamp(keepalive.timeout / RETRIES),
            retries: RETRIES,
            // A puller that is at work on something long does not read, and what waits for it must not be lost: the
            // system gives up peers that do not read as well.
            unacknowledged: (kind != SocketKind::Push)
                .then(|| keepalive.patience().min(LONGEST_UNACKNOWLEDGED)),
        }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self::every(Duration::from_secs(15))
    }
}
