//! What peers answer.

use serde::Deserialize;
use serde_json::Value;

/// An error that a peer's client reported.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PeerError {
    /// The class it was raised as: `RemoteError`, `TimeoutExpired`, `LostRemote` (Node calls this
    /// `HeartbeatError`), …
    #[serde(rename = "type")]
    pub kind: String,
    /// A remote error's name, as the server sent it.
    pub name: Option<String>,
    /// A remote error's message, or the text of a local one.
    pub message: String,
    /// A remote error's traceback.
    pub traceback: Option<String>,
}

/// One answer as a peer program writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    Ok(Value),
    Error(PeerError),
}

impl Answer {
    pub(super) fn into_result(self) -> Result<Value, PeerError> {
        match self {
            Self::Ok(value) => Ok(value),
            Self::Error(error) => Err(error),
        }
    }
}
