//! zerorpc's sockets over libzmq: DEALER, ROUTER, PUSH, PULL, PUB and SUB on `tcp://` and `ipc://`.
//!
//! libzmq comes with the `zmq` crate and is built with it; nothing needs to be installed. [`open`] gives a
//! socket's three sides: the [`Transport`](zerorpc_proto::transport::Transport) that moves messages and never blocks,
//! the [`Waiter`](zerorpc_proto::transport::Waiter) that waits without access to the socket, and the
//! [`Waker`](zerorpc_proto::transport::Waker) that ends the waiting.
//!
//! ```
//! use bytes::Bytes;
//! use zerorpc_proto::{Envelope, Multipart, Payload, PeerId, Transmit};
//! use zerorpc_proto::transport::{SocketKind, SocketOptions, Transport, Waiter};
//! use zerorpc_zmq::{Parts, open};
//!
//! fn next(parts: &mut Parts) -> Result<Multipart, Box<dyn std::error::Error>> {
//!     loop {
//!         if let Some((_peer, message)) = parts.transport.receive()? {
//!             return Ok(message);
//!         }
//!         parts.waiter.wait(None)?;
//!     }
//! }
//!
//! fn message(envelope: Envelope, text: &'static str) -> Transmit {
//!     let payload = Payload { head: Bytes::from_static(text.as_bytes()), body: Bytes::new() };
//!     Transmit::new(PeerId::NAMELESS, envelope, payload)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = SocketOptions::default();
//! let mut server = open(SocketKind::Router, &options)?;
//! let mut client = open(SocketKind::Dealer, &options)?;
//! let endpoint = server.transport.bind("tcp://127.0.0.1:*")?;
//! client.transport.connect(&endpoint)?;
//!
//! // What is sent before anybody is there leaves with a later call.
//! while !client.transport.can_send() {
//!     client.waiter.wait(None)?;
//! }
//! client.transport.send(message(Envelope::default(), "ping"))?;
//! let request = next(&mut server)?;
//! server.transport.send(message(request.envelope, "pong"))?;
//! assert_eq!(next(&mut client)?.payload, "pong");
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//!
//! * `transport`: the socket with its endpoints; `frames`: messages to and from frames; `backlog`: what a
//!   peer had no room for.
//! * `links`: who is connected, and what there is to tell of it. `options`: what libzmq is told of them. `waiter`: waiting and waking. `lingering`: closing.
//! * `endpoint`: endpoints are read here before libzmq sees them, and its errors are put into words;
//!   `ipc`: the care of socket files.

mod backlog;
mod endpoint;
mod frames;
mod ipc;
mod lingering;
mod links;
mod options;
mod permissions;
#[cfg(target_os = "linux")]
mod probes;
mod transport;
mod waiter;

use zerorpc_proto::transport::{SocketKind, SocketOptions, TransportError};

pub use backlog::{MAX_BACKLOG_BYTES, MAX_BACKLOG_MESSAGES};
pub use frames::{MAX_ENVELOPE_BYTES, MAX_ENVELOPE_FRAMES};
pub use lingering::LONGEST_CLOSE;
pub use transport::ZmqTransport;
pub use waiter::{ZmqWaiter, ZmqWaker};

/// What [`open`] gives: one socket, seen from its three sides.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts {
    /// Moves messages.
    pub transport: ZmqTransport,
    /// Waits for the transport; clone it for every thread that waits.
    pub waiter: ZmqWaiter,
    /// Ends the waiting.
    pub waker: ZmqWaker,
}

/// Opens a socket that is neither bound nor connected. A SUB socket subscribes to everything.
///
/// # Errors
/// When the process has no room for another socket (it takes two threads and a dozen descriptors), and what to do about
/// it.
pub fn open(kind: SocketKind, options: &SocketOptions) -> Result<Parts, TransportError> {
    ZmqTransport::open(kind, options)
}
