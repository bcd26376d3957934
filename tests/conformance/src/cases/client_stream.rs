//! Streams that a client reads.

use rmpv::Value;
use serde_json::{Value as Json, json};

use super::client::{call, case, channel, expect_items, expect_ok, listen, stream, works};
use crate::{
    case::{
        Case,
        Level::{Must, Should},
    },
    event::Event,
    failure::{Failure, ensure},
    raw::Peer,
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.stream.items",
        "ZRPC-7.11",
        Must,
        "A stream gives its items in order, each once, to its end.",
        items,
    ),
    case(
        "client.stream.bare-items",
        "ZRPC-7.6",
        Must,
        "Items are the args themselves: nil, an array of one and an empty array are items like others.",
        bare_items,
    ),
    case(
        "client.stream.empty",
        "ZRPC-7.9",
        Must,
        "A stream whose first event is its end has no items.",
        empty,
    ),
    case(
        "client.stream.done-args",
        "ZRPC-7.7",
        Must,
        "The end of a stream is its end whatever args it has, and is no item.",
        done_args,
    ),
    case(
        "client.stream.error-behind-items",
        "ZRPC-7.10",
        Must,
        "An ERR behind items ends the stream with that error; the items before it are given.",
        error_behind_items,
    ),
    case(
        "client.stream.error-first",
        "ZRPC-7.10",
        Must,
        "An ERR in place of the first item is the error of the stream.",
        error_first,
    ),
    case(
        "client.stream.other-name-ends",
        "ZRPC-7.21",
        Should,
        "An event of another name within a stream ends it.",
        other_name,
    ),
    case(
        "client.stream.end-is-last",
        "ZRPC-4.7",
        Must,
        "What follows the end of a stream is ignored.",
        end_is_last,
    ),
    case(
        "client.stream.calls-beside",
        "ZRPC-4.13",
        Must,
        "Calls are answered while a stream waits for items.",
        calls_beside,
    ),
    case(
        "client.stream.given-up",
        "ZRPC-4.15",
        Must,
        "A client that gives a stream up neither grants nor beats on its channel any more, and sends nothing else about it.",
        given_up,
    ),
    case(
        "client.stream.no-time-limit",
        "ZRPC-10.1",
        Must,
        "The time-out of a stream counts to its first item only.",
        no_time_limit,
    ),
];

/// Sends items one at a time; each but the first waits for a grant.
fn send_items(
    trial: &Trial,
    peer: &mut Peer,
    request: &Event,
    items: &[Value],
) -> Result<(), Failure> {
    let id = channel(request);
    let mut credit = 1;
    for item in items {
        while credit == 0 {
            credit += expect_grant(trial, peer, &id)?;
        }
        credit -= 1;
        peer.send_on(&id, "STREAM", item.clone())?;
    }
    if credit == 0 {
        expect_grant(trial, peer, &id)?;
    }
    Ok(())
}

fn expect_grant(trial: &Trial, peer: &mut Peer, id: &Value) -> Result<u64, Failure> {
    let grant = peer.expect_matching("a grant", trial.soon(), |event| {
        event.name() == "_zpc_more" && event.response_to() == Some(id)
    })?;
    Ok(grant.first().and_then(Value::as_u64).unwrap_or_default())
}

fn items(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    let numbers: Vec<Value> = (0..20).map(Value::from).collect();
    send_items(trial, &mut peer, &request, &numbers)?;
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    let expected: Json = (0..20).map(Json::from).collect();
    expect_items(trial, id, &expected, &json!("done"))
}

fn bare_items(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    let array = |items: &[i64]| Value::Array(items.iter().map(|item| Value::from(*item)).collect());
    let items = [Value::Nil, array(&[1]), array(&[]), array(&[1, 2]), "text".into(), Value::Nil];
    send_items(trial, &mut peer, &request, &items)?;
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &json!([null, [1], [], [1, 2], "text", null]), &json!("done"))
}

fn empty(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &json!([]), &json!("done"))
}

fn done_args(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    for args in [Value::Nil, Value::Array(Vec::new()), Value::Array(vec![7.into()]), 7.into()] {
        let (id, request) = stream(trial, &mut peer)?;
        send_items(trial, &mut peer, &request, &[0.into(), 1.into()])?;
        peer.answer(&request, "STREAM_DONE", args)?;
        expect_items(trial, id, &json!([0, 1]), &json!("done"))?;
    }
    Ok(())
}

fn texts() -> Vec<Value> {
    ["ValueError", "broken off", "Traceback: somewhere"].map(Value::from).to_vec()
}

fn error_behind_items(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    send_items(trial, &mut peer, &request, &[0.into(), 1.into(), 2.into()])?;
    peer.answer(&request, "ERR", texts())?;
    let end = json!({ "name": "ValueError", "message": "broken off" });
    expect_items(trial, id, &json!([0, 1, 2]), &end)
}

fn error_first(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    peer.answer(&request, "ERR", texts())?;
    let end = json!({ "name": "ValueError", "message": "broken off" });
    expect_items(trial, id, &json!([]), &end)
}

fn other_name(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    send_items(trial, &mut peer, &request, &[0.into(), 1.into()])?;
    peer.answer(&request, "OK", vec![Value::Nil])?;
    let outcome = trial.outcome(id, trial.soon())?;
    // What is not the end is waited behind, until the server is lost.
    let is_ended = outcome["end"] != json!("lost") && outcome["end"] != json!("timeout");
    ensure(
        outcome["items"] == json!([0, 1]) && is_ended,
        "the stream to end with the items [0, 1], at once",
        outcome.to_string(),
    )
}

fn end_is_last(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    send_items(trial, &mut peer, &request, &[0.into()])?;
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    peer.answer(&request, "STREAM", 1)?;
    peer.answer(&request, "OK", vec![Value::from(2)])?;
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &json!([0]), &json!("done"))?;
    works(trial, &mut peer)
}

fn calls_beside(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    send_items(trial, &mut peer, &request, &[0.into()])?;
    works(trial, &mut peer)?;
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &json!([0]), &json!("done"))
}

fn given_up(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let id = trial.command(json!({ "stream": "forever", "args": [], "take": 5 }))?;
    let request = peer.expect_request(trial.soon())?;
    let numbers: Vec<Value> = (0..5).map(Value::from).collect();
    send_items(trial, &mut peer, &request, &numbers)?;
    let outcome = trial.outcome(id, trial.soon())?;
    let is_right = outcome["items"] == json!([0, 1, 2, 3, 4]) && outcome["end"] == "dropped";
    ensure(is_right, "five items, and the end `dropped`", outcome.to_string())?;
    // What was on its way; one beat may tell the server that from now on silence counts.
    let _ = listen(&mut peer, trial.interval() / 2)?;
    peer.expect_silence(trial.interval() * 5 / 2)?;
    works(trial, &mut peer)
}

fn no_time_limit(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let id =
        trial.command(json!({ "stream": "count", "args": [2], "take": null, "timeout": 0.5 }))?;
    let request = peer.expect_request(trial.soon())?;
    send_items(trial, &mut peer, &request, &[0.into()])?;
    for _ in 0..4 {
        listen(&mut peer, std::time::Duration::from_millis(250))?;
        peer.answer(&request, "_zpc_hb", vec![Value::from(0)])?;
    }
    peer.answer(&request, "STREAM", 1)?;
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &json!([0, 1]), &json!("done"))?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))
}
