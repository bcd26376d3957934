//! Arbitrary bytes as a message.

use std::collections::BTreeMap;

use arbitrary::Unstructured;
use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{Args, Event, Limits, Malformed, Multipart};

use super::script::bytes;
use crate::world::raw_event;

/// Reads the bytes as frames, as an event and as a value, and what it reads again after writing it.
///
/// # Panics
/// When an invariant does not hold.
pub fn event(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let (limits, frames) = envelope_of(&mut script).expect("there are zeros without end");
    let rest = Bytes::copy_from_slice(script.take_rest());
    envelope(frames, &rest);
    match Event::decode(&rest, &limits) {
        Ok(event) => sound(&event, &rest, &limits),
        Err(broken) => {
            let too_large = broken.reason == Malformed::TooLarge(limits.message_bytes);
            assert_eq!(too_large, rest.len() > limits.message_bytes);
            assert!(!broken.to_string().is_empty());
        }
    }
    if let Ok(value) = Args::from_bytes(rest) {
        any(&value);
    }
}

/// Limits, and the frames in front of the payload.
fn envelope_of(script: &mut Unstructured<'_>) -> arbitrary::Result<(Limits, Vec<Bytes>)> {
    let limits = if script.arbitrary()? {
        Limits::default().message_bytes(300).depth(4).elements(40)
    } else {
        Limits::default()
    };
    let frames = script.int_in_range(0..=3_u8)?;
    let frames = (0..frames).map(|_| bytes(script, 5).map(Bytes::copy_from_slice));
    Ok((limits, frames.collect::<arbitrary::Result<_>>()?))
}

fn envelope(mut frames: Vec<Bytes>, payload: &Bytes) {
    let identities = frames.len().saturating_sub(1);
    frames.push(payload.clone());
    let expected = frames[..identities].to_vec();
    let message = Multipart::from_frames(None, frames).expect("there is a payload");
    assert_eq!(message.envelope.frames(), expected);
    assert_eq!(message.payload, payload);
}

fn sound(event: &Event, payload: &Bytes, limits: &Limits) {
    let depth = 1 + depth(&raw_event::value(&event.args));
    assert!(depth <= limits.depth, "{depth} levels");
    any(&event.args);
    for (key, value) in event.header.context.iter() {
        any(key);
        any(value);
    }
    for id in [&event.header.message_id, &event.header.response_to].into_iter().flatten() {
        any(&Args::from_bytes(Bytes::copy_from_slice(id.as_encoded())).expect("an id is one value"));
        assert!(id.as_encoded().ends_with(id.content()));
    }
    let written = event.encode();
    let again = Event::decode(&written, &Limits::default()).expect("what we write can be read");
    assert_eq!(again, *event);
    assert_eq!(again.encode(), written);
    for len in [written.len() / 2, written.len() - 1] {
        let part = Event::decode(&written.slice(..len), &Limits::default());
        assert!(part.is_err(), "a part is no event");
    }
    let tail = [&payload[..], &[0xc1]].concat().into();
    if payload.len() < limits.message_bytes {
        assert_eq!(Event::decode(&tail, limits).as_ref(), Ok(event), "tails are ignored");
    }
}

/// Any type may be asked for.
fn any(value: &Args) {
    let whole = value.decode::<Value>().expect("everything is a value");
    assert_eq!(raw_event::encode(&whole), raw_event::encode(&raw_event::value(value)));
    assert!(!format!("{value:?}").is_empty());
    let _ = value.decode::<Vec<i64>>();
    let _ = value.decode::<(String, Option<u8>, f32)>();
    let _ = value.decode::<BTreeMap<String, Value>>();
    let elements = value.elements();
    assert_eq!(elements.is_some(), value.is_array());
    if let (Some(elements), Value::Array(items)) = (elements, whole) {
        assert_eq!(elements.len(), items.len());
    }
}

fn depth(value: &Value) -> u32 {
    let deepest = |items: &mut dyn Iterator<Item = &Value>| 1 + items.map(depth).max().unwrap_or(0);
    match value {
        Value::Array(items) => deepest(&mut items.iter()),
        Value::Map(pairs) => deepest(&mut pairs.iter().flat_map(|(key, item)| [key, item])),
        _ => 0,
    }
}
