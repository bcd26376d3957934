use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::PeerProcess;
use super::answer::{Answer, PeerError};
use super::driver::{Driver, Pending};

/// A call for a peer to make.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// The remote method.
    pub method: String,
    /// The positional arguments: an array.
    pub args: Value,
    /// Headers to send along. Python only.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub headers: Map<String, Value>,
    /// How long to wait for the first answer, in place of the client's own time.
    #[serde(serialize_with = "as_seconds", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

impl Call {
    /// A call with the client's own timeout.
    #[must_use]
    pub fn of(method: impl Into<String>, args: Value) -> Self {
        Self { method: method.into(), args, headers: Map::new(), timeout: None }
    }
}

fn as_seconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(to)
}

/// A stream for a peer to read.
#[derive(Debug, Clone, Serialize)]
pub struct Stream {
    /// The call that is answered with a stream.
    #[serde(flatten)]
    pub call: Call,
    /// After how many items the client closes the stream. Python only, and harmful to the client
    /// when many more were on their way.
    pub limit: Option<usize>,
    /// A pause after every [`every`](Self::every) items; a Node client as a whole stands still for it.
    #[serde(serialize_with = "seconds")]
    pub delay: Duration,
    /// How many items come between two pauses: at least 1, the default.
    pub every: usize,
    /// The size of the client's queue, and so of its grants, in items. Python only; default: 100.
    pub slots: Option<u32>,
}

impl Stream {
    /// A stream read to its end without a pause.
    #[must_use]
    pub fn of(method: impl Into<String>, args: Value) -> Self {
        Self {
            call: Call::of(method, args),
            limit: None,
            delay: Duration::ZERO,
            every: 1,
            slots: None,
        }
    }
}

fn seconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    time.as_secs_f64().serialize(to)
}

/// What a peer read of a stream.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Streamed {
    /// The items in order.
    pub items: Vec<Value>,
    /// The error that ended the stream, if one did.
    pub error: Option<PeerError>,
}

/// A message that a puller or subscriber received.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Message {
    /// The method it names.
    pub method: String,
    /// Its arguments: an array.
    pub args: Value,
}

/// A peer's client. Its calls run side by side when several threads make them, or through
/// [`start_call`](Self::start_call) and [`start_stream`](Self::start_stream).
///
/// All methods panic when the peer process is gone or stays silent for minutes.
#[derive(Debug)]
pub struct PeerClient(Driver);

impl PeerClient {
    pub(super) fn start(name: &str, program: Command, options: &Value) -> Self {
        Self(Driver::start(name, program, options))
    }

    /// Calls a method that answers with one value.
    pub fn call(&self, method: &str, args: Value) -> Result<Value, PeerError> {
        self.start_call(&Call::of(method, args)).wait()
    }

    /// Starts a call and lets the test go on.
    #[must_use]
    pub fn start_call(&self, call: &Call) -> Pending<Result<Value, PeerError>> {
        self.0.command("call", call, |answer| answer)
    }

    /// Reads a stream to its end.
    #[must_use]
    pub fn stream(&self, method: &str, args: Value) -> Streamed {
        self.start_stream(&Stream::of(method, args)).wait()
    }

    /// Starts to read a stream and lets the test go on.
    #[must_use]
    pub fn start_stream(&self, stream: &Stream) -> Pending<Streamed> {
        self.0.command("stream", stream, expected)
    }

    /// Calls one method with each of `calls` as arguments, all at once; the answers are in order.
    #[must_use]
    pub fn many(&self, method: &str, calls: &[Value]) -> Vec<Result<Value, PeerError>> {
        let request = json!({ "method": method, "calls": calls });
        let answers = self.0.command("many", &request, expected::<Vec<Answer>>).wait();
        answers.into_iter().map(Answer::into_result).collect()
    }

    /// The process, for its endpoints.
    #[must_use]
    pub fn process(&self) -> &PeerProcess {
        self.0.process()
    }
}

/// A peer's pusher or publisher. Its methods panic when the peer process is gone.
#[derive(Debug)]
pub struct PeerSender(Driver);

impl PeerSender {
    pub(super) fn start(name: &str, program: Command, options: &Value) -> Self {
        Self(Driver::start(name, program, options))
    }

    /// Sends one message; a pusher waits until somebody is there to receive it.
    pub fn send(&self, method: &str, args: Value) {
        self.send_call(&Call::of(method, args));
    }

    /// Sends one message with its headers; the timeout plays no role.
    pub fn send_call(&self, call: &Call) {
        let Call { method, args, headers, .. } = call;
        let request = json!({ "method": method, "args": args, "headers": headers });
        self.0.command("send", &request, expected::<()>).wait();
    }

    /// The process, for its endpoints.
    #[must_use]
    pub fn process(&self) -> &PeerProcess {
        self.0.process()
    }
}

/// A peer's puller or subscriber. Its methods panic when the peer process is gone.
#[derive(Debug)]
pub struct PeerReceiver(Driver);

impl PeerReceiver {
    pub(super) fn start(name: &str, program: Command, options: &Value) -> Self {
        Self(Driver::start(name, program, options))
    }

    /// Takes the oldest `count` messages, once so many have arrived.
    #[must_use]
    pub fn take(&self, count: usize) -> Vec<Message> {
        self.start_take(count).wait()
    }

    /// Asks for the oldest `count` messages and lets the test go on, say, to publish until a
    /// subscriber that is still joining has got one.
    #[must_use]
    pub fn start_take(&self, count: usize) -> Pending<Vec<Message>> {
        self.0.command("take", &json!({ "count": count }), expected)
    }

    /// The process, for its endpoints.
    #[must_use]
    pub fn process(&self) -> &PeerProcess {
        self.0.process()
    }
}

/// The answer to a command that succeeds unless the harness itself is broken.
fn expected<T: for<'de> Deserialize<'de>>(answer: Result<Value, PeerError>) -> T {
    let value = answer.unwrap_or_else(|error| panic!("the peer could not do it: {error:?}"));
    serde_json::from_value(value).expect("the shape that the peer programs answer with")
}
