//! Channels: ids, reuse, late events.

use rmpv::Value;

use super::{
    served::serves,
    steps::{
        begin_stream, expect_items, expect_named, expect_nothing_on, expect_ok, grant, heard, list,
        must, own, should, text,
    },
};
use crate::{
    Trial,
    case::Case,
    event::Event,
    failure::{Failure, ensure},
    raw::Peer,
};

const ECHO: &[&str] = &["echo"];

pub(super) const CASES: &[Case] = &[
    must(
        "channel.response-to",
        "ZRPC-4.2",
        &["count"],
        "Every event of a channel names it: items, the end, beats.",
        response_to,
    ),
    must(
        "channel.late.beat",
        "ZRPC-4.7",
        ECHO,
        "A beat for a channel that has ended is ignored.",
        |trial| late(trial, "_zpc_hb", list(vec![0.into()])),
    ),
    must(
        "channel.late.grant",
        "ZRPC-4.7",
        ECHO,
        "A grant for a channel that has ended is ignored.",
        |trial| late(trial, "_zpc_more", list(vec![100.into()])),
    ),
    must(
        "channel.late.answer",
        "ZRPC-4.7",
        ECHO,
        "An OK for a channel that has ended is ignored.",
        |trial| late(trial, "OK", list(vec![1.into()])),
    ),
    must(
        "channel.late.end",
        "ZRPC-4.7",
        ECHO,
        "A STREAM_DONE for a channel that has ended is ignored.",
        |trial| late(trial, "STREAM_DONE", Value::Nil),
    ),
    own(must(
        "channel.unknown.is-no-request",
        "ZRPC-4.8",
        &["record", "recorded"],
        "An event on a channel that is not there is no request, though its name is that of a method. (Node runs it.)",
        no_request,
    )),
    must(
        "channel.unknown.silence",
        "ZRPC-4.8",
        ECHO,
        "An event of any name on a channel that is not there is not answered.",
        |trial| {
            let mut peer = trial.connect()?;
            for name in ["echo", "_zpc_hb", "_zpc_more", "STREAM", "no_such_method"] {
                peer.send_on(&text("nobody"), name, list(vec![1.into()]))?;
            }
            silence_then_service(trial, &mut peer)
        },
    ),
    must(
        "channel.reuse",
        "ZRPC-4.9",
        ECHO,
        "The id of a channel that has ended may be used again, at once and often.",
        reuse,
    ),
    must(
        "channel.reuse.stream",
        "ZRPC-4.9",
        &["count"],
        "The id of a stream that has ended may be used again, with credit of its own.",
        reuse_stream,
    ),
    must(
        "channel.same-id.two-callers",
        "ZRPC-4.4",
        &["sleep"],
        "Two callers that use one id at a time each get their own answer.",
        two_callers,
    ),
    must(
        "channel.same-id.two-streams",
        "ZRPC-4.4",
        &["count"],
        "Two callers that use one id at a time each grant for their own stream. (Python mixes them up.)",
        two_streams,
    ),
    should(
        "channel.same-id.two-calls",
        "ZRPC-4.11",
        &["sleep"],
        "Two calls of one caller with one id are both answered.",
        |trial| {
            let mut peer = trial.connect()?;
            for seconds in [0.4, 0.2] {
                let args = list(vec![Value::F64(seconds)]);
                peer.send(&Event::new(text("twice"), "sleep", args))?;
            }
            for _ in 0..2 {
                expect_named(&mut peer, &text("twice"), "OK", trial.soon())?;
            }
            Ok(())
        },
    ),
    must(
        "channel.same-id.no-harm",
        "ZRPC-4.11",
        &["sleep", "echo"],
        "Two calls of one caller with one id do no other call any harm.",
        |trial| {
            let mut peer = trial.connect()?;
            for _ in 0..2 {
                let args = list(vec![Value::F64(0.2)]);
                peer.send(&Event::new(text("twice"), "sleep", args))?;
            }
            serves(trial, &mut peer)?;
            expect_named(&mut peer, &text("twice"), "OK", trial.soon())?;
            heard(&mut peer, trial.moment())?;
            serves(trial, &mut peer)?;
            let mut other = trial.connect()?;
            serves(trial, &mut other)
        },
    ),
    must(
        "channel.right-behind.beats",
        "ZRPC-4.10",
        &["sleep"],
        "A beat right behind its request, in one write, does no harm.",
        |trial| {
            let mut peer = trial.connect()?;
            let (channel, request) = peer.new_request("sleep", vec![Value::F64(0.2)]);
            let args = list(vec![0.into()]);
            let beat = Event::new(peer.fresh_id(), "_zpc_hb", args).on(&channel);
            let mut bytes = peer.message(&[Vec::new(), request.encode()]);
            bytes.extend(peer.message(&[Vec::new(), beat.encode()]));
            peer.bytes().send(&bytes)?;
            expect_ok(&mut peer, &channel, &Value::F64(0.2), trial.soon())
        },
    ),
    must(
        "channel.without-request.beat",
        "ZRPC-4.14",
        ECHO,
        "A beat without response_to opens no channel: nothing comes for two intervals. (Clients in Go send such beats.)",
        |trial| without_request(trial, "_zpc_hb", 0),
    ),
    must(
        "channel.without-request.grant",
        "ZRPC-4.14",
        ECHO,
        "A grant without response_to opens no channel: nothing comes for two intervals.",
        |trial| without_request(trial, "_zpc_more", 5),
    ),
    must(
        "channel.caller-gone",
        "ZRPC-2.10",
        &["sleep", "echo"],
        "An answer whose caller has gone is dropped, and others are served.",
        |trial| {
            for _ in 0..5 {
                let mut gone = trial.connect()?;
                gone.request("sleep", vec![Value::F64(0.1)])?;
            }
            let mut peer = trial.connect()?;
            let channel = peer.request("sleep", vec![Value::F64(0.3)])?;
            expect_ok(&mut peer, &channel, &Value::F64(0.3), trial.soon())?;
            serves(trial, &mut peer)
        },
    ),
    must(
        "channel.stream-given-up",
        "ZRPC-4.13",
        &["forever", "echo"],
        "A stream whose caller reads no further keeps none of its other calls from being answered.",
        |trial| {
            let mut peer = trial.connect()?;
            begin_stream(trial, &mut peer, "forever", vec![])?;
            for _ in 0..20 {
                serves(trial, &mut peer)?;
            }
            Ok(())
        },
    ),
    must(
        "channel.many-streams",
        "ZRPC-4.13",
        &["count", "echo"],
        "Fifty streams that wait for credit hold nobody up, and each goes on when it gets some.",
        many_streams,
    ),
];

fn response_to(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("count", vec![10.into()])?;
    let mut granted = false;
    loop {
        // Beats included: the credit waits for the first of them.
        let event = peer.expect_event(trial.soon() + trial.interval() * 2)?;
        let names_it = event.response_to() == Some(&channel);
        ensure(names_it, "response_to to be the id of the channel", event.to_string())?;
        match event.name() {
            "_zpc_hb" if !granted => {
                grant(&mut peer, &channel, 100)?;
                granted = true;
            }
            "STREAM_DONE" => return Ok(()),
            _ => {}
        }
    }
}

fn silence_then_service(trial: &Trial, peer: &mut Peer) -> Result<(), Failure> {
    peer.expect_silence(trial.moment())?;
    serves(trial, peer)
}

/// An event on a channel that has ended brings nothing, and the next call is answered as ever.
fn late(trial: &mut Trial, name: &str, args: Value) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("echo", vec![1.into()])?;
    expect_ok(&mut peer, &channel, &1.into(), trial.soon())?;
    for _ in 0..3 {
        peer.send_on(&channel, name, args.clone())?;
    }
    silence_then_service(trial, &mut peer)
}

fn no_request(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let soon = trial.soon();
    peer.call("recorded", vec![], soon)?;
    peer.send_on(&text("nobody"), "record", list(vec![text("run")]))?;
    peer.expect_silence(trial.moment())?;
    let recorded = peer.call("recorded", vec![], soon)?;
    ensure(recorded == list(vec![]), "that no method was run", recorded.to_string())
}

fn reuse(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for number in 0..20 {
        peer.send(&Event::new(text("again"), "echo", list(vec![number.into()])))?;
        expect_ok(&mut peer, &text("again"), &number.into(), trial.soon())?;
    }
    Ok(())
}

fn reuse_stream(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = text("stream again");
    for _ in 0..3 {
        peer.send(&Event::new(channel.clone(), "count", list(vec![4.into()])))?;
        expect_items(&mut peer, &channel, 0..1, trial.soon())?;
        expect_nothing_on(trial, &mut peer, &channel)?;
        grant(&mut peer, &channel, 50)?;
        expect_items(&mut peer, &channel, 1..4, trial.soon())?;
        expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon())?;
    }
    Ok(())
}

fn two_callers(trial: &mut Trial) -> Result<(), Failure> {
    let (mut one, mut two) = (trial.connect()?, trial.connect()?);
    let channel = Value::Binary(b"the same id for two".to_vec());
    for (peer, seconds) in [(&mut one, 0.4), (&mut two, 0.2)] {
        let args = list(vec![Value::F64(seconds)]);
        peer.send(&Event::new(channel.clone(), "sleep", args))?;
    }
    expect_ok(&mut two, &channel, &Value::F64(0.2), trial.soon())?;
    expect_ok(&mut one, &channel, &Value::F64(0.4), trial.soon())
}

fn two_streams(trial: &mut Trial) -> Result<(), Failure> {
    let (mut one, mut two) = (trial.connect()?, trial.connect()?);
    let channel = Value::Binary(b"the same stream for two".to_vec());
    for peer in [&mut one, &mut two] {
        peer.send(&Event::new(channel.clone(), "count", list(vec![100.into()])))?;
        expect_items(peer, &channel, 0..1, trial.soon())?;
    }
    grant(&mut one, &channel, 3)?;
    expect_items(&mut one, &channel, 1..4, trial.soon())
        .map_err(|failure| failure.during("the older one, which granted 3"))?;
    expect_nothing_on(trial, &mut two, &channel)
        .map_err(|failure| failure.during("the newer one, which granted nothing"))
}

fn without_request(trial: &mut Trial, name: &str, number: u64) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let id = peer.fresh_id();
    peer.send(&Event::new(id, name, list(vec![number.into()])))?;
    peer.expect_silence(trial.interval().mul_f64(2.2))?;
    serves(trial, &mut peer)
}

fn many_streams(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let mut channels = Vec::new();
    for _ in 0..50 {
        channels.push(begin_stream(trial, &mut peer, "count", vec![3.into()])?);
    }
    serves(trial, &mut peer)?;
    for channel in channels.iter().rev() {
        grant(&mut peer, channel, 10)?;
        expect_items(&mut peer, channel, 1..3, trial.soon())?;
        expect_named(&mut peer, channel, "STREAM_DONE", trial.soon())?;
    }
    Ok(())
}
