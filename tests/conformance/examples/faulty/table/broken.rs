//! What broken input does to a server.

use rmpv::Value;

use crate::{
    event::{Event, any},
    fault::{
        Fault,
        Hook::{Deaf, Dies, In},
    },
};

fn read(payload: &[u8]) -> Option<Value> {
    let mut rest = payload;
    rmpv::decode::read_value(&mut rest).ok()
}

fn parts(payload: &[u8]) -> Option<Vec<Value>> {
    match read(payload) {
        Some(Value::Array(parts)) => Some(parts),
        _ => None,
    }
}

/// Whether it is an event but for its response_to.
fn has_odd_response(payload: &[u8]) -> bool {
    let event = Event::decode(payload);
    let id = event.as_ref().and_then(|event| event.get("response_to"));
    id.is_some_and(|id| id.is_array() || id.is_map())
}

fn has_bad_text(payload: &[u8]) -> bool {
    let is_bad = |value: &Value| matches!(value, Value::String(text) if text.is_err());
    read(payload).is_some_and(|value| any(&value, &is_bad))
}

/// Whether an array, a map, bin or text is said to have more than two thousand million of what it holds.
fn announces_too_much(payload: &[u8]) -> bool {
    payload.windows(2).any(|window| {
        matches!(window[0], 0xc6 | 0xc9 | 0xdb | 0xdd | 0xdf) && window[1] & 0x80 != 0
    })
}

fn is_deep(payload: &[u8]) -> bool {
    payload.len() > 500 && payload[payload.len() / 2..].iter().take(100).all(|byte| *byte == 0x91)
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "dies-at-garbage": "a payload that is no msgpack ends the process", "ZRPC-11.3", "broken.truncated-header", [Dies(|payload| !payload.is_empty() && read(payload).is_none() && !is_deep(payload))];
    "dies-at-empty-payload": "an empty payload ends the process", "ZRPC-11.3", "broken.empty-payload", [Dies(<[u8]>::is_empty)];
    "dies-at-no-array": "a payload that is no array ends the process", "ZRPC-11.3", "broken.frames.behind-the-payload", [Dies(|payload| read(payload).is_some_and(|value| !value.is_array()))];
    "dies-at-other-lengths": "an array that has not three elements ends the process", "ZRPC-11.3", "broken.array-of-none", [Dies(|payload| parts(payload).is_some_and(|parts| parts.len() != 3))];
    "dies-at-header-no-map": "a header that is no map ends the process", "ZRPC-11.3", "broken.header-nil", [Dies(|payload| parts(payload).is_some_and(|parts| parts.len() == 3 && !parts[0].is_map()))];
    "dies-at-name-no-text": "a name that is no text ends the process", "ZRPC-11.8", "broken.name-map.told", [Dies(|payload| {
        Event::decode(payload).is_some_and(|event| !event.name.is_str() && !event.name.is_bin())
    })];
    "dies-at-args-no-array": "a request whose arguments are no array ends the process", "ZRPC-7.14", "answer.args.nil", [Dies(|payload| {
        Event::decode(payload).is_some_and(|event| event.is_request() && !event.args.is_array())
    })];
    "dies-at-bad-text": "text that is no UTF-8 ends the process", "ZRPC-11.1", "broken.args-surrogate", [Dies(has_bad_text)];
    "dies-at-deep-nesting": "a payload of deep nesting ends the process", "ZRPC-3.22", "broken.args-nested", [Dies(is_deep)];
    "dies-at-odd-response": "a response_to that is an array or a map ends the process", "ZRPC-11.7", "broken.response-to-array.beat", [Dies(has_odd_response)];
    "dies-at-nil-id": "a request whose message_id is nil, an array or a map ends the process", "ZRPC-11.5", "broken.id-nil", [Dies(|payload| {
        let id = Event::decode(payload).and_then(|event| event.get("message_id").cloned());
        id.is_some_and(|id| id.is_nil() || id.is_array() || id.is_map())
    })];
    "dies-at-odd-version": "a v that is no number ends the process", "ZRPC-11.6", "broken.version-str", [Dies(|payload| {
        let version = Event::decode(payload).and_then(|event| event.get("v").cloned());
        version.is_some_and(|version| !version.is_number())
    })];
    "dies-at-false-lengths": "a length of four thousand million ends the process", "ZRPC-3.23", "broken.args-array-lie broken.args-map-lie", [Dies(announces_too_much)];
    "dies-without-message-id": "an event without any id ends the process", "ZRPC-11.3", "broken.header-without-id", [Dies(|payload| {
        Event::decode(payload).is_some_and(|event| event.channel().is_nil())
    })];
    "dies-at-odd-grants": "a grant that is no number ends the process", "ZRPC-6.10", "credit.nil", [Dies(|payload| {
        Event::decode(payload).is_some_and(|event| event.is_grant() && !event.first().is_number())
    })];
    "dies-at-unknown-channel": "an event for a channel that is not there ends the process", "ZRPC-4.8", "broken.response-to-unknown", [In(|memory, event| {
        if !event.is_request() && memory.channel(&event).request.response_to().is_some() {
            std::process::exit(70);
        }
        vec![event]
    })];
    "deaf-after-garbage": "after a payload that is no msgpack nothing is heard", "ZRPC-11.1", "broken.args-missing", [Deaf(|payload| !payload.is_empty() && read(payload).is_none())];
    "deaf-after-odd-response": "after a response_to that is an array or a map nothing is heard", "ZRPC-11.7", "broken.response-to-array", [Deaf(has_odd_response)];
    "deaf-after-no-event": "after an array that is no event nothing is heard", "ZRPC-11.3", "broken.array-of-four", [Deaf(|payload| parts(payload).is_some() && Event::decode(payload).is_none())];
    "deaf-after-bad-text": "after text that is no UTF-8 nothing is heard", "ZRPC-11.1", "broken.args-surrogate", [Deaf(has_bad_text)];
    "keeps-floods": "all that belongs to no channel is kept", "ZRPC-4.8", "flood.unknown-channels", [In(|memory, event| {
        if !event.is_request() && memory.channel(&event).request.response_to().is_some() {
            // Many times, so that it shows soon.
            for _ in 0..64 {
                event.clone().encode().to_vec().leak();
            }
        }
        vec![event]
    })];
    "negative-grants-break": "after a grant below zero a channel is not heard", "ZRPC-6.8", "credit.negative-first", [In(|memory, event| {
        if event.is_grant() && event.number() < 0.0 {
            memory.channel(&event).count = 1;
        }
        if memory.channel(&event).count == 1 && !event.is_beat() { vec![] } else { vec![event] }
    })];
};
