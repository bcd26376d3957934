//! The zerorpc protocol as a pure state machine: no socket, no thread, no clock, no random source.
//!
//! zerorpc is RPC over ZeroMQ and MessagePack. This crate knows what to say and when; something else moves
//! the bytes. Put a [`Session`] behind any socket, event loop or test harness:
//!
//! ```text
//!  messages in ──► handle_message ────┐                 ┌─► poll_transmit ──► messages out
//!  time ─────────► handle_timeout ────┤                 ├─► poll_timeout ───► when to come back
//!  peers ────────► handle_peer_event ─┼──►  Session  ───┤
//!  open, recv, reply, send… ──────────┘                 └─► poll_notice ────► what to look at
//! ```
//!
//! A message is an [`Event`] `[header, name, args]` in one ZeroMQ frame, behind an [`Envelope`] of identity
//! frames. All events that share an id are a channel: a request opens it, heartbeats and credit keep it going,
//! `OK`, `ERR` or `STREAM_DONE` end it. Values are carried as encoded bytes ([`Args`]) and meet serde only where
//! an application asks for them.
//!
//! # A call, complete, without any IO
//!
//! ```
//! use std::time::Instant;
//! use zerorpc_proto::{
//!     Answer, Args, CallOptions, Config, Multipart, Notice, PeerId, Session, Transmit,
//! };
//!
//! /// What a network would do: carry what one side transmits to the other.
//! fn carry(from: &mut Session, to: &mut Session, now: Instant) {
//!     while let Some(Transmit { payload, .. }) = from.poll_transmit() {
//!         let message = Multipart::direct(payload.to_bytes());
//!         to.handle_message(now, PeerId::new(1), message);
//!     }
//! }
//!
//! let now = Instant::now();
//! let mut client = Session::new(Config::client(1));
//! let mut server = Session::new(Config::server(2));
//!
//! let args = Args::encode_params(&(20, 22))?;
//! let call = client.open(now, PeerId::new(1), "add", args, &CallOptions::default())?;
//! carry(&mut client, &mut server, now);
//!
//! while let Some(notice) = server.poll_notice() {
//!     let Notice::Requested(id) = notice else { continue };
//!     let Some(request) = server.request(id) else { continue };
//!     assert_eq!(request.method(), "add");
//!     let (a, b): (i64, i64) = request.args().decode()?;
//!     request.reply(Args::encode(&(a + b))?)?;
//! }
//! carry(&mut server, &mut client, now);
//!
//! assert_eq!(client.poll_notice(), Some(Notice::Readable(call)));
//! let answer = client.call(call).and_then(|mut call| call.recv());
//! assert_eq!(answer, Some(Answer::Value(Args::encode(&42)?)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where the rules come from
//!
//! The protocol has no standard; it is what zerorpc-python 0.6.3 and zerorpc-node 0.9.8 speak. Comments that
//! say "protocol section N" cite the description in `docs/protocol.md` of the repository, and "reference" is
//! zerorpc-python.

#![forbid(unsafe_code)]

#[macro_use]
mod setters;

mod args;
mod call;
mod channel;
mod compat;
mod config;
mod endpoint;
mod error;
mod event;
mod id;
mod limits;
mod msgpack;
mod multipart;
mod options;
mod peer;
mod plain;
mod rate;
mod request;
mod session;
mod transport;

pub use args::{Args, IntoArgs};
pub use call::{Answer, Call, Loss};
pub use compat::RemoteFailure;
pub use config::{Config, DEFAULT_HEARTBEAT, HeartbeatMode};
pub use endpoint::{Endpoint, Host, TcpAddress};
pub use error::{BrokenEvent, DecodeError, EncodeError, Malformed, OpenError, PeerMisbehaved};
pub use event::{Context, Event, Header, Version, name};
pub use id::MessageId;
pub use limits::Limits;
pub use multipart::{Envelope, Multipart, Payload, Transmit};
pub use options::{CallOptions, DEFAULT_SLOTS, DEFAULT_TIMEOUT};
pub use peer::{PeerId, Route, Target};
pub use plain::{PlainSender, receive_plain};
pub use rate::RateLimited;
pub use request::{Blocked, Request, StreamHasBegun};
pub use session::{CallId, Notice, RequestId, Session};
pub use transport::{
    Cause, EndpointAction, EndpointError, Flow, Handover, Keepalive, MonitorEvent, PeerEvent,
    Probes, SocketKind, SocketOptions, Transport, TransportError, Waiter, Waker,
};
