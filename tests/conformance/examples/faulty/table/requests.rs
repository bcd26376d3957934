//! Requests that a server takes wrongly.

use std::time::Duration;

use rmpv::Value;
use zerorpc_conformance::contract::METHODS;

use crate::{
    event::{Event, any, map},
    fault::{
        Fault,
        Hook::{Ignores, In, KeyedByIdAlone, Out},
    },
};

/// Sleeps here and now instead of in this method, whose answer is due afterwards.
fn sleeps_in_place_of(method: &str, mut event: Event) -> Vec<Event> {
    if event.is(method) {
        std::thread::sleep(Duration::from_secs_f64(event.number().clamp(0.0, 30.0)));
        event.name = "echo".into();
    }
    vec![event]
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "text-ids-unanswered": "requests with an id of str are passed over", "ZRPC-3.11", "event.id.str", [In(|_, event| {
        let is = event.is_request() && event.channel().is_str();
        if is { vec![] } else { vec![event] }
    })];
    "integer-ids-unanswered": "requests with an integer as id are passed over", "ZRPC-3.9", "event.id.int", [In(|_, event| {
        let is = event.is_request() && event.channel().is_number();
        if is { vec![] } else { vec![event] }
    })];
    "ids-only-once": "an id that was used before is not taken again", "ZRPC-4.9", "channel.reuse", [In(|memory, event| {
        if !event.is_request() {
            return vec![event];
        }
        // The note of a request begins its channel anew: what is remembered is another one.
        let mut twin = event.clone();
        twin.set("message_id", format!("{:?}", event.channel()));
        let channel = memory.channel(&twin);
        channel.count += 1;
        if channel.count > 1 { vec![] } else { vec![event] }
    })];
    "keyed-by-id-alone": "of two callers with the same id, the later one gets all answers", "ZRPC-4.4", "envelope.same-id", [KeyedByIdAlone];
    "unknown-response-runs": "an event for a channel that is not there is run as a request", "ZRPC-4.8", "broken.response-to-unknown", [In(|memory, mut event| {
        if !event.is_request() && memory.channel(&event).request.response_to().is_some() {
            event.remove("response_to");
        }
        vec![event]
    })];
    "response-to-nil-refused": "requests with response_to: nil are passed over", "ZRPC-3.14", "event.header.response-to-nil", [In(|_, event| {
        if event.get("response_to").is_some_and(Value::is_nil) { vec![] } else { vec![event] }
    })];
    "unknown-keys-refused": "events with unknown header keys are passed over", "ZRPC-3.7", "event.header.many-keys", [In(|_, event| {
        let known = ["message_id", "response_to", "v"];
        let is_known = |(key, _): &(Value, Value)| key.as_str().is_some_and(|key| known.contains(&key));
        if event.header.iter().all(is_known) { vec![event] } else { vec![] }
    })];
    "version-wanted": "requests without v are passed over", "ZRPC-3.18", "event.version.known", [In(|_, event| {
        if event.get("v").is_some() { vec![event] } else { vec![] }
    })];
    "later-versions-refused": "requests with a v above 3 are passed over", "ZRPC-3.18", "event.version.later", [In(|_, event| {
        if event.get("v").and_then(Value::as_u64).is_some_and(|v| v > 3) { vec![] } else { vec![event] }
    })];
    "version-1-refused": "requests of version 1 are passed over", "ZRPC-3.18", "event.version.known", [In(|_, event| {
        if event.get("v").and_then(Value::as_u64) == Some(1) { vec![] } else { vec![event] }
    })];
    "version-2-refused": "requests of version 2 are passed over", "ZRPC-3.18", "event.version.known", [In(|_, event| {
        if event.get("v").and_then(Value::as_u64) == Some(2) { vec![] } else { vec![event] }
    })];
    "version-0-refused": "requests with a v below 1 are passed over", "ZRPC-3.18", "versions.below.err", [In(|_, event| {
        if event.get("v").and_then(Value::as_i64).is_some_and(|v| v < 1) { vec![] } else { vec![event] }
    })];
    "header-order-wanted": "requests whose header does not begin with message_id are passed over", "ZRPC-3.6", "event.header.order", [In(|_, event| {
        let first = event.header.first().and_then(|(key, _)| key.as_str());
        if event.is_request() && first != Some("message_id") { vec![] } else { vec![event] }
    })];
    "trailing-bytes-refused": "payloads with bytes behind the event are passed over", "ZRPC-3.16", "event.trailing-bytes", [Ignores(|payload| {
        let mut rest = payload;
        rmpv::decode::read_value(&mut rest).is_ok() && !rest.is_empty()
    })];
    "long-arrays-refused": "events whose array is in a long form are passed over", "ZRPC-3.15", "event.encoding.long-lengths", [Ignores(|payload| {
        matches!(payload.first(), Some(0xdc | 0xdd))
    })];
    "long-maps-refused": "headers in a long form are passed over", "ZRPC-3.15", "request.header.long-forms", [Ignores(|payload| {
        matches!(payload.get(1), Some(0xde | 0xdf))
    })];
    "float32-misread": "float32 is taken for zero", "ZRPC-3.15", "values.float32", [In(|_, event| {
        let args = map(event.args.clone(), &mut |value| match value {
            Value::F32(_) => 0.into(),
            other => other,
        });
        vec![event.with(args)]
    })];
    "integer-keys-refused": "events with integer keys in their maps are passed over", "ZRPC-3.21", "values.integer-keys", [In(|_, event| {
        let has = |value: &Value| value.as_map().is_some_and(|pairs| pairs.iter().any(|(key, _)| key.is_number()));
        if any(&event.args, &has) { vec![] } else { vec![event] }
    })];
    "bin-names-refused": "requests whose method is bin are passed over", "ZRPC-3.17", "event.name.bin", [In(|_, event| {
        if matches!(event.name, Value::Binary(_)) { vec![] } else { vec![event] }
    })];
    "unknown-method-silent": "a method that is not there is not answered", "ZRPC-7.12", "answer.empty-name", [In(|_, event| {
        let name = event.name.as_str().unwrap_or_default();
        let is_known = METHODS.contains(&name) || name.starts_with("_zerorpc_");
        if event.is_request() && !is_known { vec![] } else { vec![event] }
    })];
    "unknown-method-nil": "a method that is not there answers nil", "ZRPC-7.12", "answer.empty-name", [Out(|_, mut event| {
        if event.is("ERR") && event.first().as_str() == Some("NameError") {
            event.name = "OK".into();
            event.args = Value::Array(vec![Value::Nil]);
        }
        vec![event]
    })];
    "built-ins-missing": "built-in methods are not answered", "ZRPC-7.23", "introspection.args.offered", [In(|_, event| {
        if event.name.as_str().is_some_and(|name| name.starts_with("_zerorpc_")) { vec![] } else { vec![event] }
    })];
    "ping-wrong": "_zerorpc_ping answers the name alone", "ZRPC-7.23", "introspection.ping.form", [Out(|memory, mut event| {
        if memory.channel(&event).request.is("_zerorpc_ping") && event.is("OK") {
            event.args = Value::Array(vec!["conformance".into()]);
        }
        vec![event]
    })];
    "inspect-as-array": "_zerorpc_inspect answers the methods as an array", "ZRPC-7.24", "introspection.inspect.form", [Out(|memory, mut event| {
        if memory.channel(&event).request.is("_zerorpc_inspect") && event.is("OK") {
            event.args = Value::Array(vec![Value::Map(vec![
                ("name".into(), "conformance".into()),
                ("methods".into(), METHODS.iter().map(|name| Value::from(*name)).collect::<Vec<_>>().into()),
            ])]);
        }
        vec![event]
    })];
    "sleep-blocks": "nothing else is done while a method sleeps, beats neither", "ZRPC-7.16", "answer.side-by-side", [In(|_, event| sleeps_in_place_of("sleep", event))];
    "sleep-queues": "requests wait while a method sleeps", "ZRPC-7.16", "answer.side-by-side", [In(|memory, event| {
        if event.is("sleep") {
            memory.count = memory.count.max((event.number() * 1000.0) as u64);
            memory.stash = Some(event.clone());
            return vec![event];
        }
        let until = Duration::from_millis(memory.count);
        let sleeper = memory.stash.clone();
        match sleeper {
            Some(sleeper) if event.is_request() && memory.is_open(&sleeper) => {
                let slept = memory.now - memory.channel(&sleeper).opened;
                // A little longer, so that the sleeper is answered first on any machine.
                let held = until.saturating_sub(slept) + Duration::from_millis(200);
                memory.receive_later(held, event);
                vec![]
            }
            _ => vec![event],
        }
    })];
    "burn-starves-beats": "nothing is said while a method computes", "ZRPC-5.6", "heartbeat.while-computing", [In(|_, event| sleeps_in_place_of("burn", event))];
    "streams-block": "requests wait while a stream goes on", "ZRPC-4.13", "channel.stream-given-up", [In(|memory, event| {
        if event.is_request() && memory.streams() {
            memory.receive_later(Duration::from_secs(20), event);
            return vec![];
        }
        vec![event]
    })];
    "args-spread": "requests with one array as argument take its elements as arguments", "ZRPC-7.1", "request.args.one-array", [In(|_, event| {
        match event.args.as_array().map(Vec::as_slice) {
            Some([Value::Array(only)]) if event.is_request() => {
                let args = Value::Array(only.clone());
                vec![event.with(args)]
            }
            _ => vec![event],
        }
    })];
    "requests-run-twice": "each request is run twice", "ZRPC-7.17", "answer.run-once", [In(|memory, event| {
        if event.is("record") {
            let mut twin = event.clone();
            twin.set("message_id", crate::event::fresh_id());
            memory.receive_later(Duration::ZERO, twin);
        }
        vec![event]
    })];
};
