//! The event array and its header.

use rmpv::Value;

use super::steps::{
    expect_named, expect_ok, expect_service, grant, list, must, payload, send_raw, short_str,
    should, text,
};
use crate::{
    Trial,
    case::{Case, Failure, ensure},
    event::{Event, encode, shown},
};

const ECHO: &[&str] = &["echo"];

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
    must(
        "event.encoding.long-lengths",
        "ZRPC-3.15",
        ECHO,
        "Array and map of an event may have 32 bits of length, its texts 8, 16 or 32.",
        long_lengths,
    ),
    must(
        "event.encoding.version-widths",
        "ZRPC-3.15",
        ECHO,
        "v may be an integer of any width.",
        version_widths,
    ),
    must(
        "event.encoding.args-array32",
        "ZRPC-3.15",
        ECHO,
        "The array of arguments may have 32 bits of length.",
        |trial| raw_args(trial, b"\xdd\x00\x00\x00\x01\x07"),
    ),
    must(
        "event.encoding.wide-integers",
        "ZRPC-3.15",
        ECHO,
        "A small number may be sent in eight bytes, unsigned or signed.",
        |trial| {
            raw_args(trial, b"\x91\xcf\x00\x00\x00\x00\x00\x00\x00\x07")?;
            raw_args(trial, b"\x91\xd3\x00\x00\x00\x00\x00\x00\x00\x07")?;
            raw_args(trial, b"\x91\xd0\x07")
        },
    ),
    should(
        "event.trailing-bytes",
        "ZRPC-3.16",
        ECHO,
        "Bytes behind the event are ignored.",
        |trial| raw_args(trial, b"\x91\x07\xc1\xc1\x00"),
    ),
    should(
        "event.name.bin",
        "ZRPC-3.17",
        ECHO,
        "A name that is bin is the text that it holds: Python 2 sends text so.",
        |trial| answered(trial, |event| event.name = Value::Binary(b"echo".to_vec())),
    ),
    must(
        "event.version.known",
        "ZRPC-3.18",
        ECHO,
        "Requests of version 1, 2 and 3, and such without v, are answered.",
        |trial| {
            for version in 1..=3 {
                answered(trial, |event| *event = event.clone().with("v", version))?;
            }
            answered(trial, |event| *event = event.clone().without("v"))
        },
    ),
    must(
        "event.version.later",
        "ZRPC-3.18",
        ECHO,
        "A version that is still to come is answered like 3.",
        |trial| {
            for version in [4, 255, 70_000, u64::MAX] {
                answered(trial, |event| *event = event.clone().with("v", version))?;
            }
            Ok(())
        },
    ),
    must("event.size.1-mib", "ZRPC-3.24", ECHO, "A payload of 1 MiB comes and goes.", |trial| {
        sized(trial, 1 << 20)
    }),
    should(
        "event.size.64-mib",
        "ZRPC-3.24",
        ECHO,
        "A payload of 64 MiB comes and goes.",
        |trial| sized(trial, 64 << 20),
    ),
    must("event.depth.100", "ZRPC-3.22", ECHO, "Arrays may be nested 90 deep.", |trial| {
        nested(trial, 90)
    }),
    should("event.depth.500", "ZRPC-3.22", ECHO, "Arrays may be nested 490 deep.", |trial| {
        nested(trial, 490)
    }),
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

fn long_lengths(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let id = peer.fresh_id();
    let sent = [
        b"\xdd\x00\x00\x00\x03\xdf\x00\x00\x00\x02\xd9\x0amessage_id".as_slice(),
        &encode(&id),
        b"\xda\x00\x01v\x03\xdb\x00\x00\x00\x04echo\xdc\x00\x01\x07",
    ];
    peer.send_payload(&sent.concat())?;
    expect_ok(&mut peer, &id, &7.into(), trial.soon())
}

fn version_widths(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for version in [
        b"\xcc\x03".as_slice(),
        b"\xcd\x00\x03",
        b"\xce\x00\x00\x00\x03",
        b"\xcf\x00\x00\x00\x00\x00\x00\x00\x03",
        b"\xd0\x03",
        b"\xd3\x00\x00\x00\x00\x00\x00\x00\x03",
    ] {
        let id = peer.fresh_id();
        let sent = [
            b"\x93\x82\xaamessage_id".as_slice(),
            &encode(&id),
            b"\xa1v",
            version,
            b"\xa4echo\x91\x07",
        ];
        peer.send_payload(&sent.concat())?;
        expect_ok(&mut peer, &id, &7.into(), trial.soon())?;
    }
    Ok(())
}

/// A request for `echo(7)` with arguments in this form is answered.
fn raw_args(trial: &mut Trial, args: &[u8]) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let id = send_raw(&mut peer, &short_str("echo"), args)?;
    expect_ok(&mut peer, &id, &7.into(), trial.soon())
}

fn sized(trial: &mut Trial, bytes: usize) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let blob = Value::Binary(vec![0x5a; bytes]);
    let channel = peer.request("echo", vec![blob.clone()])?;
    let answer = peer.expect_answer(&channel, trial.soon() * 12)?;
    let is_right = answer.name() == "OK" && answer.first() == Some(&blob);
    ensure(is_right, format!("OK with the {bytes} bytes"), answer.to_string())?;
    expect_service(trial, &mut peer)
}

fn nested(trial: &mut Trial, depth: usize) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let mut args = vec![0x91; depth];
    args.push(0x07);
    let id = send_raw(&mut peer, &short_str("echo"), &args)?;
    let answer = peer.receive_frames(trial.soon())?;
    let payload = answer.and_then(|frames| frames.last().cloned());
    let payload = payload.ok_or_else(|| Failure::new("an answer", "silence"))?;
    let is_ok = payload.windows(3).any(|bytes| bytes == b"\xa2OK") && payload.ends_with(&args);
    ensure(is_ok, "OK with the same arrays", crate::event::shown_bytes(&payload))?;
    let _ = id;
    expect_service(trial, &mut peer)
}
