//! zerorpc's sockets over libzmq: DEALER, ROUTER, PUSH, PULL, PUB and SUB on `tcp://` and `ipc://`.
//!
//! libzmq comes with the `zmq` crate and is built with it; nothing needs to be installed. [`open`] gives a
//! socket's three sides: the [`Transport`](zerorpc_proto::transport::Transport) that moves messages and never blocks,
//! the [`Waiter`](zerorpc_proto::transport::Waiter) that waits without access to the socket, and the
//! [`Waker`](zerorpc_proto::transport::Waker) that ends the waiting.
//!
//! Programs that call and serve take the crate `zerorpc`, which drives these sockets; this one is for those who move messages
//! themselves.
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
//!         parts.waiter.wait_until(None)?;
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
//!     client.waiter.wait_until(None)?;
//! }
//! client.transport.send(message(Envelope::default(), "ping"))?;
//! let request = next(&mut server)?;
//! server.transport.send(message(request.envelope, "pong"))?;
//! assert_eq!(next(&mut client)?.payload, "pong");
//! # Ok(())
//! # }
//! ```
//!
//! # CURVE
//!
//! The libzmq that comes with the `zmq` crate is built without libsodium, and so without CURVE: a socket that is to speak it
//! cannot be opened. To have it, link a libzmq that was built with libsodium, such as those of Linux distributions
//! (`libzmq3-dev` on Debian and Ubuntu, `zeromq-devel` on Fedora, `zeromq` of Homebrew), by telling cargo, in
//! `.cargo/config.toml`, not to build one:
//!
//! ```toml
//! [target.x86_64-unknown-linux-gnu.zmq]
//! rustc-link-lib = ["zmq"]
//! rustc-link-search = ["/usr/lib/x86_64-linux-gnu"]
//! ```
//!
//! The transport mio speaks CURVE without any of that.

mod backlog;
mod endpoint;
mod frames;
mod ipc;
mod lingering;
mod links;
mod options;
mod permissions;
mod principal;
#[cfg(target_os = "linux")]
mod probes;
mod security;
mod transport;
mod waiter;
mod zap;

use zerorpc_proto::transport::{SocketKind, SocketOptions, TransportError};

pub use backlog::{MAX_BACKLOG_BYTES, MAX_BACKLOG_MESSAGES};
pub use frames::{MAX_ENVELOPE_BYTES, MAX_ENVELOPE_FRAMES};
pub use lingering::LONGEST_CLOSE;
pub use transport::ZmqTransport;
pub use waiter::{ZmqWaiter, ZmqWaker};
/// Its types stand in signatures.
pub use zerorpc_proto;

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
/// When the process has no room for another socket (it takes two threads, or three where peers are asked about, and a
/// dozen descriptors), and what to do about it. When libzmq cannot do what [`SocketOptions::security`] and
/// [`SocketOptions::authenticator`] ask for.
pub fn open(kind: SocketKind, options: &SocketOptions) -> Result<Parts, TransportError> {
    ZmqTransport::open(kind, options)
}
