//! What happens to connections and endpoints.

use std::{fmt, time::Duration};

use crate::peer::PeerId;

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
    /// A connection was closed as soon as it came.
    Refused {
        /// The endpoint that is bound.
        endpoint: String,
        /// Where it came from.
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
            Self::Refused { endpoint, remote, reason } => {
                write!(f, "refused a connection from {remote} to {endpoint}: {reason}")
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
