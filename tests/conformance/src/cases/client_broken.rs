//! Broken input of a client.

use rmpv::Value;
use serde_json::json;

use super::client::{call, case, channel, expect_ok, works};
use crate::{
    case::{Case, Level::Must},
    event::{Event, shown},
    failure::Failure,
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.broken.garbage",
        "ZRPC-11.13",
        Must,
        "A payload that is no msgpack costs its own call at most.",
        garbage,
    ),
    case(
        "client.broken.no-event",
        "ZRPC-11.13",
        Must,
        "A payload that is no array of three costs its own call at most.",
        no_event,
    ),
    case(
        "client.broken.odd-response",
        "ZRPC-11.7",
        Must,
        "A response_to of any type disturbs nothing.",
        odd_response,
    ),
    case(
        "client.broken.odd-version",
        "ZRPC-11.6",
        Must,
        "A v of any type disturbs nothing.",
        odd_version,
    ),
    case(
        "client.broken.bad-text",
        "ZRPC-11.13",
        Must,
        "Text that is no UTF-8 costs its own call at most.",
        bad_text,
    ),
    case(
        "client.broken.deep",
        "ZRPC-3.22",
        Must,
        "An answer of deep nesting costs its own call at most.",
        deep,
    ),
    case(
        "client.broken.declared-length",
        "ZRPC-3.23",
        Must,
        "Lengths that are declared and do not come cost their own call at most.",
        declared_length,
    ),
    case(
        "client.broken.empty-message",
        "ZRPC-11.1",
        Must,
        "Messages with an empty payload, of one frame or of many disturb nothing.",
        empty_message,
    ),
];

/// Sends payloads that are no answers while a call is open, which is answered then.
fn survives(trial: &mut Trial, payloads: &[impl AsRef<[u8]>]) -> Result<(), Failure> {
    let messages: Vec<[&[u8]; 2]> =
        payloads.iter().map(|payload| [&b""[..], payload.as_ref()]).collect();
    survives_messages(trial, &messages)
}

/// The same with whole messages.
fn survives_messages<'a>(
    trial: &mut Trial,
    messages: &[impl AsRef<[&'a [u8]]>],
) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    for message in messages {
        peer.send_frames(message.as_ref())?;
    }
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))
        .map_err(|failure| failure.during("a call that is answered behind it"))?;
    works(trial, &mut peer)
}

fn garbage(trial: &mut Trial) -> Result<(), Failure> {
    survives(
        trial,
        &[b"\xc1".to_vec(), b"\x93".to_vec(), b"\x93\x80\xa2OK".to_vec(), vec![0xc1; 300]],
    )
}

fn no_event(trial: &mut Trial) -> Result<(), Failure> {
    let payloads = [
        &b"\xc0"[..],
        b"\x90",
        b"\x92\x80\xa2OK",
        b"\x80",
        b"\xa5hello",
        b"\x07",
        b"\x93\x90\xa2OK\x90",
        b"\x93\xc0\xa2OK\x90",
        b"\x94\x80\xa2OK\x90\xc0",
    ];
    survives(trial, &payloads)
}

fn odd_response(trial: &mut Trial) -> Result<(), Failure> {
    let ids = [
        Value::Array(Vec::new()),
        Value::Array(vec![1.into()]),
        Value::Map(Vec::new()),
        7.into(),
        true.into(),
        1.5.into(),
        Value::Ext(1, vec![1]),
        "".into(),
    ];
    let payload = |id: &Value| Event::new("x", "OK", vec![Value::from("odd")]).on(id).encode();
    survives(trial, &ids.iter().map(payload).collect::<Vec<_>>())
}

fn odd_version(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    for version in [
        Value::Nil,
        "3".into(),
        Value::Array(Vec::new()),
        (-1).into(),
        3.0.into(),
        Value::Map(Vec::new()),
    ] {
        let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
        let own = peer.fresh_id();
        let answer = Event::new(own, "OK", vec![Value::from("x")]).on(&channel(&request));
        peer.send(&answer.with("v", version.clone()))?;
        expect_ok(trial, id, &json!("x"))
            .map_err(|failure| failure.during(format!("v: {}", shown(&version))))?;
    }
    Ok(())
}

fn bad_text(trial: &mut Trial) -> Result<(), Failure> {
    survives(
        trial,
        &[
            b"\x93\x81\xabresponse_to\xa1x\xa2OK\x91\xa2\xff\xfe".to_vec(),
            b"\x93\x80\xa2\xff\xfe\x90".to_vec(),
        ],
    )
}

fn deep(trial: &mut Trial) -> Result<(), Failure> {
    let nested = |depth: usize| [&b"\x93\x80\xa2OK"[..], &vec![0x91; depth], &[0xc0]].concat();
    survives(trial, &[nested(600), nested(100_000)])
}

fn declared_length(trial: &mut Trial) -> Result<(), Failure> {
    let payloads = [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\x93\x80\xdb\xff\xff\xff\xff",
        b"\x93\x80\xa2OK\xc6\xff\xff\xff\xffx",
        b"\x93\x80\xa2OK\xc9\xff\xff\xff\xff\x01x",
    ];
    survives(trial, &payloads)
}

fn empty_message(trial: &mut Trial) -> Result<(), Failure> {
    survives_messages(trial, &[2, 1, 5].map(|count| vec![&b""[..]; count]))
}
