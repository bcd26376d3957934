//! Connections of a client that end, and what becomes of its calls.

use std::time::{Duration, Instant};

use rmpv::Value;
use serde_json::json;

use super::client::{SIGNATURE, case, expect_none, expect_ok, listen, stream, works};
use crate::{
    case::{
        Case,
        Level::{Must, Should},
    },
    event::Event,
    failure::{Failure, ensure},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.connection.again",
        "ZRPC-14.37",
        Must,
        "A client whose connection ends connects again, and its next call is answered.",
        again,
    ),
    case(
        "client.connection.again-after-refusal",
        "ZRPC-14.37",
        Must,
        "A client whose connection ends amid the handshake connects again.",
        again_after_refusal,
    ),
    case(
        "client.connection.not-sent-twice",
        "ZRPC-14.38",
        Must,
        "A request that was sent is not sent again when its connection ends: its method would run twice.",
        not_sent_twice,
    ),
    case(
        "client.connection.waits",
        "ZRPC-14.38",
        Must,
        "A request that is made while there is no connection is sent when there is one.",
        waits,
    ),
    case(
        "client.connection.waits-long",
        "ZRPC-5.13",
        Should,
        "A request that waits for a connection for four intervals, and is answered then, was not lost: nobody was silent.",
        waits_long,
    ),
    case(
        "client.connection.lost-stream",
        "ZRPC-14.38",
        Must,
        "A stream whose connection ends is not begun anew, and ends.",
        lost_stream,
    ),
];

fn again(trial: &mut Trial) -> Result<(), Failure> {
    for _ in 0..3 {
        let mut peer = trial.accept()?;
        works(trial, &mut peer)?;
    }
    let mut peer = trial.accept()?;
    works(trial, &mut peer)
}

fn again_after_refusal(trial: &mut Trial) -> Result<(), Failure> {
    for _ in 0..2 {
        let mut bytes = trial.accept_bytes()?;
        bytes.receive(SIGNATURE, trial.soon())?;
    }
    let mut peer = trial.accept()?;
    works(trial, &mut peer)
}

fn not_sent_twice(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let id = trial.command(json!({ "call": "record", "args": ["once"], "timeout": 5 }))?;
    peer.expect_request(trial.soon())?;
    drop(peer);
    let mut peer = trial.accept()?;
    let heard = listen(&mut peer, trial.interval().max(Duration::from_secs(1)))?;
    expect_none(&heard, "the request not to be sent again", |event| event.name() == "record")?;
    let outcome =
        trial.outcome(id, trial.interval() * 4 + trial.soon() + Duration::from_secs(5))?;
    let is_over = outcome.get("lost").is_some() || outcome.get("timeout").is_some();
    ensure(is_over, "the call to end as lost, or with a time-out", outcome.to_string())?;
    works(trial, &mut peer)
}

fn waits_long(trial: &mut Trial) -> Result<(), Failure> {
    let connection = trial.accept_bytes()?;
    let id = trial.command(json!({ "call": "echo", "args": ["x"], "timeout": 60 }))?;
    drop(connection);
    let start = Instant::now();
    while start.elapsed() < trial.interval() * 4 {
        drop(trial.accept_bytes()?);
    }
    let mut peer = trial.accept()?;
    let request = peer.expect_request(trial.soon())?;
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))
}

fn waits(trial: &mut Trial) -> Result<(), Failure> {
    let peer = trial.accept()?;
    drop(peer);
    let bytes = trial.accept_bytes()?;
    let id = trial.command(json!({ "call": "echo", "args": ["x"], "timeout": 20 }))?;
    // What a client does with a command that it cannot send yet shows nowhere.
    std::thread::sleep(trial.moment());
    let mut peer = bytes.shake_hands("ROUTER")?;
    let request = peer.expect_request(trial.soon())?;
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))
}

fn lost_stream(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    peer.answer(&request, "STREAM", 0)?;
    beat(trial, &mut peer, &request)?;
    drop(peer);
    let mut peer = trial.accept()?;
    let heard = listen(&mut peer, trial.interval())?;
    expect_none(&heard, "the request not to be sent again", |event| {
        event.response_to().is_none() && !event.is_upkeep()
    })?;
    let outcome = trial.outcome(id, trial.interval() * 5 + trial.soon())?;
    let is_right = outcome["items"] == json!([0]) && outcome["end"] != "done";
    ensure(is_right, "the stream to end with one item, as lost", outcome.to_string())
}

/// A beat of the server, for clients that wait for the first one before they count.
fn beat(trial: &Trial, peer: &mut crate::raw::Peer, request: &Event) -> Result<(), Failure> {
    listen(peer, trial.moment())?;
    peer.answer(request, "_zpc_hb", vec![Value::from(0)])
}
