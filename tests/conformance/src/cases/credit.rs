//! Credit that a server obeys.

use rmpv::Value;

use super::{
    served::serves,
    steps::{
        begin_stream, expect_err, expect_item, expect_items, expect_named, expect_nothing_on,
        grant, heard_on, list, may, must, own, short_str, should, text,
    },
};
use crate::{
    Trial,
    case::Case,
    event::{Event, encode},
    failure::{Failure, ensure},
    raw::Peer,
};

const COUNT: &[&str] = &["count"];

pub(super) const CASES: &[Case] = &[
    must(
        "credit.first",
        "ZRPC-6.2",
        COUNT,
        "Before the first grant a stream sends exactly one item.",
        |trial| begun(trial).map(drop),
    ),
    must("credit.one", "ZRPC-6.2", COUNT, "A grant of 1 is good for one item.", |trial| {
        granted(trial, &[1])
    }),
    must("credit.seven", "ZRPC-6.2", COUNT, "A grant of 7 is good for seven items.", |trial| {
        granted(trial, &[7])
    }),
    must("credit.hundred", "ZRPC-6.2", COUNT, "A grant of 100 is good for 100 items.", |trial| {
        granted(trial, &[100])
    }),
    must(
        "credit.used-up",
        "ZRPC-6.4",
        COUNT,
        "A grant that comes when all credit was used is good for that many items, for senders that add and for such that assign.",
        |trial| granted(trial, &[3, 1, 4, 50, 2]),
    ),
    must(
        "credit.two-grants",
        "ZRPC-6.4",
        COUNT,
        "Grants of 3 and 4 at once are good for 4 items at least and 7 at most.",
        |trial| {
            let count = two_grants(trial)?;
            ensure((4..=7).contains(&count), "4 to 7 items", count.to_string())
        },
    ),
    should(
        "credit.adds",
        "ZRPC-6.4",
        COUNT,
        "Grants of 3 and 4 at once are good for 7 items. (Node assigns instead of adding.)",
        |trial| {
            let count = two_grants(trial)?;
            ensure(count == 7, "7 items", count.to_string())
        },
    ),
    must(
        "credit.done-counts",
        "ZRPC-6.5",
        COUNT,
        "STREAM_DONE needs credit like an item: after 2 of 2 it waits for the next grant.",
        done_counts,
    ),
    must(
        "credit.err-counts",
        "ZRPC-6.5",
        &["fail_after"],
        "An ERR that ends a stream needs credit like an item.",
        err_counts,
    ),
    must(
        "credit.before-the-answer",
        "ZRPC-6.11",
        COUNT,
        "A grant that comes right behind the request counts. (Python loses it.)",
        before_the_answer,
    ),
    must("credit.zero", "ZRPC-6.8", COUNT, "A grant of 0 has no effect.", |trial| {
        without_effect(trial, list(vec![0.into()]))
    }),
    must("credit.negative", "ZRPC-6.8", COUNT, "A negative grant has no effect.", |trial| {
        without_effect(trial, list(vec![(-5).into()]))?;
        without_effect(trial, list(vec![i64::MIN.into()]))
    }),
    must(
        "credit.negative-first",
        "ZRPC-6.8",
        COUNT,
        "A negative grant before the first item frees no sender. (Python sends without limit.)",
        negative_first,
    ),
    must("credit.huge", "ZRPC-6.9", COUNT, "Grants of 2^63 and 2^64 - 1 do not overflow.", huge),
    must("credit.nil", "ZRPC-6.10", COUNT, "A grant without number has no effect.", |trial| {
        without_effect(trial, Value::Nil)?;
        without_effect(trial, list(vec![]))?;
        without_effect(trial, list(vec![Value::Nil]))
    }),
    must(
        "credit.not-a-number",
        "ZRPC-6.10",
        COUNT,
        "A grant of anything that is no number has no effect, and its channel goes on.",
        |trial| {
            without_effect(trial, list(vec![text("many")]))?;
            without_effect(trial, list(vec![list(vec![5.into()])]))?;
            without_effect(trial, list(vec![Value::Map(vec![])]))?;
            without_effect(trial, Value::Map(vec![(text("n"), 5.into())]))
        },
    ),
    must(
        "credit.wide-number",
        "ZRPC-6.7",
        COUNT,
        "A grant may be an integer of any width, and more than one argument does no harm.",
        wide_number,
    ),
    may("credit.float", "ZRPC-6.7", COUNT, "A grant of 2.0 is one of 2.", |trial| {
        in_form(trial, list(vec![Value::F64(2.0)]))
    }),
    may("credit.digits", "ZRPC-6.7", COUNT, "A grant of \"2\" is one of 2.", |trial| {
        in_form(trial, list(vec![text("2")]))
    }),
    may(
        "credit.bare",
        "ZRPC-6.7",
        COUNT,
        "A bare 2 as args is a grant of 2. (Haskell.)",
        |trial| in_form(trial, 2.into()),
    ),
    must(
        "credit.own-channel",
        "ZRPC-6.6",
        COUNT,
        "A grant is for its channel: another stream goes on waiting.",
        own_channel,
    ),
    must(
        "credit.waiting-holds-up-nobody",
        "ZRPC-6.6",
        &["count", "echo"],
        "A stream that waits for credit keeps no call from being answered.",
        |trial| {
            let (mut peer, _channel) = begun(trial)?;
            serves(trial, &mut peer)?;
            let mut other = trial.connect()?;
            serves(trial, &mut other)
        },
    ),
    must(
        "credit.many-small",
        "ZRPC-6.4",
        COUNT,
        "Sixty grants of 1 in one write, as Node sends them, free the stream for at least one item, at most sixty.",
        many_small,
    ),
    own(must(
        "credit.after-the-end",
        "ZRPC-11.11",
        &["count", "echo"],
        "Hundreds of grants for a stream that has ended do no harm. (They make a Python server deaf.)",
        after_the_end,
    )),
    own(must(
        "credit.around-the-end",
        "ZRPC-11.11",
        &["count", "echo"],
        "Hundreds of grants while a stream ends do no harm.",
        around_the_end,
    )),
];

/// A stream that has sent its first item, and nothing else for a moment.
fn begun(trial: &mut Trial) -> Result<(Peer, Value), Failure> {
    let mut peer = trial.connect()?;
    let channel = begin_stream(trial, &mut peer, "count", vec![1000.into()])?;
    expect_nothing_on(trial, &mut peer, &channel)
        .map_err(|failure| failure.during("after the first item, without a grant"))?;
    Ok((peer, channel))
}

/// Each grant is used up to the last item, and not beyond.
fn granted(trial: &mut Trial, grants: &[u64]) -> Result<(), Failure> {
    let (mut peer, channel) = begun(trial)?;
    let mut next = 1;
    for number in grants {
        grant(&mut peer, &channel, *number)?;
        expect_items(&mut peer, &channel, next..next + number, trial.soon())?;
        next += number;
        expect_nothing_on(trial, &mut peer, &channel)
            .map_err(|failure| failure.during(format!("after a grant of {number}")))?;
    }
    Ok(())
}

/// How many items two grants at once, of 3 and 4, are good for.
fn two_grants(trial: &mut Trial) -> Result<usize, Failure> {
    let (mut peer, channel) = begun(trial)?;
    let mut bytes = Vec::new();
    for number in [3, 4] {
        let event =
            Event::new(peer.fresh_id(), "_zpc_more", list(vec![number.into()])).on(&channel);
        bytes.extend(peer.message(&[Vec::new(), event.encode()]));
    }
    peer.bytes().send(&bytes)?;
    expect_items(&mut peer, &channel, 1..5, trial.soon())?;
    Ok(4 + heard_on(&mut peer, &channel, trial.moment() * 2)?.len())
}

fn done_counts(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = begin_stream(trial, &mut peer, "count", vec![3.into()])?;
    grant(&mut peer, &channel, 2)?;
    expect_items(&mut peer, &channel, 1..3, trial.soon())?;
    expect_nothing_on(trial, &mut peer, &channel)?;
    grant(&mut peer, &channel, 1)?;
    expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon()).map(drop)
}

fn err_counts(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let args = vec![3.into(), text("out of credit")];
    let channel = begin_stream(trial, &mut peer, "fail_after", args)?;
    grant(&mut peer, &channel, 2)?;
    expect_items(&mut peer, &channel, 1..3, trial.soon())?;
    expect_nothing_on(trial, &mut peer, &channel)?;
    grant(&mut peer, &channel, 1)?;
    expect_err(&mut peer, &channel, trial.soon()).map(drop)
}

fn before_the_answer(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let (channel, request) = peer.new_request("count", vec![1000.into()]);
    let more = Event::new(peer.fresh_id(), "_zpc_more", list(vec![5.into()])).on(&channel);
    let mut bytes = peer.message(&[Vec::new(), request.encode()]);
    bytes.extend(peer.message(&[Vec::new(), more.encode()]));
    peer.bytes().send(&bytes)?;
    // Senders that assign have 5, others 6.
    expect_items(&mut peer, &channel, 0..5, trial.soon())?;
    let more = heard_on(&mut peer, &channel, trial.moment())?.len();
    ensure(more <= 1, "6 items at most", format!("{}", 5 + more))
}

/// The event changes nothing: no item comes, and a grant of 2 afterwards is good for two.
fn without_effect(trial: &mut Trial, args: Value) -> Result<(), Failure> {
    let (mut peer, channel) = begun(trial)?;
    peer.send_on(&channel, "_zpc_more", args)?;
    expect_nothing_on(trial, &mut peer, &channel)?;
    grant(&mut peer, &channel, 2)?;
    expect_items(&mut peer, &channel, 1..3, trial.soon())
        .map_err(|failure| failure.during("a sound grant afterwards"))?;
    expect_nothing_on(trial, &mut peer, &channel)
}

fn negative_first(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let (channel, request) = peer.new_request("count", vec![1000.into()]);
    let less = Event::new(peer.fresh_id(), "_zpc_more", list(vec![(-3).into()])).on(&channel);
    let mut bytes = peer.message(&[Vec::new(), request.encode()]);
    bytes.extend(peer.message(&[Vec::new(), less.encode()]));
    peer.bytes().send(&bytes)?;
    expect_item(&mut peer, &channel, &0.into(), trial.soon())?;
    expect_nothing_on(trial, &mut peer, &channel)?;
    grant(&mut peer, &channel, 2)?;
    expect_items(&mut peer, &channel, 1..3, trial.soon())
}

fn huge(trial: &mut Trial) -> Result<(), Failure> {
    let (mut peer, channel) = begun(trial)?;
    for number in [1_u64 << 63, u64::MAX, u64::MAX] {
        grant(&mut peer, &channel, number)?;
    }
    expect_items(&mut peer, &channel, 1..1000, trial.soon())?;
    expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon()).map(drop)
}

fn wide_number(trial: &mut Trial) -> Result<(), Failure> {
    let (mut peer, channel) = begun(trial)?;
    let event = Event::new(peer.fresh_id(), "_zpc_more", Value::Nil).on(&channel).encode();
    let without_args = &event[..event.len() - 1];
    let forms: [&[u8]; 3] = [b"\x91\xcf\0\0\0\0\0\0\0\x02", b"\x91\xd2\0\0\0\x02", b"\x92\x02\xc0"];
    let mut next = 1;
    for args in forms {
        peer.send_payload(&[without_args, args].concat())?;
        expect_items(&mut peer, &channel, next..next + 2, trial.soon())?;
        expect_nothing_on(trial, &mut peer, &channel)?;
        next += 2;
    }
    Ok(())
}

/// These args grant two.
fn in_form(trial: &mut Trial, args: Value) -> Result<(), Failure> {
    let (mut peer, channel) = begun(trial)?;
    peer.send_on(&channel, "_zpc_more", args)?;
    expect_items(&mut peer, &channel, 1..3, trial.soon())?;
    expect_nothing_on(trial, &mut peer, &channel)
}

fn own_channel(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let first = begin_stream(trial, &mut peer, "count", vec![1000.into()])?;
    let second = begin_stream(trial, &mut peer, "count", vec![1000.into()])?;
    grant(&mut peer, &second, 3)?;
    expect_items(&mut peer, &second, 1..4, trial.soon())?;
    expect_nothing_on(trial, &mut peer, &first)
}

fn many_small(trial: &mut Trial) -> Result<(), Failure> {
    let (mut peer, channel) = begun(trial)?;
    let mut bytes = Vec::new();
    for _ in 0..60 {
        let event = Event::new(peer.fresh_id(), "_zpc_more", list(vec![1.into()])).on(&channel);
        bytes.extend(peer.message(&[Vec::new(), event.encode()]));
    }
    peer.bytes().send(&bytes)?;
    expect_item(&mut peer, &channel, &1.into(), trial.soon())?;
    let more = heard_on(&mut peer, &channel, trial.moment() * 3)?.len();
    ensure(more < 60, "60 items at most", format!("{}", more + 1))
}

fn after_the_end(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = begin_stream(trial, &mut peer, "count", vec![3.into()])?;
    grant(&mut peer, &channel, 100)?;
    expect_items(&mut peer, &channel, 1..3, trial.soon())?;
    expect_named(&mut peer, &channel, "STREAM_DONE", trial.soon())?;
    for _ in 0..300 {
        grant(&mut peer, &channel, 1)?;
    }
    serves_all(trial, &mut peer)
}

fn around_the_end(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = begin_stream(trial, &mut peer, "count", vec![260.into()])?;
    let mut bytes = Vec::new();
    for _ in 0..300 {
        let id = encode(&peer.fresh_id());
        let head = [b"\x93\x83\xaamessage_id", &id[..], b"\xa1v\x03\xabresponse_to"].concat();
        let rest = [encode(&channel), short_str("_zpc_more"), vec![0x91, 0x14]].concat();
        bytes.extend(peer.message(&[Vec::new(), [head, rest].concat()]));
    }
    peer.bytes().send(&bytes)?;
    serves_all(trial, &mut peer)
}

fn serves_all(trial: &mut Trial, peer: &mut Peer) -> Result<(), Failure> {
    serves(trial, peer)?;
    let mut other = trial.connect()?;
    serves(trial, &mut other)
}
