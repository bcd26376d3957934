//! Scripts: what a caller sends, step by step.

use std::fmt;

use rmpv::Value;
use zerorpc_tests::world::raw_event::encode;

use crate::words::{self, told};

/// What one step sends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) event: Event,
    /// Whether it is sent together with the step before, which the server has not looked at by then.
    pub(crate) at_once: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A request with an id that was not used before.
    Request(Request),
    /// A request with the id of an earlier one: the how manieth of those so far that both servers answer, modulo their
    /// number.
    Again(usize, Request),
    /// Something on the channel of an earlier request, or of nobody when there is none.
    On(usize, &'static str, Value),
    /// An event of nobody's channel.
    Astray(Value, &'static str, Value),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) args: Vec<Value>,
    pub(crate) id: Id,
    pub(crate) oddity: Oddity,
}

/// The type of an id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Id {
    Bin,
    Text,
    Int,
    Ext,
    Float,
    Long,
    Nil,
    Array,
    Map,
}

/// What is unusual with a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Oddity {
    None,
    /// Another `v`; none for nil.
    Version(Value),
    /// A header key more.
    Header(Value, Value),
    Name(Value),
    Args(Value),
    /// Another element instead of the header.
    NoHeader(Value),
    WithoutId,
    KeysAsBin,
    /// So many elements instead of three.
    Elements(usize),
    /// Without that many bytes at its end.
    Cut(usize),
    Trailing(Vec<u8>),
    /// With lengths in their longest form.
    LongForms,
    /// A text that is no UTF-8, as its argument.
    NoText,
    /// The argument so deep in arrays.
    Deep(usize),
    Envelope(Vec<Vec<u8>>),
    Delimiter(Vec<u8>),
    NoDelimiter,
}

/// The frames of a step, for a caller who gives such ids.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// What answers to it name.
    pub(crate) channel: Value,
    pub(crate) frames: Vec<Vec<u8>>,
}

impl Id {
    fn is_usable(self) -> bool {
        !matches!(self, Self::Nil | Self::Array | Self::Map)
    }

    fn value(self, script: u64, number: usize) -> Value {
        let unique = script * 100 + number as u64;
        match self {
            Self::Bin => Value::Binary(format!("{unique:032x}").into_bytes()),
            Self::Text => format!("text {unique}").into(),
            Self::Int => (1000 + unique).into(),
            Self::Ext => Value::Ext(5, unique.to_be_bytes().to_vec()),
            Self::Float => (unique as f64 + 0.5).into(),
            Self::Long => format!("{unique:0250}").into(),
            Self::Nil => Value::Nil,
            Self::Array => Value::Array(vec![unique.into()]),
            Self::Map => Value::Map(vec![("id".into(), unique.into())]),
        }
    }
}

impl Request {
    pub(crate) fn new(method: &'static str, args: Vec<Value>) -> Self {
        Self { method, args, id: Id::Bin, oddity: Oddity::None }
    }

    pub(crate) fn id(self, id: Id) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn odd(self, oddity: Oddity) -> Self {
        Self { oddity, ..self }
    }

    /// Whether both servers answer it: what the reference passes over is another difference than what an id is used for.
    pub(crate) fn is_answered(&self) -> bool {
        let is_usual = matches!(
            self.oddity,
            Oddity::None
                | Oddity::Envelope(_)
                | Oddity::Delimiter(_)
                | Oddity::NoDelimiter
                | Oddity::LongForms
        );
        let args = told(&Value::Array(self.args.clone()));
        is_usual && !args.contains("odd {") && !args.contains("ext(-") && self.id.is_usable()
    }

    fn frames(&self, id: &Value) -> Vec<Vec<u8>> {
        let mut header = vec![("message_id".into(), id.clone()), ("v".into(), 3.into())];
        let mut name: Value = self.method.into();
        let mut args = Value::Array(self.args.clone());
        let (mut envelope, mut delimiter) = (Vec::new(), Some(Vec::new()));
        match &self.oddity {
            Oddity::Version(Value::Nil) => drop(header.pop()),
            Oddity::Version(version) => header[1].1 = version.clone(),
            Oddity::Header(key, value) => header.push((key.clone(), value.clone())),
            Oddity::Name(other) => name = other.clone(),
            Oddity::Args(other) => args = other.clone(),
            Oddity::WithoutId => drop(header.remove(0)),
            Oddity::KeysAsBin => {
                for (key, _) in &mut header {
                    *key = Value::Binary(key.as_str().unwrap_or_default().as_bytes().to_vec());
                }
            }
            Oddity::NoText => {
                args = Value::Array(vec!["\u{1}no text\u{1}".into()]);
            }
            Oddity::Deep(depth) => {
                for _ in 0..*depth {
                    args = Value::Array(vec![args]);
                }
            }
            Oddity::Envelope(frames) => envelope.clone_from(frames),
            Oddity::Delimiter(other) => delimiter = Some(other.clone()),
            Oddity::NoDelimiter => delimiter = None,
            _ => {}
        }
        let header = match &self.oddity {
            Oddity::NoHeader(other) => other.clone(),
            _ => Value::Map(header),
        };
        let mut elements = vec![header, name, args];
        if let Oddity::Elements(count) = self.oddity {
            elements.resize(count, Value::Nil);
        }
        envelope.extend(delimiter);
        envelope.push(self.bytes(&Value::Array(elements)));
        envelope
    }

    fn bytes(&self, event: &Value) -> Vec<u8> {
        let mut bytes = match self.oddity {
            Oddity::LongForms => words::long_forms(event),
            _ => encode(event).to_vec(),
        };
        match &self.oddity {
            Oddity::Cut(count) => bytes.truncate(bytes.len().saturating_sub(*count)),
            Oddity::Trailing(more) => bytes.extend(more),
            Oddity::NoText => {
                for byte in bytes.iter_mut().filter(|byte| **byte == 1) {
                    *byte = 0xff;
                }
            }
            _ => {}
        }
        bytes
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, told(&Value::Array(self.args.clone())))?;
        if !matches!(self.id, Id::Bin | Id::Text) {
            write!(f, " id={:?}", self.id)?;
        }
        match &self.oddity {
            Oddity::None => Ok(()),
            Oddity::Version(Value::Nil) => f.write_str(" v=absent"),
            Oddity::Version(version) => write!(f, " v={}", told(version)),
            Oddity::Header(key, value) => {
                let header = if words::is_text(key) { "header" } else { "odd header" };
                write!(f, " {header} {}={}", told(key), told(value))
            }
            Oddity::Name(name) => write!(f, " name={}", told(name)),
            Oddity::Args(args) => write!(f, " args={}", told(args)),
            Oddity::NoHeader(header) => write!(f, " header={}", told(header)),
            Oddity::Trailing(more) => write!(f, " trailing {} bytes", more.len()),
            Oddity::Envelope(frames) => write!(f, " envelope of {}", frames.len()),
            Oddity::Delimiter(bytes) => write!(f, " delimiter of {} bytes", bytes.len()),
            other => write!(f, " {other:?}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => request.fmt(f),
            Self::Again(_, request) => write!(f, "again {request}"),
            Self::On(_, name, args) if args.is_number() => write!(f, "{name} bare {}", told(args)),
            Self::On(_, name, args) => write!(f, "{name} {}", told(args)),
            Self::Astray(to, name, args) => write!(f, "to {}: {name} {}", told(to), told(args)),
        }
    }
}

/// What is sent by a script with that number, step by step.
pub(crate) fn sent(steps: &[Step], script: u64) -> Vec<Sent> {
    let mut requests: Vec<Sent> = Vec::new();
    let mut answered: Vec<Sent> = Vec::new();
    let nobody = Sent { channel: format!("nobody's of {script}").into(), frames: vec![] };
    let pick = |requests: &[Sent], index: usize| match requests {
        [] => nobody.clone(),
        some => some[index % some.len()].clone(),
    };
    let mut sent = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let own = format!("event {number} of {script}");
        let new = match &step.event {
            Event::Request(request) => {
                let channel = request.id.value(script, requests.len());
                let new = Sent { frames: request.frames(&channel), channel };
                requests.push(new.clone());
                if request.is_answered() {
                    answered.push(new.clone());
                }
                new
            }
            Event::Again(index, request) => {
                let channel = pick(&answered, *index).channel;
                Sent { frames: request.frames(&channel), channel }
            }
            Event::On(index, name, args) => {
                let of = pick(&requests, *index);
                // In the place of a channel these make the reference deaf.
                let is_list = of.channel.is_array() || of.channel.is_map();
                let of = if is_list { nobody.clone() } else { of };
                Sent { frames: of.frames_of(&own, name, args), channel: of.channel }
            }
            Event::Astray(to, name, args) => {
                let of = Sent { channel: to.clone(), frames: vec![] };
                Sent { frames: of.frames_of(&own, name, args), channel: of.channel }
            }
        };
        sent.push(new);
    }
    sent
}

impl Sent {
    /// An event on its channel, with an id of its own, that comes the same way.
    pub(crate) fn frames_of(&self, own: &str, name: &str, args: &Value) -> Vec<Vec<u8>> {
        let header = vec![
            ("message_id".into(), own.into()),
            ("v".into(), 3.into()),
            ("response_to".into(), self.channel.clone()),
        ];
        let event = Value::Array(vec![Value::Map(header), name.into(), args.clone()]);
        let mut frames = self.frames.clone();
        frames.truncate(self.frames.len().saturating_sub(2));
        frames.extend([vec![], encode(&event).to_vec()]);
        frames
    }
}
