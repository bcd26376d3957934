//! What a client pushes and publishes.

use std::time::Duration;

use rmpv::Value;
use serde_json::json;

use super::client::{case, listen};
use crate::{
    case::{Case, Level},
    event::{Event, shown_bytes},
    failure::{Failure, ensure},
    raw::{Handshake, Peer, Version},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.push.frames",
        "ZRPC-2.7",
        Level::Must,
        "A pushed event is one frame: the payload alone.",
        |trial| one_frame(trial, Kind::Push),
    ),
    case(
        "client.push.form",
        "ZRPC-9.1",
        Level::Must,
        "A pushed event has a message_id and v: 3 in its header, no response_to, and its args are an array.",
        |trial| form(trial, Kind::Push),
    ),
    case(
        "client.push.once",
        "ZRPC-9.4",
        Level::Must,
        "Each of twenty events that are pushed reaches one of two pullers.",
        |trial| dealt(trial).map(drop),
    ),
    case(
        "client.push.in-turn",
        "ZRPC-9.4",
        Level::Should,
        "Of twenty events that are pushed, each of two pullers gets half.",
        |trial| {
            let counts = dealt(trial)?;
            let seen = format!("{} and {}", counts[0], counts[1]);
            ensure(counts[0].abs_diff(counts[1]) <= 2, "ten events at each of them", seen)
        },
    ),
    case(
        "client.publish.frames",
        "ZRPC-2.7",
        Level::Must,
        "A published event is one frame: the payload alone.",
        |trial| one_frame(trial, Kind::Publish),
    ),
    case(
        "client.publish.form",
        "ZRPC-9.1",
        Level::Must,
        "A published event has a message_id and v: 3 in its header, no response_to, and its args are an array.",
        |trial| form(trial, Kind::Publish),
    ),
    case(
        "client.publish.all",
        "ZRPC-9.5",
        Level::Must,
        "Each of twenty events that are published reaches both of two subscribers, in order.",
        all,
    ),
    case(
        "client.publish.topics",
        "ZRPC-14.44",
        Level::Must,
        "A subscriber that asks for a topic by the command SUBSCRIBE gets what begins with it, and after CANCEL nothing.",
        |trial| topics(trial, true),
    ),
    case(
        "client.publish.topics.messages",
        "ZRPC-14.44",
        Level::Must,
        "A subscriber that asks for a topic by the messages 01 and 00, as before ZMTP 3.1, is served in the same way.",
        |trial| topics(trial, false),
    ),
];

/// How an event leaves.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Push,
    Publish,
}

impl Kind {
    /// Has the client send an event with this argument.
    fn order(self, trial: &mut Trial, argument: i32) -> Result<(), Failure> {
        let key = match self {
            Self::Push => "push",
            Self::Publish => "publish",
        };
        let id = trial.command(json!({ (key): "record", "args": [argument] }))?;
        let outcome = trial.outcome(id, trial.soon())?;
        ensure(outcome.get("ok").is_some(), format!("to {key} an event"), outcome.to_string())
    }
}

/// A puller that has connected to the client.
fn puller(trial: &mut Trial) -> Result<Peer, Failure> {
    trial.connect_to_other("{push}")?.shake_hands("PULL")
}

/// A subscriber, and how it says what it wants to hear.
fn subscriber(trial: &mut Trial, by_commands: bool) -> Result<Peer, Failure> {
    let version = Version::V3(3, by_commands.into());
    let bytes = trial.connect_to_other("{pub}")?;
    bytes.shake_hands_as(&Handshake::new("SUB").version(version))
}

/// What is said of a topic: as a command, and as the first byte of a message.
const SUBSCRIBE: (&str, u8) = ("SUBSCRIBE", 1);
const CANCEL: (&str, u8) = ("CANCEL", 0);

fn say(
    peer: &mut Peer,
    (command, byte): (&str, u8),
    by_commands: bool,
    topic: &[u8],
) -> Result<(), Failure> {
    match by_commands {
        true => peer.send_command(command, topic),
        false => peer.send_frames(&[[&[byte], topic].concat()]),
    }
}

/// Has events with the argument -1 published until they arrive: nobody is told when a subscription counts.
fn until_heard(trial: &mut Trial, peers: &mut [&mut Peer]) -> Result<(), Failure> {
    for peer in peers {
        let mut tries = 0;
        while listen(peer, Duration::from_millis(50))?.is_empty() {
            tries += 1;
            ensure(tries < 40, "published events at a subscriber of everything", "none came")?;
            Kind::Publish.order(trial, -1)?;
        }
    }
    Ok(())
}

/// The connection on which an event comes, which is sent for it.
fn one(trial: &mut Trial, kind: Kind) -> Result<Vec<Vec<u8>>, Failure> {
    let mut peer = match kind {
        Kind::Push => puller(trial)?,
        Kind::Publish => {
            let mut peer = subscriber(trial, true)?;
            say(&mut peer, SUBSCRIBE, true, b"")?;
            until_heard(trial, &mut [&mut peer])?;
            peer
        }
    };
    kind.order(trial, 7)?;
    let within = trial.soon();
    let frames = peer.receive_frames(within)?;
    frames.ok_or_else(|| Failure::new("an event", format!("none came within {within:?}")))
}

fn one_frame(trial: &mut Trial, kind: Kind) -> Result<(), Failure> {
    let frames = one(trial, kind)?;
    let seen = frames.iter().map(|frame| shown_bytes(frame)).collect::<Vec<_>>().join(" ");
    ensure(frames.len() == 1, "one frame", seen)
}

fn form(trial: &mut Trial, kind: Kind) -> Result<(), Failure> {
    let frames = one(trial, kind)?;
    let payload = frames.last().map(Vec::as_slice).unwrap_or_default();
    let event = Event::decode(payload)
        .map_err(|_| Failure::new("an event: [header, name, args]", shown_bytes(payload)))?;
    let is_sound = event.message_id().is_some_and(|id| !id.is_nil())
        && event.get("v") == Some(&3.into())
        && event.response_to().is_none()
        && event.name() == "record"
        && matches!(event.args.as_array().map(Vec::as_slice), Some([Value::Integer(_)]));
    ensure(is_sound, r#"[{"message_id": id, "v": 3}, "record", [number]]"#, event.to_string())
}

/// The numbers that come as arguments.
fn numbers(peer: &mut Peer, during: Duration) -> Result<Vec<i64>, Failure> {
    let heard = listen(peer, during)?;
    let number = |event: &Event| event.args.as_array()?.first()?.as_i64();
    Ok(heard.iter().filter_map(|(_, event)| number(event)).filter(|it| *it >= 0).collect())
}

/// Has twenty events pushed to two pullers; how many each gets.
fn dealt(trial: &mut Trial) -> Result<[usize; 2], Failure> {
    let mut pullers = [puller(trial)?, puller(trial)?];
    // A client may need a moment to know that both are there.
    listen(&mut pullers[0], Duration::from_millis(200))?;
    for number in 0..20 {
        Kind::Push.order(trial, number)?;
    }
    let mut come = Vec::new();
    let mut counts = [0, 0];
    for _ in 0..20 {
        for (puller, count) in pullers.iter_mut().zip(&mut counts) {
            let more = numbers(puller, Duration::from_millis(50))?;
            *count += more.len();
            come.extend(more);
        }
        if come.len() >= 20 {
            // One that comes twice comes at once.
            for puller in &mut pullers {
                come.extend(numbers(puller, Duration::from_millis(50))?);
            }
            break;
        }
    }
    come.sort_unstable();
    let seen = come.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    ensure(come == (0..20).collect::<Vec<_>>(), "each of the events 0 to 19 once", seen)?;
    Ok(counts)
}

fn all(trial: &mut Trial) -> Result<(), Failure> {
    let [mut first, mut second] = [subscriber(trial, true)?, subscriber(trial, true)?];
    for peer in [&mut first, &mut second] {
        say(peer, SUBSCRIBE, true, b"")?;
    }
    until_heard(trial, &mut [&mut first, &mut second])?;
    for number in 0..20 {
        Kind::Publish.order(trial, number)?;
    }
    for (name, peer) in [("first", &mut first), ("second", &mut second)] {
        let mut come = Vec::new();
        for _ in 0..20 {
            come.extend(numbers(peer, Duration::from_millis(50))?);
            if come.len() >= 20 {
                break;
            }
        }
        let seen = format!("{come:?} at the {name} one");
        ensure(come == (0..20).collect::<Vec<_>>(), "events 0 to 19 at both subscribers", seen)?;
    }
    Ok(())
}

fn topics(trial: &mut Trial, by_commands: bool) -> Result<(), Failure> {
    let mut everything = subscriber(trial, true)?;
    let [mut some, mut none] = [subscriber(trial, by_commands)?, subscriber(trial, by_commands)?];
    say(&mut everything, SUBSCRIBE, true, b"")?;
    // Every payload is an array of three.
    say(&mut some, SUBSCRIBE, by_commands, b"\x93")?;
    say(&mut none, SUBSCRIBE, by_commands, b"\x92")?;
    until_heard(trial, &mut [&mut everything, &mut some])?;
    let others = listen(&mut none, Duration::from_millis(100))?;
    ensure(others.is_empty(), "nothing that does not begin with the topic", shown(&others))?;
    say(&mut some, CANCEL, by_commands, b"\x93")?;
    for number in 0..15 {
        listen(&mut everything, Duration::from_millis(20))?;
        numbers(&mut some, Duration::from_millis(20))?;
        Kind::Publish.order(trial, number)?;
        let heard = listen(&mut everything, trial.moment())?;
        ensure(!heard.is_empty(), "all events at another subscriber", "none came")?;
        if numbers(&mut some, Duration::from_millis(50))?.is_empty() {
            return Ok(());
        }
    }
    Err(Failure::new("nothing after a topic was cancelled", "15 events"))
}

fn shown(heard: &[(Duration, Event)]) -> String {
    heard.iter().map(|(_, event)| event.to_string()).collect::<Vec<_>>().join(" ")
}
