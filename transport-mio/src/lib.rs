//! zerorpc's sockets without libzmq: ZMTP by hand, over mio.
//!
//! [`zmtp`] is the protocol of one connection as a pure state machine; it can be used without the rest.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the list is for `zmtp`, which denies them again; a transport has clocks and sockets"
)]

mod connection;
mod link;
mod topics;
mod transport;
mod waiter;
pub mod zmtp;

use zerorpc_proto::{SocketKind, SocketOptions, TransportError};

pub use transport::MioTransport;
pub use waiter::{MioWaiter, MioWaker};

use zmtp::EngineConfig;

/// A socket, in the parts that different threads need.
#[derive(Debug)]
pub struct Parts {
    /// Moves messages.
    pub transport: MioTransport,
    /// Waits until there may be something to move.
    pub waiter: MioWaiter,
    /// Ends a wait from any thread.
    pub waker: MioWaker,
}

/// Opens a socket with the mechanism NULL.
///
/// # Errors
/// When the system has no room for another.
pub fn open(kind: SocketKind, options: &SocketOptions) -> Result<Parts, TransportError> {
    open_with(kind, options, EngineConfig::new(kind))
}

/// Opens a socket with a mechanism, an identity or heartbeats of ZMTP's own. Its kind, its frame limit and its
/// handshake time-out are those of `kind` and `options`.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    kind: SocketKind,
    options: &SocketOptions,
    engine: EngineConfig,
) -> Result<Parts, TransportError> {
    MioTransport::open(kind, options, engine)
}
