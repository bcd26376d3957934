//! The form of one event, whatever it belongs to.

use rmpv::Value;

use super::{Finding, check};
use crate::event::{Event, shown, shown_bytes};

/// The event in a payload, if it can be read in any way, and what is wrong with its form.
pub(super) fn read(payload: &[u8]) -> (Option<Event>, Vec<Finding>) {
    let mut rest = payload;
    let value = match rmpv::decode::read_value(&mut rest) {
        Ok(value) => value,
        Err(error) => {
            let words = format!("no msgpack ({error}): {}", shown_bytes(payload));
            return (None, vec![(&check::NO_EVENT, words)]);
        }
    };
    let mut findings = Vec::new();
    if !rest.is_empty() {
        findings.push((&check::NO_EVENT, format!("{} bytes behind the event", rest.len())));
    }
    let parts = match value {
        Value::Array(parts) => parts,
        other => {
            findings.push((&check::NO_EVENT, format!("no array: {}", shown(&other))));
            return (None, findings);
        }
    };
    let count = parts.len();
    let Ok([header, name, args]) = <[Value; 3]>::try_from(parts) else {
        findings.push((&check::NO_EVENT, format!("an array of {count}, not of three")));
        return (None, findings);
    };
    let Value::Map(header) = header else {
        findings.push((&check::NO_EVENT, format!("the header is no map: {}", shown(&header))));
        return (None, findings);
    };
    let event = Event { header, name, args };
    header_of(&event, &mut findings);
    match &event.name {
        Value::String(_) => {}
        Value::Binary(name) => {
            findings.push((&check::NAME_TYPE, format!("the name is bin: {}", shown_bytes(name))));
        }
        other => findings.push((&check::NO_EVENT, format!("the name is {}", shown(other)))),
    }
    if let Some(text) = broken_text(&event) {
        findings.push((&check::NO_UTF8, shown(text)));
    }
    (Some(tolerant(event)), findings)
}

/// Whether a payload has the form of an event: an array of three that begins with a map.
pub(super) fn is_event(payload: &[u8]) -> bool {
    let is_map = |byte: &u8| matches!(byte, 0x80..=0x8f | 0xde | 0xdf);
    let ([0x93, rest @ ..] | [0xdc, 0, 3, rest @ ..] | [0xdd, 0, 0, 0, 3, rest @ ..]) = payload
    else {
        return false;
    };
    rest.first().is_some_and(is_map)
}

fn header_of(event: &Event, findings: &mut Vec<Finding>) {
    if let Some((key, _)) = event.header.iter().find(|(key, _)| !key.is_str()) {
        findings.push((&check::HEADER_KEYS, format!("the header has the key {}", shown(key))));
    }
    match get(event, "message_id") {
        None => findings.push((&check::NO_ID, "there is no message_id".to_owned())),
        Some(id) if !is_usable(id) => {
            findings.push((&check::NO_ID, format!("the message_id is {}", shown(id))));
        }
        Some(Value::Binary(bytes)) if bytes.len() > 64 => findings.push(long_id(bytes.len())),
        Some(Value::String(text)) if text.as_bytes().len() > 64 => {
            findings.push(long_id(text.as_bytes().len()));
        }
        Some(Value::Binary(_) | Value::String(_)) => {}
        Some(other) => {
            findings.push((&check::ID_FORM, format!("the message_id is {}", shown(other))));
        }
    }
    match get(event, "v") {
        Some(version) if version.as_i64() == Some(3) => {}
        Some(other) => findings.push((&check::VERSION, format!("v is {}", shown(other)))),
        None => findings.push((&check::VERSION, "there is no v".to_owned())),
    }
}

fn long_id(length: usize) -> Finding {
    (&check::ID_FORM, format!("the message_id has {length} bytes"))
}

/// Whether a channel may have this id.
pub(super) fn is_usable(id: &Value) -> bool {
    match id {
        Value::Binary(bytes) => !bytes.is_empty(),
        Value::String(text) => !text.as_bytes().is_empty(),
        Value::Integer(_) | Value::Ext(..) => true,
        _ => false,
    }
}

fn get<'a>(event: &'a Event, key: &str) -> Option<&'a Value> {
    let is = |present: &Value| match present {
        Value::Binary(bytes) => bytes == key.as_bytes(),
        other => other.as_str() == Some(key),
    };
    event.header.iter().find(|(present, _)| is(present)).map(|(_, value)| value)
}

/// The same with its name and the keys of its header as text: it is judged for what it means, once its form was.
fn tolerant(mut event: Event) -> Event {
    let text = |value: &mut Value| {
        if let Value::Binary(bytes) = value {
            *value = Value::from(String::from_utf8_lossy(bytes).into_owned());
        }
    };
    event.header.iter_mut().for_each(|(key, _)| text(key));
    text(&mut event.name);
    event
}

/// A str somewhere in an event that is no UTF-8.
fn broken_text(event: &Event) -> Option<&Value> {
    let header = event.header.iter().flat_map(|(key, value)| [key, value]);
    let mut left: Vec<&Value> = header.chain([&event.name, &event.args]).collect();
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) if !text.is_str() => return Some(value),
            Value::Array(items) => left.extend(items),
            Value::Map(pairs) => left.extend(pairs.iter().flat_map(|(key, value)| [key, value])),
            _ => {}
        }
    }
    None
}

/// What is wrong with the args of a grant.
pub(super) fn grant(event: &Event) -> Option<Finding> {
    let is = event.args.as_array().is_some_and(|args| {
        matches!(args.as_slice(), [Value::Integer(count)] if count.as_u64().is_some_and(|n| n > 0))
    });
    (!is).then(|| (&check::GRANT_FORM, format!("a grant of {}", shown(&event.args))))
}

/// How much a grant may give, in every form that some peer takes.
pub(super) fn granted(event: &Event) -> u64 {
    let count = event.first().unwrap_or(&event.args);
    let of_float = |float: f64| if float >= 1.0 { float as u64 } else { 0 };
    match count {
        Value::Integer(_) => count.as_u64().unwrap_or(0),
        Value::F32(float) => of_float(f64::from(*float)),
        Value::F64(float) => of_float(*float),
        Value::String(text) => text.as_str().and_then(|text| text.trim().parse().ok()).unwrap_or(0),
        _ => 0,
    }
}

/// What is wrong with the args of an OK, or with the answer of a built-in method.
pub(super) fn ok(method: &str, event: &Event) -> Option<Finding> {
    let Some([value]) = event.args.as_array().map(Vec::as_slice) else {
        let words = format!("OK with {} instead of one value in an array", shown(&event.args));
        return Some((&check::OK_ARGS, words));
    };
    let is_text = |value: &Value| value.is_str() || value.is_bin();
    let (check, holds) = match method {
        "_zerorpc_ping" => (
            &check::PING_ANSWER,
            matches!(value.as_array().map(Vec::as_slice), Some([pong, name]) if pong.as_str() == Some("pong") && is_text(name)),
        ),
        "_zerorpc_inspect" => {
            let has = |key: &str, holds: fn(&Value) -> bool| {
                let mut pairs = value.as_map().into_iter().flatten();
                pairs.any(|(it, value)| it.as_str() == Some(key) && holds(value))
            };
            let is_named = has("name", |name| name.is_str() || name.is_bin());
            (&check::INSPECT_ANSWER, is_named && has("methods", Value::is_map))
        }
        "_zerorpc_list" => {
            (&check::LIST_ANSWER, value.as_array().is_some_and(|names| names.iter().all(is_text)))
        }
        "_zerorpc_name" => (&check::NAME_ANSWER, is_text(value)),
        "_zerorpc_help" => (&check::NAME_ANSWER, is_text(value) || value.is_nil()),
        _ => return None,
    };
    (!holds).then(|| (check, format!("{method} is answered by {}", shown(value))))
}

/// What is wrong with the args of an ERR that answers a request of this version.
pub(super) fn err(version: u64, event: &Event) -> Option<Finding> {
    let args = event.args.as_array().map(Vec::as_slice).unwrap_or_default();
    let are_texts = args.iter().all(Value::is_str);
    let words = || format!("ERR with {} for a request of version {version}", shown(&event.args));
    match args {
        [_] if version < 2 && are_texts => None,
        _ if version < 2 => Some((&check::ERR_VERSION_1, words())),
        [_, _, traceback] if are_texts => (traceback.as_str() == Some(""))
            .then(|| (&check::ERR_TRACEBACK, "ERR with an empty traceback".to_owned())),
        _ => Some((&check::ERR_ARGS, words())),
    }
}
