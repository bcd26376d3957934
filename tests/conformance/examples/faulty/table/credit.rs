//! Credit that a server does not keep to.

use rmpv::Value;

use crate::{
    event::Event,
    fault::{
        Fault,
        Hook::{In, Out},
    },
};

/// The methods that stream.
fn streams(event: &Event) -> bool {
    ["count", "forever", "fail_after"].iter().any(|method| event.is(method))
}

/// A request with a grant behind it that nobody gave.
fn with_credit(event: Event, count: u64) -> Vec<Event> {
    if !streams(&event) {
        return vec![event];
    }
    let id = event.channel();
    vec![event, Event::on(&id, "_zpc_more", grant(count))]
}

fn grant(count: u64) -> Value {
    Value::Array(vec![count.into()])
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "plain-answers-wait-for-credit": "the answer to a plain call waits for a grant", "ZRPC-6.1", "answer.ok.without-credit", [Out(|memory, event| {
        let channel = memory.channel(&event);
        let is_built_in = channel.request.name.as_str().is_some_and(|name| name.starts_with('_'));
        if event.is("OK") && !is_built_in && channel.granted <= 1 { vec![] } else { vec![event] }
    })];
    "grants-for-the-first": "each grant counts for the stream that was begun first", "ZRPC-6.6", "credit.own-channel", [In(|memory, mut event| {
        if event.is("count") && memory.stash.is_none() {
            memory.stash = Some(event.clone());
        }
        if event.is_grant() && let Some(first) = &memory.stash {
            event.set("response_to", first.channel());
        }
        vec![event]
    })];
    "grants-of-two-refused": "grants of more than one argument are passed over", "ZRPC-6.7", "credit.wide-number", [In(|_, event| {
        let is_long = event.args.as_array().is_some_and(|args| args.len() > 1);
        if event.is_grant() && is_long { vec![] } else { vec![event] }
    })];
    "huge-grants-overflow": "a grant that is too large for 32 bits with a sign counts for nothing", "ZRPC-6.9", "credit.huge", [In(|_, event| {
        let is_huge = event.first().as_u64().is_some_and(|number| i32::try_from(number).is_err());
        if event.is_grant() && is_huge { vec![] } else { vec![event] }
    })];
    "early-grants-lost": "grants that come before the first item are passed over", "ZRPC-6.11", "credit.before-the-answer", [In(|memory, event| {
        if event.is_grant() && memory.channel(&event).items == 0 { vec![] } else { vec![event] }
    })];
    "credit-ignored": "items are sent without credit", "ZRPC-6.2", "credit.hundred", [In(|_, event| with_credit(event, 1000))];
    "credit-one-more-at-first": "two items are sent before any grant", "ZRPC-6.2", "credit.first", [In(|_, event| with_credit(event, 1))];
    "credit-one-more": "each grant is taken for one more", "ZRPC-6.2", "credit.one", [In(|_, event| {
        let args = grant(event.number() as u64 + 1);
        if event.is_grant() { vec![event.with(args)] } else { vec![event] }
    })];
    "credit-one-less": "each grant is taken for one less", "ZRPC-6.4", "credit.adds", [In(|_, event| {
        let args = grant((event.number() as u64).saturating_sub(1));
        if event.is_grant() { vec![event.with(args)] } else { vec![event] }
    })];
    "grants-replaced": "a grant replaces what is left of those before it", "ZRPC-6.4", "credit.adds", [In(|memory, event| {
        if !event.is_grant() {
            return vec![event];
        }
        let channel = memory.channel(&event);
        let left = channel.granted.saturating_sub(channel.items);
        let count = event.number() as u64;
        let added = count.saturating_sub(left);
        channel.granted += added;
        vec![event.with(grant(added))]
    })];
    "grants-ignored": "grants are passed over", "ZRPC-6.4", "credit.adds", [In(|_, event| {
        if event.is_grant() { vec![] } else { vec![event] }
    })];
    "grants-in-beats-ignored": "beats of version 2 grant nothing", "ZRPC-8.4", "versions.1.stream", [In(|_, event| {
        if event.is_beat() { vec![event.with(grant(0))] } else { vec![event] }
    })];
    "grants-in-beats-taken": "beats of version 3 grant what they carry", "ZRPC-5.2", "heartbeat.is-no-grant", [In(|_, event| {
        if !event.is_beat() {
            return vec![event];
        }
        let more = Event::on(&event.channel(), "_zpc_more", event.args.clone());
        vec![event, more]
    })];
    "grants-capped": "no grant is taken for more than ten", "ZRPC-6.4", "credit.used-up", [In(|_, event| {
        let args = grant((event.number() as u64).min(10));
        if event.is_grant() { vec![event.with(args)] } else { vec![event] }
    })];
    "beats-cost-credit": "each beat takes the place of an item", "ZRPC-5.3", "heartbeat.without-credit", [In(|memory, event| {
        if !event.is_grant() {
            return vec![event];
        }
        let beats = std::mem::take(&mut memory.channel(&event).beats);
        let args = grant((event.number() as u64).saturating_sub(beats));
        vec![event.with(args)]
    })];
    "end-without-credit": "the end of a stream does not wait for credit", "ZRPC-6.5", "credit.done-counts", [Out(|memory, event| {
        let channel = memory.channel(&event);
        let is_last_item = channel.request.is("count")
            && event.is("STREAM")
            && channel.items == channel.request.number() as u64;
        if is_last_item {
            let done = Event::on(&event.channel(), "STREAM_DONE", Value::Nil);
            return vec![event, done];
        }
        if event.is("STREAM_DONE") && channel.items > 0 { vec![] } else { vec![event] }
    })];
    "end-costs-two": "the end of a stream waits for one credit more", "ZRPC-6.5", "credit.err-counts", [In(|memory, event| {
        if !event.is_grant() {
            return vec![event];
        }
        // The first grant is short by one: all items leave, and the end waits.
        let channel = memory.channel(&event);
        channel.count += 1;
        let less = u64::from(channel.count == 1);
        let args = grant((event.number() as u64).saturating_sub(less));
        vec![event.with(args)]
    })];
    "server-grants": "requests are answered with a grant", "ZRPC-6.13", "request.no-grant", [In(|memory, event| {
        if event.is_request() {
            let more = Event::on(&event.channel(), "_zpc_more", grant(100));
            memory.later(std::time::Duration::ZERO, more);
        }
        vec![event]
    })];
};
