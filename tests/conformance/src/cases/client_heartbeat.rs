//! Heartbeats of a client, and what it makes of a server that is silent.

use std::time::{Duration, Instant};

use rmpv::Value;
use serde_json::json;

use super::client::{beat_for, call, case, channel, expect_ok, listen, stream, works};
use crate::{
    case::{
        Case,
        Level::{Must, Should},
    },
    event::{Event, shown},
    failure::{Failure, ensure},
    raw::Peer,
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.heartbeat.not-early",
        "ZRPC-5.12",
        Should,
        "A client beats for the first time when an interval has passed, or when it hears the first beat; and then once in each.",
        not_early,
    ),
    case(
        "client.heartbeat.goes-on",
        "ZRPC-5.18",
        Must,
        "A client beats as long as it waits, with no more than two intervals between two beats.",
        goes_on,
    ),
    case(
        "client.heartbeat.on-streams",
        "ZRPC-5.18",
        Must,
        "A client beats on a stream, too, whose items are slow to come.",
        on_streams,
    ),
    case(
        "client.heartbeat.channel",
        "ZRPC-4.2",
        Must,
        "Each beat and grant names the channel that it belongs to, as its request gave it.",
        on_channel,
    ),
    case("client.heartbeat.args", "ZRPC-5.1", Should, "The args of beats are `[0]`.", beat_args),
    case(
        "client.heartbeat.not-after-end",
        "ZRPC-4.6",
        Must,
        "A client does not beat on a channel that has ended.",
        not_after_end,
    ),
    case(
        "client.heartbeat.no-echo",
        "ZRPC-5.14",
        Must,
        "Beats are not answered by beats as fast as they come.",
        no_echo,
    ),
    case(
        "client.heartbeat.no-answer",
        "ZRPC-5.2",
        Must,
        "A beat is no answer, whatever its args are.",
        no_answer,
    ),
    case(
        "client.heartbeat.keeps-server",
        "ZRPC-5.8",
        Must,
        "A server that beats each interval is not lost.",
        keeps_server,
    ),
    case(
        "client.heartbeat.any-args",
        "ZRPC-5.2",
        Must,
        "Beats with other args keep a server, too.",
        any_args,
    ),
    case(
        "client.heartbeat.loss",
        "ZRPC-5.13",
        Must,
        "A call whose server falls silent ends.",
        loss,
    ),
    case(
        "client.heartbeat.loss-not-early",
        "ZRPC-5.9",
        Must,
        "A server is not lost before two intervals have passed since its last beat.",
        loss_not_early,
    ),
    case(
        "client.heartbeat.loss-in-time",
        "ZRPC-5.13",
        Should,
        "A server that falls silent is lost within four intervals.",
        loss_in_time,
    ),
    case(
        "client.heartbeat.loss-of-stream",
        "ZRPC-5.13",
        Must,
        "A stream whose server falls silent ends, with what had come.",
        loss_of_stream,
    ),
    case(
        "client.heartbeat.loss-alone",
        "ZRPC-10.3",
        Must,
        "A call that is lost by silence leaves others alone on whose channels the server beats.",
        loss_alone,
    ),
];

fn not_early(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (_, request) = call(trial, &mut peer, "sleep", json!([60]))?;
    let start = Instant::now();
    let interval = trial.interval();
    let mut heard = listen(&mut peer, interval)?;
    peer.answer(&request, "_zpc_hb", vec![Value::from(0)])?;
    let first = heard.iter().find(|(_, event)| event.name() == "_zpc_hb");
    let is_early = first.is_some_and(|(at, _)| *at < interval.mul_f64(0.7));
    ensure(
        !is_early,
        format!("no beat before {interval:?}"),
        format!("one after {:?}", first.map(|(at, _)| at)),
    )?;
    heard.extend(beat_for(trial, &mut peer, &channel(&request), 4)?);
    let count = heard.iter().filter(|(_, event)| event.name() == "_zpc_hb").count();
    // One that answers the first beat of the server at once beats each interval from then on.
    let most = (start.elapsed().as_secs_f64() / interval.as_secs_f64()).ceil() + 1.0;
    ensure(
        count as f64 <= most,
        format!("a beat in each interval, {most} in {:?}", start.elapsed()),
        format!("{count} beats"),
    )
}

/// Fails where the beats are too far apart, from the first beat of the server after an interval on.
fn expect_beats(
    trial: &Trial,
    peer: &mut Peer,
    request: &Event,
    intervals: u32,
) -> Result<(), Failure> {
    let channel = channel(request);
    let heard = beat_for(trial, peer, &channel, intervals)?;
    let beats: Vec<Duration> = heard
        .iter()
        .filter(|(_, event)| event.name() == "_zpc_hb" && event.response_to() == Some(&channel))
        .map(|(at, _)| *at)
        .collect();
    // One that waits for the first beat of the server has an interval from then on; and timers are late on busy machines.
    let most = trial.interval().mul_f64(2.4);
    let end = trial.interval() * intervals;
    let mut last = Duration::ZERO;
    for at in beats.iter().copied().chain([end]) {
        let gap = at.saturating_sub(last);
        ensure(
            gap <= most,
            format!("beats with no more than {:?} between two", trial.interval() * 2),
            format!("{gap:?} without one; beats after {beats:?}, heard for {end:?}"),
        )?;
        last = at;
    }
    Ok(())
}

fn goes_on(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "sleep", json!([60]))?;
    expect_beats(trial, &mut peer, &request, 7)?;
    peer.answer(&request, "OK", vec![Value::from(60)])?;
    expect_ok(trial, id, &json!(60))
}

fn on_streams(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (_, request) = stream(trial, &mut peer)?;
    peer.answer(&request, "STREAM", 0)?;
    expect_beats(trial, &mut peer, &request, 7)
}

fn on_channel(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (_, request) = stream(trial, &mut peer)?;
    peer.answer(&request, "STREAM", 0)?;
    let channel = channel(&request);
    let heard = beat_for(trial, &mut peer, &channel, 3)?;
    ensure(!heard.is_empty(), "beats and grants", "nothing")?;
    for (_, event) in heard {
        ensure(
            event.response_to() == Some(&channel),
            format!("response_to to be {}", shown(&channel)),
            event.to_string(),
        )?;
    }
    Ok(())
}

/// A beat, after the server has beaten.
fn a_beat(trial: &Trial, peer: &mut Peer, request: &Event) -> Result<Event, Failure> {
    let heard = beat_for(trial, peer, &channel(request), 3)?;
    let beat = heard.into_iter().find(|(_, event)| event.name() == "_zpc_hb");
    let (_, beat) = beat.ok_or_else(|| Failure::new("a beat within three intervals", "none"))?;
    Ok(beat)
}

fn beat_args(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (_, request) = call(trial, &mut peer, "sleep", json!([60]))?;
    let beat = a_beat(trial, &mut peer, &request)?;
    ensure(beat.args == Value::Array(vec![0.into()]), "the args [0]", beat.to_string())
}

fn not_after_end(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "sleep", json!([60]))?;
    a_beat(trial, &mut peer, &request)?;
    peer.answer(&request, "OK", vec![Value::from(60)])?;
    expect_ok(trial, id, &json!(60))?;
    // What was on its way.
    let _ = listen(&mut peer, trial.interval() / 10)?;
    peer.expect_silence(trial.interval() * 5 / 2)
}

fn no_echo(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (_, request) = call(trial, &mut peer, "sleep", json!([60]))?;
    let start = Instant::now();
    let mut count = 0;
    for _ in 0..30 {
        peer.answer(&request, "_zpc_hb", vec![Value::from(0)])?;
        let heard = listen(&mut peer, trial.interval() / 30)?;
        count += heard.iter().filter(|(_, event)| event.name() == "_zpc_hb").count();
    }
    let intervals = start.elapsed().as_secs_f64() / trial.interval().as_secs_f64();
    // A beat in each interval, and one at once for those that wait for the first.
    let most = intervals.ceil() + 1.0;
    ensure(
        count as f64 <= most,
        format!("at most {most} beats in {intervals:.1} intervals"),
        format!("{count} beats, while the server sent 30"),
    )
}

fn no_answer(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    for args in [Value::Array(vec![0.into()]), Value::Nil, Value::Array(vec!["x".into()])] {
        peer.answer(&request, "_zpc_hb", args)?;
    }
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))
}

fn is_kept(trial: &mut Trial, args: &[Value]) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "sleep", json!([60]))?;
    for args in args.iter().cycle().take(7) {
        listen(&mut peer, trial.interval())?;
        peer.answer(&request, "_zpc_hb", args.clone())?;
    }
    peer.answer(&request, "OK", vec![Value::from(60)])?;
    expect_ok(trial, id, &json!(60))
}

fn keeps_server(trial: &mut Trial) -> Result<(), Failure> {
    is_kept(trial, &[Value::Array(vec![0.into()])])
}

fn any_args(trial: &mut Trial) -> Result<(), Failure> {
    is_kept(trial, &[Value::Nil, Value::Array(Vec::new()), "beat".into(), Value::Nil])
}

/// A call whose server beats for two intervals, and then no more; how long after the last beat it is lost.
fn fall_silent(trial: &mut Trial, peer: &mut Peer) -> Result<Duration, Failure> {
    let (id, request) = call(trial, peer, "sleep", json!([60]))?;
    beat_for(trial, peer, &channel(&request), 2)?;
    let start = Instant::now();
    let outcome = trial.outcome(id, trial.interval() * 7 + trial.soon())?;
    let is_lost = outcome.get("lost").is_some();
    ensure(is_lost, "the call to end as `lost`", outcome.to_string())?;
    Ok(start.elapsed())
}

fn loss(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    fall_silent(trial, &mut peer).map(drop)
}

fn loss_not_early(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let after = fall_silent(trial, &mut peer)?;
    // The beat was sent a moment before the clock was read.
    let least = trial.interval() * 2 - Duration::from_millis(50);
    ensure(
        after >= least,
        format!("no loss before {:?}", trial.interval() * 2),
        format!("after {after:?}"),
    )
}

fn loss_in_time(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let after = fall_silent(trial, &mut peer)?;
    let most = trial.interval() * 4;
    let late = trial.interval().max(Duration::from_millis(500)) / 2;
    ensure(after <= most + late, format!("the loss within {most:?}"), format!("after {after:?}"))
}

fn loss_of_stream(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    peer.answer(&request, "STREAM", 0)?;
    beat_for(trial, &mut peer, &channel(&request), 2)?;
    let outcome = trial.outcome(id, trial.interval() * 7 + trial.soon())?;
    let is_right = outcome["items"] == json!([0]) && outcome["end"] == "lost";
    ensure(is_right, "the stream to end with one item, as `lost`", outcome.to_string())
}

fn loss_alone(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (lost, _) = call(trial, &mut peer, "sleep", json!([60]))?;
    let (kept, request) = call(trial, &mut peer, "sleep", json!([61]))?;
    // A passive client counts from the first beat that it hears, which the lost call never does: it may wait on.
    beat_for(trial, &mut peer, &channel(&request), 6)?;
    peer.answer(&request, "OK", vec![Value::from(61)])?;
    expect_ok(trial, kept, &json!(61))?;
    let _ = lost;
    works(trial, &mut peer)
}
