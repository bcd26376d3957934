//! Beats of a server, and what it makes of silence.

use std::time::Duration;

use crate::{
    event::Event,
    fault::{
        Fault,
        Hook::{In, Interval, Out},
    },
};

pub(crate) static FAULTS: &[Fault] = faults! {
    "silent-callers-dropped": "a caller that has never beaten is lost after two intervals", "ZRPC-5.11", "heartbeat.never-beats.three", [Out(|memory, event| {
        let (now, interval) = (memory.now, memory.interval);
        let channel = memory.channel(&event);
        let is_late = channel.heard == channel.opened && now - channel.opened > 2 * interval;
        if is_late { vec![] } else { vec![event] }
    })];
    "beats-none": "no beat is sent", "ZRPC-5.4", "heartbeat.each-channel", [Out(|_, event| if event.is_beat() { vec![] } else { vec![event] })];
    "beats-early": "four beats are sent in each interval", "ZRPC-5.5", "heartbeat.first.not-early", [In(|memory, event| {
        if event.is_request() {
            memory.beat_every(0.25, &event);
        }
        vec![event]
    })];
    "beats-late": "of three beats one is sent", "ZRPC-5.4", "heartbeat.each-channel", [Out(|memory, event| {
        let is_one = memory.channel(&event).beats % 3 == 0;
        if event.is_beat() && !is_one { vec![] } else { vec![event] }
    })];
    "beats-stop": "beats stop after the second", "ZRPC-5.4", "heartbeat.rhythm.interval", [Out(|memory, event| {
        let are_over = memory.channel(&event).beats > 2;
        if event.is_beat() && are_over { vec![] } else { vec![event] }
    })];
    "beat-at-once": "the first beat answers the request", "ZRPC-5.5", "heartbeat.first.not-early", [In(|memory, event| {
        if event.is_request() {
            let beat = Event::beat(&event.channel());
            memory.later(Duration::ZERO, beat);
        }
        vec![event]
    })];
    "beats-grant": "beats carry a five", "ZRPC-5.1", "heartbeat.args", [Out(|_, event| {
        let five = rmpv::Value::Array(vec![5.into()]);
        if event.is_beat() { vec![event.with(five)] } else { vec![event] }
    })];
    "beats-after-end": "beats go on after the end", "ZRPC-4.6", "heartbeat.end.stream", [Out(|memory, event| {
        if event.is_last() {
            for number in 1..6 {
                let beat = Event::beat(&event.channel());
                memory.later_anyway(memory.interval * number / 2, beat);
            }
        }
        vec![event]
    })];
    "beats-without-response": "beats are on no channel", "ZRPC-4.2", "channel.response-to", [Out(|_, mut event| {
        if event.is_beat() {
            event.remove("response_to");
        }
        vec![event]
    })];
    "beats-at-version-1": "callers of version 1 are beaten at, though they never beat", "ZRPC-5.17", "versions.1.passive", [In(|memory, event| {
        let version = event.get("v").and_then(rmpv::Value::as_u64).unwrap_or(1);
        if event.is_request() && version < 2 {
            memory.beat_every(1.0, &event);
        }
        vec![event]
    })];
    "beats-answered": "each beat is answered with a beat", "ZRPC-5.14", "heartbeat.no-echo", [In(|memory, event| {
        if event.is_beat() {
            let beat = Event::beat(&event.channel());
            memory.later(Duration::ZERO, beat);
        }
        vec![event]
    })];
    "beats-misnamed": "beats are named _zpc_heartbeat", "ZRPC-5.1", "heartbeat.args", [Out(|_, mut event| {
        if event.is_beat() {
            event.name = "_zpc_heartbeat".into();
        }
        vec![event]
    })];
    "loss-early": "a caller is lost after an interval of silence", "ZRPC-5.9", "heartbeat.beats.slowly", [Out(|memory, event| {
        // What leaves is looked at, and that is a beat for each interval.
        let (now, limit) = (memory.now, memory.interval.mul_f64(0.9));
        let channel = memory.channel(&event);
        if now - channel.heard > limit {
            channel.count = 1;
        }
        if channel.count > 0 { vec![] } else { vec![event] }
    })];
    "loss-never": "no caller is ever lost", "ZRPC-5.10", "heartbeat.loss.in-time", [Interval(0.0), In(|memory, event| {
        if event.is_request() {
            memory.beat_every(1.0, &event);
        }
        vec![event]
    })];
    "loss-told": "a caller that is lost is answered with an error", "ZRPC-5.15", "heartbeat.loss.of-one", [In(|memory, event| {
        if event.is_request() {
            let args = ["LostRemote", "Lost remote", "Lost remote"].map(rmpv::Value::from);
            let error = Event::on(&event.channel(), "ERR", args.to_vec().into());
            let after = memory.interval * 7 / 2;
            memory.later(after, error);
        }
        if event.is_beat() { vec![] } else { vec![event] }
    })];
};
