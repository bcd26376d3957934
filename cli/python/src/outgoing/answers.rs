//! What the child is told.

use std::time::Duration;

use bytes::Bytes;
use rmpv::{Value, encode::write_value};
use zerorpc::Error;

pub(super) const LINKED: u8 = 48;
pub(super) const VALUE: u8 = 49;
pub(super) const STREAM: u8 = 50;
pub(super) const ITEM: u8 = 51;
pub(super) const END: u8 = 52;
pub(super) const ERROR: u8 = 53;

/// The body of a frame `LINKED`.
pub(super) fn linked(endpoint: Option<String>) -> Bytes {
    encoded(&endpoint.map_or(Value::Nil, Value::from))
}

/// The body of a frame `ERROR` about something that went wrong on this side.
pub(super) fn local(message: &str) -> Bytes {
    failure(["Local", "", message, ""])
}

/// The body of a frame `ERROR` for what ends with its socket.
pub(super) fn closed() -> Bytes {
    failure(["Closed", "", "the socket is closed", ""])
}

/// The body of a frame `ERROR`.
pub(super) fn error(error: &Error) -> Bytes {
    match error {
        Error::Remote { error: remote, .. } => {
            failure(["Remote", &remote.name, &remote.message, &remote.traceback])
        }
        Error::Timeout { method, endpoint, after } => {
            timeout(*after, &format!("{method} at {endpoint}: the server is slow or not there"))
        }
        Error::Unreachable { method, after, reason } => {
            timeout(*after, &format!("{method}: {reason}"))
        }
        Error::LostRemote { .. } => failure(["LostRemote", "", &error.to_string(), ""]),
        Error::Closed { .. } => closed(),
        _ => local(&error.to_string()),
    }
}

/// Begins as in the reference, whatever else is known.
fn timeout(after: Duration, what: &str) -> Bytes {
    let seconds = after.as_secs_f64();
    let message = format!("timeout after {seconds}s, when calling remote method {what}");
    failure(["Timeout", "", &message, ""])
}

fn failure(parts: [&str; 4]) -> Bytes {
    encoded(&Value::Array(parts.map(Value::from).into()))
}

fn encoded(value: &Value) -> Bytes {
    let mut out = Vec::new();
    // A `Vec` takes everything.
    let _ = write_value(&mut out, value);
    out.into()
}
