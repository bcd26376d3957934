//! Messages for people.

use rmpv::Value;

use crate::event::{Event, shown, shown_bytes};

/// A whole message, with everything that its header holds.
pub(super) fn message(envelope: &[Vec<u8>], event: Option<&Event>, payload: &[u8]) -> String {
    let mut words = via(envelope);
    match event {
        Some(event) => words.push_str(&event.to_string()),
        None => words.push_str(&shown_bytes(payload)),
    }
    words
}

/// A message in short: its channel, whether it opens it, name, args, and what is unusual in its header.
pub(super) fn brief(envelope: &[Vec<u8>], event: Option<&Event>, payload: &[u8]) -> String {
    let mut words = via(envelope);
    let Some(event) = event else {
        return format!("{words}no event: {}", shown_bytes(payload));
    };
    let (id, kind) = match (event.response_to(), event.message_id()) {
        (Some(id), _) => (Some(id), ""),
        (None, id) => (id, "request "),
    };
    let id = id.map_or_else(|| "-".to_owned(), short);
    words.push_str(&format!("{id} {kind}{} {}", event.name(), shown(&event.args)));
    for (key, value) in &event.header {
        let usual = match key.as_str() {
            Some("message_id" | "response_to") => true,
            Some("v") => value.as_i64() == Some(3),
            _ => false,
        };
        if !usual {
            words.push_str(&format!(" {}={}", shown(key), shown(value)));
        }
    }
    words
}

fn via(envelope: &[Vec<u8>]) -> String {
    let frames: Vec<String> = envelope.iter().take(4).map(|frame| shown_bytes(frame)).collect();
    match (envelope.len(), frames.join(" ")) {
        (0, _) => String::new(),
        (..=4, frames) => format!("{frames} "),
        (count, frames) => format!("{frames} … ({count} frames) "),
    }
}

/// The beginning of an id.
fn short(id: &Value) -> String {
    let text = match id {
        Value::Binary(bytes) => bytes.escape_ascii().to_string(),
        Value::String(text) => String::from_utf8_lossy(text.as_bytes()).escape_debug().to_string(),
        other => shown(other),
    };
    text.chars().take(8).collect()
}
