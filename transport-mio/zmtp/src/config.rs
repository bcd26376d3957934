//! What one side of a connection wants, and what it puts up with.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use zerorpc_proto::{
    setters,
    transport::{Authenticator, Security, SocketKind},
};

use super::{RandomSource, random::NoSource, socket_type};

/// Everything that an [`Engine`](super::Engine) is told; shared by all connections of a socket.
///
/// ```
/// use std::time::Duration;
/// use zerorpc_proto::transport::SocketKind;
/// use zerorpc_zmtp::{EngineConfig, Heartbeat};
///
/// let config = EngineConfig::new(SocketKind::Dealer).heartbeat(Heartbeat::every(Duration::from_secs(5)));
/// assert_eq!(config.handshake_timeout, Duration::from_secs(30));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineConfig {
    /// The socket that the connection belongs to.
    pub kind: SocketKind,
    /// The name that a ROUTER at the other end shall know us by.
    pub identity: Identity,
    /// How the two sides make sure of each other; whoever asks for something else is refused, and so are peers of ZMTP 1.0
    /// and 2.0 unless it is [`Security::Null`]. A [`Socket`](super::Socket) takes it from its options.
    pub security: Security,
    /// Says which peers come in; `None` lets in all who have passed the mechanism. A [`Socket`](super::Socket) takes it
    /// from its options.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// Where keys and nonces come from; by default from nowhere, which is enough for all mechanisms but CURVE.
    pub random: Arc<dyn RandomSource>,
    /// What a peer may make us hold.
    pub limits: WireLimits,
    /// How long the peer may take from the first byte to the end of the handshake, 30 s by default; dripped bytes do not
    /// extend it.
    pub handshake_timeout: Duration,
    /// Our own PINGs; off by default, as a socket's options say whether there are any.
    pub heartbeat: Option<Heartbeat>,
    /// Where the memory for large bodies comes from.
    pub buffers: Arc<dyn Buffers>,
}

/// Memory for bodies that are too large for the chunk in which they begin.
pub trait Buffers: fmt::Debug + Send + Sync {
    /// A buffer for a body of `size` bytes. What is in it is written over, and it may be of any length: not all that
    /// is announced comes.
    fn take(&self, size: usize) -> Vec<u8>;

    /// The bytes of a body that is complete.
    fn seal(&self, body: Vec<u8>) -> Bytes;
}

/// Fresh memory for each body.
#[derive(Debug, Clone, Copy, Default)]
pub struct FreshBuffers;

impl Buffers for FreshBuffers {
    fn take(&self, _size: usize) -> Vec<u8> {
        Vec::new()
    }

    fn seal(&self, body: Vec<u8>) -> Bytes {
        Bytes::from(body)
    }
}

impl EngineConfig {
    /// What libzmq does by default: no identity, NULL, 30 s of handshake, no heartbeats; and limits.
    #[must_use]
    pub fn new(kind: SocketKind) -> Self {
        Self {
            kind,
            identity: Identity::default(),
            security: Security::Null,
            authenticator: None,
            random: Arc::new(NoSource),
            limits: WireLimits::default(),
            handshake_timeout: Duration::from_secs(30),
            heartbeat: None,
            buffers: Arc::new(FreshBuffers),
        }
    }

    setters! {
        kind: SocketKind,
        identity: Identity,
        security: Security,
        authenticator: into Option<Arc<dyn Authenticator>>,
        random: Arc<dyn RandomSource>,
        limits: WireLimits,
        handshake_timeout: Duration,
        heartbeat: into Option<Heartbeat>,
        buffers: Arc<dyn Buffers>,
    }
}

/// A name for a connection: nothing at all, or 1 to 255 bytes of which the first is not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity(Bytes);

impl Identity {
    /// The longest identity, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Takes `name` for an identity.
    ///
    /// # Errors
    /// When it is empty, too long, or begins with a zero byte, which is for generated names.
    pub fn new(name: impl Into<Bytes>) -> Result<Self, Unusable> {
        let name = name.into();
        match name.first() {
            None => Err(Unusable("an identity has at least one byte; leave it out to have none")),
            Some(0) => Err(Unusable("an identity must not begin with a zero byte")),
            Some(_) if name.len() > Self::MAX_LEN => {
                Err(Unusable("an identity has at most 255 bytes; choose a shorter one"))
            }
            Some(_) => Ok(Self(name)),
        }
    }

    /// The bytes; empty when there is no identity.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A setting that ZMTP cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(&'static str);

/// What a peer may make us hold. Sizes are checked as announced, before anything is reserved for them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WireLimits {
    /// Bytes of one frame, 1 GiB by default.
    pub frame_bytes: u64,
    /// Bytes of all frames of one message, each counting [`FRAME_COST`](Self::FRAME_COST) besides.
    pub message_bytes: u64,
    /// Frames of one message, 1024 by default.
    pub frames: usize,
    /// Bytes of a command during the handshake, 64 KiB by default.
    pub handshake_command_bytes: u64,
    /// Bytes of a command after the handshake, and of a message to a socket that does not receive any, 64 KiB by default. (Commands that
    /// are unknown may be of any size: they are skipped as they come.)
    pub command_bytes: u64,
    /// Bytes of PONGs that wait for the peer to read, 4 KiB by default; PINGs beyond that stay unanswered.
    pub pong_bytes: usize,
}

impl WireLimits {
    /// What a frame costs beyond its bytes, whichever way it goes.
    pub const FRAME_COST: usize = 64;

    /// The default limits, but for frames of up to `bytes`, and messages to match.
    #[must_use]
    pub fn with_frame_bytes(bytes: u64) -> Self {
        Self {
            frame_bytes: bytes,
            message_bytes: bytes.saturating_add(1 << 20),
            frames: 1024,
            handshake_command_bytes: 64 << 10,
            command_bytes: 64 << 10,
            pong_bytes: 4 << 10,
        }
    }

    setters! {
        frame_bytes: u64,
        message_bytes: u64,
        frames: usize,
        handshake_command_bytes: u64,
        command_bytes: u64,
        pong_bytes: usize,
    }

    /// The limits of a socket of this kind: where messages mean nothing but subscriptions, they may be as
    /// large as commands.
    pub(super) fn for_kind(&self, kind: SocketKind) -> Self {
        let mut limits = self.clone();
        if !socket_type::receives(kind) {
            limits.frame_bytes = limits.frame_bytes.min(limits.command_bytes);
            limits.message_bytes = limits.message_bytes.min(limits.command_bytes);
        }
        limits
    }
}

impl Default for WireLimits {
    /// Frames up to 1 GiB, messages up to 1 GiB + 1 MiB in 1024 frames, commands up to 64 KiB, 4 KiB of
    /// PONGs.
    fn default() -> Self {
        Self::with_frame_bytes(1 << 30)
    }
}

/// PINGs that we send to find out whether the peer is still there, and to be heard ourselves. ZMTP 3.1 only: older peers
/// are never sent one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heartbeat {
    /// How long nothing is heard, or nothing said, before a PING; less than a millisecond counts as one.
    pub interval: Duration,
    /// How long after a PING something must be heard, whatever it is; or else, something written that waited before. On
    /// sockets that do not receive, nobody is given up: a puller that is busy reads nothing, and says nothing either.
    pub timeout: Duration,
    /// How soon the peer may give us up when it hears nothing: sent in steps of 0.1 s, 6553.5 s at most;
    /// zero lets the peer decide.
    pub ttl: Duration,
}

impl Heartbeat {
    /// A PING after `interval` of silence, whose answer may take as long again; the peer decides for itself when it gives us
    /// up.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self { interval, timeout: interval, ttl: Duration::ZERO }
    }

    setters! {
        interval: Duration,
        timeout: Duration,
        ttl: Duration,
    }
}
