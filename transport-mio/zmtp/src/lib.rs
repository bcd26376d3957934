//! ZMTP, the protocol of ZeroMQ's connections, as a pure state machine: no socket, clock, thread, lock or random source.
//!
//! ```text
//!            want ──► how to read           ┌──────── Engine ────────┐
//!  bytes in  handle_chunk, handle_body ───► │ greeting ► mechanism ► │ ──► poll_event   who it is, messages
//!  time      handle_timeout ──────────────► │ frames ► assembly      │ ──► poll_timeout when to come back
//!  messages  send, subscribe, cancel ─────► │ outbox ► batch         │ ──► output, advance   bytes out
//!                                           └────────────────────────┘
//! ```
//!
//! There are three floors, each of use without those above it:
//!
//! - An [`Engine`] is one connection.
//! - A [`Socket`] is one ZeroMQ socket over many connections: who gets a message, who is held back, who is given up.
//! - An [`RpcSocket`] is such a socket with its zerorpc [`Session`](zerorpc_proto::Session): calls and requests.
//!   `docs/embedding.md` of the repository leads through programs that embed one.
//!
//! An engine speaks ZMTP 3.1 and falls back to 3.0, 2.0 and 1.0 as far as the peer and
//! [`EngineConfig::security`] allow.
//!
//! Methods may come in any order and none has to be followed by another, with two things to mind: drain
//! [`Engine::poll_event`] after each chunk, since what has arrived is held until then; and offer
//! [`Engine::output`] to the socket after every call, since answers are written by nobody else. An older
//! `now` counts as the latest one seen. Whatever a peer sends, the engine holds no more than [`WireLimits`]
//! allow, and reserves nothing on the strength of an announced length.
//!
//! After a [`Violation`] the engine is dead: it takes no more input and lets no further message out.
//! [`Engine::output`] may still hold parting words; write what can be written at once and close.
//!
//! # Two engines that shake hands
//!
//! ```
//! use std::{io::IoSlice, sync::Arc, time::Instant};
//!
//! use bytes::Bytes;
//! use zerorpc_proto::transport::SocketKind;
//! use zerorpc_zmtp::{Engine, EngineConfig, SocketType, Violation, ZmtpEvent, ZmtpVersion};
//!
//! /// What a socket would do: writes what one engine has to say, and reads it into the other.
//! fn carry(from: &mut Engine, to: &mut Engine, now: Instant) -> Result<bool, Violation> {
//!     let mut slices = [IoSlice::new(&[]); 16];
//!     let filled = from.output(&mut slices);
//!     let written: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
//!     from.advance(written.len());
//!     to.handle_chunk(now, Bytes::from(written))?;
//!     Ok(filled > 0)
//! }
//!
//! let now = Instant::now();
//! let engine = |kind| Engine::new(Arc::new(EngineConfig::new(kind)), now);
//! let (mut dealer, mut router) = (engine(SocketKind::Dealer), engine(SocketKind::Router));
//!
//! // May be sent at once; it leaves when the handshake is over.
//! dealer.send([Bytes::new(), Bytes::from_static(b"ping")]);
//! while carry(&mut dealer, &mut router, now)? | carry(&mut router, &mut dealer, now)? {}
//!
//! let Some(ZmtpEvent::Ready(peer)) = router.poll_event() else { panic!("the handshake comes first") };
//! assert_eq!((peer.version, peer.socket_type), (ZmtpVersion::V3_1, Some(SocketType::Dealer)));
//! let Some(ZmtpEvent::Message(frames)) = router.poll_event() else { panic!("a message was sent") };
//! assert_eq!(frames[..], [Bytes::new(), Bytes::from_static(b"ping")]);
//! # Ok::<(), Violation>(())
//! ```

#![forbid(unsafe_code)]

mod assembly;
mod command;
mod config;
mod engine;
mod error;
mod foreign;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod greeting;
mod handshake;
mod input;
mod keys;
mod liveness;
mod mechanism;
mod metadata;
mod outbox;
mod random;
mod remote;
mod rpc;
mod socket;
mod socket_type;
mod traffic;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use smallvec::SmallVec;
use zerorpc_proto::{Token, transport::Principal};

pub use config::{Buffers, EngineConfig, FreshBuffers, Heartbeat, Identity, Unusable, WireLimits};
pub use engine::Engine;
pub use error::{Blame, Violation};
pub use foreign::{Foreign, ForeignKind};
pub use keys::key_pair;
pub use random::{NoRandomness, RandomSource};
pub use rpc::{RpcOutput, RpcSocket};
pub use socket::{
    CloseReason, Closed, ConnectionId, LastWords, Origin, ReceivesOnly, Socket, SocketEvent,
};
pub use socket_type::SocketType;
/// What stands in signatures.
pub use {bytes, smallvec, zerorpc_proto};

use frame::Framing;

/// The frames of a message; two, as most messages of zerorpc have, cost no allocation.
pub type Frames = SmallVec<[Bytes; 2]>;

/// A message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outgoing {
    /// The frames. A message without any is not sent.
    pub frames: Frames,
    /// Goes behind the last frame, as part of it: a frame in two pieces needs no copy to become one.
    pub tail: Bytes,
    /// Names the message for whoever sends it: it goes nowhere, and is there again when the message is taken back.
    pub token: Option<Token>,
}

/// How the engine wants to be fed.
// Exhaustive: a connection that is not fed as it wants to be stands still.
#[derive(Debug)]
pub enum Want<'a> {
    /// Read whatever there is into a buffer that connections share, and pass it to
    /// [`Engine::handle_chunk`]. Messages are slices of it.
    Chunk,
    /// Much of a large frame is missing. Read into this slice, which is not empty, and tell
    /// [`Engine::handle_body`] how much. Passing a chunk instead works as well and copies it.
    Body(&'a mut [u8]),
}

/// What a connection has to report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ZmtpEvent {
    /// The handshake is over; always the first event, and there is one only.
    Ready(Box<PeerInfo>),
    /// A whole message; its frames may be slices of the chunk they came in. Never on PUSH and PUB sockets.
    Message(Frames),
    /// The peer wants messages that begin with this. Only on PUB sockets; may come twice for one topic,
    /// which is one subscription.
    Subscribe(Bytes),
    /// The peer no longer wants messages that begin with this. Only on PUB sockets.
    Cancel(Bytes),
    /// The peer is about to stop: requests go elsewhere from now on. Only on DEALER sockets.
    GoAway {
        /// It has answered everything that it has looked at, and says nothing more.
        is_last: bool,
    },
}

/// What a peer told of itself in the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// What the two sides speak.
    pub version: ZmtpVersion,
    /// The peer's kind of socket, if it told one that is known. From ZMTP 3.0 on it goes with ours.
    pub socket_type: Option<SocketType>,
    /// The peer's name for itself; empty for none, at most 255 bytes. It may begin with a zero byte: keep
    /// generated names apart from it.
    pub identity: Bytes,
    /// Whether it understands GOAWAY; see [`Engine::go_away`].
    pub goaway: bool,
    /// Whether it holds messages back that we do not take, and drops none: ROUTER sockets of libzmq drop what is more than
    /// they have room for.
    pub lossless: bool,
    /// All other properties, names and values as they came.
    pub metadata: Vec<(Bytes, Bytes)>,
    /// Who it is, as far as that was made sure of; `None` where the handshake was not seen.
    pub principal: Option<Arc<Principal>>,
}

/// What the two sides of a connection speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ZmtpVersion {
    /// 1.0, from a peer that knows of no other: no version is told, and no subscriptions.
    Unversioned,
    /// 1.0, from a peer that says so.
    V1_0,
    /// 2.0.
    V2_0,
    /// 3.0.
    V3_0,
    /// 3.1, and whatever comes after it.
    V3_1,
}

impl ZmtpVersion {
    fn framing(self) -> Framing {
        match self {
            Self::Unversioned | Self::V1_0 => Framing::V1,
            Self::V2_0 => Framing::V2,
            Self::V3_0 | Self::V3_1 => Framing::V3,
        }
    }
}

impl fmt::Display for ZmtpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unversioned | Self::V1_0 => "ZMTP 1.0",
            Self::V2_0 => "ZMTP 2.0",
            Self::V3_0 => "ZMTP 3.0",
            Self::V3_1 => "ZMTP 3.1",
        })
    }
}
