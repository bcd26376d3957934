//! Streams.

use rmpv::Value;

use super::{
    served::serves,
    steps::{
        begin_stream, expect_err, expect_item, expect_items, expect_named, expect_nothing_on,
        grant, must, should, text,
    },
};
use crate::{
    Trial,
    case::Case,
    event::shown,
    failure::{Failure, ensure},
};

const COUNT: &[&str] = &["count"];
const FAIL_AFTER: &[&str] = &["fail_after"];

pub(super) const CASES: &[Case] = &[
    must(
        "stream.item.bare",
        "ZRPC-7.6",
        COUNT,
        "An item is the whole args of STREAM: 0, not [0].",
        |trial| {
            let mut peer = trial.connect()?;
            begin_stream(trial, &mut peer, "count", vec![3.into()]).map(drop)
        },
    ),
    must(
        "stream.order",
        "ZRPC-7.11",
        COUNT,
        "A thousand items come in their order, each once, then the end.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = begin_stream(trial, &mut peer, "count", vec![1000.into()])?;
            grant(&mut peer, &channel, 1000)?;
            expect_items(&mut peer, &channel, 1..1000, trial.soon())?;
            expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon()).map(drop)
        },
    ),
    must(
        "stream.piecewise",
        "ZRPC-7.11",
        COUNT,
        "A stream that is granted as the reference does (100, then 51 each) comes whole.",
        piecewise,
    ),
    must(
        "stream.end",
        "ZRPC-7.7",
        COUNT,
        "The end of a stream is STREAM_DONE, and nothing follows it on the channel.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = begin_stream(trial, &mut peer, "count", vec![2.into()])?;
            grant(&mut peer, &channel, 10)?;
            expect_item(&mut peer, &channel, &1.into(), trial.soon())?;
            expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon())?;
            expect_nothing_on(trial, &mut peer, &channel)
        },
    ),
    should("stream.end.args", "ZRPC-7.7", COUNT, "The args of STREAM_DONE are nil.", |trial| {
        let mut peer = trial.connect()?;
        let channel = peer.request("count", vec![0.into()])?;
        let done = expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon())?;
        ensure(done.args.is_nil(), "nil", shown(&done.args))
    }),
    must(
        "stream.empty",
        "ZRPC-7.9",
        COUNT,
        "The end of a stream without items is its first and only event, and needs no grant.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = peer.request("count", vec![0.into()])?;
            expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon())?;
            expect_nothing_on(trial, &mut peer, &channel)
        },
    ),
    must(
        "stream.error.first",
        "ZRPC-7.10",
        FAIL_AFTER,
        "An error before the first item is a plain ERR, which needs no grant.",
        |trial| {
            let mut peer = trial.connect()?;
            let channel = peer.request("fail_after", vec![0.into(), text("early")])?;
            let [_, message, _] = expect_err(&mut peer, &channel, trial.soon())?;
            ensure(message == "early", "the message \"early\"", message)?;
            expect_nothing_on(trial, &mut peer, &channel)
        },
    ),
    must(
        "stream.error.later",
        "ZRPC-7.10",
        FAIL_AFTER,
        "An error after items is an ERR behind all of them, in place of STREAM_DONE.",
        |trial| {
            let mut peer = trial.connect()?;
            let args = vec![5.into(), text("late")];
            let channel = begin_stream(trial, &mut peer, "fail_after", args)?;
            grant(&mut peer, &channel, 100)?;
            expect_items(&mut peer, &channel, 1..5, trial.soon())?;
            let [_, message, _] = expect_err(&mut peer, &channel, trial.soon())?;
            ensure(message == "late", "the message \"late\"", message)?;
            expect_nothing_on(trial, &mut peer, &channel)
        },
    ),
    must(
        "stream.two-at-once",
        "ZRPC-4.13",
        COUNT,
        "Two streams of one connection come side by side, each whole and in its order.",
        two_at_once,
    ),
    must(
        "stream.beside-a-call",
        "ZRPC-4.13",
        &["forever", "echo"],
        "A stream without end, granted much, keeps no call from being answered.",
        |trial| {
            let (mut peer, mut other) = (trial.connect()?, trial.connect()?);
            let channel = begin_stream(trial, &mut peer, "forever", vec![])?;
            grant(&mut peer, &channel, 5000)?;
            serves(trial, &mut peer)?;
            serves(trial, &mut other)
        },
    ),
    must(
        "stream.again",
        "ZRPC-4.9",
        COUNT,
        "Streams come one after the other on one connection.",
        |trial| {
            let mut peer = trial.connect()?;
            for _ in 0..10 {
                let channel = begin_stream(trial, &mut peer, "count", vec![3.into()])?;
                grant(&mut peer, &channel, 100)?;
                expect_items(&mut peer, &channel, 1..3, trial.soon())?;
                expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon())?;
            }
            Ok(())
        },
    ),
];

fn piecewise(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = begin_stream(trial, &mut peer, "count", vec![500.into()])?;
    let mut reserved = 0;
    for number in 1..500_u64 {
        if reserved < 50 {
            grant(&mut peer, &channel, 100 - reserved)?;
            reserved = 100;
        }
        expect_item(&mut peer, &channel, &number.into(), trial.soon())?;
        reserved -= 1;
    }
    expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon()).map(drop)
}

fn two_at_once(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channels =
        [peer.request("count", vec![100.into()])?, peer.request("count", vec![100.into()])?];
    let mut next = [0_u64, 0];
    let mut done = 0;
    while done < 2 {
        let event =
            peer.expect_matching("both streams", trial.soon(), |event| !event.is_upkeep())?;
        let at = channels.iter().position(|channel| event.response_to() == Some(channel));
        let at = at.ok_or_else(|| Failure::new("an event of a stream", event.to_string()))?;
        match event.name() {
            "STREAM_DONE" => done += 1,
            _ => {
                let is_next = event.name() == "STREAM" && event.args == Value::from(next[at]);
                ensure(is_next, format!("item {} of stream {at}", next[at]), event.to_string())?;
                if next[at] == 0 {
                    grant(&mut peer, &channels[at], 200)?;
                }
                next[at] += 1;
            }
        }
    }
    ensure(next == [100, 100], "100 items each", format!("{next:?}"))
}
