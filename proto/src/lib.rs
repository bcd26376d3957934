//! The zerorpc protocol as a pure state machine: no socket, no thread, no clock, no random source.
//!
//! zerorpc is RPC over ZeroMQ and MessagePack. This crate knows what to say and when; something else moves
//! the bytes. Put a [`Session`] behind any socket, event loop or test harness:
//!
//! ```text
//!  messages in ──► handle_message ────┐                                 ┌─► Transmit: a message to send
//!  time ─────────► handle_timeout ────┼──►  Session  ──► poll_output  ──┼─► Notice: what to look at
//!  peers ────────► handle_peer_event ─┤                                 ├─► Disconnect: a connection to end
//!  open, recv, reply, send… ──────────┘                                 └─► Wait: until when one may sleep
//! ```
//!
//! A message is an [`Event`] `[header, name, args]` in one ZeroMQ frame, behind an [`Envelope`] of identity
//! frames. All events that share an id are a channel: a request opens it, heartbeats and credit keep it going,
//! `OK`, `ERR` or `STREAM_DONE` end it. Values are carried as encoded bytes ([`Args`]) and meet serde only where
//! an application asks for them.
//!
//! # The loop
//!
//! Whatever comes in is handed over as it comes. Then [`poll_output`](Session::poll_output) is asked, and what it says is done,
//! until it says [`Output::Wait`]: nothing is left then, and whoever drives the session sleeps until something comes in, or
//! until the time that it was told, for which [`handle_timeout`](Session::handle_timeout) is called. Nothing else may be taken
//! for a sign that one may sleep: a message that leaves may make room for another item of a stream, which a
//! [`Notice::Writable`] tells of, and looking at a notice may make messages.
//!
//! Those who have their own ideas use its parts: [`poll_transmit`](Session::poll_transmit),
//! [`poll_notice`](Session::poll_notice), [`poll_disconnect`](Session::poll_disconnect), and
//! [`poll_timeout`](Session::poll_timeout), in any order, again and again until the session [is idle](Session::is_idle). As long
//! as messages can't be sent, they are left where they are: requests that were not transmitted are withdrawn when their
//! callers give up, and a session bounds what it keeps.
//!
//! # Time
//!
//! A session never looks at a clock: whoever drives it says what time it is, by an [`Instant`]. That is the one of `std`, but on
//! `wasm32-unknown-unknown`, where that of `std` panics: there it is the one of [`web_time`], which asks the JavaScript around
//! it. Written as `zerorpc_proto::Instant` it is the right one everywhere. Times may be made up: only their distances count.
//!
//! # A call, complete, without any IO
//!
//! ```
//! use zerorpc_proto::{
//!     Answer, Args, CallOptions, Config, Instant, Multipart, Notice, Output, PeerId, Session,
//! };
//!
//! /// Does what a session wants: what it transmits is carried to the other one. What there is to look at.
//! fn drive(session: &mut Session, other: &mut Session, now: Instant) -> Vec<Notice> {
//!     let mut notices = Vec::new();
//!     loop {
//!         match session.poll_output() {
//!             Output::Transmit(message) => {
//!                 let message = Multipart::direct(message.payload.to_bytes());
//!                 other.handle_message(now, PeerId::new(1), message);
//!             }
//!             Output::Notice(notice) => notices.push(notice),
//!             Output::Disconnect { .. } => unreachable!("the other side is never silent"),
//!             Output::Wait(_until) => return notices,
//!         }
//!     }
//! }
//!
//! let now = Instant::now();
//! let mut client = Session::new(Config::client(1));
//! let mut server = Session::new(Config::server(2));
//!
//! let args = Args::encode_params(&(20, 22))?;
//! let call = client.open(now, PeerId::new(1), "add", args, &CallOptions::default())?;
//! drive(&mut client, &mut server, now);
//!
//! for notice in drive(&mut server, &mut client, now) {
//!     let Notice::Requested(id) = notice else { continue };
//!     let Some(request) = server.request(id) else { continue };
//!     assert_eq!(request.method(), "add");
//!     let (a, b): (i64, i64) = request.args().decode()?;
//!     request.reply(Args::encode(&(a + b))?)?;
//! }
//! drive(&mut server, &mut client, now);
//!
//! assert_eq!(drive(&mut client, &mut server, now), [Notice::Readable(call)]);
//! let answer = client.call(call).and_then(|mut call| call.recv());
//! assert_eq!(answer, Some(Answer::Value(Args::encode(&42)?)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A loop around a session is in the documentation of [`Session::poll_output`]; `docs/embedding.md` of the repository leads
//! through examples, one of which runs in virtual time.
//!
//! # Where the rules come from
//!
//! The protocol has no standard; it is what zerorpc-python 0.6.3 and zerorpc-node 0.9.8 speak. `docs/protocol.md` of the
//! repository makes rules of it. Comments that say "protocol section N" cite its sections, those that say `ZRPC-4.7` its rules,
//! and "reference" is zerorpc-python.

#![forbid(unsafe_code)]

#[macro_use]
mod setters;

mod answer;
mod args;
mod channel;
mod compat;
mod config;
mod error;
mod event;
mod faults;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod limits;
mod msgpack;
mod multipart;
mod oneway;
mod options;
mod peer;
mod peer_event;
mod rate;
mod session;
mod transmit;
pub mod transport;

pub use answer::{Answer, Loss};
pub use args::{Args, IntoArgs};
pub use compat::RemoteError;
pub use config::{Config, DEFAULT_HEARTBEAT, HeartbeatMode};
pub use error::{DecodeError, EncodeError, Malformed, OpenError, PeerMisbehaved};
pub use event::{BrokenEvent, Context, Event, Header, Version, name};
#[cfg(feature = "faults")]
pub use faults::Fault;
pub use id::MessageId;
pub use limits::Limits;
pub use multipart::{Envelope, Multipart, Payload};
pub use oneway::{OneWayWriter, read_one_way};
pub use options::{CallOptions, DEFAULT_SLOTS, DEFAULT_TIMEOUT};
pub use peer::{PeerId, Route, Target};
pub use peer_event::PeerEvent;
pub use rate::RateLimited;
pub use session::{
    Blocked, Call, CallId, Notice, Output, Request, RequestId, Session, StreamHasBegun,
};
pub use transmit::{Token, Transmit};
/// When something happens; see [Time](crate#time).
pub use web_time::Instant;

// Types of theirs stand in signatures.
pub use {bytes, bytestring};
