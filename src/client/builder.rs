//! Making clients.

use std::{sync::Arc, time::Duration};

use zerorpc_proto::{CallOptions, Config, HeartbeatMode, Limits, Session, transport::SocketKind};

use super::{Client, Shared};
use crate::{
    driver::Driver,
    error::Error,
    socket::{SocketConfig, seed, socket_setters},
};

/// Makes a [`Client`].
#[must_use]
pub struct ClientBuilder {
    socket: SocketConfig,
    config: Config,
    options: CallOptions,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self { socket: SocketConfig::new(), config: Config::client(0), options: CallOptions::new() }
    }

    /// Connects to a server at an endpoint such as `tcp://127.0.0.1:4242` or `ipc:///tmp/service`. May be repeated: each
    /// call goes to one of the servers that are up, the one with the fewest.
    ///
    /// A name stands for all its addresses, each with a connection of its own; it is looked up again
    /// every [`SocketOptions::resolve_interval`](crate::SocketOptions), and when a connection was lost or could not be made. With
    /// `?connections=2` behind a tcp endpoint there are two connections to each address (64 at most), which a balancer may
    /// lead to different servers. (Not over libzmq, which has one connection to an endpoint.)
    pub fn connect(mut self, endpoint: &str) -> Self {
        self.socket.add_connected(endpoint);
        self
    }

    /// Lets servers connect, as workers; calls wait until one is there. May be repeated, and mixed with
    /// [`connect`](Self::connect).
    pub fn bind(mut self, endpoint: &str) -> Self {
        self.socket.add_bound(endpoint);
        self
    }

    /// How long calls wait for their first answer, [30 s](crate::DEFAULT_TIMEOUT) by default; `None` lets them wait as long
    /// as the server lives.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options = self.options.timeout(timeout);
        self
    }

    /// The time between heartbeats, 5 s by default. Two of them without any sign of life lose the server.
    ///
    /// `None`, or no time at all, switches them off: silence loses no server, and calls end by their answer, their timeout
    /// or the end of the connection. Beats that come are answered, so that servers which count them do not lose the call.
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.heartbeat = interval.into();
        self
    }

    /// When calls begin to beat, [at once](HeartbeatMode::Active) by default. [`Passive`](HeartbeatMode::Passive) suits servers
    /// that never beat: the loss of such a server goes unnoticed.
    pub fn heartbeat_mode(mut self, mode: HeartbeatMode) -> Self {
        self.config.heartbeat_mode = mode;
        self
    }

    /// How many items of a stream the server may send ahead, whatever its reader does: a small number where each item is
    /// dear, so that none is made that nobody reads.
    ///
    /// By default it is 100 at first. It grows as long as the reader has to wait because its server had no credit, and
    /// shrinks when items wait for the reader, within [`Limits::stream_items`](crate::Limits::stream_items) and
    /// [`Limits::stream_bytes`](crate::Limits::stream_bytes).
    pub fn slots(mut self, slots: u32) -> Self {
        self.options = self.options.slots(slots);
        self
    }

    /// What bounds the memory that servers can make the client use.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    socket_setters!();

    pub(crate) fn socket(&mut self) -> &mut SocketConfig {
        &mut self.socket
    }

    /// Opens the socket.
    ///
    /// # Errors
    /// When no endpoint was given, or one cannot be used.
    pub fn build(mut self) -> Result<Client, Error> {
        let (parts, endpoints) = self.socket.open(SocketKind::Dealer)?;
        self.config.seed = seed()?;
        let (driver, watchdog) = Driver::start(Session::new(self.config), parts, None)
            .map_err(|error| Error::Thread(error.to_string()))?;
        let shared = Shared { driver, watchdog: Some(watchdog), endpoints };
        Ok(Client { shared: Arc::new(shared), options: self.options })
    }
}
