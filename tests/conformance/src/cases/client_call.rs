//! Requests of a client, and the answers that it takes.

use std::time::{Duration, Instant};

use rmpv::Value;
use serde_json::{Value as Json, json};

use super::client::{call, case, channel, expect_none, expect_ok, listen, works};
use crate::{
    case::{
        Case,
        Level::{Must, Should},
    },
    event::shown,
    failure::{Failure, ensure},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.call.ok",
        "ZRPC-7.19",
        Must,
        "A call ends with the value of the OK that answers it: the first element of its args, whatever that is, and whatever follows.",
        ok,
    ),
    case(
        "client.call.ok-empty",
        "ZRPC-7.19",
        Must,
        "OK without a value ends its call with an error, and nothing else.",
        ok_empty,
    ),
    case(
        "client.call.args",
        "ZRPC-7.1",
        Must,
        "The args of a request are the array of the arguments: `[]` for none, and an argument that is an array stays one.",
        args,
    ),
    case(
        "client.call.args-unchanged",
        "ZRPC-3.20",
        Must,
        "Arguments are sent as what they are: text as str, integers as integers, floats as floats.",
        args_unchanged,
    ),
    case(
        "client.call.one-request",
        "ZRPC-7.29",
        Must,
        "A call is one request, with nothing before it and nothing behind.",
        one_request,
    ),
    case(
        "client.call.beside",
        "ZRPC-4.13",
        Must,
        "Calls are open beside each other, and each takes the answer with its own id, in whatever order they come.",
        beside,
    ),
    case(
        "client.call.ids-differ",
        "ZRPC-4.3",
        Must,
        "Calls that are open at a time have ids of their own.",
        ids_differ,
    ),
    case(
        "client.call.error",
        "ZRPC-7.18",
        Must,
        "ERR with three texts ends a call with an error of that name and message.",
        error,
    ),
    case(
        "client.call.error-one-text",
        "ZRPC-7.18",
        Should,
        "ERR with one text, as version 1 has it, ends a call with an error that says it.",
        error_one_text,
    ),
    case(
        "client.call.error-odd",
        "ZRPC-7.18",
        Should,
        "ERR with nil for message and traceback, or with nothing at all, ends a call with an error.",
        error_odd,
    ),
    case(
        "client.call.unknown-answer",
        "ZRPC-7.20",
        Must,
        "A first answer of unknown name ends its call with an error at once.",
        unknown_answer,
    ),
    case(
        "client.call.first-answer-decides",
        "ZRPC-7.8",
        Must,
        "Of two answers the first is taken, and the second disturbs nobody.",
        first_answer,
    ),
    case(
        "client.call.no-grant",
        "ZRPC-6.13",
        Should,
        "Nothing is granted for a plain call, before or after its answer.",
        no_grant,
    ),
    case(
        "client.call.timeout",
        "ZRPC-10.2",
        Must,
        "A call that is not answered within its time ends, and says so: not sooner, and soon afterwards.",
        timeout,
    ),
    case(
        "client.call.timeout-despite-beats",
        "ZRPC-10.1",
        Must,
        "Beats do not put the end of a call's time off.",
        timeout_despite_beats,
    ),
    case(
        "client.call.late-answer",
        "ZRPC-4.7",
        Must,
        "An answer for a call whose time was over is ignored: the next call waits for its own.",
        late_answer,
    ),
    case(
        "client.call.others-after-timeout",
        "ZRPC-10.3",
        Must,
        "A call that runs out of its time leaves the others alone.",
        others_after_timeout,
    ),
];

fn ok(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let one = || Value::Array(vec![Value::from(1)]);
    for (args, value) in [
        (vec![Value::from("y")], json!("y")),
        (vec![Value::Nil], json!(null)),
        (vec![one()], json!([1])),
        (vec![Value::Array(vec![one()])], json!([[1]])),
        (vec![Value::from(1), Value::from(2)], json!(1)),
        (vec![Value::Map(vec![("a".into(), false.into())])], json!({ "a": false })),
    ] {
        let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
        let step = format!("OK with {}", shown(&Value::Array(args.clone())));
        peer.answer(&request, "OK", args)?;
        expect_ok(trial, id, &value).map_err(|failure| failure.during(step))?;
    }
    Ok(())
}

/// Something went wrong, and the client says so in any way but those.
fn expect_error(trial: &mut Trial, id: u64) -> Result<Json, Failure> {
    let start = Instant::now();
    let outcome = trial.outcome(id, trial.soon())?;
    let is_error = outcome.get("error").is_some() || outcome.get("failed").is_some();
    let seen = format!("{outcome} after {:?}", start.elapsed());
    ensure(is_error, "the call to end with an error", seen)?;
    Ok(outcome)
}

fn ok_empty(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    peer.answer(&request, "OK", Value::Array(Vec::new()))?;
    expect_error(trial, id)?;
    works(trial, &mut peer)
}

fn args(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    for args in
        [json!([]), json!([1]), json!(["a", "b"]), json!([[1, 2]]), json!([[]]), json!([null])]
    {
        let (id, request) = call(trial, &mut peer, "method", args.clone())?;
        ensure(request.name() == "method", "the method as its name", request.to_string())?;
        let sent = request.args.as_array().map(|args| args.iter().map(plain).collect::<Json>());
        ensure(sent.as_ref() == Some(&args), format!("the args {args}"), shown(&request.args))?;
        peer.answer(&request, "OK", vec![Value::Nil])?;
        expect_ok(trial, id, &json!(null))?;
    }
    Ok(())
}

/// A value as the JSON that it comes from.
fn plain(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Boolean(value) => json!(value),
        Value::Integer(number) => json!(number.as_i64()),
        Value::F64(number) => json!(number),
        Value::String(text) => json!(text.as_str()),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Map(pairs) => {
            let entries = pairs.iter();
            entries
                .map(|(key, value)| (key.as_str().unwrap_or("?").to_owned(), plain(value)))
                .collect()
        }
        other => json!({ "?": other.to_string() }),
    }
}

fn args_unchanged(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let args = json!(["text", -1, 1.5, true, null, [1, [2]], { "key": "value" }, "ü", 1_099_511_627_776_i64]);
    let (id, request) = call(trial, &mut peer, "echo", args.clone())?;
    let sent = request.args.as_array().map(|args| args.iter().map(plain).collect::<Json>());
    ensure(sent.as_ref() == Some(&args), format!("the args {args}"), shown(&request.args))?;
    peer.answer(&request, "OK", vec![Value::Nil])?;
    expect_ok(trial, id, &json!(null))
}

fn one_request(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    peer.expect_silence(trial.moment()).map_err(|failure| failure.during("before any call"))?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    ensure(request.name() == "echo", "the method that is called", request.to_string())?;
    peer.expect_silence(trial.moment()).map_err(|failure| failure.during("behind the request"))?;
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))
}

fn beside(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let mut open = Vec::new();
    for number in 0..5 {
        open.push((number, call(trial, &mut peer, "echo", json!([number]))?));
    }
    for (number, (_, request)) in open.iter().rev() {
        peer.answer(request, "OK", vec![Value::from(*number)])?;
    }
    for (number, (id, _)) in open {
        expect_ok(trial, id, &json!(number))?;
    }
    Ok(())
}

fn ids_differ(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let mut ids = Vec::new();
    for number in 0..10 {
        let (_, request) = call(trial, &mut peer, "echo", json!([number]))?;
        let id = channel(&request);
        ensure(!ids.contains(&id), "an id that no other call has", shown(&id))?;
        ids.push(id);
    }
    Ok(())
}

fn error(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "fail", json!(["no"]))?;
    let texts = ["ValueError", "no more of it", "Traceback: somewhere"].map(Value::from);
    peer.answer(&request, "ERR", texts.to_vec())?;
    let outcome = trial.outcome(id, trial.soon())?;
    let error = &outcome["error"];
    ensure(
        error["name"] == "ValueError" && error["message"] == "no more of it",
        "an error with the name ValueError and the message `no more of it`",
        outcome.to_string(),
    )
}

fn error_one_text(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "fail", json!(["no"]))?;
    peer.answer(&request, "ERR", vec![Value::from("ValueError('old')")])?;
    let outcome = expect_error(trial, id)?;
    let says = outcome.to_string().contains("ValueError('old')");
    ensure(says, "an error that says ValueError('old')", outcome.to_string())
}

fn error_odd(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    for args in [vec![Value::from("Oops"), Value::Nil, Value::Nil], Vec::new()] {
        let (id, request) = call(trial, &mut peer, "fail", json!(["no"]))?;
        peer.answer(&request, "ERR", args)?;
        expect_error(trial, id)?;
    }
    works(trial, &mut peer)
}

fn unknown_answer(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    peer.answer(&request, "NOBODY_KNOWS", vec![Value::from("x")])?;
    expect_error(trial, id)?;
    works(trial, &mut peer)
}

fn first_answer(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    peer.answer(&request, "OK", vec![Value::from("first")])?;
    peer.answer(&request, "OK", vec![Value::from("second")])?;
    expect_ok(trial, id, &json!("first"))?;
    let (id, request) = call(trial, &mut peer, "fail", json!([""]))?;
    let texts = ["ValueError", "first", "first"].map(Value::from);
    peer.answer(&request, "ERR", texts.to_vec())?;
    peer.answer(&request, "OK", vec![Value::from("second")])?;
    expect_error(trial, id)?;
    works(trial, &mut peer)
}

fn no_grant(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    let before = listen(&mut peer, trial.moment())?;
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))?;
    let after = listen(&mut peer, trial.moment())?;
    expect_none(before.iter().chain(&after), "no grant", |event| event.name() == "_zpc_more")
}

/// The time that calls are given which are not answered.
const TIME: f64 = 0.8;

/// How long the last command took to end with a time-out, from `start` on.
fn expect_timeout(trial: &mut Trial, id: u64, start: Instant) -> Result<(), Failure> {
    let outcome = trial.outcome(id, trial.soon())?;
    let after = start.elapsed();
    ensure(
        outcome.get("timeout").is_some(),
        "the call to end with a time-out",
        outcome.to_string(),
    )?;
    let is_early = after < Duration::from_secs_f64(TIME * 0.9);
    ensure(!is_early, format!("the time-out after {TIME} s"), format!("after {after:?}"))
}

fn timeout(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let start = Instant::now();
    let id = trial.command(json!({ "call": "echo", "args": ["x"], "timeout": TIME }))?;
    peer.expect_request(trial.soon())?;
    expect_timeout(trial, id, start)?;
    works(trial, &mut peer)
}

fn timeout_despite_beats(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let start = Instant::now();
    let id = trial.command(json!({ "call": "echo", "args": ["x"], "timeout": TIME }))?;
    let request = peer.expect_request(trial.soon())?;
    let channel = channel(&request);
    while start.elapsed() < Duration::from_secs_f64(TIME * 0.9) {
        peer.send_on(&channel, "_zpc_hb", vec![Value::from(0)])?;
        std::thread::sleep(Duration::from_millis(100));
    }
    expect_timeout(trial, id, start)
}

fn late_answer(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let start = Instant::now();
    let late = trial.command(json!({ "call": "echo", "args": ["late"], "timeout": TIME }))?;
    let late_request = peer.expect_request(trial.soon())?;
    expect_timeout(trial, late, start)?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["next"]))?;
    peer.answer(&late_request, "OK", vec![Value::from("late")])?;
    peer.answer(&request, "OK", vec![Value::from("next")])?;
    expect_ok(trial, id, &json!("next"))
}

fn others_after_timeout(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["other"]))?;
    let start = Instant::now();
    let late = trial.command(json!({ "call": "echo", "args": ["late"], "timeout": TIME }))?;
    peer.expect_request(trial.soon())?;
    expect_timeout(trial, late, start)?;
    peer.answer(&request, "OK", vec![Value::from("other")])?;
    expect_ok(trial, id, &json!("other"))?;
    works(trial, &mut peer)
}
