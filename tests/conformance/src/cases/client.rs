//! What the cases of clients have in common.

use std::time::{Duration, Instant};

use rmpv::Value;
use serde_json::{Value as Json, json};

use crate::{
    case::{Case, Level, Run},
    event::Event,
    failure::{Failure, ensure},
    raw::{Bytes, Handshake, Peer},
    trial::Trial,
};

/// The bytes that a client sends unasked.
pub(super) const SIGNATURE: usize = 10;

/// A case of a client; each has a client of its own.
pub(super) const fn case(
    name: &'static str,
    rule: &'static str,
    level: Level,
    explain: &'static str,
    run: Run,
) -> Case {
    Case::client(level, name, rule, explain, run)
}

/// The next connection of the client, on which both sides have greeted each other.
pub(super) fn greeted(trial: &mut Trial) -> Result<Bytes, Failure> {
    let mut bytes = trial.accept_bytes()?;
    bytes.send(&Handshake::new("ROUTER").greeting())?;
    bytes.expect_greeting()?;
    Ok(bytes)
}

/// Has the client call a method, and gives the number of the command with the request that comes.
pub(super) fn call(
    trial: &mut Trial,
    peer: &mut Peer,
    method: &str,
    args: Json,
) -> Result<(u64, Event), Failure> {
    let id = trial.command(json!({ "call": method, "args": args }))?;
    Ok((id, peer.expect_request(trial.soon())?))
}

/// The same with a stream, which is read to its end at once.
pub(super) fn stream(trial: &mut Trial, peer: &mut Peer) -> Result<(u64, Event), Failure> {
    let id = trial.command(json!({ "stream": "count", "args": [1000], "take": null }))?;
    Ok((id, peer.expect_request(trial.soon())?))
}

/// The id of the channel that a request opens.
pub(super) fn channel(request: &Event) -> Value {
    request.message_id().cloned().unwrap_or(Value::Nil)
}

/// The command ends with this value.
pub(super) fn expect_ok(trial: &mut Trial, id: u64, value: &Json) -> Result<(), Failure> {
    let outcome = trial.outcome(id, trial.soon())?;
    ensure(
        outcome.get("ok") == Some(value),
        format!("the call to give {value}"),
        outcome.to_string(),
    )
}

/// The stream ends so, with these items.
pub(super) fn expect_items(
    trial: &mut Trial,
    id: u64,
    items: &Json,
    end: &Json,
) -> Result<(), Failure> {
    let outcome = trial.outcome(id, trial.soon())?;
    let is_right = outcome.get("items") == Some(items) && outcome.get("end") == Some(end);
    ensure(
        is_right,
        format!("a stream of the items {items} that ends with {end}"),
        outcome.to_string(),
    )
}

/// A whole call, which shows that the client is well.
pub(super) fn works(trial: &mut Trial, peer: &mut Peer) -> Result<(), Failure> {
    let (id, request) = call(trial, peer, "echo", json!(["still there"]))?;
    peer.answer(&request, "OK", vec![Value::from("still there")])?;
    expect_ok(trial, id, &json!("still there"))
        .map_err(|failure| failure.during("a call afterwards"))
}

/// All that comes within some time, and how long after its beginning.
pub(super) fn listen(peer: &mut Peer, during: Duration) -> Result<Vec<(Duration, Event)>, Failure> {
    let start = Instant::now();
    let mut events = Vec::new();
    while let Some(left) = during.checked_sub(start.elapsed()) {
        let Some(event) = peer.receive_event(left)? else { break };
        events.push((start.elapsed(), event));
    }
    Ok(events)
}

/// No event is so.
pub(super) fn expect_none<'a>(
    events: impl IntoIterator<Item = &'a (Duration, Event)>,
    expected: &str,
    is_so: impl Fn(&Event) -> bool,
) -> Result<(), Failure> {
    let found = events.into_iter().find(|(_, event)| is_so(event));
    let seen = found.map_or(String::new(), |(_, event)| event.to_string());
    ensure(found.is_none(), expected, seen)
}

/// Beats on a channel each interval for some time, and gives what comes meanwhile.
pub(super) fn beat_for(
    trial: &Trial,
    peer: &mut Peer,
    channel: &Value,
    intervals: u32,
) -> Result<Vec<(Duration, Event)>, Failure> {
    let mut events = Vec::new();
    for number in 0..intervals {
        let offset = trial.interval() * number;
        let heard = listen(peer, trial.interval())?;
        events.extend(heard.into_iter().map(|(at, event)| (at + offset, event)));
        peer.send_on(channel, "_zpc_hb", vec![Value::from(0)])?;
    }
    Ok(events)
}
