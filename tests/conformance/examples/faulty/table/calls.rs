//! What a client sends, and when.

use std::time::Duration;

use rmpv::Value;

use crate::{
    event::Event,
    fault::{
        Fault,
        Hook::{In, Interval, Out, Peer},
        Quirk,
    },
};

fn grant(count: u64) -> Value {
    Value::Array(vec![count.into()])
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "version-missing": "no event has the key v", "ZRPC-3.5", "client.event.version", [Out(|_, mut event| {
        event.remove("v");
        vec![event]
    })];
    "version-2": "every event says that it is of version 2", "ZRPC-3.5", "client.event.version", [Out(|_, mut event| {
        event.set("v", 2);
        vec![event]
    })];
    "header-keys-as-bin": "the keys of headers are bin", "ZRPC-3.2", "client.event.header-keys", [Out(|_, mut event| {
        for (key, _) in &mut event.header {
            *key = super::headers::bin(key);
        }
        vec![event]
    })];
    "message-id-missing": "beats and grants have no id of their own", "ZRPC-3.3", "client.event.message-id", [Out(|_, mut event| {
        if !event.is_request() {
            event.remove("message_id");
        }
        vec![event]
    })];
    "message-id-of-request": "beats and grants have the id of their request as their own", "ZRPC-3.3", "client.event.message-id", [Out(|_, mut event| {
        let id = event.channel();
        event.set("message_id", id);
        vec![event]
    })];
    "ids-repeated": "all requests have the same id", "ZRPC-4.3", "client.call.ids-differ", [Out(|memory, mut event| {
        let id = Value::Binary(b"0123456789abcdef0123456789abcdef".to_vec());
        if event.is_request() {
            memory.latest = event.channel();
            event.set("message_id", id);
        } else {
            event.set("response_to", id);
        }
        vec![event]
    }), In(|memory, mut event| {
        let latest = memory.latest.clone();
        event.set("response_to", latest);
        vec![event]
    })];
    "request-answers": "requests have a response_to", "ZRPC-4.1", "client.event.request-opens", [Out(|_, mut event| {
        if event.is_request() {
            event.set("response_to", Value::Binary(b"nobody".to_vec()));
        }
        vec![event]
    })];
    "one-argument-bare": "a single argument is sent without an array", "ZRPC-7.1", "client.call.args", [Out(|_, event| {
        match event.args.as_array().map(Vec::as_slice) {
            Some([only]) if event.is_request() => {
                let only = only.clone();
                vec![event.with(only)]
            }
            _ => vec![event],
        }
    })];
    "no-arguments-nil": "no arguments are sent as nil", "ZRPC-7.1", "client.call.args", [Out(|_, event| {
        let is_empty = event.args.as_array().is_some_and(Vec::is_empty);
        if event.is_request() && is_empty { vec![event.with(Value::Nil)] } else { vec![event] }
    })];
    "args-wrapped": "arguments are sent in an array of their own", "ZRPC-7.1", "client.call.args", [Out(|_, event| {
        let wrapped = Value::Array(vec![event.args.clone()]);
        if event.is_request() { vec![event.with(wrapped)] } else { vec![event] }
    })];
    "methods-as-bin": "the names of methods are bin", "ZRPC-3.17", "client.event.name", [Out(|_, mut event| {
        event.name = super::headers::bin(&event.name);
        vec![event]
    })];
    "text-as-bin": "text in arguments is sent as bin", "ZRPC-3.20", "client.call.args-unchanged", [Out(|_, event| {
        let args = crate::event::map(event.args.clone(), &mut |value| super::headers::bin(&value));
        if event.is_request() { vec![event.with(args)] } else { vec![event] }
    })];
    "events-off-channel": "beats and grants do not say what they belong to", "ZRPC-4.2", "client.heartbeat.channel", [Out(|_, mut event| {
        event.remove("response_to");
        vec![event]
    })];
    "response-to-as-text": "beats and grants name their channel by text", "ZRPC-4.2", "client.heartbeat.channel", [Out(|_, mut event| {
        if let Some(Value::Binary(id)) = event.get("response_to").cloned() {
            event.set("response_to", String::from_utf8_lossy(&id).into_owned());
        }
        vec![event]
    })];
    "requests-doubled": "each request is sent twice", "ZRPC-7.29", "client.call.one-request", [Out(|_, event| {
        if event.is_request() { vec![event.clone(), event] } else { vec![event] }
    })];
    "calls-one-at-a-time": "a call waits until those before it are answered", "ZRPC-4.13", "client.call.beside", [Peer(Quirk::OneAtATime)];
    "grants-none": "no credit is granted", "ZRPC-6.14", "client.credit.after-first-item", [Out(|_, event| {
        if event.is_grant() { vec![] } else { vec![event] }
    })];
    "grant-with-request": "a grant follows each request at once", "ZRPC-6.13", "client.credit.none-at-first", [Out(|_, event| {
        if event.is_request() {
            let more = Event::on(&event.channel(), "_zpc_more", grant(100));
            return vec![event, more];
        }
        vec![event]
    })];
    "grants-thousandfold": "a thousand times too much is granted", "ZRPC-6.15", "client.credit.bounded", [Out(|_, event| {
        let args = grant(event.number() as u64 * 1000);
        if event.is_grant() { vec![event.with(args)] } else { vec![event] }
    })];
    "grants-doubled": "each grant is sent twice", "ZRPC-6.19", "client.credit.does-not-grow", [Out(|_, event| {
        if event.is_grant() { vec![event.clone(), event] } else { vec![event] }
    })];
    "grants-unread": "credit is granted for items that nobody has read", "ZRPC-6.19", "client.credit.does-not-grow", [In(|memory, event| {
        if event.is("STREAM") && memory.channel(&event).items % 20 == 0 {
            let more = Event::on(&event.channel(), "_zpc_more", grant(20));
            memory.later(Duration::ZERO, more);
        }
        vec![event]
    })];
    "grants-bare": "grants carry the number itself", "ZRPC-6.3", "client.credit.form", [Out(|_, event| {
        let bare = event.first();
        if event.is_grant() { vec![event.with(bare)] } else { vec![event] }
    })];
    "grants-as-text": "grants carry their number as text", "ZRPC-6.3", "client.credit.form", [Out(|_, event| {
        let text = Value::Array(vec![event.number().to_string().into()]);
        if event.is_grant() { vec![event.with(text)] } else { vec![event] }
    })];
    "grants-in-beats": "credit is granted by beats, as in version 2", "ZRPC-6.3", "client.credit.form", [Out(|_, mut event| {
        if event.is_grant() {
            event.name = "_zpc_hb".into();
        }
        vec![event]
    })];
    "grants-never-in-beats": "credit is granted by _zpc_more whatever the server speaks", "ZRPC-8.5", "client.credit.version-2", [Out(|_, mut event| {
        if event.is_beat() && event.number() > 0.0 {
            event.name = "_zpc_more".into();
        }
        vec![event]
    })];
    "grants-short": "of each grant one is kept", "ZRPC-6.14", "client.credit.adding-server", [Out(|_, event| {
        let args = grant(1);
        if event.is_grant() { vec![event.with(args)] } else { vec![event] }
    })];
    "grant-after-end": "a grant follows the end of streams", "ZRPC-4.6", "client.credit.none-after-end", [In(|memory, event| {
        if event.is("STREAM_DONE") {
            let more = Event::on(&event.channel(), "_zpc_more", grant(100));
            memory.later_anyway(Duration::ZERO, more);
        }
        vec![event]
    })];
    "grant-on-plain-calls": "a grant answers each OK", "ZRPC-6.13", "client.call.no-grant", [In(|memory, event| {
        if event.is("OK") {
            let more = Event::on(&event.channel(), "_zpc_more", grant(100));
            memory.later_anyway(Duration::ZERO, more);
        }
        vec![event]
    })];
    "beats-none": "no beat is sent", "ZRPC-5.18", "client.heartbeat.on-streams", [Out(|_, event| if event.is_beat() { vec![] } else { vec![event] })];
    "beat-with-request": "a beat follows each request at once", "ZRPC-5.12", "client.heartbeat.not-early", [Out(|_, event| {
        if event.is_request() {
            let beat = Event::beat(&event.channel());
            return vec![event, beat];
        }
        vec![event]
    })];
    "beats-early": "four beats are sent in each interval", "ZRPC-5.12", "client.heartbeat.not-early", [Out(|memory, event| {
        if event.is_request() {
            memory.beat_every(0.25, &event);
        }
        vec![event]
    })];
    "beats-late": "of three beats one is sent", "ZRPC-5.18", "client.heartbeat.on-streams", [Out(|memory, event| {
        let is_one = memory.channel(&event).beats % 3 == 0;
        if event.is_beat() && !is_one { vec![] } else { vec![event] }
    })];
    "beats-stop": "beats stop after the second", "ZRPC-5.18", "client.heartbeat.on-streams", [Out(|memory, event| {
        let are_over = memory.channel(&event).beats > 2;
        if event.is_beat() && are_over { vec![] } else { vec![event] }
    })];
    "beats-after-end": "beats go on after the end", "ZRPC-4.6", "client.heartbeat.not-after-end", [In(|memory, event| {
        if event.is_last() {
            for number in 1..6 {
                let beat = Event::beat(&event.channel());
                memory.later_anyway(memory.interval * number / 2, beat);
            }
        }
        vec![event]
    })];
    "beats-with-credit": "beats carry a hundred", "ZRPC-5.1", "client.heartbeat.args", [Out(|_, event| {
        if event.is_beat() { vec![event.with(grant(100))] } else { vec![event] }
    })];
    "beats-answered": "each beat is answered with a beat", "ZRPC-5.14", "client.heartbeat.no-echo", [In(|memory, event| {
        if event.is_beat() {
            let beat = Event::beat(&event.channel());
            memory.later(Duration::ZERO, beat);
        }
        vec![event]
    })];
    "loss-never": "a silent server is never lost", "ZRPC-5.13", "client.heartbeat.loss-in-time", [Interval(0.0), Out(|memory, event| {
        if event.is_request() {
            memory.beat_every(1.0, &event);
        }
        vec![event]
    })];
    "loss-early": "a server is lost after an interval of silence", "ZRPC-5.9", "client.heartbeat.loss-not-early", [Interval(0.45)];
    "loss-late": "a server is lost after eight intervals of silence", "ZRPC-5.13", "client.heartbeat.loss-in-time", [Interval(4.0), Out(|memory, event| {
        if event.is_request() {
            memory.beat_every(1.0, &event);
        }
        vec![event]
    })];
    "timeout-ignored": "time-outs are never over", "ZRPC-10.2", "client.call.timeout", [Peer(Quirk::NoTimeout)];
    "timeout-of-streams": "a time-out counts for a stream as a whole", "ZRPC-10.1", "client.stream.no-time-limit", [Peer(Quirk::TimeoutOfStreams)];
};
