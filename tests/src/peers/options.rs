use std::time::Duration;

use serde_json::{Value, json};

use super::PeerSecurity;

/// How a peer's server is started.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Endpoints to bind; the port 0 lets the system choose. Default: one loopback TCP port.
    pub bind: Vec<String>,
    /// Endpoints to connect to, as a worker.
    pub connect: Vec<String>,
    /// The interval of the heartbeats. Default: 5 s. No time at all is no heartbeats: Python only.
    pub heartbeat: Duration,
    /// How many calls run at a time; no bound by default. Python only.
    pub pool_size: Option<usize>,
    /// By which mechanism; NULL if none. Python only.
    pub security: Option<PeerSecurity>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self::bound("tcp://127.0.0.1:0")
    }
}

impl ServeOptions {
    /// A server bound to `endpoint` alone.
    #[must_use]
    pub fn bound(endpoint: impl Into<String>) -> Self {
        Self { bind: vec![endpoint.into()], ..Self::unlinked() }
    }

    /// A worker: a server connected to `endpoint` alone.
    #[must_use]
    pub fn worker(endpoint: impl Into<String>) -> Self {
        Self { connect: vec![endpoint.into()], ..Self::unlinked() }
    }

    fn unlinked() -> Self {
        Self {
            bind: Vec::new(),
            connect: Vec::new(),
            heartbeat: Duration::from_secs(5),
            pool_size: None,
            security: None,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "bind": self.bind,
            "connect": self.connect,
            "heartbeat": seconds(self.heartbeat),
            "pool_size": self.pool_size,
            "security": self.security.as_ref().map(PeerSecurity::to_json),
        })
    }
}

/// How a peer's client (or pusher, publisher, puller, subscriber) is started.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Endpoints to connect to.
    pub connect: Vec<String>,
    /// Endpoints to bind; the port 0 lets the system choose.
    pub bind: Vec<String>,
    /// The interval of the heartbeats. Default: 5 s. No time at all is no heartbeats: Python only.
    pub heartbeat: Duration,
    /// How long a call waits for its first answer; Node counts in whole seconds. Default: 30 s.
    pub timeout: Duration,
    /// Whether heartbeats wait for the server's first one. Python only.
    pub passive: bool,
    /// By which mechanism; NULL if none. Python only.
    pub security: Option<PeerSecurity>,
}

impl Default for DialOptions {
    fn default() -> Self {
        Self {
            connect: Vec::new(),
            bind: Vec::new(),
            heartbeat: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            passive: false,
            security: None,
        }
    }
}

impl DialOptions {
    /// Connects to `endpoint` alone.
    #[must_use]
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self { connect: vec![endpoint.into()], ..Self::default() }
    }

    /// Binds `endpoint` alone and waits for others to connect.
    #[must_use]
    pub fn bound(endpoint: impl Into<String>) -> Self {
        Self { bind: vec![endpoint.into()], ..Self::default() }
    }

    pub(super) fn to_json(&self, role: &str) -> Value {
        json!({
            "role": role,
            "connect": self.connect,
            "bind": self.bind,
            "heartbeat": seconds(self.heartbeat),
            "timeout": self.timeout.as_secs_f64(),
            "passive": self.passive,
            "security": self.security.as_ref().map(PeerSecurity::to_json),
        })
    }
}

/// What peers call an interval; nothing for none.
fn seconds(interval: Duration) -> Option<f64> {
    (!interval.is_zero()).then_some(interval.as_secs_f64())
}
