//! The beats of a server, and when they come.

use std::time::{Duration, Instant};

use rmpv::Value;

use super::super::steps::list;
use crate::{
    Trial,
    event::Event,
    failure::{Failure, ensure},
    raw::Peer,
};

/// A beat, and when it came after the request.
pub(super) struct Beat {
    pub(super) at: Duration,
    pub(super) event: Event,
}

/// What counts as more than two intervals, with a bit of tolerance for busy machines.
pub(super) fn longest_gap(trial: &Trial) -> Duration {
    trial.interval().mul_f64(2.25)
}

pub(super) fn times(beats: &[Beat]) -> String {
    let times: Vec<String> =
        beats.iter().map(|beat| format!("{:.2}", beat.at.as_secs_f64())).collect();
    format!("{} beats, after [{}] s", beats.len(), times.join(", "))
}

pub(super) fn seen(beats: &[Beat]) -> String {
    let events: Vec<String> = beats.iter().map(|beat| beat.event.to_string()).collect();
    format!("{} beats: {}", beats.len(), events.join(" "))
}

pub(super) fn without_gaps(trial: &Trial, beats: &[Beat], end: Duration) -> Result<(), Failure> {
    let mut last = Duration::ZERO;
    for at in beats.iter().map(|beat| beat.at).chain([end]) {
        let most = longest_gap(trial);
        ensure(at - last.min(at) <= most, format!("a beat each {most:?} at least"), times(beats))?;
        last = at;
    }
    ensure(!beats.is_empty(), "a beat", times(beats))
}

/// The beats on the channel until its answer, which is to be OK, `time` after the request that was just sent.
pub(super) fn beats_until_answer(
    trial: &Trial,
    peer: &mut Peer,
    channel: &Value,
    time: Duration,
) -> Result<Vec<Beat>, Failure> {
    let (start, mut beats) = (Instant::now(), Vec::new());
    loop {
        let left = (time + trial.soon()).saturating_sub(start.elapsed());
        let on_channel = |event: &Event| event.response_to() == Some(channel);
        let event = peer.expect_matching("an answer", left, on_channel)?;
        match event.name() {
            "_zpc_hb" => beats.push(Beat { at: start.elapsed(), event }),
            "OK" => return Ok(beats),
            _ => return Err(Failure::new("OK", event.to_string())),
        }
    }
}

/// The beats of a call that takes so many intervals, from a caller that never beats.
pub(super) fn beats_of_sleep(trial: &mut Trial, intervals: f64) -> Result<Vec<Beat>, Failure> {
    let mut peer = trial.connect()?;
    let time = trial.interval().mul_f64(intervals);
    let channel = peer.request("sleep", vec![Value::F64(time.as_secs_f64())])?;
    beats_until_answer(trial, &mut peer, &channel, time)
}

/// The beats of a call that takes two and a half intervals, from a caller that beats as well.
pub(super) fn beats_of_beating(trial: &mut Trial) -> Result<Vec<Beat>, Failure> {
    beats_while_beating(trial, 2.5, 1.0, || list(vec![0.into()]))
}

/// The beats of a call that takes so many intervals, from a caller that beats each so many.
pub(super) fn beats_while_beating(
    trial: &mut Trial,
    intervals: f64,
    each: f64,
    args: impl Fn() -> Value,
) -> Result<Vec<Beat>, Failure> {
    let mut peer = trial.connect()?;
    let time = trial.interval().mul_f64(intervals);
    let channel = peer.request("sleep", vec![Value::F64(time.as_secs_f64())])?;
    let (start, mut beats) = (Instant::now(), Vec::new());
    let mut next = trial.interval().mul_f64(each);
    loop {
        ensure(start.elapsed() < time + trial.soon(), "an answer", times(&beats))?;
        if start.elapsed() >= next {
            peer.send_on(&channel, "_zpc_hb", args())?;
            next += trial.interval().mul_f64(each);
        }
        let pause = next.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        let Some(event) = peer.receive_event(pause)? else { continue };
        match event.name() {
            "_zpc_hb" => beats.push(Beat { at: start.elapsed(), event }),
            "OK" => return Ok(beats),
            _ => return Err(Failure::new("OK", event.to_string())),
        }
    }
}
