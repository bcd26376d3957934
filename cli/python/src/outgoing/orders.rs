//! What the child sends: bodies of frames, taken apart.

use std::time::Duration;

use bytes::Bytes;
use rmpv::Value;
use zerorpc::{Args, CallOptions, Context};

pub(super) const SOCKET: u8 = 32;
pub(super) const LINK: u8 = 33;
pub(super) const REQUEST: u8 = 34;
pub(super) const GRANT: u8 = 35;
pub(super) const DROP: u8 = 36;
pub(super) const CLOSE: u8 = 37;
pub(super) const EMIT: u8 = 38;

/// Longer than anybody waits, in seconds: the same as without a limit. Not measured: thirty years, which times still have
/// room for.
const EVER: f64 = 1e9;

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Pusher,
    Publisher,
}

/// How a socket is to be made. What is not set is as it is by default.
#[derive(Debug, Clone)]
pub(super) struct Choices {
    pub(super) role: Role,
    pub(super) timeout: Option<Option<Duration>>,
    pub(super) heartbeat: Option<Option<Duration>>,
    pub(super) passive: bool,
    pub(super) slots: Option<u32>,
}

/// What is to be done to the links of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Bind,
    Connect,
    Unbind,
    Disconnect,
}

/// A change of links.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: u64,
    pub(super) change: Change,
    pub(super) endpoint: String,
}

/// A call, or an event that nobody answers.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) socket: u64,
    pub(super) method: String,
    pub(super) args: Args,
    pub(super) options: CallOptions,
    pub(super) context: Context,
}

/// Why a frame cannot be understood or done, for people.
pub(super) type Wrong = String;

impl Choices {
    /// `[role, options]`
    pub(super) fn decode(body: Bytes) -> Result<Self, Wrong> {
        let [role, options] = parts(body)?;
        let role = match text(&role)?.as_str() {
            "client" => Role::Client,
            "pusher" => Role::Pusher,
            "publisher" => Role::Publisher,
            other => return Err(format!("there is no socket of the kind {other:?}")),
        };
        let options = Options::decode(&options)?;
        Ok(Self {
            role,
            timeout: options.time("timeout")?,
            heartbeat: options.time("heartbeat")?,
            passive: options.get("passive").and_then(Value::as_bool).unwrap_or(false),
            slots: options.count("slots")?,
        })
    }
}

impl Link {
    /// `[socket, change, endpoint]`
    pub(super) fn decode(body: Bytes) -> Result<Self, Wrong> {
        let [socket, change, endpoint] = parts(body)?;
        let change = match text(&change)?.as_str() {
            "bind" => Change::Bind,
            "connect" => Change::Connect,
            "unbind" => Change::Unbind,
            "disconnect" => Change::Disconnect,
            other => return Err(format!("no socket can {other:?}")),
        };
        Ok(Self { socket: number(&socket)?, change, endpoint: text(&endpoint)? })
    }
}

impl Message {
    /// `[socket, method, arguments, options, header]`
    pub(super) fn decode_request(body: Bytes) -> Result<Self, Wrong> {
        let [socket, method, args, options, header] = parts(body)?;
        let options = Options::decode(&options)?;
        let mut chosen = CallOptions::new();
        if let Some(timeout) = options.time("timeout")? {
            chosen = chosen.timeout(timeout);
        }
        if let Some(slots) = options.count("slots")? {
            chosen = chosen.slots(slots);
        }
        let context = context(&header)?;
        let options = chosen.context(context.clone());
        Ok(Self { socket: number(&socket)?, method: text(&method)?, args, options, context })
    }

    /// `[socket, method, arguments, header]`
    pub(super) fn decode_event(body: Bytes) -> Result<Self, Wrong> {
        let [socket, method, args, header] = parts(body)?;
        let (options, context) = (CallOptions::new(), context(&header)?);
        Ok(Self { socket: number(&socket)?, method: text(&method)?, args, options, context })
    }
}

/// `[items]`
pub(super) fn granted(body: Bytes) -> Result<u64, Wrong> {
    let [items] = parts(body)?;
    number(&items)
}

/// The elements of an array of so many.
fn parts<const N: usize>(body: Bytes) -> Result<[Args; N], Wrong> {
    let body = Args::from_bytes(body).map_err(|error| error.to_string())?;
    let parts = body.elements().ok_or("the body of a frame is an array")?;
    parts.try_into().map_err(|parts: Vec<_>| format!("{} parts instead of {N}", parts.len()))
}

fn text(part: &Args) -> Result<String, Wrong> {
    part.decode().map_err(|error| error.to_string())
}

fn number(part: &Args) -> Result<u64, Wrong> {
    part.decode().map_err(|error| error.to_string())
}

fn context(header: &Args) -> Result<Context, Wrong> {
    Context::from_map(header).map_err(|error| error.to_string())
}

/// A map of options.
struct Options(Vec<(Value, Value)>);

impl Options {
    fn decode(part: &Args) -> Result<Self, Wrong> {
        match part.decode() {
            Ok(Value::Map(pairs)) => Ok(Self(pairs)),
            _ => Err("options are a map".into()),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }

    /// Seconds; nil is none, and so is what nobody lives to see.
    fn time(&self, name: &str) -> Result<Option<Option<Duration>>, Wrong> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if value.is_nil() {
            return Ok(Some(None));
        }
        let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0);
        let seconds = seconds.ok_or_else(|| format!("{name} is a number of seconds: {value}"))?;
        Ok(Some((seconds < EVER).then(|| Duration::from_secs_f64(seconds))))
    }

    fn count(&self, name: &str) -> Result<Option<u32>, Wrong> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
        count.map(Some).ok_or_else(|| format!("{name} is a number from 0 to 4294967295: {value}"))
    }
}
