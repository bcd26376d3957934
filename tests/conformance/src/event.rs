//! Events as they stand in messages: built freely, broken ones too, and read leniently.

use std::fmt::{self, Display};

use rmpv::Value;

/// `[header, name, args]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The map of the header, in its order.
    pub header: Vec<(Value, Value)>,
    /// A str, unless it is broken on purpose.
    pub name: Value,
    /// An array, usually.
    pub args: Value,
}

impl Event {
    /// An event with the header `message_id` and `v: 3`.
    #[must_use]
    pub fn new(message_id: impl Into<Value>, name: &str, args: impl Into<Value>) -> Self {
        let header = vec![
            (Value::from("message_id"), message_id.into()),
            (Value::from("v"), Value::from(3)),
        ];
        Self { header, name: Value::from(name), args: args.into() }
    }

    /// The same on the channel `id`.
    #[must_use]
    pub fn on(self, id: &Value) -> Self {
        self.with("response_to", id.clone())
    }

    /// The same with this header key, in its place if it is there already.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        match self.header.iter_mut().find(|(present, _)| present.as_str() == Some(key)) {
            Some((_, slot)) => *slot = value,
            None => self.header.push((Value::from(key), value)),
        }
        self
    }

    /// The same without this header key.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.header.retain(|(present, _)| present.as_str() != Some(key));
        self
    }

    /// What the header says under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.header
            .iter()
            .find(|(present, _)| present.as_str() == Some(key))
            .map(|(_, value)| value)
    }

    /// Its own id.
    #[must_use]
    pub fn message_id(&self) -> Option<&Value> {
        self.get("message_id")
    }

    /// The channel that it belongs to; none for a request.
    #[must_use]
    pub fn response_to(&self) -> Option<&Value> {
        self.get("response_to").filter(|id| !id.is_nil())
    }

    /// Its name; empty if that is no str.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str().unwrap_or_default()
    }

    /// The first of its args, if they are an array with one.
    #[must_use]
    pub fn first(&self) -> Option<&Value> {
        self.args.as_array().and_then(|args| args.first())
    }

    /// Whether it is a heartbeat or a grant, which may stand between others.
    #[must_use]
    pub fn is_upkeep(&self) -> bool {
        matches!(self.name(), "_zpc_hb" | "_zpc_more")
    }

    /// Its msgpack form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let whole = Value::Array(vec![
            Value::Map(self.header.clone()),
            self.name.clone(),
            self.args.clone(),
        ]);
        encode(&whole)
    }

    /// Reads an event.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn decode(payload: &[u8]) -> Result<Self, String> {
        let mut rest = payload;
        let value =
            rmpv::decode::read_value(&mut rest).map_err(|error| format!("no msgpack: {error}"))?;
        if !rest.is_empty() {
            return Err(format!("{} bytes behind the event", rest.len()));
        }
        let Value::Array(parts) = value else { return Err(format!("no array: {value}")) };
        let count = parts.len();
        let Ok([header, name, args]) = <[Value; 3]>::try_from(parts) else {
            return Err(format!("an array of {count}, not of three"));
        };
        let Value::Map(header) = header else {
            return Err(format!("the header is no map: {header}"));
        };
        Ok(Self { header, name, args })
    }
}

impl Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{{")?;
        for (index, (key, value)) in self.header.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{}: {}", shown(key), shown(value))?;
        }
        write!(formatter, "}}, {}, {}]", shown(&self.name), shown(&self.args))
    }
}

/// The msgpack form of any value.
#[must_use]
pub fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A Vec takes everything.
    let _ = rmpv::encode::write_value(&mut bytes, value);
    bytes
}

/// A value for people: bin as `b"…"`, cut off where it is long.
#[must_use]
pub fn shown(value: &Value) -> String {
    const LONGEST: usize = 200;
    let text = match value {
        Value::Binary(bytes) => return shown_bytes(bytes),
        Value::String(text) => match text.as_str() {
            Some(text) => format!("{text:?}"),
            None => format!("str that is no UTF-8 {}", shown_bytes(text.as_bytes())),
        },
        Value::Array(items) => {
            format!("[{}]", join(items.iter().take(40).map(shown), items.len() > 40))
        }
        Value::Map(pairs) => {
            let entries = pairs
                .iter()
                .take(40)
                .map(|(key, value)| format!("{}: {}", shown(key), shown(value)));
            format!("{{{}}}", join(entries, pairs.len() > 40))
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

fn join(parts: impl Iterator<Item = String>, more: bool) -> String {
    let mut joined = parts.collect::<Vec<_>>().join(", ");
    if more {
        joined.push_str(", …");
    }
    joined
}

/// Bytes for people: `b"…"`, cut off where there are many.
#[must_use]
pub fn shown_bytes(bytes: &[u8]) -> String {
    const MOST: usize = 80;
    let (head, rest) = bytes.split_at(bytes.len().min(MOST));
    let more = if rest.is_empty() { String::new() } else { format!("… ({} bytes)", bytes.len()) };
    format!("b\"{}\"{more}", head.escape_ascii())
}
