//! What a call is answered with, and why an answer may never come.

use std::{sync::Arc, time::Duration};

use crate::{args::Args, compat::RemoteError, error::Malformed};

/// What a call is answered with, in order. Everything but [`Item`](Self::Item) is the last.
//
// The protocol knows no other answers, and a reader that passed one over would wait for ever: these are all.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The result of a plain call.
    Value(Args),
    /// An item of a stream.
    Item(Args),
    /// The stream is complete.
    End,
    /// The call failed on the server, or the stream broke off there.
    Failed(Box<RemoteError>),
    /// No further answer will come.
    Lost(Loss),
}

impl Answer {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Item(_))
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Value(args) | Self::Item(args) => args.as_bytes().len(),
            Self::Failed(failure) => failure.size(),
            Self::End | Self::Lost(_) => 0,
        }
    }
}

/// Why a conversation ended without its last event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// Two heartbeat intervals passed without any event (ZRPC-5.13); a caller that beats less often is given
    /// two of its own.
    #[error("Lost remote after {}s heartbeat", .after.as_secs_f64())]
    Silent {
        /// The silence that was too much.
        after: Duration,
    },
    /// The connection ended.
    #[error("the connection was lost: {reason}")]
    Disconnected {
        /// Why, in the words of whoever told of it.
        reason: Arc<str>,
    },
    /// Time was up before any peer had taken the request: it was never sent, or came back.
    #[error("no peer for {}s", .after.as_secs_f64())]
    NotSent {
        /// The time that was allowed.
        after: Duration,
    },
    /// No peer lets this side in, or all want another security mechanism: the request was never sent, and would not be
    /// before somebody changes settings.
    #[error("{reason}")]
    Denied {
        /// Where, why, and what to do.
        reason: Arc<str>,
    },
    /// No first answer in time. The peer may be at work on it.
    #[error("timeout after {}s", .after.as_secs_f64())]
    TimedOut {
        /// The time that was allowed.
        after: Duration,
    },
    /// A stream whose caller does not beat was not read for too long.
    #[error("no credit for {}s on a channel without heartbeats", .after.as_secs_f64())]
    Stalled {
        /// The time that was allowed.
        after: Duration,
    },
    /// The peer sent more than it had credit for.
    #[error("the peer sent more than it had credit for")]
    Overflow,
    /// The first answer was an event that answers nothing.
    #[error("unable to find a pattern for: {event}")]
    NoPattern {
        /// The name of that event.
        event: String,
    },
    /// The answer could not be read.
    #[error("the answer is unusable: {0}")]
    Malformed(#[from] Malformed),
}
