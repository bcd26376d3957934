//! Why connections end.

use std::sync::Arc;

use bytes::Bytes;
use web_time::Duration;

use crate::{Foreign, Violation};

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The stream ended.
    #[error("the peer closed the connection")]
    Eof,
    /// The system at the other end has a connection, of which the program there makes nothing.
    #[error(
        "the peer said nothing within {} ms of the connection: it is frozen or overloaded, or does not speak ZMTP",
        .0.as_millis()
    )]
    Mute(Duration),
    /// What the peer told before it closed the connection.
    #[error("the peer ended the connection: {0}")]
    CutOff(String),
    /// Reading or writing failed; what the system says.
    #[error("{0}")]
    Failed(String),
    /// This side has had enough of the peer.
    #[error("{0}")]
    Dropped(String),
    /// This side's program wants it so.
    #[error("{0}")]
    Left(&'static str),
    /// It was in its handshake when another one needed its place.
    #[error("newer connections needed its place before its handshake was over")]
    Displaced,
    /// The peer broke the rules or does not fit.
    #[error("{0}")]
    Violation(#[from] Violation),
    /// Something else than ZMTP came.
    #[error("{0}")]
    Foreign(Foreign),
    /// Another connection has its identity.
    #[error(
        "another connection has the same identity (\"{}\" at {holder}); {what_then}",
        identity.escape_ascii()
    )]
    IdentityTaken {
        /// What both say they are.
        identity: Bytes,
        /// Where the other connection leads to.
        holder: Arc<str>,
        /// What is done about the other one.
        what_then: &'static str,
    },
}

impl CloseReason {
    /// Whether the stream itself came to an end.
    pub(super) fn is_end_of_stream(&self) -> bool {
        matches!(self, Self::Eof | Self::Failed(_))
    }
}
