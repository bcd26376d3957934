//! What many cases for servers do: short forms of cases, requests in raw bytes, and what is expected of answers.

use std::time::{Duration, Instant};

use rmpv::Value;

use crate::{
    Trial,
    case::{Case, Level, Run, Sharing},
    event::{Event, encode, shown},
    failure::{Failure, ensure},
    raw::Peer,
};

/// A case of a MUST for a server, which shares its process with others.
pub(super) const fn must(
    name: &'static str,
    rule: &'static str,
    needs: &'static [&'static str],
    explain: &'static str,
    run: Run,
) -> Case {
    Case::server(Level::Must, name, rule, explain, run).needing(needs)
}

/// The same of a SHOULD.
pub(super) const fn should(
    name: &'static str,
    rule: &'static str,
    needs: &'static [&'static str],
    explain: &'static str,
    run: Run,
) -> Case {
    Case { level: Level::Should, ..must(name, rule, needs, explain, run) }
}

/// The same of a MAY.
pub(super) const fn may(
    name: &'static str,
    rule: &'static str,
    needs: &'static [&'static str],
    explain: &'static str,
    run: Run,
) -> Case {
    Case { level: Level::May, ..must(name, rule, needs, explain, run) }
}

/// The same case with a process of its own.
pub(super) const fn own(case: Case) -> Case {
    case.sharing(Sharing::Own)
}

/// A str.
pub(super) fn text(text: &str) -> Value {
    Value::from(text)
}

/// An array.
pub(super) fn list(items: Vec<Value>) -> Value {
    Value::Array(items)
}

/// A payload of these encoded parts, whose header has the usual keys.
pub(super) fn payload(id: &[u8], name: &[u8], args: &[u8]) -> Vec<u8> {
    [b"\x93\x82\xaamessage_id", id, b"\xa1v\x03", name, args].concat()
}

/// An encoded str.
pub(super) fn short_str(text: &str) -> Vec<u8> {
    encode(&Value::from(text))
}

/// Sends a request of these encoded parts, and gives its id.
pub(super) fn send_raw(peer: &mut Peer, name: &[u8], args: &[u8]) -> Result<Value, Failure> {
    let id = peer.fresh_id();
    peer.send_payload(&payload(&encode(&id), name, args))?;
    Ok(id)
}

/// OK with this one value, as the next answer on the channel.
pub(super) fn expect_ok(
    peer: &mut Peer,
    channel: &Value,
    value: &Value,
    within: Duration,
) -> Result<(), Failure> {
    let answer = peer.expect_answer(channel, within)?;
    let is_right = answer.name() == "OK" && answer.args == list(vec![value.clone()]);
    ensure(is_right, format!("OK with [{}]", shown(value)), answer.to_string())
}

/// ERR with three str, as the next answer on the channel.
pub(super) fn expect_err(
    peer: &mut Peer,
    channel: &Value,
    within: Duration,
) -> Result<[String; 3], Failure> {
    let answer = peer.expect_answer(channel, within)?;
    let wrong = || Failure::new("ERR with three str: name, message, traceback", answer.to_string());
    let texts: Vec<String> = match (answer.name(), answer.args.as_array()) {
        ("ERR", Some(args)) => {
            args.iter().filter_map(|arg| arg.as_str().map(str::to_owned)).collect()
        }
        _ => return Err(wrong()),
    };
    if answer.args.as_array().is_none_or(|args| args.len() != texts.len()) {
        return Err(wrong());
    }
    texts.try_into().map_err(|_| wrong())
}

/// `STREAM` with this item, as the next answer on the channel.
pub(super) fn expect_item(
    peer: &mut Peer,
    channel: &Value,
    item: &Value,
    within: Duration,
) -> Result<(), Failure> {
    let answer = peer.expect_answer(channel, within)?;
    let is_right = answer.name() == "STREAM" && answer.args == *item;
    ensure(is_right, format!("STREAM with the bare item {}", shown(item)), answer.to_string())
}

/// `STREAM` with each of these numbers.
pub(super) fn expect_items(
    peer: &mut Peer,
    channel: &Value,
    numbers: std::ops::Range<u64>,
    within: Duration,
) -> Result<(), Failure> {
    for number in numbers {
        expect_item(peer, channel, &Value::from(number), within)?;
    }
    Ok(())
}

/// An event of this name, as the next answer on the channel.
pub(super) fn expect_named(
    peer: &mut Peer,
    channel: &Value,
    name: &str,
    within: Duration,
) -> Result<Event, Failure> {
    let answer = peer.expect_answer(channel, within)?;
    ensure(answer.name() == name, name, answer.to_string())?;
    Ok(answer)
}

/// All events on the channel, but for beats and grants, that come during this time.
pub(super) fn heard_on(
    peer: &mut Peer,
    channel: &Value,
    during: Duration,
) -> Result<Vec<Event>, Failure> {
    let heard = heard(peer, during)?;
    Ok(heard.into_iter().filter(|e| e.response_to() == Some(channel) && !e.is_upkeep()).collect())
}

/// All events that come during this time.
pub(super) fn heard(peer: &mut Peer, during: Duration) -> Result<Vec<Event>, Failure> {
    let deadline = Instant::now() + during;
    let mut events = Vec::new();
    let left = || deadline.saturating_duration_since(Instant::now());
    while let Some(event) = peer.receive_event(left())? {
        events.push(event);
    }
    Ok(events)
}

/// No event on the channel but beats and grants for a moment.
pub(super) fn expect_nothing_on(
    trial: &Trial,
    peer: &mut Peer,
    channel: &Value,
) -> Result<(), Failure> {
    let heard = heard_on(peer, channel, trial.moment())?;
    let words: Vec<String> = heard.iter().take(5).map(ToString::to_string).collect();
    let seen = format!("{} of them: {}", heard.len(), words.join(" "));
    ensure(heard.is_empty(), "no further counted event on the channel", seen)
}

/// Calls `echo` with a value, and expects the same back.
pub(super) fn echoes(trial: &mut Trial, value: Value) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("echo", vec![value.clone()])?;
    expect_ok(&mut peer, &channel, &value, trial.soon())
}

/// Begins a stream and reads its first item, which needs no grant.
pub(super) fn begin_stream(
    trial: &Trial,
    peer: &mut Peer,
    name: &str,
    args: Vec<Value>,
) -> Result<Value, Failure> {
    let channel = peer.request(name, args)?;
    expect_item(peer, &channel, &Value::from(0), trial.soon())?;
    Ok(channel)
}

/// Grants credit for so many items.
pub(super) fn grant(
    peer: &mut Peer,
    channel: &Value,
    more: impl Into<Value>,
) -> Result<(), Failure> {
    peer.send_on(channel, "_zpc_more", list(vec![more.into()]))
}
