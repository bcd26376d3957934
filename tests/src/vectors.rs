//! The golden vectors: messages recorded from the reference and from Node (protocol section 13).

use std::{fs, path::Path};

use bytes::Bytes;
use rmpv::Value;
use serde_json::Value as Json;
use zerorpc_proto::Multipart;

/// The files of conversations and single events; `broken` holds none of either.
pub const FILES: [&str; 10] = [
    "builtins",
    "calls",
    "envelopes",
    "errors",
    "heartbeats",
    "node",
    "push_pub",
    "streams",
    "values",
    "versions",
];

/// One recorded message.
#[derive(Debug, Clone)]
pub struct Vector {
    /// `conversation/number-event`.
    pub name: String,
    /// Who sent it to whom, such as `client->server`.
    pub direction: String,
    /// The implementation that wrote the bytes.
    pub peer: String,
    /// The frames on the wire, without the routing id of a ROUTER; empty when they are too long to store.
    pub frames: Vec<Bytes>,
    /// What the message says; `None` for broken ones.
    pub decoded: Option<Decoded>,
    /// What the reference's server did with a broken message.
    pub reference: Option<Reference>,
}

/// What a message says.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The identity frames.
    pub envelope: Vec<Bytes>,
    /// Keys and values, in no order.
    pub header: Vec<(String, Value)>,
    /// A str, or a bin where a peer sent one.
    pub name: Value,
    /// Whatever stands third.
    pub args: Value,
}

/// How the reference's server reacted to a broken message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The names of the events that it answered, heartbeats apart.
    pub events: Vec<String>,
    /// Whether it beat for a channel that nobody uses.
    pub heartbeats: bool,
    /// Whether it answered other calls afterwards.
    pub still_serves: bool,
}

impl Vector {
    /// The message as a session gets it.
    ///
    /// # Panics
    /// When the vector has no frames.
    #[must_use]
    pub fn multipart(&self) -> Multipart {
        Multipart::from_frames(None, self.frames.clone()).expect("the vector has frames")
    }

    /// The last frame.
    ///
    /// # Panics
    /// When the vector has no frames.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        self.frames.last().expect("the vector has frames")
    }

    /// The conversation that the message belongs to.
    #[must_use]
    pub fn conversation(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The place of the message in its conversation, where the recorder counted.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        self.name.split('/').nth(1)?.split('-').next()?.parse().ok()
    }

    /// Whether a server, or the proxy in front of it, sent it.
    #[must_use]
    pub fn is_from_server(&self) -> bool {
        self.direction.starts_with("server->")
    }

    /// What a vector of an event says.
    ///
    /// # Panics
    /// When the vector is a broken one.
    #[must_use]
    pub fn says(&self) -> &Decoded {
        self.decoded.as_ref().expect("the vector is an event")
    }
}

/// Reads one file of vectors.
///
/// # Panics
/// When the file is not there or is not of the form of protocol section 13.
#[must_use]
pub fn load(file: &str) -> Vec<Vector> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file).with_extension("json");
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let list: Vec<Json> = serde_json::from_str(&text).expect("the file is an array");
    list.iter().map(vector).collect()
}

/// The conversations of a file, in order.
#[must_use]
pub fn conversations(file: &str) -> Vec<Vec<Vector>> {
    let mut conversations: Vec<Vec<Vector>> = Vec::new();
    for vector in load(file) {
        match conversations.last_mut() {
            Some(last) if last[0].conversation() == vector.conversation() => last.push(vector),
            _ => conversations.push(vec![vector]),
        }
    }
    conversations
}

fn vector(json: &Json) -> Vector {
    let frames = json["frames_hex"].as_array().map(|frames| frames.iter().map(bytes).collect());
    Vector {
        name: text(&json["name"]),
        direction: text(&json["direction"]),
        peer: text(&json["peer"]),
        frames: frames.unwrap_or_default(),
        decoded: json["decoded"].is_object().then(|| decoded(&json["decoded"])),
        reference: json.get("reference").map(reference),
    }
}

fn decoded(json: &Json) -> Decoded {
    let envelope = json["envelope"].as_array().expect("envelope is an array");
    let header = json["header"].as_object().expect("header is an object");
    Decoded {
        envelope: envelope.iter().map(bytes).collect(),
        header: header.iter().map(|(key, item)| (key.clone(), value(item))).collect(),
        name: value(&json["name"]),
        args: value(&json["args"]),
    }
}

fn reference(json: &Json) -> Reference {
    let events = json["events"].as_array().expect("events is an array");
    Reference {
        events: events.iter().map(text).collect(),
        heartbeats: json["heartbeats"] == true,
        still_serves: json["still_serves"] == true,
    }
}

fn text(json: &Json) -> String {
    json.as_str().expect("a text").to_owned()
}

fn bytes(json: &Json) -> Bytes {
    let hex = text(json);
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The value that tagged JSON stands for.
///
/// # Panics
/// When it is not of the form of protocol section 13.
#[must_use]
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => number
            .as_u64()
            .map(Value::from)
            .or_else(|| number.as_i64().map(Value::from))
            .expect("floats are tagged"),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::Array(items.iter().map(value).collect()),
        Json::Object(pairs) => match pairs.iter().next() {
            Some((tag, content)) if tag.starts_with('$') => tagged(tag, content),
            _ => Value::Map(
                pairs.iter().map(|(key, item)| (Value::from(key.as_str()), value(item))).collect(),
            ),
        },
    }
}

fn tagged(tag: &str, content: &Json) -> Value {
    match tag {
        "$bin" => Value::Binary(bytes(content).to_vec()),
        "$float" => Value::F64(text(content).parse().expect("a float")),
        "$ext" => {
            let code = content[0].as_i64().and_then(|code| i8::try_from(code).ok());
            Value::Ext(code.expect("an ext code"), bytes(&content[1]).to_vec())
        }
        "$timestamp" => {
            let part = |at: usize| content[at].as_u64().expect("a timestamp that fits 64 bits");
            Value::Ext(-1, (part(1) << 34 | part(0)).to_be_bytes().to_vec())
        }
        "$map" => {
            let pairs = content.as_array().expect("an array of pairs");
            Value::Map(pairs.iter().map(|pair| (value(&pair[0]), value(&pair[1]))).collect())
        }
        other => panic!("unknown tag {other}"),
    }
}
