//! What servers may send to clients below the events: frames, READY and PING that are odd or broken.

use std::time::{Duration, Instant};

use rmpv::Value;
use serde_json::json;

use super::client::{call, case, channel, expect_ok, greeted, works};
use crate::{
    case::{
        Case,
        Level::{May, Must, Should},
    },
    event::{Event, shown_bytes},
    failure::{Failure, ensure},
    raw::{
        Framing, Handshake, Peer, find_property,
        frame::{COMMAND, LONG, MORE, command},
    },
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.ready.identity",
        "ZRPC-2.9",
        Should,
        "READY of a client names no identity: a fixed one is refused while a lost connection still has it.",
        identity,
    ),
    case(
        "client.ready.type-missing",
        "ZRPC-14.25",
        Should,
        "A server whose READY has no Socket-Type is talked to.",
        |trial| {
            let mut peer = trial.accept_bytes()?.shake_hands_as(&Handshake::new(""))?;
            works(trial, &mut peer)
        },
    ),
    case(
        "client.ready.type-wrong",
        "ZRPC-14.23",
        Must,
        "A server that says it is a PUB, and no ROUTER, has its connection ended.",
        |trial| refuses(trial, &Handshake::new("PUB").ready()),
    ),
    case(
        "client.ready.broken",
        "ZRPC-14.24",
        Must,
        "A READY with a length beyond its end has its connection ended.",
        |trial| {
            let data = b"\x0bSocket-Type\0\0\0\x20ROUTER";
            refuses(trial, &Framing::V2.frame(COMMAND, &command("READY", data)))
        },
    ),
    case(
        "client.refused.tries-again",
        "ZRPC-14.29",
        Should,
        "A client that was refused (another mechanism, ERROR) tries again. (libzmq gives up for good.)",
        tries_again,
    ),
    case(
        "client.refused.pauses",
        "ZRPC-14.37",
        Should,
        "A client whose connections end at once pauses before each attempt: at most 30 within two seconds.",
        pauses,
    ),
    case(
        "client.frames.long-form",
        "ZRPC-14.12",
        Must,
        "An answer whose frames have eight bytes of length is taken.",
        |trial| {
            answered(trial, |answer| {
                [Framing::V2.frame(MORE | LONG, b""), Framing::V2.frame(LONG, answer)].concat()
            })
        },
    ),
    case(
        "client.frames.split",
        "ZRPC-14.14",
        Must,
        "An answer that comes byte by byte is taken.",
        split_answer,
    ),
    case(
        "client.frames.unfinished",
        "ZRPC-14.13",
        Must,
        "Frames of an answer that is not finished when its connection ends are dropped, and not joined to the next one's.",
        unfinished,
    ),
    case(
        "client.frames.impossible-size",
        "ZRPC-14.15",
        Must,
        "A frame of 2^63 bytes ends the connection, and the client works over another one.",
        impossible_size,
    ),
    case(
        "client.frames.delimiter-missing",
        "ZRPC-2.5",
        May,
        "An answer without a delimiter may be taken; the client works on.",
        |trial| {
            let mut peer = trial.accept()?;
            let (_, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
            let answer = Event::new("alone", "OK", vec![Value::from("x")]).on(&channel(&request));
            peer.send_frames(&[answer.encode()])?;
            works(trial, &mut peer)
        },
    ),
    case(
        "client.commands.ping-too-short",
        "ZRPC-14.31",
        Must,
        "A PING without a whole TTL brings back no byte of the client's memory. (libzmq 4.3.5 sends 16 of them.)",
        ping_too_short,
    ),
];

/// Exchanges greetings, sends these bytes in place of READY, and expects the end.
fn refuses(trial: &mut Trial, ready: &[u8]) -> Result<(), Failure> {
    let mut bytes = greeted(trial)?;
    bytes.offer(ready, trial.soon());
    bytes.expect_close(trial.soon())
}

fn identity(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = greeted(trial)?;
    bytes.send(&Handshake::new("ROUTER").ready())?;
    let properties = bytes.expect_ready()?;
    let seen = find_property(&properties, "Identity").unwrap_or_default();
    ensure(seen.is_empty(), "no identity, or an empty one", shown_bytes(seen))
}

fn tries_again(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = trial.accept_bytes()?;
    let mut greeting = Handshake::new("ROUTER").greeting();
    greeting[12..17].copy_from_slice(b"PLAIN");
    bytes.offer(&greeting, trial.soon());
    bytes.expect_close(trial.soon())?;
    let mut bytes = greeted(trial)
        .map_err(|failure| failure.during("after a greeting with another mechanism"))?;
    let error = Framing::V2.frame(COMMAND, &command("ERROR", b"\x05later"));
    bytes.offer(&error, trial.soon());
    drop(bytes);
    let mut peer = trial.accept().map_err(|failure| failure.during("after an ERROR"))?;
    works(trial, &mut peer)
}

fn pauses(trial: &mut Trial) -> Result<(), Failure> {
    let start = Instant::now();
    let mut attempts = 0;
    while start.elapsed() < Duration::from_secs(2) {
        drop(trial.accept_bytes()?);
        attempts += 1;
    }
    ensure(attempts <= 30, "30 attempts within two seconds at most", attempts.to_string())?;
    let mut peer = trial.accept()?;
    works(trial, &mut peer)
}

/// A call is answered by what `send` makes of the payload of its OK.
fn answered_by(
    trial: &mut Trial,
    send: impl FnOnce(&mut Peer, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    let answer = Event::new("answer", "OK", vec![Value::from("y")]).on(&channel(&request));
    send(&mut peer, &answer.encode())?;
    expect_ok(trial, id, &json!("y"))
}

/// A call is answered by what `frames` makes of the payload of its OK.
fn answered(trial: &mut Trial, frames: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Failure> {
    answered_by(trial, |peer, payload| peer.bytes().send(&frames(payload)))
}

fn split_answer(trial: &mut Trial) -> Result<(), Failure> {
    answered_by(trial, |peer, payload| {
        let bytes = peer.message(&[&b""[..], payload]);
        peer.bytes().send_split(&bytes, &vec![1; bytes.len()], Duration::from_millis(1))
    })
}

fn unfinished(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    works(trial, &mut peer)?;
    let id = trial.command(json!({ "call": "echo", "args": ["x"], "timeout": 5 }))?;
    let request = peer.expect_request(trial.soon())?;
    let answer = Event::new("half", "OK", vec![Value::from("half")]).on(&channel(&request));
    peer.send_frame(MORE, b"")?;
    peer.send_frame(MORE, &answer.encode())?;
    drop(peer);
    let mut peer = trial.accept()?;
    works(trial, &mut peer)?;
    let outcome =
        trial.outcome(id, trial.interval() * 4 + trial.soon() + Duration::from_secs(5))?;
    ensure(
        outcome.get("ok").is_none(),
        "the answer that was cut off to be dropped",
        outcome.to_string(),
    )?;
    peer.send_frame(MORE, b"envelope of nobody")?;
    peer.send_frame(MORE, b"")?;
    drop(peer);
    let mut peer = trial.accept()?;
    works(trial, &mut peer)
}

fn impossible_size(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    works(trial, &mut peer)?;
    peer.bytes().send(&Framing::V2.header(0, 1 << 63))?;
    peer.bytes().offer(b"some of it", trial.soon());
    peer.expect_close(trial.soon())
}

fn ping_too_short(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    works(trial, &mut peer)?;
    peer.send_command("PING", b"")?;
    if let Ok(pong) = peer.expect_command("PONG", trial.moment()) {
        ensure(
            pong.data.is_empty(),
            "no answer, or one without a context",
            format!("PONG with {} bytes: {}", pong.data.len(), shown_bytes(&pong.data)),
        )?;
    }
    Ok(())
}
