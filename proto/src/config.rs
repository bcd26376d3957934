//! How a session behaves.

use std::time::Duration;

use crate::limits::Limits;

/// The default interval between heartbeats (reference behaviour).
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(5);

/// How a session behaves: [`Config::client`] or [`Config::server`], and what is to be otherwise than by default.
///
/// ```
/// use std::time::Duration;
/// use zerorpc_proto::{Config, HeartbeatMode, Limits};
///
/// let seed = 42; // In earnest: random, and another for each session.
/// let config = Config::client(seed)
///     .heartbeat(Duration::from_secs(1))
///     .heartbeat_mode(HeartbeatMode::Passive)
///     .limits(Limits::default().channels(1000));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Randomness for message ids and hash tables. Give every session another seed: ids must not repeat
    /// among the clients of a server.
    pub seed: u128,
    /// Whether events that answer nothing are requests (a server), or are dropped (a client).
    pub(crate) accept: bool,
    /// The time between two beats on a channel, [5 s](DEFAULT_HEARTBEAT) by default; two such times of silence lose the
    /// remote. `None`, or no time at all, switches heartbeats off: silence loses nobody, and this side beats only to answer
    /// the beats that it hears, so that a peer that counts silence does not lose it.
    ///
    /// Callers are given more time. Where the transport tells when a connection ends, one that has never beaten is kept
    /// as long as its connection, and a stream of it that waits for credit for twenty such times; elsewhere it has three
    /// such times for its first sign of life. One that beats is judged by its own rhythm where that is slower: it has
    /// twice the longest time between two of its beats.
    pub heartbeat: Option<Duration>,
    /// When calls begin to beat, [`Active`](HeartbeatMode::Active) by default (ZRPC-5.12).
    pub heartbeat_mode: HeartbeatMode,
    /// What bounds the session's memory.
    pub limits: Limits,
}

impl Config {
    /// A session that only calls.
    #[must_use]
    pub fn client(seed: u128) -> Self {
        Self {
            seed,
            accept: false,
            heartbeat: Some(DEFAULT_HEARTBEAT),
            heartbeat_mode: HeartbeatMode::Active,
            limits: Limits::default(),
        }
    }

    /// A session that answers requests. It may call as well, on sockets that can.
    #[must_use]
    pub fn server(seed: u128) -> Self {
        Self { accept: true, ..Self::client(seed) }
    }

    setters! {
        heartbeat: into Option<Duration>,
        heartbeat_mode: HeartbeatMode,
        limits: Limits,
    }

    /// The interval between beats, where there are any.
    pub(crate) fn interval(&self) -> Duration {
        self.heartbeat.unwrap_or(Duration::MAX)
    }
}

/// When a caller's side of a channel begins to beat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeartbeatMode {
    /// From the start: a server that is gone is noticed.
    #[default]
    Active,
    /// With the first beat heard: suits servers that never beat. Silence before it is not counted.
    Passive,
}
