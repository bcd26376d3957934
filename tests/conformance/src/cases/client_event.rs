//! Events of a client, and those that it takes or drops.

use rmpv::Value;
use serde_json::json;

use super::client::{beat_for, call, case, channel, expect_ok, stream, works};
use crate::{
    case::{
        Case,
        Level::{Must, Should},
    },
    event::{Event, encode},
    failure::{Failure, ensure},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.event.frames",
        "ZRPC-2.1",
        Must,
        "Each event is sent as an empty frame and one with the event.",
        frames,
    ),
    case("client.event.header-keys", "ZRPC-3.2", Must, "The keys of headers are str.", header_keys),
    case(
        "client.event.version",
        "ZRPC-3.5",
        Must,
        "Each header says v: 3, those of beats and grants too.",
        version,
    ),
    case(
        "client.event.message-id",
        "ZRPC-3.3",
        Must,
        "Each event has an id of its own, beats and grants too.",
        message_id,
    ),
    case("client.event.name", "ZRPC-3.17", Must, "The names of events are str.", name),
    case(
        "client.event.request-opens",
        "ZRPC-4.1",
        Must,
        "A request has no response_to.",
        request_opens,
    ),
    case(
        "client.event.unknown-keys",
        "ZRPC-3.7",
        Must,
        "Unknown header keys of answers are ignored, whatever their values are.",
        unknown_keys,
    ),
    case(
        "client.event.answer-version",
        "ZRPC-3.18",
        Must,
        "Answers are taken whatever their v is, and without one.",
        answer_version,
    ),
    case(
        "client.event.header-order",
        "ZRPC-3.6",
        Must,
        "The keys of an answer's header are taken in any order.",
        header_order,
    ),
    case(
        "client.event.no-own-id",
        "ZRPC-3.26",
        Should,
        "An answer without an id of its own is taken: nobody needs it.",
        no_own_id,
    ),
    case(
        "client.event.id-as-text",
        "ZRPC-3.13",
        Should,
        "An answer that names its call by text instead of bin, or the other way round, is taken.",
        id_as_text,
    ),
    case(
        "client.event.long-forms",
        "ZRPC-3.15",
        Must,
        "Answers are taken in longer forms of msgpack than needed.",
        long_forms,
    ),
    case(
        "client.event.float32",
        "ZRPC-3.15",
        Must,
        "float32 in an answer is the number that it is.",
        float32,
    ),
    case(
        "client.event.trailing-bytes",
        "ZRPC-3.16",
        Should,
        "Bytes behind an answer are ignored.",
        trailing,
    ),
    case(
        "client.event.integer-keys",
        "ZRPC-3.21",
        Should,
        "An answer that holds a map with integers as keys ends its call with a value.",
        integer_keys,
    ),
    case(
        "client.event.large-answer",
        "ZRPC-3.24",
        Must,
        "An answer of a megabyte is taken.",
        large_answer,
    ),
    case(
        "client.event.foreign-answer",
        "ZRPC-11.14",
        Must,
        "What names no open call is ignored, and nothing is answered to it.",
        foreign_answer,
    ),
];

/// Events of every kind that a client sends: a request, beats and grants.
fn all_kinds(trial: &mut Trial) -> Result<Vec<Event>, Failure> {
    let mut peer = trial.accept()?;
    let (_, request) = stream(trial, &mut peer)?;
    peer.answer(&request, "STREAM", 0)?;
    let heard = beat_for(trial, &mut peer, &channel(&request), 3)?;
    let events: Vec<Event> =
        [request].into_iter().chain(heard.into_iter().map(|(_, event)| event)).collect();
    ensure(events.len() > 1, "beats and grants", "nothing but a request")?;
    Ok(events)
}

/// Fails with the first event for which something does not hold.
fn each(events: &[Event], expected: &str, holds: impl Fn(&Event) -> bool) -> Result<(), Failure> {
    let wrong = events.iter().find(|event| !holds(event));
    ensure(wrong.is_none(), expected, wrong.map_or(String::new(), Event::to_string))
}

fn frames(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    trial.command(json!({ "call": "sleep", "args": [60] }))?;
    let mut frames = Vec::new();
    // The request, and a beat where the client begins with them.
    let end = std::time::Instant::now() + trial.interval() * 3 / 2;
    while let Some(left) = end.checked_duration_since(std::time::Instant::now()) {
        frames.extend(peer.receive_frames(left)?);
    }
    ensure(!frames.is_empty(), "a request", "silence")?;
    let wrong = frames.iter().find(|frames| frames.len() != 2 || !frames[0].is_empty());
    let seen = wrong.map_or(String::new(), |frames| {
        let shown: Vec<String> =
            frames.iter().map(|frame| crate::event::shown_bytes(frame)).collect();
        format!("{} frames: {}", frames.len(), shown.join(", "))
    });
    ensure(wrong.is_none(), "an empty frame and one with the event", seen)
}

fn header_keys(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    trial.command(json!({ "call": "echo", "args": ["x"] }))?;
    let event = peer.expect_event(trial.soon())?;
    each(&[event], "keys of type str", |event| event.header.iter().all(|(key, _)| key.is_str()))
}

fn version(trial: &mut Trial) -> Result<(), Failure> {
    each(&all_kinds(trial)?, "v: 3", |event| event.get("v") == Some(&Value::from(3)))
}

fn message_id(trial: &mut Trial) -> Result<(), Failure> {
    let events = all_kinds(trial)?;
    each(&events, "a message_id", |event| event.message_id().is_some_and(|id| !id.is_nil()))?;
    for (index, event) in events.iter().enumerate() {
        let is_new = events[..index].iter().all(|other| other.message_id() != event.message_id());
        ensure(is_new, "a message_id that no event before it has", event.to_string())?;
    }
    Ok(())
}

fn name(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    trial.command(json!({ "call": "echo", "args": ["x"] }))?;
    let event = peer.expect_event(trial.soon())?;
    each(&[event], "a name of type str", |event| event.name.is_str())
}

fn request_opens(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    trial.command(json!({ "call": "echo", "args": ["x"] }))?;
    let event = peer.expect_event(trial.soon())?;
    each(&[event], "a request without response_to", |event| {
        event.name() == "echo" && event.response_to().is_none()
    })
}

/// A call whose answer is made from a good one, and is to be taken.
fn taken(trial: &mut Trial, change: impl Fn(Event) -> Vec<u8>) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    let own = peer.fresh_id();
    let answer = Event::new(own, "OK", vec![Value::from("x")]).on(&channel(&request));
    peer.send_payload(&change(answer))?;
    expect_ok(trial, id, &json!("x"))
}

fn unknown_keys(trial: &mut Trial) -> Result<(), Failure> {
    taken(trial, |answer| {
        let nested = Value::Map(vec![(1.into(), Value::Array(vec![Value::Nil]))]);
        answer.with("trace_id", "x").with("deep", nested).with("nil", Value::Nil).encode()
    })
}

fn answer_version(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    for version in [None, Some(1), Some(2), Some(3), Some(4), Some(70_000)] {
        let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
        let own = peer.fresh_id();
        let answer = Event::new(own, "OK", vec![Value::from("x")]).on(&channel(&request));
        let answer = match version {
            Some(version) => answer.with("v", version),
            None => answer.without("v"),
        };
        peer.send(&answer)?;
        expect_ok(trial, id, &json!("x"))
            .map_err(|failure| failure.during(format!("v: {version:?}")))?;
    }
    Ok(())
}

fn header_order(trial: &mut Trial) -> Result<(), Failure> {
    taken(trial, |mut answer| {
        answer.header.reverse();
        answer.encode()
    })
}

fn no_own_id(trial: &mut Trial) -> Result<(), Failure> {
    taken(trial, |answer| answer.without("message_id").encode())
}

fn id_as_text(trial: &mut Trial) -> Result<(), Failure> {
    taken(trial, |answer| {
        let other = match answer.response_to() {
            Some(Value::Binary(id)) => Value::from(String::from_utf8_lossy(id).into_owned()),
            Some(Value::String(id)) => Value::Binary(id.as_bytes().to_vec()),
            other => other.cloned().unwrap_or(Value::Nil),
        };
        answer.on(&other).encode()
    })
}

fn long_forms(trial: &mut Trial) -> Result<(), Failure> {
    taken(trial, |answer| {
        let mut out = b"\xdd\0\0\0\x03\xdf\0\0\0".to_vec();
        out.push(u8::try_from(answer.header.len()).unwrap_or_default());
        for (key, value) in &answer.header {
            let key = key.as_str().unwrap_or_default().as_bytes();
            out.extend_from_slice(&[0xda, 0]);
            out.push(u8::try_from(key.len()).unwrap_or_default());
            out.extend_from_slice(key);
            out.extend(encode(value));
        }
        out.extend_from_slice(b"\xdb\0\0\0\x02OK\xdc\0\x01\xd9\x01x");
        out
    })
}

fn float32(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!([1.5]))?;
    peer.answer(&request, "OK", vec![Value::F32(1.5)])?;
    expect_ok(trial, id, &json!(1.5))
}

fn trailing(trial: &mut Trial) -> Result<(), Failure> {
    taken(trial, |answer| [&answer.encode()[..], b"\xc1\xc0rest"].concat())
}

fn integer_keys(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    peer.answer(&request, "OK", vec![Value::Map(vec![(1.into(), "one".into())])])?;
    let outcome = trial.outcome(id, trial.soon())?;
    let is_there = outcome.get("ok").is_some() && outcome.to_string().contains("one");
    ensure(is_there, "the call to give a map", outcome.to_string())
}

fn large_answer(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    let text = "x".repeat(1 << 20);
    peer.answer(&request, "OK", vec![Value::from(text.as_str())])?;
    let outcome = trial.outcome(id, trial.soon())?;
    let size = outcome["ok"].as_str().map(str::len);
    ensure(
        size == Some(1 << 20),
        "the call to give a text of 1048576 bytes",
        format!("{size:?} bytes"),
    )
}

fn foreign_answer(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    let nobody = Value::Binary(b"nobody".to_vec());
    for name in ["OK", "ERR", "STREAM", "STREAM_DONE", "_zpc_hb", "_zpc_more", "echo"] {
        peer.send_on(&nobody, name, vec![Value::from("foreign")])?;
        let own = peer.fresh_id();
        peer.send(&Event::new(own, name, vec![Value::from("foreign")]))?;
    }
    peer.expect_silence(trial.moment())?;
    peer.answer(&request, "OK", vec![Value::from("own")])?;
    expect_ok(trial, id, &json!("own"))?;
    works(trial, &mut peer)
}
