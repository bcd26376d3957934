//! OK and ERR.

use rmpv::Value;

use super::{
    served::serves,
    steps::{echoes, expect_err, expect_named, expect_ok, heard_on, list, must, own, should, text},
};
use crate::{
    Trial,
    case::Case,
    event::Event,
    failure::{Failure, ensure},
};

const ECHO: &[&str] = &["echo"];
const FAIL: &[&str] = &["fail"];

pub(super) const CASES: &[Case] = &[
    must(
        "answer.ok.value",
        "ZRPC-7.2",
        ECHO,
        "A call is answered by OK, whose args are an array of the one value.",
        |trial| echoes(trial, text("x")),
    ),
    must("answer.ok.nil", "ZRPC-7.2", ECHO, "Nothing as result is OK with [nil].", |trial| {
        echoes(trial, Value::Nil)
    }),
    must(
        "answer.ok.two-arguments",
        "ZRPC-7.1",
        &["add"],
        "Arguments reach the method in their order and number: add(2, 40) is 42.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = peer.request("add", vec![2.into(), 40.into()])?;
            expect_ok(&mut peer, &channel, &42.into(), trial.soon())
        },
    ),
    must(
        "answer.ok.no-arguments",
        "ZRPC-7.1",
        &["forever_closed"],
        "A method without arguments is called with [].",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = peer.request("forever_closed", vec![])?;
            expect_named(&mut peer, &channel, "OK", trial.soon()).map(drop)
        },
    ),
    must(
        "answer.ok.without-credit",
        "ZRPC-6.1",
        ECHO,
        "The answer to a plain call waits for no grant: the first event is free.",
        |trial| echoes(trial, 1.into()),
    ),
    must(
        "answer.once",
        "ZRPC-4.5",
        ECHO,
        "A request is answered once, and nothing follows the answer.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = peer.request("echo", vec![1.into()])?;
            let heard = heard_on(&mut peer, &channel, trial.moment() + trial.soon() / 5)?;
            let names: Vec<&str> = heard.iter().map(Event::name).collect();
            ensure(names == ["OK"], "OK, once", names.join(", "))
        },
    ),
    must(
        "answer.err.three",
        "ZRPC-7.3",
        FAIL,
        "An error is ERR with three str: name, message, traceback.",
        |trial| failed(trial, "went wrong").map(drop),
    ),
    should("answer.err.name", "ZRPC-7.4", FAIL, "An error has the name of its class.", |trial| {
        let [name, ..] = failed(trial, "went wrong")?;
        ensure(name == "ValueError", "the name ValueError", name)
    }),
    should("answer.err.message", "ZRPC-7.4", FAIL, "An error has its own words.", |trial| {
        let [_, message, _] = failed(trial, "went wrong")?;
        ensure(message == "went wrong", "the message \"went wrong\"", message)
    }),
    should(
        "answer.err.unicode",
        "ZRPC-7.4",
        FAIL,
        "The words of an error may be any text.",
        |trial| {
            let words = "naïve ☃ 失敗";
            let [_, message, _] = failed(trial, words)?;
            ensure(message == words, words, message)
        },
    ),
    should(
        "answer.err.traceback",
        "ZRPC-7.5",
        FAIL,
        "The traceback is not empty: programs in Python show nothing else of an error.",
        |trial| {
            let [_, _, traceback] = failed(trial, "went wrong")?;
            ensure(!traceback.trim().is_empty(), "a traceback", "an empty one")
        },
    ),
    must(
        "answer.err.once",
        "ZRPC-4.5",
        &["fail", "echo"],
        "An error is one event, and the next call is answered as ever.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = peer.request("fail", vec![text("x")])?;
            let heard = heard_on(&mut peer, &channel, trial.moment() + trial.soon() / 5)?;
            let names: Vec<&str> = heard.iter().map(Event::name).collect();
            ensure(names == ["ERR"], "ERR, once", names.join(", "))?;
            serves(trial, &mut peer)
        },
    ),
    must(
        "answer.unknown-method",
        "ZRPC-7.12",
        &[],
        "A request for a method that is not there is answered by ERR. (Node leaves its caller waiting.)",
        |trial| unknown(trial).map(drop),
    ),
    should(
        "answer.unknown-method.name",
        "ZRPC-7.12",
        &[],
        "The error for an unknown method is called NameError.",
        |trial| {
            let [name, ..] = unknown(trial)?;
            ensure(name == "NameError", "the name NameError", name)
        },
    ),
    should(
        "answer.unknown-method.message",
        "ZRPC-7.12",
        &[],
        "The error for an unknown method says which one.",
        |trial| {
            let [_, message, _] = unknown(trial)?;
            ensure(message.contains("no_such_method"), "a message with the method's name", message)
        },
    ),
    must(
        "answer.arguments.too-few",
        "ZRPC-7.13",
        &["add"],
        "add(1) is answered by ERR.",
        |trial| arity(trial, vec![1.into()]).map(drop),
    ),
    must(
        "answer.arguments.too-many",
        "ZRPC-7.13",
        &["add"],
        "add(1, 2, 3) is answered by ERR.",
        |trial| arity(trial, vec![1.into(), 2.into(), 3.into()]).map(drop),
    ),
    should(
        "answer.arguments.name",
        "ZRPC-7.13",
        &["add"],
        "The error for a wrong number of arguments is called TypeError.",
        |trial| {
            let [name, ..] = arity(trial, vec![1.into()])?;
            ensure(name == "TypeError", "the name TypeError", name)
        },
    ),
    must("answer.args.nil", "ZRPC-7.14", ECHO, "nil as args is answered by ERR.", |trial| {
        args_of_no_array(trial, Value::Nil, false)
    }),
    must(
        "answer.args.number",
        "ZRPC-7.14",
        ECHO,
        "A number as args is answered by ERR.",
        |trial| args_of_no_array(trial, 7.into(), false),
    ),
    must("answer.args.str", "ZRPC-7.14", ECHO, "A str as args is answered once.", |trial| {
        args_of_no_array(trial, text("x"), true)
    }),
    must("answer.args.bin", "ZRPC-7.14", ECHO, "A bin as args is answered once.", |trial| {
        args_of_no_array(trial, Value::Binary(vec![7]), true)
    }),
    must("answer.args.map", "ZRPC-7.14", ECHO, "A map as args is answered once.", |trial| {
        args_of_no_array(trial, Value::Map(vec![(text("x"), 7.into())]), true)
    }),
    must(
        "answer.side-by-side",
        "ZRPC-7.16",
        &["sleep", "echo"],
        "A call that waits keeps no other from being answered, on the same connection and on another.",
        side_by_side,
    ),
    must(
        "answer.many-at-once",
        "ZRPC-4.13",
        &["sleep"],
        "A hundred calls that wait for half a second each are answered within five.",
        many_at_once,
    ),
    own(must(
        "answer.run-once",
        "ZRPC-7.17",
        &["record", "recorded"],
        "A method runs once for each request.",
        run_once,
    )),
    should(
        "answer.private-names",
        "ZRPC-7.22",
        &[],
        "Names that begin with an underscore are not to be called: __class__, __init__, _private.",
        |trial| {
            for name in ["__class__", "__init__", "_private", "__dict__"] {
                let mut peer = trial.connect()?;
                let channel = peer.request(name, vec![])?;
                expect_err(&mut peer, &channel, trial.soon()).map_err(|f| f.during(name))?;
            }
            Ok(())
        },
    ),
    must("answer.empty-name", "ZRPC-7.12", &[], "A method without a name is unknown.", |trial| {
        let mut peer = trial.connect()?;
        let channel = peer.request("", vec![])?;
        expect_err(&mut peer, &channel, trial.soon()).map(drop)
    }),
    must(
        "answer.pipelined",
        "ZRPC-4.12",
        ECHO,
        "Two hundred calls that are sent at once are all answered, each by its own value.",
        pipelined,
    ),
];

fn failed(trial: &mut Trial, words: &str) -> Result<[String; 3], Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("fail", vec![text(words)])?;
    expect_err(&mut peer, &channel, trial.soon())
}

fn unknown(trial: &mut Trial) -> Result<[String; 3], Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("no_such_method", vec![])?;
    expect_err(&mut peer, &channel, trial.soon())
}

fn arity(trial: &mut Trial, args: Vec<Value>) -> Result<[String; 3], Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("add", args)?;
    expect_err(&mut peer, &channel, trial.soon())
}

/// What is no array is answered once, and the next call as ever.
fn args_of_no_array(trial: &mut Trial, args: Value, unpacked: bool) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let id = peer.fresh_id();
    peer.send(&Event::new(id.clone(), "echo", args))?;
    let answer = peer.expect_answer(&id, trial.soon())?;
    let is_right = answer.name() == "ERR" || unpacked && answer.name() == "OK";
    ensure(is_right, if unpacked { "ERR or OK" } else { "ERR" }, answer.to_string())?;
    let more = heard_on(&mut peer, &id, trial.moment())?;
    ensure(more.is_empty(), "one answer", format!("{} more", more.len()))?;
    serves(trial, &mut peer)
}

fn side_by_side(trial: &mut Trial) -> Result<(), Failure> {
    let (mut peer, mut other) = (trial.connect()?, trial.connect()?);
    let slow = peer.request("sleep", vec![Value::F64(1.5)])?;
    for peer in [&mut peer, &mut other] {
        let quick = peer.request("echo", vec![1.into()])?;
        let first = peer.expect_matching("the answer to echo", trial.soon(), |event| {
            !event.is_upkeep() && event.response_to().is_some()
        })?;
        let is_quick = first.response_to() == Some(&quick);
        ensure(is_quick, "echo to be answered before sleep(1.5)", first.to_string())?;
    }
    expect_ok(&mut peer, &slow, &Value::F64(1.5), trial.soon())
}

fn many_at_once(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(peer.request("sleep", vec![Value::F64(0.5)])?);
    }
    let start = std::time::Instant::now();
    while !open.is_empty() {
        let left = trial.soon().saturating_sub(start.elapsed());
        let answer = peer.expect_matching("answers to all", left, |event| !event.is_upkeep());
        let unanswered = open.len();
        let answer =
            answer.map_err(|_| Failure::new("100 answers", format!("{unanswered} are missing")))?;
        ensure(answer.name() == "OK", "OK", answer.to_string())?;
        open.retain(|id| answer.response_to() != Some(id));
    }
    Ok(())
}

fn run_once(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let soon = trial.soon();
    peer.call("recorded", vec![], soon)?;
    for number in 0..3 {
        peer.call("record", vec![number.into()], soon)?;
    }
    let recorded = peer.call("recorded", vec![], soon)?;
    let expected = list((0..3).map(Value::from).collect());
    ensure(recorded == expected, "[0, 1, 2] to be recorded", recorded.to_string())
}

fn pipelined(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let (mut bytes, mut open) = (Vec::new(), Vec::new());
    for number in 0..200 {
        let (id, request) = peer.new_request("echo", vec![number.into()]);
        bytes.extend(peer.message(&[Vec::new(), request.encode()]));
        open.push((id, number));
    }
    peer.bytes().send(&bytes)?;
    while !open.is_empty() {
        let answer =
            peer.expect_matching("200 answers", trial.soon(), |event| !event.is_upkeep())?;
        let at = open.iter().position(|(id, _)| answer.response_to() == Some(id));
        let at = at.ok_or_else(|| Failure::new("an answer to a call", answer.to_string()))?;
        let (_, number) = open.swap_remove(at);
        ensure(
            answer.first() == Some(&number.into()),
            format!("OK with [{number}]"),
            answer.to_string(),
        )?;
    }
    Ok(())
}
