//! The event array, its header and its ids.

mod encoding;

use rmpv::Value;

use super::steps::{expect_named, expect_ok, grant, list, must, payload, should, text};
use crate::{
    Trial,
    case::Case,
    event::{Event, shown},
    failure::{Failure, ensure},
};

const ECHO: &[&str] = &["echo"];

pub(super) const ENCODING: &[Case] = encoding::CASES;

pub(super) const CASES: &[Case] = &[
    must(
        "event.header.order",
        "ZRPC-3.6",
        ECHO,
        "The keys of a header may come in any order: response_to (nil) first, v, message_id last.",
        |trial| answered(trial, |event| event.header.reverse()),
    ),
    must(
        "event.header.unknown-keys",
        "ZRPC-3.7",
        ECHO,
        "Keys of a header that nobody knows are ignored, whatever type their values have.",
        |trial| {
            answered(trial, |event| {
                let values = [
                    Value::Nil,
                    list(vec![1.into()]),
                    Value::Map(vec![(text("k"), 2.into())]),
                    Value::Ext(9, vec![1]),
                    Value::F64(0.5),
                ];
                for (index, value) in values.into_iter().enumerate() {
                    event.header.insert(0, (Value::from(format!("x-{index}")), value));
                }
            })
        },
    ),
    must(
        "event.header.many-keys",
        "ZRPC-3.7",
        ECHO,
        "A header of 200 keys, as contexts may make it, is a header.",
        |trial| {
            answered(trial, |event| {
                for index in 0..200 {
                    event.header.push((Value::from(format!("key-{index}")), index.into()));
                }
            })
        },
    ),
    should(
        "event.header.keys-of-other-types",
        "ZRPC-3.8",
        ECHO,
        "Keys of a header that are no str are ignored like all that nobody knows.",
        |trial| {
            answered(trial, |event| {
                for key in [Value::from(1), Value::Nil, list(vec![]), Value::Binary(b"v".to_vec())]
                {
                    event.header.insert(0, (key, 7.into()));
                }
            })
        },
    ),
    must(
        "event.header.response-to-nil",
        "ZRPC-3.14",
        ECHO,
        "response_to: nil is as good as no response_to: the event is a request. (.NET sends it.)",
        |trial| answered(trial, |event| event.header.push((text("response_to"), Value::Nil))),
    ),
    must(
        "event.answer.form",
        "ZRPC-3.1",
        ECHO,
        "An answer is an array of exactly three, whose header is a map, and nothing stands behind it.",
        |trial| answer(trial).map(drop),
    ),
    must(
        "event.answer.header-keys",
        "ZRPC-3.2",
        ECHO,
        "The keys of an answer's header are str; Python does not find others.",
        |trial| {
            let answer = answer(trial)?;
            let are_str = answer.header.iter().all(|(key, _)| key.as_str().is_some());
            ensure(are_str, "a header whose keys are str", answer.to_string())
        },
    ),
    must("event.answer.version", "ZRPC-3.5", ECHO, "An answer says v: 3, an integer.", |trial| {
        let answer = answer(trial)?;
        ensure(answer.get("v") == Some(&3.into()), "v: 3 in the header", answer.to_string())
    }),
    must(
        "event.answer.message-ids",
        "ZRPC-3.3",
        &["count"],
        "Each event has a message_id of its own, items of a stream too; Node drops events without one.",
        message_ids,
    ),
    should(
        "event.answer.message-id-form",
        "ZRPC-3.4",
        ECHO,
        "A message_id is a bin or a str of at most 64 bytes.",
        |trial| {
            let answer = answer(trial)?;
            let id = answer.message_id().cloned().unwrap_or(Value::Nil);
            let length = match &id {
                Value::Binary(bytes) => bytes.len(),
                Value::String(text) => text.as_bytes().len(),
                _ => 0,
            };
            ensure((1..=64).contains(&length), "a bin or str of 1 to 64 bytes", shown(&id))
        },
    ),
    must(
        "event.answer.name-str",
        "ZRPC-3.17",
        ECHO,
        "The name of an answer is a str, not a bin.",
        |trial| {
            let answer = answer(trial)?;
            ensure(answer.name == text("OK"), "the str \"OK\"", shown(&answer.name))
        },
    ),
    must("event.id.bin", "ZRPC-3.11", ECHO, "A bin id of 32 digits comes back as bin.", |trial| {
        echoed_id(trial, Value::Binary(b"0123456789abcdef0123456789abcdef".to_vec()))
    }),
    must(
        "event.id.str",
        "ZRPC-3.11",
        ECHO,
        "A str id comes back as str, as Node and Go need it.",
        |trial| echoed_id(trial, text("4216f583-449d-4c93-840f-000000000000")),
    ),
    must(
        "event.id.any-bytes",
        "ZRPC-3.10",
        ECHO,
        "A bin id may hold any bytes: NUL, and what is no UTF-8.",
        |trial| echoed_id(trial, Value::Binary(vec![0, 0xff, 0xc0, 0x80, 0])),
    ),
    must(
        "event.id.one-byte",
        "ZRPC-3.10",
        ECHO,
        "An id may be as short as one byte, and need not look random.",
        |trial| echoed_id(trial, Value::Binary(b"0".to_vec())),
    ),
    must("event.id.255-bytes", "ZRPC-3.10", ECHO, "An id may have 255 bytes.", |trial| {
        echoed_id(trial, Value::Binary(vec![b'i'; 255]))?;
        echoed_id(trial, text(&"é".repeat(127)))
    }),
    should(
        "event.id.int",
        "ZRPC-3.9",
        ECHO,
        "An integer as id comes back as integer, whatever its width.",
        |trial| {
            for id in [Value::from(7), Value::from(-3), Value::from(u64::MAX)] {
                echoed_id(trial, id)?;
            }
            Ok(())
        },
    ),
    should(
        "event.id.ext",
        "ZRPC-3.9",
        ECHO,
        "A value of an extension type as id comes back as that.",
        |trial| echoed_id(trial, Value::Ext(42, vec![1, 2, 3])),
    ),
    must(
        "event.id.long-form",
        "ZRPC-3.15",
        ECHO,
        "An id in a longer form than needed (str32) is an id; it comes back as a str of that text.",
        |trial| {
            let raw = [b"\xdb\x00\x00\x00\x04".as_slice(), b"long"].concat();
            let sent = payload(&raw, b"\xa4echo", b"\x91\x07");
            let mut peer = trial.connect()?;
            peer.send_payload(&sent)?;
            expect_ok(&mut peer, &text("long"), &7.into(), trial.soon())
        },
    ),
    should(
        "event.id.types-apart",
        "ZRPC-3.12",
        &["sleep"],
        "Two open calls whose ids hold the same bytes, one as bin and one as str, each get their answer.",
        types_apart,
    ),
];

/// A call of `echo` whose request is changed by `change` is answered as ever.
fn answered(trial: &mut Trial, change: impl FnOnce(&mut Event)) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let (id, mut request) = peer.new_request("echo", vec![7.into()]);
    change(&mut request);
    peer.send(&request)?;
    expect_ok(&mut peer, &id, &7.into(), trial.soon())
}

fn answer(trial: &mut Trial) -> Result<Event, Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("echo", vec![7.into()])?;
    expect_named(&mut peer, &channel, "OK", trial.soon())
}

fn echoed_id(trial: &mut Trial, id: Value) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    peer.send(&Event::new(id.clone(), "echo", list(vec![7.into()])))?;
    let answer = peer.expect_matching("an answer", trial.soon(), |event| !event.is_upkeep())?;
    let echo = answer.response_to().cloned().unwrap_or(Value::Nil);
    ensure(
        echo == id,
        format!("response_to: {}, of the type in which it came", shown(&id)),
        shown(&echo),
    )?;
    ensure(answer.name() == "OK", "OK", answer.to_string())
}

fn message_ids(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("count", vec![20.into()])?;
    let mut seen = Vec::new();
    loop {
        let event = peer.expect_event(trial.soon())?;
        let id = event.message_id().filter(|id| !id.is_nil()).cloned();
        let id = id.ok_or_else(|| Failure::new("a message_id", event.to_string()))?;
        ensure(!seen.contains(&id), "an id of its own", format!("{} again", shown(&id)))?;
        seen.push(id);
        match event.name() {
            "STREAM_DONE" => return Ok(()),
            "STREAM" if seen.len() == 1 => grant(&mut peer, &channel, 100)?,
            _ => {}
        }
    }
}

fn types_apart(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let ids = [Value::Binary(b"same".to_vec()), text("same")];
    for id in &ids {
        peer.send(&Event::new(id.clone(), "sleep", list(vec![Value::F64(0.3)])))?;
    }
    let mut open = ids.to_vec();
    while !open.is_empty() {
        let waiting = open.clone();
        let answer = peer.expect_matching("an answer to each", trial.soon(), |event| {
            !event.is_upkeep() && event.response_to().is_some_and(|id| waiting.contains(id))
        })?;
        ensure(answer.name() == "OK", "OK", answer.to_string())?;
        open.retain(|id| Some(id) != answer.response_to());
    }
    Ok(())
}
