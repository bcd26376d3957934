//! Heartbeats of a server.

mod beats;

use std::time::{Duration, Instant};

use rmpv::Value;

use super::steps::{
    begin_stream, expect_items, expect_nothing_on, expect_ok, grant, heard, list, must, own,
    should, text,
};
use crate::{
    Trial,
    case::Case,
    failure::{Failure, ensure},
    raw::Peer,
};
use beats::{
    beats_of_beating, beats_of_sleep, beats_until_answer, beats_while_beating, longest_gap, seen,
    times, without_gaps,
};

const SLEEP: &[&str] = &["sleep"];

pub(super) const CASES: &[Case] = &[
    must(
        "heartbeat.first.in-time",
        "ZRPC-5.4",
        SLEEP,
        "The first beat comes within two intervals of the request; Node gives up its call then.",
        |trial| {
            let beats = beats_of_beating(trial)?;
            let first = beats.first().map(|beat| beat.at);
            let in_time = first.is_some_and(|first| first <= longest_gap(trial));
            ensure(in_time, format!("a beat within {:?}", longest_gap(trial)), times(&beats))
        },
    ),
    should(
        "heartbeat.first.not-early",
        "ZRPC-5.5",
        SLEEP,
        "No beat comes before one interval has passed: short calls stay two messages.",
        |trial| {
            let beats = beats_of_beating(trial)?;
            let early = trial.interval().mul_f64(0.8);
            let is_late = beats.iter().all(|beat| beat.at >= early);
            ensure(is_late, format!("no beat before {early:?}"), times(&beats))
        },
    ),
    must(
        "heartbeat.rhythm",
        "ZRPC-5.4",
        SLEEP,
        "There are never more than two intervals between two beats, though the caller never beats.",
        |trial| {
            let beats = beats_of_sleep(trial, 2.8)?;
            without_gaps(trial, &beats, trial.interval().mul_f64(2.8))
        },
    ),
    should(
        "heartbeat.rhythm.interval",
        "ZRPC-5.4",
        SLEEP,
        "One beat comes for each interval: four or five within five and a half, to a caller that beats.",
        |trial| {
            let beats = beats_while_beating(trial, 5.5, 1.0, || list(vec![0.into()]))?;
            ensure((4..=6).contains(&beats.len()), "4 to 6 beats", times(&beats))
        },
    ),
    should("heartbeat.args", "ZRPC-5.1", SLEEP, "The args of a beat are [0].", |trial| {
        let beats = beats_of_beating(trial)?;
        let are_zero = beats.iter().all(|beat| beat.event.args == list(vec![0.into()]));
        ensure(are_zero && !beats.is_empty(), "beats with [0]", seen(&beats))
    }),
    must(
        "heartbeat.message-ids",
        "ZRPC-3.3",
        SLEEP,
        "Each beat has a message_id of its own; Node drops beats without.",
        |trial| {
            let beats = beats_of_beating(trial)?;
            let mut ids: Vec<&Value> =
                beats.iter().filter_map(|beat| beat.event.message_id()).collect();
            let count = ids.len();
            ids.dedup();
            let are_new = ids.len() == beats.len() && count == beats.len() && !beats.is_empty();
            ensure(are_new, "beats with a new id each", seen(&beats))
        },
    ),
    must("heartbeat.version", "ZRPC-3.5", SLEEP, "The header of a beat says v: 3.", |trial| {
        let beats = beats_of_beating(trial)?;
        let are_three = beats.iter().all(|beat| beat.event.get("v") == Some(&3.into()));
        ensure(are_three && !beats.is_empty(), "beats of v: 3", seen(&beats))
    }),
    must("heartbeat.end.call", "ZRPC-4.6", SLEEP, "After the answer no beat follows.", |trial| {
        let mut peer = trial.connect()?;
        let seconds = Value::F64(trial.interval().as_secs_f64() * 1.2);
        let channel = peer.request("sleep", vec![seconds.clone()])?;
        expect_ok(&mut peer, &channel, &seconds, trial.soon() + trial.interval() * 2)?;
        peer.expect_silence(trial.interval().mul_f64(2.2))
    }),
    must(
        "heartbeat.end.stream",
        "ZRPC-4.6",
        &["count"],
        "After STREAM_DONE no beat follows.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = begin_stream(trial, &mut peer, "count", vec![2.into()])?;
            grant(&mut peer, &channel, 10)?;
            peer.expect_matching("STREAM_DONE", trial.soon(), |e| e.name() == "STREAM_DONE")?;
            peer.expect_silence(trial.interval().mul_f64(2.2))
        },
    ),
    own(must(
        "heartbeat.while-computing",
        "ZRPC-5.6",
        &["burn"],
        "Beats go on while a method keeps a processor busy. (In Python they stop.)",
        |trial| {
            let mut peer = trial.connect()?;
            let time = trial.interval().mul_f64(2.8);
            let channel = peer.request("burn", vec![Value::F64(time.as_secs_f64())])?;
            let beats = beats_until_answer(trial, &mut peer, &channel, time)?;
            without_gaps(trial, &beats, time)
        },
    )),
    must(
        "heartbeat.without-credit",
        "ZRPC-5.3",
        &["count"],
        "A stream that waits for credit beats, and its beats cost none: a grant of 2 is good for two items.",
        without_credit,
    ),
    must(
        "heartbeat.each-channel",
        "ZRPC-5.4",
        SLEEP,
        "Each of ten open calls is beaten for.",
        each_channel,
    ),
    must(
        "heartbeat.never-beats.three",
        "ZRPC-5.11",
        SLEEP,
        "A caller that never beats is kept for three intervals.",
        |trial| beats_of_sleep(trial, 2.7).map(drop),
    ),
    should(
        "heartbeat.never-beats.long",
        "ZRPC-5.11",
        SLEEP,
        "A caller that never beats is kept while its connection lives, six intervals here: many have heartbeats switched off.",
        |trial| beats_of_sleep(trial, 6.0).map(drop),
    ),
    must(
        "heartbeat.beats",
        "ZRPC-5.8",
        SLEEP,
        "A caller that beats once for each interval is kept.",
        |trial| beats_while_beating(trial, 6.0, 1.0, || list(vec![0.into()])).map(drop),
    ),
    must(
        "heartbeat.beats.slowly",
        "ZRPC-5.9",
        SLEEP,
        "A caller with one and a half intervals between its beats is kept.",
        |trial| beats_while_beating(trial, 6.0, 1.5, || list(vec![0.into()])).map(drop),
    ),
    must(
        "heartbeat.beats.any-args",
        "ZRPC-5.2",
        SLEEP,
        "A beat counts whatever its args are: nil, as the public description has it.",
        |trial| beats_while_beating(trial, 6.0, 1.0, || Value::Nil).map(drop),
    ),
    must(
        "heartbeat.beats.odd-args",
        "ZRPC-5.2",
        SLEEP,
        "A beat counts whatever its args are: a map, as nobody sends it.",
        |trial| {
            let args = || Value::Map(vec![(text("x"), list(vec![1.into()]))]);
            beats_while_beating(trial, 6.0, 1.0, args).map(drop)
        },
    ),
    must(
        "heartbeat.is-no-grant",
        "ZRPC-5.2",
        &["count"],
        "In version 3 a beat grants nothing, whatever number it has.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = begin_stream(trial, &mut peer, "count", vec![100.into()])?;
            peer.send_on(&channel, "_zpc_hb", list(vec![5.into()]))?;
            expect_nothing_on(trial, &mut peer, &channel)
        },
    ),
    must(
        "heartbeat.no-echo",
        "ZRPC-5.14",
        SLEEP,
        "Beats are not answered one by one: thirty at once bring no more than those that are due.",
        no_echo,
    ),
    own(must(
        "heartbeat.loss",
        "ZRPC-5.10",
        &["forever", "forever_closed"],
        "The stream of a caller that has beaten, and then is silent, is stopped at some time, and nothing more is sent.",
        |trial| loss(trial, 8.0).map(drop),
    )),
    own(should(
        "heartbeat.loss.in-time",
        "ZRPC-5.10",
        &["forever", "forever_closed"],
        "The stream of a caller that has beaten is stopped within four intervals of silence.",
        |trial| {
            let after = loss(trial, 8.0)?;
            let most = trial.interval().mul_f64(4.25);
            ensure(after <= most, format!("the loss within {most:?}"), format!("{after:?}"))
        },
    )),
    own(must(
        "heartbeat.loss.not-early",
        "ZRPC-5.9",
        &["forever", "forever_closed"],
        "The stream of a caller is not stopped before two intervals have passed since its last beat.",
        |trial| {
            let after = loss(trial, 8.0)?;
            let least = trial.interval().mul_f64(1.9);
            ensure(after >= least, format!("no loss before {least:?}"), format!("{after:?}"))
        },
    )),
    own(must(
        "heartbeat.loss.of-one",
        "ZRPC-5.15",
        &["forever", "forever_closed", "sleep"],
        "The loss of one channel ends no other one of the same connection.",
        |trial| {
            let mut other = trial.connect()?;
            let time = Value::F64(trial.interval().as_secs_f64() * 2.5);
            let call = other.request("sleep", vec![time.clone()])?;
            loss(trial, 8.0)?;
            expect_ok(&mut other, &call, &time, trial.soon())
        },
    )),
];

fn without_credit(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = begin_stream(trial, &mut peer, "count", vec![100.into()])?;
    peer.expect_matching("a beat", longest_gap(trial), |event| event.name() == "_zpc_hb")?;
    grant(&mut peer, &channel, 2)?;
    expect_items(&mut peer, &channel, 1..3, trial.soon())?;
    expect_nothing_on(trial, &mut peer, &channel)
}

fn each_channel(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let time = trial.interval().mul_f64(2.6);
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(peer.request("sleep", vec![Value::F64(time.as_secs_f64())])?);
    }
    let start = Instant::now();
    while !open.is_empty() {
        let left = longest_gap(trial).saturating_sub(start.elapsed());
        let beat =
            peer.expect_matching("a beat on each channel", left, |event| event.name() == "_zpc_hb");
        let missing = open.len();
        let beat = beat.map_err(|failure| failure.during(format!("{missing} are missing")))?;
        open.retain(|channel| beat.response_to() != Some(channel));
    }
    Ok(())
}

fn no_echo(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let time = trial.interval().mul_f64(1.7);
    let channel = peer.request("sleep", vec![Value::F64(time.as_secs_f64())])?;
    for _ in 0..30 {
        peer.send_on(&channel, "_zpc_hb", list(vec![0.into()]))?;
    }
    let beats = beats_until_answer(trial, &mut peer, &channel, time)?;
    ensure(beats.len() <= 3, "3 beats at most", times(&beats))
}

/// Lets a caller of `forever` beat twice and then be silent. Gives how long after its last beat the stream was stopped;
/// it is to send nothing afterwards.
fn loss(trial: &mut Trial, most: f64) -> Result<Duration, Failure> {
    let (mut lost, mut watching) = (trial.connect()?, trial.connect()?);
    let soon = trial.soon();
    let closed = |peer: &mut Peer| peer.call("forever_closed", vec![], soon);
    let before = closed(&mut watching)?;
    let channel = begin_stream(trial, &mut lost, "forever", vec![])?;
    for _ in 0..2 {
        std::thread::sleep(trial.interval().mul_f64(0.9));
        lost.send_on(&channel, "_zpc_hb", list(vec![0.into()]))?;
    }
    let silent = Instant::now();
    while closed(&mut watching)? == before {
        let is_in_time = silent.elapsed() < trial.interval().mul_f64(most) + trial.soon();
        let waited = format!("it goes on after {:?}", silent.elapsed());
        ensure(is_in_time, "the stream of a silent caller to be stopped", waited)?;
        std::thread::sleep(trial.interval() / 20);
    }
    let after = silent.elapsed();
    // What came before the loss has been sent long ago.
    heard(&mut lost, Duration::from_millis(100))?;
    let rest = heard(&mut lost, trial.interval().mul_f64(2.2))?;
    let words: Vec<String> = rest.iter().map(ToString::to_string).collect();
    ensure(rest.is_empty(), "silence on the channel after the loss", words.join(" "))?;
    Ok(after)
}
