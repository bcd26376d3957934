//! Connections of a client.

use std::time::{Duration, Instant};

use rmpv::Value;
use serde_json::json;

use super::client::{SIGNATURE, call, case, channel, expect_ok, greeted, listen, works};
use crate::{
    case::{
        Case,
        Level::{Must, Should},
    },
    event::{Event, shown_bytes},
    failure::{Failure, ensure},
    raw::{Handshake, Version, find_property, frame},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.greeting.speaks-first",
        "ZRPC-14.1",
        Must,
        "A client sends the ten bytes of its signature without waiting for anything.",
        speaks_first,
    ),
    case(
        "client.greeting.no-more-than-ten",
        "ZRPC-14.2",
        Should,
        "Before it has heard anything, a client sends no more than its signature.",
        ten_bytes,
    ),
    case("client.greeting.split", "ZRPC-14.3", Must, "A greeting is taken byte by byte.", split),
    case(
        "client.greeting.mechanism",
        "ZRPC-14.7",
        Must,
        "The greeting names the mechanism NULL, padded with zeros.",
        mechanism,
    ),
    case(
        "client.greeting.versions",
        "ZRPC-14.5",
        Must,
        "A client talks to servers of ZMTP 3.0, 3.1 and later ones.",
        versions,
    ),
    case(
        "client.greeting.version-2-0",
        "ZRPC-14.6",
        Should,
        "A client talks to servers of ZMTP 2.0.",
        version_2_0,
    ),
    case(
        "client.greeting.filler",
        "ZRPC-14.4",
        Must,
        "Padding and filler of a greeting are not looked at.",
        filler,
    ),
    case(
        "client.ready.type",
        "ZRPC-14.19",
        Must,
        "READY says that the client is a DEALER or a REQ, and comes once.",
        ready_type,
    ),
    case(
        "client.ready.properties",
        "ZRPC-14.21",
        Must,
        "READY of the server may have further properties, in any order.",
        properties,
    ),
    case(
        "client.ready.messages-wait",
        "ZRPC-14.20",
        Must,
        "No message is sent before the server has sent READY.",
        messages_wait,
    ),
    case(
        "client.ready.mute-server",
        "ZRPC-10.2",
        Must,
        "A call ends with its time-out where the server never shakes hands.",
        mute_server,
    ),
    case(
        "client.frames.flags",
        "ZRPC-14.11",
        Must,
        "The frames of a request are one with MORE and one without, and no other bit is set.",
        flags,
    ),
    case(
        "client.commands.ping",
        "ZRPC-14.30",
        Must,
        "PING is answered by PONG with its context, and by nothing else.",
        ping,
    ),
    case(
        "client.commands.unknown",
        "ZRPC-14.34",
        Must,
        "Unknown commands are passed over.",
        unknown_commands,
    ),
    case(
        "client.commands.goaway",
        "ZRPC-14.34",
        Must,
        "GOAWAY, and ERROR after the handshake, leave open calls alone.",
        goaway,
    ),
    case(
        "client.commands.between-frames",
        "ZRPC-14.18",
        Must,
        "Commands between the frames of an answer do not disturb it.",
        between_frames,
    ),
];

fn speaks_first(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = trial.accept_bytes()?;
    let seen = bytes.receive(SIGNATURE, trial.soon())?;
    let is_right = seen[0] == 0xff && seen[9] & 1 == 1;
    ensure(is_right, "FF, eight bytes, 7F", shown_bytes(&seen))
}

fn ten_bytes(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = trial.accept_bytes()?;
    bytes.receive(SIGNATURE, trial.soon())?;
    bytes.expect_silence(trial.moment())
}

fn split(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = trial.accept_bytes()?;
    let handshake = Handshake::new("ROUTER");
    let greeting = handshake.greeting();
    bytes.send_split(&greeting, &vec![1; greeting.len()], Duration::from_millis(2))?;
    bytes.expect_greeting()?;
    bytes.send(&handshake.ready())?;
    bytes.expect_ready().map(drop)
}

fn mechanism(trial: &mut Trial) -> Result<(), Failure> {
    greeted(trial).map(drop)
}

fn versions(trial: &mut Trial) -> Result<(), Failure> {
    for version in [Version::V3(3, 0), Version::V3(3, 1), Version::V3(3, 7), Version::V3(4, 0)] {
        let bytes = trial.accept_bytes()?;
        let mut peer = bytes.shake_hands_as(&Handshake::new("ROUTER").version(version))?;
        works(trial, &mut peer).map_err(|failure| failure.during(format!("{version:?}")))?;
    }
    Ok(())
}

fn version_2_0(trial: &mut Trial) -> Result<(), Failure> {
    let bytes = trial.accept_bytes()?;
    let mut peer = bytes.shake_hands_as(&Handshake::new("ROUTER").version(Version::V2_0))?;
    works(trial, &mut peer)
}

fn filler(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = trial.accept_bytes()?;
    let handshake = Handshake::new("ROUTER");
    let mut greeting = handshake.greeting();
    greeting[1..9].fill(0xaa);
    greeting[33..64].fill(0x55);
    bytes.send(&greeting)?;
    bytes.expect_greeting()?;
    bytes.send(&handshake.ready())?;
    bytes.expect_ready().map(drop)
}

fn ready_type(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = greeted(trial)?;
    bytes.send(&Handshake::new("ROUTER").ready())?;
    let properties = bytes.expect_ready()?;
    let kind = find_property(&properties, "Socket-Type");
    let is_right = kind.is_some_and(|kind| [&b"DEALER"[..], b"REQ"].contains(&kind));
    let seen = kind.map_or("none".to_owned(), shown_bytes);
    ensure(is_right, "the Socket-Type DEALER or REQ", seen)?;
    bytes.expect_silence(trial.moment())
}

fn properties(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = greeted(trial)?;
    let data = [
        frame::property(b"X-Nobody-Knows", b"\0\xff"),
        frame::property(b"Resource", b""),
        frame::property(b"Socket-Type", b"ROUTER"),
        frame::property(b"Identity", b"server"),
    ];
    let body = frame::command("READY", &data.concat());
    bytes.send(&frame::Framing::V2.frame(frame::COMMAND, &body))?;
    bytes.expect_ready()?;
    trial.command(json!({ "call": "echo", "args": ["x"] }))?;
    let request = bytes.receive_frame(frame::Framing::V2, trial.soon())?;
    ensure(request.is_some_and(|frame| !frame.is_command()), "a request", "silence, or a command")
}

fn messages_wait(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = trial.accept_bytes()?;
    let handshake = Handshake::new("ROUTER");
    trial.command(json!({ "call": "echo", "args": ["x"] }))?;
    bytes.send(&handshake.greeting())?;
    bytes.expect_greeting()?;
    bytes.expect_ready()?;
    bytes.expect_silence(trial.moment())?;
    bytes.send(&handshake.ready())?;
    let request = bytes.receive_frame(frame::Framing::V2, trial.soon())?;
    ensure(request.is_some_and(|frame| frame.more()), "the request after READY", "silence")
}

fn mute_server(trial: &mut Trial) -> Result<(), Failure> {
    let _mute = trial.accept_bytes()?;
    let start = Instant::now();
    let id = trial.command(json!({ "call": "echo", "args": ["x"], "timeout": 0.8 }))?;
    let outcome = trial.outcome(id, trial.soon())?;
    let seen = format!("{outcome} after {:?}", start.elapsed());
    ensure(outcome.get("timeout").is_some(), "the call to end with a time-out", seen)
}

fn flags(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    trial.command(json!({ "call": "echo", "args": ["x"] }))?;
    let bytes = peer.bytes();
    let head = bytes.receive(2, trial.soon())?;
    ensure(head == [1, 0], "an empty frame with MORE: 01 00", shown_bytes(&head))?;
    let head = bytes.receive(2, trial.soon())?;
    ensure(head[0] == 0, "a short frame without MORE: 00", shown_bytes(&head))?;
    let body = bytes.receive(usize::from(head[1]), trial.soon())?;
    Event::decode(&body).map(drop).map_err(|error| Failure::new("an event in the frame", error))
}

fn ping(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    for context in [&b""[..], b"x", b"sixteen bytes !!"] {
        peer.send_command("PING", &[&[0, 0], context].concat())?;
        let pong = peer.expect_command("PONG", trial.soon())?;
        ensure(
            pong.data == context,
            format!("the context {}", shown_bytes(context)),
            shown_bytes(&pong.data),
        )?;
    }
    peer.expect_silence(trial.moment())?;
    let rest = peer.take_commands();
    ensure(rest.is_empty(), "one PONG for each PING", format!("{} more", rest.len()))?;
    works(trial, &mut peer)
}

fn unknown_commands(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    for (name, data) in [
        ("NOBODY", &b"knows"[..]),
        ("X", b""),
        ("SUBSCRIBE", b""),
        ("PONG", b"unasked"),
        ("ready", b""),
    ] {
        peer.send_command(name, data)?;
    }
    works(trial, &mut peer)
}

fn goaway(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    peer.send_command("ERROR", b"\x04busy")?;
    peer.send_command("GOAWAY", b"")?;
    listen(&mut peer, trial.moment())?;
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))
}

fn between_frames(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    let own = peer.fresh_id();
    let answer = Event::new(own, "OK", vec![Value::from("x")]).on(&channel(&request));
    peer.send_frame(frame::MORE, b"")?;
    peer.send_command("PING", b"\0\0amid")?;
    peer.send_command("NOBODY", b"knows")?;
    peer.send_frame(0, &answer.encode())?;
    expect_ok(trial, id, &json!("x"))
}
