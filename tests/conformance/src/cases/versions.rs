//! Versions 1, 2 and 3.

use rmpv::Value;

use super::steps::{
    expect_err, expect_items, expect_named, expect_nothing_on, expect_ok, grant, list, may, must,
    should, text,
};
use crate::{
    Trial,
    case::Case,
    event::Event,
    failure::{Failure, ensure},
    raw::Peer,
};

const ECHO: &[&str] = &["echo"];
const FAIL: &[&str] = &["fail"];
const COUNT: &[&str] = &["count"];
const SLEEP: &[&str] = &["sleep"];

/// What a header says of its version: none at all, or this.
type Version = Option<u64>;

pub(super) const CASES: &[Case] = &[
    must("versions.1.ok", "ZRPC-8.1", ECHO, "A call of version 1 is answered by OK.", |trial| {
        answered(trial, Some(1))
    }),
    must("versions.none.ok", "ZRPC-8.1", ECHO, "A call without v is answered by OK.", |trial| {
        answered(trial, None)
    }),
    must("versions.2.ok", "ZRPC-8.1", ECHO, "A call of version 2 is answered by OK.", |trial| {
        answered(trial, Some(2))
    }),
    must("versions.1.err", "ZRPC-8.2", FAIL, "ERR to version 1 is an array of one str.", |trial| {
        one_str(trial, Some(1))
    }),
    must(
        "versions.none.err",
        "ZRPC-8.2",
        FAIL,
        "ERR to a request without v is an array of one str: no version is version 1.",
        |trial| one_str(trial, None),
    ),
    must(
        "versions.1.unknown-method",
        "ZRPC-8.2",
        &[],
        "The error for an unknown method, too, has one str in version 1.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = request(&mut peer, Some(1), "no_such_method", vec![])?;
            one_str_on(trial, &mut peer, &channel)
        },
    ),
    must(
        "versions.2.err",
        "ZRPC-8.3",
        FAIL,
        "ERR to version 2 is an array of three str.",
        |trial| three_str(trial, Some(2)),
    ),
    must(
        "versions.3.err",
        "ZRPC-7.3",
        FAIL,
        "ERR to version 3 is an array of three str.",
        |trial| three_str(trial, Some(3)),
    ),
    must(
        "versions.later.err",
        "ZRPC-3.18",
        FAIL,
        "ERR to a version that is still to come is an array of three str.",
        |trial| three_str(trial, Some(4)),
    ),
    should(
        "versions.below.err",
        "ZRPC-3.18",
        FAIL,
        "ERR to versions 0 and -1 is an array of one str, as to version 1.",
        |trial| {
            let mut peer = trial.connect()?;
            for version in [0, -1] {
                let (channel, request) = peer.new_request("fail", vec![text("old")]);
                peer.send(&request.with("v", version))?;
                one_str_on(trial, &mut peer, &channel)?;
            }
            Ok(())
        },
    ),
    must(
        "versions.answers-say-3",
        "ZRPC-3.5",
        ECHO,
        "Answers say v: 3, whatever version the request has.",
        |trial| {
            let mut peer = trial.connect()?;
            for version in [None, Some(1), Some(2), Some(7)] {
                let channel = request(&mut peer, version, "echo", vec![1.into()])?;
                let answer = expect_named(&mut peer, &channel, "OK", trial.soon())?;
                ensure(answer.get("v") == Some(&3.into()), "v: 3", answer.to_string())?;
            }
            Ok(())
        },
    ),
    must(
        "versions.1.passive",
        "ZRPC-5.17",
        SLEEP,
        "A caller of version 1 hears no beat before it has beaten.",
        passive,
    ),
    must(
        "versions.1.beats-back",
        "ZRPC-5.17",
        SLEEP,
        "A caller of version 1 that has beaten is beaten back to within two intervals.",
        beats_back,
    ),
    must(
        "versions.2.beats",
        "ZRPC-5.4",
        SLEEP,
        "A caller of version 2 hears beats though it never beats.",
        |trial| first_beat(trial).map(drop),
    ),
    must(
        "versions.2.grant",
        "ZRPC-8.4",
        COUNT,
        "In version 2 a beat with n is a grant of n.",
        |trial| granted_by_beat(trial, Some(2)),
    ),
    must(
        "versions.1.grant",
        "ZRPC-8.4",
        COUNT,
        "In version 1 a beat with n is a grant of n.",
        |trial| granted_by_beat(trial, Some(1)),
    ),
    must(
        "versions.2.beat-of-0",
        "ZRPC-8.4",
        COUNT,
        "In version 2 a beat with 0 grants nothing.",
        |trial| {
            let (mut peer, channel) = begun(trial, Some(2))?;
            beat(&mut peer, &channel, Some(2), list(vec![0.into()]))?;
            expect_nothing_on(trial, &mut peer, &channel)
        },
    ),
    must(
        "versions.2.beat-without-number",
        "ZRPC-6.10",
        COUNT,
        "In version 2 a beat with nil as args grants nothing, and its channel goes on.",
        |trial| {
            let (mut peer, channel) = begun(trial, Some(2))?;
            beat(&mut peer, &channel, Some(2), Value::Nil)?;
            expect_nothing_on(trial, &mut peer, &channel)?;
            beat(&mut peer, &channel, Some(2), list(vec![2.into()]))?;
            expect_items(&mut peer, &channel, 1..3, trial.soon())
        },
    ),
    must(
        "versions.2.beats-are-no-grants-back",
        "ZRPC-8.9",
        SLEEP,
        "The beats of a server to version 2 grant nothing: their number is 0, since the caller adds it to its credit.",
        |trial| {
            let beat = first_beat(trial)?;
            ensure(beat.first() == Some(&0.into()), "a beat with [0]", beat.to_string())
        },
    ),
    may("versions.2.more", "ZRPC-8.8", COUNT, "In version 2 _zpc_more grants as well.", |trial| {
        let (mut peer, channel) = begun(trial, Some(2))?;
        grant(&mut peer, &channel, 2)?;
        expect_items(&mut peer, &channel, 1..3, trial.soon())
    }),
    must(
        "versions.first-event-decides.3",
        "ZRPC-8.1",
        COUNT,
        "On a channel that began in version 3 a beat of version 2 grants nothing.",
        |trial| {
            let (mut peer, channel) = begun(trial, Some(3))?;
            beat(&mut peer, &channel, Some(2), list(vec![5.into()]))?;
            expect_nothing_on(trial, &mut peer, &channel)
        },
    ),
    must(
        "versions.first-event-decides.2",
        "ZRPC-8.1",
        COUNT,
        "On a channel that began in version 2 a beat of version 3 grants.",
        |trial| {
            let (mut peer, channel) = begun(trial, Some(2))?;
            beat(&mut peer, &channel, Some(3), list(vec![2.into()]))?;
            expect_items(&mut peer, &channel, 1..3, trial.soon())?;
            expect_nothing_on(trial, &mut peer, &channel)
        },
    ),
    must(
        "versions.side-by-side",
        "ZRPC-8.6",
        FAIL,
        "Requests of all versions on one connection are each answered in their own.",
        side_by_side,
    ),
    must(
        "versions.1.stream",
        "ZRPC-8.4",
        COUNT,
        "A stream of version 1 comes whole, granted by beats.",
        |trial| {
            let (mut peer, channel) = begun(trial, Some(1))?;
            beat(&mut peer, &channel, Some(1), list(vec![1000.into()]))?;
            expect_items(&mut peer, &channel, 1..100, trial.soon())?;
            expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon()).map(drop)
        },
    ),
];

/// An event whose header says this of its version.
fn versioned(event: Event, version: Version) -> Event {
    match version {
        Some(number) => event.with("v", number),
        None => event.without("v"),
    }
}

fn request(
    peer: &mut Peer,
    version: Version,
    name: &str,
    args: Vec<Value>,
) -> Result<Value, Failure> {
    let (channel, request) = peer.new_request(name, args);
    peer.send(&versioned(request, version))?;
    Ok(channel)
}

fn beat(peer: &mut Peer, channel: &Value, version: Version, args: Value) -> Result<(), Failure> {
    let id = peer.fresh_id();
    peer.send(&versioned(Event::new(id, "_zpc_hb", args).on(channel), version))
}

fn answered(trial: &mut Trial, version: Version) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = request(&mut peer, version, "echo", vec![7.into()])?;
    expect_ok(&mut peer, &channel, &7.into(), trial.soon())
}

fn one_str(trial: &mut Trial, version: Version) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = request(&mut peer, version, "fail", vec![text("old")])?;
    one_str_on(trial, &mut peer, &channel)
}

fn one_str_on(trial: &Trial, peer: &mut Peer, channel: &Value) -> Result<(), Failure> {
    let err = expect_named(peer, channel, "ERR", trial.soon())?;
    let is_one = matches!(err.args.as_array(), Some(args) if args.len() == 1 && args[0].is_str());
    ensure(is_one, "ERR with one str", err.to_string())
}

fn three_str(trial: &mut Trial, version: Version) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = request(&mut peer, version, "fail", vec![text("newer")])?;
    expect_err(&mut peer, &channel, trial.soon()).map(drop)
}

/// The first beat of the server on a call of version 2, whose caller never beats.
fn first_beat(trial: &mut Trial) -> Result<Event, Failure> {
    let mut peer = trial.connect()?;
    let time = trial.interval().mul_f64(2.6).as_secs_f64();
    let channel = request(&mut peer, Some(2), "sleep", vec![Value::F64(time)])?;
    let within = trial.interval().mul_f64(2.25);
    let on = |e: &Event| e.name() == "_zpc_hb" && e.response_to() == Some(&channel);
    peer.expect_matching("a beat", within, on)
}

fn passive(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let time = Value::F64(trial.interval().mul_f64(2.5).as_secs_f64());
    request(&mut peer, Some(1), "sleep", vec![time])?;
    let event = peer.expect_event(trial.interval().mul_f64(2.5) + trial.soon())?;
    ensure(event.name() == "OK", "no beat in front of OK", event.to_string())
}

fn beats_back(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let time = Value::F64(trial.interval().mul_f64(3.0).as_secs_f64());
    let channel = request(&mut peer, Some(1), "sleep", vec![time])?;
    // Right behind its request the reference would lose it, which is another rule.
    peer.expect_silence(trial.moment())?;
    beat(&mut peer, &channel, Some(1), list(vec![0.into()]))?;
    let within = trial.interval().mul_f64(2.25);
    peer.expect_matching("a beat", within, |event| event.name() == "_zpc_hb").map(drop)
}

/// A stream of this version that has sent its first item, and waits.
fn begun(trial: &mut Trial, version: Version) -> Result<(Peer, Value), Failure> {
    let mut peer = trial.connect()?;
    let channel = request(&mut peer, version, "count", vec![100.into()])?;
    expect_items(&mut peer, &channel, 0..1, trial.soon())?;
    expect_nothing_on(trial, &mut peer, &channel)?;
    Ok((peer, channel))
}

fn granted_by_beat(trial: &mut Trial, version: Version) -> Result<(), Failure> {
    let (mut peer, channel) = begun(trial, version)?;
    let mut next = 1;
    for number in [3, 1, 20] {
        beat(&mut peer, &channel, version, list(vec![number.into()]))?;
        expect_items(&mut peer, &channel, next..next + number, trial.soon())?;
        expect_nothing_on(trial, &mut peer, &channel)?;
        next += number;
    }
    Ok(())
}

fn side_by_side(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for _ in 0..2 {
        for version in [Some(3), Some(1), Some(2), None] {
            let channel = request(&mut peer, version, "fail", vec![text("x")])?;
            let err = expect_named(&mut peer, &channel, "ERR", trial.soon())?;
            let expected = if version.unwrap_or(1) < 2 { 1 } else { 3 };
            let count = err.args.as_array().map_or(0, Vec::len);
            ensure(count == expected, format!("{expected} str to {version:?}"), err.to_string())?;
        }
    }
    Ok(())
}
