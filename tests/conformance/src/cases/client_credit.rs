//! Credit that a client grants.

use std::time::{Duration, Instant};

use rmpv::Value;
use serde_json::{Value as Json, json};

use super::client::{
    call, case, channel, expect_items, expect_none, expect_ok, listen, stream, works,
};
use crate::{
    case::{
        Case,
        Level::{Must, Should},
    },
    event::Event,
    failure::{Failure, ensure},
    raw::Peer,
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    case(
        "client.credit.none-at-first",
        "ZRPC-6.13",
        Should,
        "Nothing is granted before the first event of a stream has come: each server may send that.",
        none_at_first,
    ),
    case(
        "client.credit.form",
        "ZRPC-6.3",
        Must,
        "A grant is `_zpc_more` with an array of one integer above zero.",
        form,
    ),
    case(
        "client.credit.version-2",
        "ZRPC-8.5",
        Must,
        "A server whose first answer is of version 2 is granted credit by `_zpc_hb`, and the stream comes to its end.",
        version_2,
    ),
    case(
        "client.credit.after-first-item",
        "ZRPC-6.14",
        Must,
        "A client that reads on grants credit when the only item that its server might send has come.",
        after_first_item,
    ),
    case(
        "client.credit.adding-server",
        "ZRPC-6.14",
        Must,
        "A stream of 700 items comes to its end from a server that adds grants to its credit.",
        adding,
    ),
    case(
        "client.credit.assigning-server",
        "ZRPC-6.14",
        Must,
        "A stream of 700 items comes to its end from a server that replaces its credit by each grant.",
        assigning,
    ),
    case(
        "client.credit.bounded",
        "ZRPC-6.15",
        Must,
        "What is granted to the server of a stream that nobody reads is bounded, however much of it has come.",
        bounded,
    ),
    case(
        "client.credit.does-not-grow",
        "ZRPC-6.19",
        Should,
        "What is granted and has not come is never more than 1000 items, from a server that does not say that it holds items back.",
        does_not_grow,
    ),
    case(
        "client.credit.granted-is-taken",
        "ZRPC-6.16",
        Must,
        "All items that were granted are taken, sent at once and with a reader that pauses.",
        granted_is_taken,
    ),
    case(
        "client.credit.none-after-end",
        "ZRPC-4.6",
        Must,
        "Nothing is granted on a channel that has ended.",
        none_after_end,
    ),
    case(
        "client.credit.server-grants",
        "ZRPC-6.13",
        Should,
        "A grant of the server is no answer.",
        server_grants,
    ),
];

/// The server of a stream, and what it knows of its credit.
struct Sender {
    id: Value,
    sent: i64,
    credit: i64,
    assigns: bool,
    /// The most that was granted and not sent.
    most: i64,
}

impl Sender {
    fn new(request: &Event, assigns: bool) -> Self {
        Self { id: channel(request), sent: 0, credit: 1, assigns, most: 1 }
    }

    fn note(&mut self, event: &Event) {
        if event.name() == "_zpc_more" && event.response_to() == Some(&self.id) {
            let count = event.first().and_then(Value::as_i64).unwrap_or_default();
            self.credit = if self.assigns { count } else { self.credit + count };
            self.most = self.most.max(self.credit);
        }
    }

    /// Sends items until so many have been sent, as credit allows.
    fn send_to(&mut self, trial: &Trial, peer: &mut Peer, end: i64) -> Result<(), Failure> {
        while self.sent < end {
            if self.credit > 0 {
                peer.send_on(&self.id, "STREAM", self.sent)?;
                self.sent += 1;
                self.credit -= 1;
                continue;
            }
            let event = peer.expect_event(trial.soon()).map_err(|failure| {
                failure
                    .during(format!("a grant behind item {} of a stream that is read", self.sent))
            })?;
            self.note(&event);
        }
        Ok(())
    }
}

fn none_at_first(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (_, _) = stream(trial, &mut peer)?;
    let events = listen(&mut peer, trial.moment())?;
    expect_none(&events, "no grant before the first item", |event| event.name() == "_zpc_more")
}

fn form(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (_, request) = stream(trial, &mut peer)?;
    peer.answer(&request, "STREAM", 0)?;
    let channel = channel(&request);
    let grant = peer.expect_matching("a grant", trial.soon(), |event| {
        event.response_to() == Some(&channel) && event.name() == "_zpc_more"
    })?;
    let is_right = match grant.args.as_array().map(Vec::as_slice) {
        Some([count]) => count.as_u64().is_some_and(|count| count > 0),
        _ => false,
    };
    ensure(is_right, "`_zpc_more` with an array of one integer above zero", grant.to_string())
}

/// The next grant in a beat; a beat of 0 is none.
fn granted_by_beat(trial: &Trial, peer: &mut Peer, channel: &Value) -> Result<i64, Failure> {
    let grant = peer.expect_matching("a grant", trial.soon(), |event| {
        let is_grant = event.name() == "_zpc_more" || event.first() != Some(&Value::from(0));
        event.response_to() == Some(channel) && event.is_upkeep() && is_grant
    })?;
    let count = grant.first().and_then(Value::as_i64).filter(|count| *count > 0);
    let count = count.filter(|_| grant.name() == "_zpc_hb");
    count.ok_or_else(|| Failure::new("a grant as `_zpc_hb [n]`", grant.to_string()))
}

fn version_2(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    let channel = channel(&request);
    let mut credit = 1;
    for item in 0..120 {
        while credit == 0 {
            credit += granted_by_beat(trial, &mut peer, &channel)?;
        }
        let own = peer.fresh_id();
        peer.send(&Event::new(own, "STREAM", item).on(&channel).with("v", 2))?;
        credit -= 1;
    }
    let own = peer.fresh_id();
    peer.send(&Event::new(own, "STREAM_DONE", Value::Nil).on(&channel).with("v", 2))?;
    expect_items(trial, id, &(0..120).collect::<Json>(), &json!("done"))
}

fn after_first_item(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    let mut sender = Sender::new(&request, false);
    sender.send_to(trial, &mut peer, 2)?;
    while sender.credit == 0 {
        let event = peer.expect_event(trial.soon())?;
        sender.note(&event);
    }
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &json!([0, 1]), &json!("done"))
}

fn whole_stream(trial: &mut Trial, assigns: bool) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    let mut sender = Sender::new(&request, assigns);
    sender.send_to(trial, &mut peer, 700)?;
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &(0..700).collect::<Json>(), &json!("done"))
}

fn adding(trial: &mut Trial) -> Result<(), Failure> {
    whole_stream(trial, false)
}

fn assigning(trial: &mut Trial) -> Result<(), Failure> {
    whole_stream(trial, true)
}

/// More than any client grants that keeps what it is sent.
const MANY: i64 = 20_000;

fn bounded(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let command = json!({ "stream": "forever", "args": [], "take": null, "pause": 0.2 });
    trial.command(command)?;
    let request = peer.expect_request(trial.soon())?;
    let mut sender = Sender::new(&request, false);
    let end = Instant::now() + trial.soon();
    while sender.sent < MANY && Instant::now() < end {
        if sender.credit > 0 {
            sender.send_to(trial, &mut peer, sender.sent + sender.credit.min(MANY))?;
        }
        for (_, event) in listen(&mut peer, trial.moment())? {
            sender.note(&event);
        }
        peer.send_on(&sender.id, "_zpc_hb", vec![Value::from(0)])?;
        if sender.credit == 0 && sender.sent > 1 {
            break;
        }
    }
    ensure(
        sender.sent + sender.credit < MANY,
        format!("less than {MANY} items to be granted for a reader that takes few"),
        format!("{} granted", sender.sent + sender.credit),
    )
}

fn does_not_grow(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (_, request) = stream(trial, &mut peer)?;
    let mut sender = Sender::new(&request, false);
    for end in 1..=30 {
        // As much at a time as a grant of the reference is for.
        sender.send_to(trial, &mut peer, end * 51)?;
        for (_, event) in listen(&mut peer, Duration::from_millis(20))? {
            sender.note(&event);
        }
    }
    ensure(
        sender.most <= 1000,
        "no more than 1000 items to be under way",
        format!("{} granted and not sent", sender.most),
    )
}

fn granted_is_taken(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let command = json!({ "stream": "count", "args": [60], "take": null, "pause": 0.005 });
    let id = trial.command(command)?;
    let request = peer.expect_request(trial.soon())?;
    let mut sender = Sender::new(&request, false);
    sender.send_to(trial, &mut peer, 60)?;
    while sender.credit == 0 {
        let event = peer.expect_event(trial.soon())?;
        sender.note(&event);
    }
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &(0..60).collect::<Json>(), &json!("done"))
}

fn none_after_end(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = stream(trial, &mut peer)?;
    let mut sender = Sender::new(&request, false);
    sender.send_to(trial, &mut peer, 2)?;
    // What is due for these two comes now.
    for (_, event) in listen(&mut peer, trial.moment())? {
        sender.note(&event);
    }
    peer.answer(&request, "STREAM_DONE", Value::Nil)?;
    expect_items(trial, id, &json!([0, 1]), &json!("done"))?;
    let events = listen(&mut peer, trial.moment())?;
    expect_none(&events, "no grant behind the end", |event| event.name() == "_zpc_more")
}

fn server_grants(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let (id, request) = call(trial, &mut peer, "echo", json!(["x"]))?;
    peer.answer(&request, "_zpc_more", vec![Value::from(100)])?;
    peer.answer(&request, "OK", vec![Value::from("x")])?;
    expect_ok(trial, id, &json!("x"))?;
    works(trial, &mut peer)
}
