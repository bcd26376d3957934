//! Push/pull and publish/subscribe: events without channels, and without answers.

use std::time::{Duration, Instant};

use rmpv::Value;

use super::served::others_are_served;
use crate::{
    case::{Case, Level, Run, Sharing},
    event::{Event, shown, shown_bytes},
    failure::{Failure, ensure},
    raw::{Handshake, Peer, Version},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    one_way(
        "push.called",
        "ZRPC-9.2",
        "A puller calls the method of each event that is pushed, in order.",
        |trial| {
            let mut pusher = pusher(trial)?;
            called(trial, &mut pusher, 20)
        },
    ),
    one_way(
        "push.no-answer",
        "ZRPC-9.2",
        "A puller sends nothing back: no answer, no error, no beat.",
        |trial| {
            let mut pusher = pusher(trial)?;
            no_answer(trial, &mut pusher)
        },
    ),
    one_way(
        "push.goes-on",
        "ZRPC-9.3",
        "A puller goes on after broken messages, unknown names, and methods that fail. (A malformed one ends it in Python.)",
        |trial| {
            let mut pusher = pusher(trial)?;
            goes_on(trial, &mut pusher)
        },
    ),
    Case {
        level: Level::Should,
        ..one_way(
            "push.handled-after-end",
            "ZRPC-14.43",
            "Twenty events are pushed and the connection is ended right behind them: all of them are handled.",
            |trial| {
                let mut pusher = pusher(trial)?;
                for number in 0..20 {
                    record(&mut pusher, number)?;
                }
                pusher.bytes().finish();
                drop(pusher);
                expect_recorded(trial, &(0..20).map(Value::from).collect::<Vec<_>>())
            },
        )
    },
    one_way(
        "push.wrong-type",
        "ZRPC-14.23",
        "A DEALER and a PUB do not go with a PULL: their connections are ended.",
        |trial| wrong_types(trial, "{pull}", &["DEALER", "PUB", "PULL"]),
    ),
    one_way(
        "publish.subscription",
        "ZRPC-2.8",
        "A subscriber subscribes to everything: by the command SUBSCRIBE with ZMTP 3.1, by the message 01 with 3.0.",
        subscription,
    ),
    one_way(
        "publish.called",
        "ZRPC-9.2",
        "A subscriber calls the method of each event that is published, in order.",
        |trial| {
            let mut publisher = publisher(trial)?;
            called(trial, &mut publisher, 20)
        },
    ),
    one_way(
        "publish.no-answer",
        "ZRPC-9.2",
        "A subscriber sends nothing back: no answer, no error, no beat.",
        |trial| {
            let mut publisher = publisher(trial)?;
            no_answer(trial, &mut publisher)
        },
    ),
    one_way(
        "publish.goes-on",
        "ZRPC-9.3",
        "A subscriber goes on after broken messages, unknown names, and methods that fail.",
        |trial| {
            let mut publisher = publisher(trial)?;
            goes_on(trial, &mut publisher)
        },
    ),
    one_way(
        "publish.wrong-type",
        "ZRPC-14.23",
        "A DEALER and a PUSH do not go with a SUB: their connections are ended.",
        |trial| wrong_types(trial, "{sub}", &["DEALER", "PUSH", "SUB"]),
    ),
];

const fn one_way(name: &'static str, rule: &'static str, explain: &'static str, run: Run) -> Case {
    Case::server(Level::Must, name, rule, explain, run)
        .needing(&["echo", "record", "recorded"])
        .sharing(Sharing::Own)
}

fn pusher(trial: &mut Trial) -> Result<Peer, Failure> {
    trial.connect_to_other("{pull}")?.shake_hands("PUSH")
}

/// A publisher that has been subscribed to.
fn publisher(trial: &mut Trial) -> Result<Peer, Failure> {
    let mut peer = trial.connect_to_other("{sub}")?.shake_hands("PUB")?;
    peer.expect_command("SUBSCRIBE", trial.soon())?;
    Ok(peer)
}

fn record(peer: &mut Peer, value: impl Into<Value>) -> Result<(), Failure> {
    let (_, event) = peer.new_request("record", vec![value.into()]);
    peer.send_frames(&[event.encode()])
}

/// These values have been recorded, in this order, and nothing else.
fn expect_recorded(trial: &mut Trial, expected: &[Value]) -> Result<(), Failure> {
    let mut caller = trial.connect()?;
    let deadline = Instant::now() + trial.soon();
    let mut seen = Vec::new();
    loop {
        let within = trial.soon();
        if let Value::Array(more) = caller.call("recorded", Vec::new(), within)? {
            seen.extend(more);
        }
        if seen.len() >= expected.len() || Instant::now() >= deadline {
            return ensure(
                seen == expected,
                format!("record to be called with {}", shown(&Value::Array(expected.to_vec()))),
                shown(&Value::Array(seen)),
            );
        }
        // A service that only records says nothing when it does: all that can be done is to ask again.
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn called(trial: &mut Trial, peer: &mut Peer, count: i32) -> Result<(), Failure> {
    for number in 0..count {
        record(peer, number)?;
    }
    expect_recorded(trial, &(0..count).map(Value::from).collect::<Vec<_>>())
}

fn no_answer(trial: &mut Trial, peer: &mut Peer) -> Result<(), Failure> {
    record(peer, "quiet")?;
    for name in ["echo", "no_such_method"] {
        let (_, event) = peer.new_request(name, vec![Value::from("x")]);
        peer.send_frames(&[event.encode()])?;
    }
    peer.expect_silence(trial.interval() + trial.interval() / 2)?;
    expect_recorded(trial, &[Value::from("quiet")])
}

fn goes_on(trial: &mut Trial, peer: &mut Peer) -> Result<(), Failure> {
    record(peer, "first")?;
    let event = Event::new("id", "record", vec![Value::from("no event")]).encode();
    let broken: [&[u8]; 5] = [b"", b"\xc1", b"not msgpack", b"\xc0", &event[..event.len() - 3]];
    for payload in broken {
        peer.send_frames(&[payload])?;
    }
    for (name, args) in
        [("no_such_method", vec![]), ("fail", vec![Value::from("x")]), ("echo", vec![])]
    {
        let (_, event) = peer.new_request(name, args);
        peer.send_frames(&[event.encode()])?;
    }
    record(peer, "last")?;
    expect_recorded(trial, &[Value::from("first"), Value::from("last")])?;
    others_are_served(trial)
}

fn wrong_types(
    trial: &mut Trial,
    placeholder: &'static str,
    kinds: &[&str],
) -> Result<(), Failure> {
    for kind in kinds {
        let handshake = Handshake::new(kind);
        let mut bytes = trial.connect_to_other(placeholder)?;
        bytes.send(&handshake.greeting())?;
        bytes.expect_greeting()?;
        bytes.offer(&handshake.ready(), trial.soon());
        bytes.expect_close(trial.soon()).map_err(|failure| failure.during(kind))?;
    }
    others_are_served(trial)
}

fn subscription(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect_to_other("{sub}")?.shake_hands("PUB")?;
    let said = peer.expect_command("SUBSCRIBE", trial.soon())?;
    ensure(said.data.is_empty(), "the empty topic", shown_bytes(&said.data))?;
    let handshake = Handshake::new("PUB").version(Version::V3(3, 0));
    let mut peer = trial.connect_to_other("{sub}")?.shake_hands_as(&handshake)?;
    let said = peer.receive_frames(trial.soon())?.unwrap_or_default();
    ensure(said == [b"\x01"], "the message 01", format!("{said:?}"))
}
