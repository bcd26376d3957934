//! Why a connection cannot go on.

use std::time::Duration;

use zerorpc_proto::transport::{PublicKey, SocketKind};

use super::{NoRandomness, ZmtpVersion, socket_type};

/// The status that stands for wrong credentials (27/ZAP).
const CREDENTIALS: &str = "400";

/// Why a connection cannot go on. Close it once the output is written, or at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A 1.0 frame without even a flags byte; often not ZMTP at all.
    #[error("the peer does not speak ZMTP: it sent a frame of length 0; is this the right port?")]
    NoLength,
    /// Flag bits that the version does not know; often not ZMTP at all.
    #[error("the peer sent a frame with unknown flags {0:#04x}; is this the right port, and ZMTP?")]
    UnknownFlags(u8),
    /// A length that does not fit 63 bits.
    #[error("the peer announced a frame of {0} bytes, more than ZMTP can carry")]
    FrameLength(u64),
    /// A frame over [`WireLimits::frame_bytes`](super::WireLimits::frame_bytes).
    #[error(
        "the peer announced a frame of {size} bytes, the limit is {limit}; raise SocketOptions::max_frame if it is meant"
    )]
    FrameTooLarge {
        /// As announced.
        size: u64,
        /// As configured.
        limit: u64,
    },
    /// A message over [`WireLimits::message_bytes`](super::WireLimits::message_bytes).
    #[error(
        "the peer sent a message of more than {limit} bytes; raise SocketOptions::max_frame if it is meant"
    )]
    MessageTooLarge {
        /// As configured.
        limit: u64,
    },
    /// A message over [`WireLimits::frames`](super::WireLimits::frames).
    #[error(
        "the peer sent a message of more than {limit} frames; an engine of one's own may take more (WireLimits::frames)"
    )]
    TooManyFrames {
        /// As configured.
        limit: usize,
    },
    /// A command over its limit; after the handshake, one that is known.
    #[error("the peer announced a command of {size} bytes, the limit is {limit}")]
    CommandTooLarge {
        /// As announced.
        size: u64,
        /// As configured.
        limit: u64,
    },
    /// Something else than the handshake asks for.
    #[error("the peer sent {got} in the handshake where {expected} was due")]
    OutOfTurn {
        /// The command that was due.
        expected: &'static str,
        /// The name of what came, or what it looks like.
        got: String,
    },
    /// A handshake command whose parts do not add up.
    #[error("the peer sent a broken {command}: {reason}")]
    Malformed {
        /// The command.
        command: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An identity of more than 255 bytes.
    #[error("the peer's identity has {0} bytes, at most 255 are allowed")]
    IdentityTooLong(u64),
    /// The sockets do not go together.
    #[error("the peer's socket is a {theirs}, which does not go with our {}", socket_type::name_of(*ours))]
    SocketType {
        /// Our kind.
        ours: SocketKind,
        /// What the peer says it is.
        theirs: String,
    },
    /// The two sides want different security.
    #[error("the peer's security mechanism is {theirs}, ours is {ours}; set up both sides alike")]
    Mechanism {
        /// Ours.
        ours: &'static str,
        /// The peer's.
        theirs: String,
    },
    /// The peer is too old for the mechanism.
    #[error("the peer speaks {version}, which has no {mechanism}; upgrade it, or use NULL")]
    Downgrade {
        /// What the peer speaks.
        version: ZmtpVersion,
        /// What we ask for.
        mechanism: &'static str,
    },
    /// Both sides wait for the other to say who it is.
    #[error(
        "both sides are servers of {mechanism}, and one has to be its client: who serves is its server, who calls its client"
    )]
    BothServers {
        /// That of both.
        mechanism: &'static str,
    },
    /// The peer answered the handshake with ERROR.
    #[error("the peer refused the connection: {reason:?}")]
    Refused {
        /// In the peer's words; `400` stands for wrong credentials.
        reason: String,
    },
    /// Our authenticator refused the peer's user name or password.
    #[error("the peer's user name or password is wrong (user {username:?}): {reason}")]
    BadCredentials {
        /// As it was given.
        username: String,
        /// What the authenticator says.
        reason: String,
    },
    /// Our authenticator refused the peer's key.
    #[error("the peer's key is not authorized here ({key}): {reason}")]
    KeyDenied {
        /// The peer's.
        key: PublicKey,
        /// What the authenticator says.
        reason: String,
    },
    /// The server refused our key.
    #[error("the server lets nobody in with our key; have it authorized there: {key}")]
    NotAuthorized {
        /// Ours.
        key: PublicKey,
    },
    /// A box that was closed with other keys, or has been changed on its way.
    #[error("the peer sent a {command} that cannot be opened{}", hint_at_keys(command))]
    Unopened {
        /// The command with the box.
        command: &'static str,
    },
    /// An INITIATE whose cookie is another connection's, or has been changed on its way.
    #[error("the peer sent an INITIATE with a cookie that was not made for this connection")]
    StaleCookie,
    /// An INITIATE by somebody who has not the key that he says he has.
    #[error("the peer does not have the key that it says it has")]
    WrongVouch,
    /// A key that has the same in common with all others, and so proves nothing.
    #[error("this is no key that could prove anything: {key}")]
    WeakKey {
        /// Ours, or the peer's.
        key: PublicKey,
    },
    /// A frame outside of a box, after a handshake of CURVE.
    #[error("the peer, or somebody between, sent something unencrypted on an encrypted connection")]
    Plaintext,
    /// A frame with the number of an earlier one, or a lower one.
    #[error("the peer, or somebody between, sent an encrypted frame once more")]
    Replayed,
    /// CURVE has no random numbers to make keys of.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// Our authenticator refused a peer that has shown no credentials.
    #[error("the peer may not come in: {reason}")]
    Denied {
        /// What the authenticator says.
        reason: String,
    },
    /// The handshake took too long.
    #[error("the peer did not complete the handshake within {} ms", .0.as_millis())]
    HandshakeTimeout(Duration),
    /// Nothing was heard after our PING.
    #[error("the peer did not answer a PING within {} ms", .0.as_millis())]
    HeartbeatTimeout(Duration),
    /// The peer promised in a PING to be heard again, and was not.
    #[error("the peer was silent for the {} ms it had announced", .0.as_millis())]
    TtlExpired(Duration),
}

/// Who has to change for a connection to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The peer broke the protocol or went beyond our limits.
    Peer,
    /// Both keep to the protocol and do not fit: trying again without new settings leads nowhere.
    Settings,
    /// Nobody spoke: the peer or the network between is down or overloaded. Trying again makes sense.
    Silence,
}

impl Violation {
    /// Who has to change for a connection to work.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::NoLength
            | Self::UnknownFlags(_)
            | Self::FrameLength(_)
            | Self::FrameTooLarge { .. }
            | Self::MessageTooLarge { .. }
            | Self::TooManyFrames { .. }
            | Self::CommandTooLarge { .. }
            | Self::OutOfTurn { .. }
            | Self::Malformed { .. }
            | Self::IdentityTooLong(_)
            | Self::StaleCookie
            | Self::WrongVouch
            | Self::Plaintext
            | Self::Replayed => Blame::Peer,
            Self::SocketType { .. }
            | Self::Mechanism { .. }
            | Self::Downgrade { .. }
            | Self::BothServers { .. }
            | Self::Refused { .. }
            | Self::BadCredentials { .. }
            | Self::Denied { .. }
            | Self::KeyDenied { .. }
            | Self::NotAuthorized { .. }
            | Self::Unopened { .. }
            | Self::WeakKey { .. }
            | Self::NoRandomness(_) => Blame::Settings,
            Self::HandshakeTimeout(_) | Self::HeartbeatTimeout(_) | Self::TtlExpired(_) => {
                Blame::Silence
            }
        }
    }

    /// Whether one side does not let the other in, or wants another mechanism.
    pub(crate) fn is_denial(&self) -> bool {
        match self {
            Self::Refused { reason } => reason == CREDENTIALS,
            // Both sides are clients.
            Self::OutOfTurn { expected: "WELCOME", got } => got == "HELLO",
            Self::Mechanism { .. }
            | Self::Downgrade { .. }
            | Self::BothServers { .. }
            | Self::BadCredentials { .. }
            | Self::Denied { .. }
            | Self::KeyDenied { .. }
            | Self::NotAuthorized { .. }
            | Self::Unopened { .. } => true,
            _ => false,
        }
    }

    /// Whether it may come from something that does not speak ZMTP at all.
    pub(crate) fn is_strange(&self) -> bool {
        matches!(
            self,
            Self::NoLength
                | Self::UnknownFlags(_)
                | Self::FrameLength(_)
                | Self::IdentityTooLong(_)
                | Self::Downgrade { version: ZmtpVersion::Unversioned, .. }
        )
    }

    /// What the peer is told in an ERROR command after the handshake, if anything. ZMTP has this command in the
    /// handshake alone; peers that expect none there pass over it, as over every command that they do not know.
    pub(super) fn last_words(&self) -> Option<String> {
        const ADVICE: &str = "send less at a time, or raise SocketOptions::max_frame there";
        match self {
            Self::FrameTooLarge { size, limit } => Some(format!(
                "a frame of {size} bytes is over the limit of {limit} bytes; {ADVICE}"
            )),
            Self::MessageTooLarge { limit } => {
                Some(format!("a message is over the limit of {limit} bytes; {ADVICE}"))
            }
            Self::TooManyFrames { limit } => {
                Some(format!("a message is over the limit of {limit} frames"))
            }
            Self::CommandTooLarge { size, limit } => {
                Some(format!("a command of {size} bytes is over the limit of {limit} bytes"))
            }
            Self::HeartbeatTimeout(time) => {
                Some(format!("nothing was heard within {} ms of a PING", time.as_millis()))
            }
            Self::TtlExpired(time) => {
                Some(format!("nothing was heard for the {} ms announced", time.as_millis()))
            }
            _ => None,
        }
    }

    /// What the peer is told in an ERROR command in the handshake, if anything.
    pub(super) fn parting_words(&self) -> Option<&'static str> {
        match self {
            Self::SocketType { .. } => Some("Incompatible socket type"),
            // The status that libzmq's own peers understand and report to their monitors.
            Self::BadCredentials { .. } | Self::KeyDenied { .. } | Self::Denied { .. } => {
                Some(CREDENTIALS)
            }
            _ => None,
        }
    }
}

/// What may be behind a box that cannot be opened.
fn hint_at_keys(command: &str) -> &'static str {
    match command {
        "HELLO" => ": it expects a server with another key; give it this side's public key",
        "WELCOME" => ": the server has another key than the one that is expected; check that",
        _ => ": somebody between has changed it, or the peer's program has a fault",
    }
}

/// Bytes from the peer, fit to be shown: printable, and not too many.
pub(super) fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string();
    if bytes.len() > SHOWN { text + "…" } else { text }
}

/// What a peer says in an ERROR command: as [`show`], but whole.
pub(super) fn quote(reason: &[u8]) -> String {
    reason.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'")
}
