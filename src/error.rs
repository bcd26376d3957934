//! What can go wrong for a caller, in words for people.

use std::time::Duration;

use zerorpc_proto::{
    DecodeError, EncodeError, Loss, OpenError, RemoteError,
    transport::{EndpointError, TransportError},
};

/// Why a call failed, or a client or server could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The method answered with an error.
    #[error("{error}")]
    Remote {
        /// The method that was called.
        method: String,
        /// What it says.
        error: RemoteError,
    },
    /// No first answer came in time. The server may still be working on it.
    #[error(
        "timeout after {}s, when calling remote method {method} at {endpoint}: the server is slow or not there",
        after.as_secs_f64()
    )]
    Timeout {
        /// The method that was called.
        method: String,
        /// Where.
        endpoint: String,
        /// The time that was allowed.
        after: Duration,
    },
    /// No server could be reached in time, or those that were are stopping. The request has not left, or came back.
    #[error("{reason}; gave up after {}s, when calling remote method {method}", after.as_secs_f64())]
    Unreachable {
        /// The method that was called.
        method: String,
        /// The time that was allowed.
        after: Duration,
        /// What went wrong with the latest attempt, and where.
        reason: String,
    },
    /// Every server that could be connected to wants another security mechanism, or did not let this side in. The request has
    /// not left. Connecting is tried again all the time: later calls may find a server with other settings.
    #[error("{reason}, when calling remote method {method}")]
    Denied {
        /// The method that was called.
        method: String,
        /// Where, why, and what to do.
        reason: String,
    },
    /// The server has gone, or does not do anything any more.
    #[error(
        "{}, when calling remote method {method} at {endpoint}{}",
        brief(loss),
        verdict(endpoint)
    )]
    LostRemote {
        /// The method that was called.
        method: String,
        /// Where, and why the connection ended if it is known.
        endpoint: String,
        /// How the loss was noticed.
        loss: Loss,
    },
    /// The server broke the protocol in its answer.
    #[error("{loss}, when calling remote method {method} at {endpoint}")]
    BadAnswer {
        /// The method that was called.
        method: String,
        /// Where.
        endpoint: String,
        /// What was wrong.
        loss: Loss,
    },
    /// The arguments cannot be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The answer is of another type than the caller wants.
    #[error("{method} answered with something else: {source}")]
    Decode {
        /// The method that was called.
        method: String,
        /// What came instead.
        source: DecodeError,
    },
    /// A plain call of a method that answers with a stream.
    #[error("{method} answers with a stream: read it with Client::stream")]
    IsStream {
        /// The method that was called.
        method: String,
    },
    /// A stream was wanted from a method that answers with one value.
    #[error("{method} answers with one value, not with a stream: use Client::call")]
    NotStream {
        /// The method that was called.
        method: String,
    },
    /// The call could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An endpoint cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Neither `bind` nor `connect` was given.
    #[error("no endpoint: say where to bind or to connect, such as tcp://127.0.0.1:4242")]
    NoEndpoint,
    /// A server without anything to serve.
    #[error("no service: say what to serve")]
    NoService,
    /// The client or server was closed.
    #[error("the socket at {endpoint} is closed")]
    Closed {
        /// Its endpoints.
        endpoint: String,
    },
    /// The client or server was made before this process was forked, and belongs to its parent.
    #[error(
        "the socket at {endpoint} belongs to the process that this one was forked from: \
         make a new client or server after forking"
    )]
    Forked {
        /// Its endpoints.
        endpoint: String,
    },
    /// The socket cannot be used, or not be made.
    #[error(transparent)]
    Socket(#[from] TransportError),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(String),
}

/// The loss, but for a reason that stands with the endpoint.
fn brief(loss: &Loss) -> String {
    match loss {
        Loss::Disconnected { .. } => "the connection was lost".to_owned(),
        loss => loss.to_string(),
    }
}

/// What a lost server comes to, unless it is known why its connection ended.
fn verdict(endpoint: &str) -> &'static str {
    if endpoint.contains(": ") { "" } else { ": the server is gone or stuck" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_server_is_called_gone_or_stuck_where_nothing_better_is_known() {
        let lost = |endpoint: &str, loss| {
            let endpoint = endpoint.to_owned();
            Error::LostRemote { method: "add".into(), endpoint, loss }.to_string()
        };
        let end = |text: String| text.split(" at ").last().map(str::to_owned).unwrap_or_default();
        let told = "tcp://127.0.0.1:1: the peer ended the connection: a frame was too large";
        assert_eq!(end(lost(told, Loss::Disconnected { reason: told.into() })), told);
        let silent = Loss::Silent { after: Duration::from_secs(10) };
        for endpoints in ["tcp://127.0.0.1:1", "tcp://[::1]:1, ipc:///tmp/socket"] {
            let expected = format!("{endpoints}: the server is gone or stuck");
            assert_eq!(end(lost(endpoints, silent.clone())), expected);
        }
    }
}
