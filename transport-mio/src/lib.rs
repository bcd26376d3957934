//! zerorpc's sockets without libzmq: ZMTP by hand, over mio.
//!
//! The protocol of a connection is a pure state machine, which can be used without the rest: [`zerorpc_zmtp`].
//!
//! [`open`] gives the three sides of a socket: the [`Transport`](zerorpc_proto::transport::Transport) that moves messages and
//! never blocks, the [`Waiter`](zerorpc_proto::transport::Waiter) that waits without access to it, and the
//! [`Waker`](zerorpc_proto::transport::Waker) that ends the waiting. There is no thread behind them: a socket makes
//! progress while somebody calls `receive`.
//!
//! Programs that call and serve take the crate `zerorpc`, which drives these sockets; this one is for those who move messages
//! themselves.
//!
//! ```
//! use std::{error::Error, thread};
//!
//! use bytes::Bytes;
//! use zerorpc_mio::{Parts, open};
//! use zerorpc_proto::{Envelope, Multipart, Payload, PeerId, Transmit};
//! use zerorpc_proto::transport::{SocketKind, SocketOptions, Transport, Waiter};
//!
//! fn next(parts: &mut Parts) -> Result<(PeerId, Multipart), Box<dyn Error + Send + Sync>> {
//!     loop {
//!         if let Some(message) = parts.transport.receive()? {
//!             return Ok(message);
//!         }
//!         parts.waiter.wait_until(None)?;
//!     }
//! }
//!
//! fn message(to: PeerId, envelope: Envelope, text: &'static str) -> Transmit {
//!     let payload = Payload { head: Bytes::from_static(text.as_bytes()), body: Bytes::new() };
//!     Transmit::new(to, envelope, payload)
//! }
//!
//! # fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
//! let options = SocketOptions::default();
//! let mut server = open(SocketKind::Router, &options)?;
//! let endpoint = server.transport.bind("tcp://127.0.0.1:*")?;
//! let serving = thread::spawn(move || -> Result<(), Box<dyn Error + Send + Sync>> {
//!     let (caller, request) = next(&mut server)?;
//!     server.transport.send(message(caller, request.envelope, "pong"))?;
//!     Ok(())
//! });
//!
//! let mut client = open(SocketKind::Dealer, &options)?;
//! client.transport.connect(&endpoint)?;
//! client.transport.send(message(PeerId::NAMELESS, Envelope::default(), "ping"))?;
//! assert_eq!(next(&mut client)?.1.payload, "pong");
//! # serving.join().expect("the server does not panic")
//! # }
//! ```

#![forbid(unsafe_code)]
mod alarm;

mod link;
mod pool;
mod random;
mod spin;
mod transport;
mod waiter;

use zerorpc_proto::transport::{SocketKind, SocketOptions, TransportError};
use zerorpc_zmtp::EngineConfig;

pub use transport::MioTransport;
pub use waiter::{MioWaiter, MioWaker};
/// Its types stand in signatures.
pub use zerorpc_proto;

/// A socket, in the parts that different threads need.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts {
    /// Moves messages.
    pub transport: MioTransport,
    /// Waits until there may be something to move.
    pub waiter: MioWaiter,
    /// Ends a wait from any thread.
    pub waker: MioWaker,
}

/// Opens a socket.
///
/// # Errors
/// When the system has no room for another.
pub fn open(kind: SocketKind, options: &SocketOptions) -> Result<Parts, TransportError> {
    open_with(kind, options, EngineConfig::new(kind))
}

/// Opens a socket with an identity or heartbeats of ZMTP's own. Its kind, its mechanism, its authenticator, its frame limit
/// and its time-outs of handshakes are those of `kind` and `options`.
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
