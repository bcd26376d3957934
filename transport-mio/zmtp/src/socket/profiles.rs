//! What connections are told, which is not the same for all.

use std::sync::Arc;

use zerorpc_proto::transport::SocketOptions;

use super::{Origin, connection::is_local};
use crate::{EngineConfig, Heartbeat};

/// Settings for the connections of a socket.
#[derive(Debug)]
pub(super) struct Profiles {
    accepted: Reach,
    dialed: Reach,
}

#[derive(Debug)]
struct Reach {
    /// Over a network.
    remote: Arc<EngineConfig>,
    /// Within this machine, where the system tells of ends: no PINGs are needed.
    local: Arc<EngineConfig>,
}

impl Profiles {
    /// What `engine` says, with the times of `options`.
    pub(super) fn new(engine: EngineConfig, options: &SocketOptions) -> Self {
        let reach = |engine: EngineConfig| {
            let mut remote = engine.clone();
            if let Some(keepalive) = &options.keepalive {
                remote.heartbeat.get_or_insert(Heartbeat {
                    interval: keepalive.interval,
                    timeout: keepalive.timeout,
                    ttl: keepalive.ttl(),
                });
            }
            Reach { remote: Arc::new(remote), local: Arc::new(engine) }
        };
        let dialed = EngineConfig { handshake_timeout: options.dial_timeout, ..engine.clone() };
        let accepted = EngineConfig { handshake_timeout: options.handshake_timeout, ..engine };
        Self { accepted: reach(accepted), dialed: reach(dialed) }
    }

    /// The settings for a connection.
    pub(super) fn of(&self, origin: Origin, remote: &str) -> &Arc<EngineConfig> {
        let reach = match origin {
            Origin::Accepted => &self.accepted,
            Origin::Dialed => &self.dialed,
        };
        if is_local(remote) { &reach.local } else { &reach.remote }
    }
}
