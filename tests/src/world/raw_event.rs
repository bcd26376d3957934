//! Events as other implementations write them: any version, any id, any nonsense.

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{Args, Event, Limits, Multipart, Transmit};

/// An event that is written key by key.
#[derive(Debug, Clone)]
pub struct RawEvent {
    header: Vec<(Value, Value)>,
    name: Value,
    args: Value,
}

impl RawEvent {
    /// A request of the current version.
    pub fn request(id: impl Into<Value>, method: &str, args: Vec<Value>) -> Self {
        let header = vec![("message_id".into(), id.into()), ("v".into(), 3.into())];
        Self { header, name: method.into(), args: Value::Array(args) }
    }

    /// An event on the channel of a request, in either direction.
    pub fn on(channel: impl Into<Value>, name: &str, args: Value) -> Self {
        let event = Self::request("an id that nobody looks at", name, vec![]);
        event.with_args(args).with("response_to", channel)
    }

    /// A sign of life on a channel.
    pub fn beat(channel: impl Into<Value>) -> Self {
        Self::on(channel, "_zpc_hb", Value::Array(vec![0.into()]))
    }

    /// Credit for a channel.
    pub fn grant(channel: impl Into<Value>, more: impl Into<Value>) -> Self {
        Self::on(channel, "_zpc_more", Value::Array(vec![more.into()]))
    }

    /// An event that somebody has written.
    ///
    /// # Panics
    /// When it is none.
    pub(super) fn read(payload: &Bytes) -> Self {
        let event = rmpv::decode::read_value(&mut &payload[..]).expect("an event is a value");
        let Value::Array(parts) = event else { panic!("no event: {event}") };
        let parts: [Value; 3] = parts.try_into().expect("an event has three parts");
        let [Value::Map(header), name, args] = parts else { panic!("no header: {parts:?}") };
        Self { header, name, args }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.name.as_str().expect("names are text")
    }

    /// Its arguments.
    pub(super) fn args(&self) -> Value {
        self.args.clone()
    }

    /// Sets a header key.
    #[must_use]
    pub fn with(mut self, key: impl Into<Value>, value: impl Into<Value>) -> Self {
        let key = key.into();
        self.header.retain(|(present, _)| *present != key);
        self.header.push((key, value.into()));
        self
    }

    /// Leaves a header key out.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.header.retain(|(present, _)| present.as_str() != Some(key));
        self
    }

    /// Speaks another version.
    #[must_use]
    pub fn version(self, version: impl Into<Value>) -> Self {
        self.with("v", version)
    }

    /// Puts anything where the name stands.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Value>) -> Self {
        self.name = name.into();
        self
    }

    /// Puts anything where the arguments stand.
    #[must_use]
    pub fn with_args(mut self, args: Value) -> Self {
        self.args = args;
        self
    }

    /// The event as bytes.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        let event = [Value::Map(self.header.clone()), self.name.clone(), self.args.clone()];
        encode(&Value::Array(event.to_vec()))
    }

    /// The event as a message without identities.
    #[must_use]
    pub fn message(&self) -> Multipart {
        Multipart::direct(self.payload())
    }
}

/// A value as bytes, each number and length in its shortest form.
///
/// # Panics
/// Never: memory takes everything.
#[must_use]
pub fn encode(value: &Value) -> Bytes {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).expect("writing to memory cannot fail");
    out.into()
}

/// The value in arguments or a result.
///
/// # Panics
/// Never: arguments are well-formed.
#[must_use]
pub fn value(args: &Args) -> Value {
    rmpv::decode::read_value(&mut &args.as_bytes()[..]).expect("arguments are well-formed")
}

/// Arguments made of a value.
///
/// # Panics
/// Never: what was encoded here is well-formed.
#[must_use]
pub fn args(value: &Value) -> Args {
    Args::from_bytes(encode(value)).expect("what was encoded is well-formed")
}

/// Reads what a session sends.
///
/// # Panics
/// When it is no event.
#[must_use]
pub fn read(transmit: &Transmit) -> Event {
    Event::decode(&transmit.payload.to_bytes(), &Limits::default())
        .expect("a session sends well-formed events")
}
