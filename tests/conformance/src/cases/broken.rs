//! Broken input, while others are served: on the same connection and on another, calls from before and from afterwards.

mod answers;
mod events;

use std::time::Instant;

use rmpv::Value;

use super::steps::{expect_ok, heard, payload, short_str, text};
use crate::{
    Trial,
    case::Case,
    event::{Event, encode},
    failure::{Failure, ensure},
    raw::Peer,
};

pub(super) const EVENTS: &[Case] = events::CASES;
pub(super) const ANSWERS: &[Case] = answers::CASES;

/// What each case needs, so that others can be served meanwhile.
const NEEDS: &[&str] = &["echo", "sleep"];

/// What is expected of the broken message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    /// No answer at all.
    Ignored,
    /// ERR, once.
    Err,
    /// ERR, once, or no answer.
    ErrOrIgnored,
    /// Any one answer, or none.
    AtMostOne,
}

/// Sends a payload that is broken.
fn sent(trial: &mut Trial, reaction: Reaction, payload: impl AsRef<[u8]>) -> Result<(), Failure> {
    frames(trial, reaction, &[b"", payload.as_ref()])
}

/// Sends a request for `echo` with an id of its own, of these encoded parts: name and args.
fn request(trial: &mut Trial, reaction: Reaction, name: &[u8], args: &[u8]) -> Result<(), Failure> {
    sent(trial, reaction, payload(&encode(&text("broken")), name, args))
}

/// Sends a request for `echo(1)` with this encoded id.
fn with_id(trial: &mut Trial, reaction: Reaction, id: &[u8]) -> Result<(), Failure> {
    sent(trial, reaction, payload(id, &short_str("echo"), b"\x91\x01"))
}

/// Sends a request for `echo(1)` with this encoded header behind its id: one pair.
fn with_pair(trial: &mut Trial, reaction: Reaction, pair: &[u8]) -> Result<(), Failure> {
    let id = encode(&text("broken"));
    let whole = [b"\x93\x82\xaamessage_id", &id[..], pair, b"\xa4echo\x91\x01"].concat();
    sent(trial, reaction, whole)
}

/// Sends an event of this name with an encoded `response_to`.
fn answering(trial: &mut Trial, name: &str, response_to: &[u8]) -> Result<(), Failure> {
    let id = encode(&text("broken"));
    let head = [b"\x93\x83\xaamessage_id", &id[..], b"\xa1v\x03\xabresponse_to", response_to];
    let whole = [&head.concat()[..], &short_str(name), b"\x91\x01"].concat();
    sent(trial, Reaction::Ignored, whole)
}

/// Sends a message of these frames among calls that are as they should be.
fn frames(
    trial: &mut Trial,
    reaction: Reaction,
    message: &[impl AsRef<[u8]>],
) -> Result<(), Failure> {
    let (mut peer, mut other) = (trial.connect()?, trial.connect()?);
    let before = [begin(&mut peer)?, begin(&mut other)?];
    peer.send_frames(message)?;
    let mut answers = served(trial, &mut peer, &before[0])
        .map_err(|failure| failure.during("calls on the same connection"))?;
    served(trial, &mut other, &before[1])
        .map_err(|failure| failure.during("calls on another connection"))?;
    answers.extend(heard(&mut peer, trial.moment())?.into_iter().filter(|e| !e.is_upkeep()));
    let names: Vec<&str> = answers.iter().map(Event::name).collect();
    let is_right = match reaction {
        Reaction::Ignored => names.is_empty(),
        Reaction::Err => names == ["ERR"],
        Reaction::ErrOrIgnored => names.is_empty() || names == ["ERR"],
        Reaction::AtMostOne => names.len() <= 1,
    };
    let expected = match reaction {
        Reaction::Ignored => "no answer",
        Reaction::Err => "ERR, once",
        Reaction::ErrOrIgnored => "ERR, once, or no answer",
        Reaction::AtMostOne => "one answer at most",
    };
    let words: Vec<String> = answers.iter().map(ToString::to_string).collect();
    ensure(is_right, expected, if words.is_empty() { "no answer".into() } else { words.join(" ") })
}

/// A call that is open while the broken message comes.
fn begin(peer: &mut Peer) -> Result<Value, Failure> {
    peer.request("sleep", vec![Value::F64(0.3)])
}

/// A call from before is answered, and one from now. Gives what comes for other channels meanwhile.
fn served(trial: &Trial, peer: &mut Peer, before: &Value) -> Result<Vec<Event>, Failure> {
    let after = peer.request("echo", vec![7.into()])?;
    let (start, mut others, mut open) = (Instant::now(), Vec::new(), 2);
    while open > 0 {
        let left = trial.soon().saturating_sub(start.elapsed());
        let event = peer.expect_matching("answers to two calls", left, |e| !e.is_upkeep())?;
        let is_ours = [Some(before), Some(&after)].contains(&event.response_to());
        if is_ours {
            ensure(event.name() == "OK", "OK", event.to_string())?;
            open -= 1;
        } else {
            others.push(event);
        }
    }
    Ok(others)
}

/// A stream of events on one channel, each broken in the same way; calls are served meanwhile.
fn on_channel(trial: &mut Trial, name: &str, args: &[u8], times: usize) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let time = Value::F64(0.3);
    let channel = peer.request("sleep", vec![time.clone()])?;
    let mut bytes = Vec::new();
    for _ in 0..times {
        let event = Event::new(peer.fresh_id(), name, Value::Nil).on(&channel).encode();
        let payload = [&event[..event.len() - 1], args].concat();
        bytes.extend(peer.message(&[Vec::new(), payload]));
    }
    peer.bytes().send(&bytes)?;
    let other = peer.request("echo", vec![7.into()])?;
    expect_ok(&mut peer, &other, &7.into(), trial.soon())
        .map_err(|failure| failure.during("another call"))?;
    let mut neighbour = trial.connect()?;
    let call = neighbour.request("echo", vec![7.into()])?;
    expect_ok(&mut neighbour, &call, &7.into(), trial.soon())
        .map_err(|failure| failure.during("a call on another connection"))
}
