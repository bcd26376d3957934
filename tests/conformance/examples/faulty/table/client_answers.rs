//! What a client makes of answers.

use std::time::Duration;

use rmpv::Value;

use crate::{
    event::{Event, any, map},
    fault::{
        Fault,
        Hook::{Deaf, Dies, Ignores, In, Peer},
        Quirk,
    },
};

fn is_event(payload: &[u8]) -> bool {
    Event::decode(payload).is_some()
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "ids-as-text-passed-over": "answers that name their call by text are passed over", "ZRPC-3.13", "client.event.id-as-text", [In(|_, event| {
        if event.response_to().is_some_and(Value::is_str) { vec![] } else { vec![event] }
    })];
    "seventh-item-lost": "the seventh item of each stream is lost", "ZRPC-6.16", "client.credit.granted-is-taken", [In(|memory, event| {
        let is_seventh = memory.channel(&event).items == 7;
        if event.is("STREAM") && is_seventh { vec![] } else { vec![event] }
    })];
    "dies-at-odd-version": "a v that is no number ends the process", "ZRPC-11.6", "client.broken.odd-version", [Dies(|payload| {
        let version = Event::decode(payload).and_then(|event| event.get("v").cloned());
        version.is_some_and(|version| !version.is_number())
    })];
    "response-to-ignored": "each answer is taken for that of the latest call", "ZRPC-11.14", "client.event.foreign-answer", [In(|memory, mut event| {
        let latest = memory.latest.clone();
        event.set("response_to", latest);
        vec![event]
    })];
    "answer-must-have-id": "answers without an id of their own are passed over", "ZRPC-3.26", "client.event.no-own-id", [In(|_, event| {
        if event.get("message_id").is_some() { vec![event] } else { vec![] }
    })];
    "second-answer-wins": "of two answers the second is taken", "ZRPC-7.8", "client.call.first-answer-decides", [In(|memory, event| {
        if !event.is("OK") {
            return vec![event];
        }
        let channel = memory.channel(&event);
        channel.count += 1;
        if channel.count == 1 {
            // A moment, for what may follow.
            memory.receive_later(Duration::from_millis(150), event);
            return vec![];
        }
        vec![event]
    })];
    "ok-bare-taken": "values are taken out of OK twice", "ZRPC-7.19", "client.call.ok", [In(|_, event| {
        match event.first() {
            Value::Array(items) if event.is("OK") && items.len() == 1 => {
                vec![event.with(Value::Array(items))]
            }
            _ => vec![event],
        }
    })];
    "ok-all-values": "OK gives the array of its values", "ZRPC-7.19", "client.call.ok", [In(|_, event| {
        let whole = Value::Array(vec![event.args.clone()]);
        if event.is("OK") { vec![event.with(whole)] } else { vec![event] }
    })];
    "items-unwrapped": "items that are arrays of one are that one", "ZRPC-7.6", "client.stream.bare-items", [In(|_, event| {
        match event.args.as_array().map(Vec::as_slice) {
            Some([only]) if event.is("STREAM") => {
                let only = only.clone();
                vec![event.with(only)]
            }
            _ => vec![event],
        }
    })];
    "nil-items-lost": "items that are nil are lost", "ZRPC-7.6", "client.stream.bare-items", [In(|_, event| {
        if event.is("STREAM") && event.args.is_nil() { vec![] } else { vec![event] }
    })];
    "first-item-lost": "the first item of streams is lost", "ZRPC-7.11", "client.stream.items", [In(|memory, event| {
        let is = event.is("STREAM") && memory.channel(&event).items == 1;
        if is { vec![] } else { vec![event] }
    })];
    "done-as-item": "the end of a stream is an item as well", "ZRPC-7.7", "client.stream.done-args", [In(|_, event| {
        if event.is("STREAM_DONE") {
            let mut item = event.clone();
            item.name = "STREAM".into();
            return vec![item, event];
        }
        vec![event]
    })];
    "done-with-array-passed-over": "only nil ends a stream", "ZRPC-7.7", "client.stream.done-args", [In(|_, event| {
        if event.is("STREAM_DONE") && !event.args.is_nil() { vec![] } else { vec![event] }
    })];
    "empty-streams-hang": "a stream without items does not end", "ZRPC-7.9", "client.stream.empty", [In(|memory, event| {
        let is_empty = memory.channel(&event).items == 0;
        if event.is("STREAM_DONE") && is_empty { vec![] } else { vec![event] }
    })];
    "err-ignored": "errors are passed over", "ZRPC-7.18", "client.call.error", [In(|_, event| {
        if event.is("ERR") { vec![] } else { vec![event] }
    })];
    "err-as-value": "errors are values", "ZRPC-7.18", "client.call.error", [In(|_, mut event| {
        if event.is("ERR") {
            event.name = "OK".into();
        }
        vec![event]
    })];
    "err-name-lost": "the names of errors are lost", "ZRPC-7.18", "client.call.error", [In(|_, mut event| {
        if let (true, Value::Array(args)) = (event.is("ERR"), &mut event.args)
            && args.len() > 1
        {
            args[0] = "RemoteError".into();
        }
        vec![event]
    })];
    "err-message-as-name": "the message of an error is taken for its name", "ZRPC-7.18", "client.call.error", [In(|_, mut event| {
        if let (true, Value::Array(args)) = (event.is("ERR"), &mut event.args)
            && args.len() > 1
        {
            args.swap(0, 1);
        }
        vec![event]
    })];
    "err-one-element-passed-over": "errors of one element are passed over", "ZRPC-7.18", "client.call.error-one-text", [In(|_, event| {
        let is_one = event.args.as_array().is_some_and(|args| args.len() == 1);
        if event.is("ERR") && is_one { vec![] } else { vec![event] }
    })];
    "err-in-streams-ends": "a stream that fails ends as if it were complete", "ZRPC-7.10", "client.stream.error-behind-items", [Peer(Quirk::ErrorsEndStreams)];
    "err-takes-items": "the items of a stream that fails are lost", "ZRPC-7.10", "client.stream.error-behind-items", [Peer(Quirk::ErrorsTakeItems)];
    "unknown-answer-passed-over": "a first answer of unknown name is passed over", "ZRPC-7.20", "client.call.unknown-answer", [In(|_, event| {
        let known = ["OK", "ERR", "STREAM", "STREAM_DONE", "_zpc_hb", "_zpc_more"];
        if known.iter().any(|name| event.is(name)) { vec![event] } else { vec![] }
    })];
    "unknown-answer-as-value": "a first answer of unknown name is taken for OK", "ZRPC-7.20", "client.call.unknown-answer", [In(|_, mut event| {
        let known = ["OK", "ERR", "STREAM", "STREAM_DONE", "_zpc_hb", "_zpc_more"];
        if !known.iter().any(|name| event.is(name)) {
            event.name = "OK".into();
        }
        vec![event]
    })];
    "other-names-in-streams-passed-over": "events of other names within a stream are passed over", "ZRPC-7.21", "client.stream.other-name-ends", [In(|memory, event| {
        let is_within = memory.channel(&event).items > 0;
        if event.is("OK") && is_within { vec![] } else { vec![event] }
    })];
    "unknown-keys-refused": "answers with unknown header keys are passed over", "ZRPC-3.7", "client.event.unknown-keys", [In(|_, event| {
        let known = ["message_id", "response_to", "v"];
        let is_known = |(key, _): &(Value, Value)| key.as_str().is_some_and(|key| known.contains(&key));
        if event.header.iter().all(is_known) { vec![event] } else { vec![] }
    })];
    "version-wanted": "answers without v are passed over", "ZRPC-3.18", "client.event.answer-version", [In(|_, event| {
        if event.get("v").is_some() { vec![event] } else { vec![] }
    })];
    "beats-unheard": "beats of the server are passed over", "ZRPC-5.8", "client.heartbeat.keeps-server", [In(|_, event| {
        if event.is_beat() { vec![] } else { vec![event] }
    })];
    "beats-with-nil-unheard": "beats whose arguments are no array are passed over", "ZRPC-5.2", "client.heartbeat.any-args", [In(|_, event| {
        if event.is_beat() && !event.args.is_array() { vec![] } else { vec![event] }
    })];
    "beat-as-answer": "the first beat is taken for the answer", "ZRPC-5.2", "client.heartbeat.no-answer", [In(|_, mut event| {
        if event.is_beat() {
            event.name = "OK".into();
        }
        vec![event]
    })];
    "grant-as-answer": "a grant of the server is taken for the answer", "ZRPC-6.13", "client.credit.server-grants", [In(|_, mut event| {
        if event.is_grant() {
            event.name = "OK".into();
        }
        vec![event]
    })];
    "late-answers-taken": "an answer that comes too late is that of the next call", "ZRPC-4.7", "client.call.late-answer", [In(|memory, mut event| {
        // The session passes over what is for a call that is gone: it is given to the latest as well.
        if !event.is("OK") || event.channel() == memory.latest {
            return vec![event];
        }
        let own = event.clone();
        event.set("response_to", memory.latest.clone());
        vec![own, event]
    })];
    "trailing-bytes-refused": "payloads with bytes behind the event are passed over", "ZRPC-3.16", "client.event.trailing-bytes", [Ignores(|payload| {
        let mut rest = payload;
        rmpv::decode::read_value(&mut rest).is_ok() && !rest.is_empty()
    })];
    "long-forms-refused": "events whose array or header is in a long form are passed over", "ZRPC-3.15", "client.event.long-forms", [Ignores(|payload| {
        matches!(payload.first(), Some(0xdc | 0xdd)) || matches!(payload.get(1), Some(0xde | 0xdf))
    })];
    "float32-misread": "float32 is taken for zero", "ZRPC-3.15", "client.event.float32", [In(|_, event| {
        let args = map(event.args.clone(), &mut |value| match value {
            Value::F32(_) => 0.into(),
            other => other,
        });
        vec![event.with(args)]
    })];
    "integer-keys-refused": "answers with integer keys in their maps are passed over", "ZRPC-3.21", "client.event.integer-keys", [In(|_, event| {
        let has = |value: &Value| value.as_map().is_some_and(|pairs| pairs.iter().any(|(key, _)| key.is_number()));
        if any(&event.args, &has) { vec![] } else { vec![event] }
    })];
    "dies-at-garbage": "an answer that is no event ends the process", "ZRPC-11.13", "client.broken.no-event", [Dies(|payload| !is_event(payload))];
    "deaf-after-garbage": "after an answer that is no event nothing is heard", "ZRPC-11.13", "client.broken.garbage", [Deaf(|payload| !is_event(payload))];
    "dies-at-odd-response": "a response_to that is an array ends the process", "ZRPC-11.7", "client.broken.odd-response", [Dies(|payload| {
        let event = crate::event::Event::decode(payload);
        event.is_some_and(|event| event.get("response_to").is_some_and(Value::is_array))
    })];
    "dies-at-unknown-channel": "an answer to a call that is not there ends the process", "ZRPC-11.14", "client.event.foreign-answer", [In(|memory, event| {
        if memory.channel(&event).request.response_to().is_some() {
            std::process::exit(70);
        }
        vec![event]
    })];
    "dies-at-empty-ok": "an OK without a value ends the process", "ZRPC-7.19", "client.call.ok-empty", [In(|_, event| {
        if event.is("OK") && event.args.as_array().is_none_or(Vec::is_empty) {
            std::process::exit(70);
        }
        vec![event]
    })];
    "ends-at-loss": "the process ends with the first call that is lost", "ZRPC-10.3", "client.heartbeat.loss-alone", [Peer(Quirk::EndsAtLoss)];
    "refusals-final": "a server that has refused the client is not tried again", "ZRPC-14.29", "client.refused.tries-again", [Peer(Quirk::NoRetry)];
    "no-reconnect": "a connection that is lost is not made again", "ZRPC-14.37", "client.connection.again-after-refusal", [Peer(Quirk::NoReconnect)];
    "no-retry": "a connection whose handshake fails is not made again", "ZRPC-14.37", "client.connection.again-after-refusal", [Peer(Quirk::NoRetry)];
    "resends-after-loss": "calls that are lost with their server are made once more", "ZRPC-14.38", "client.connection.lost-stream", [Peer(Quirk::Resends)];
    "streams-kept": "a stream that is given up stays open", "ZRPC-4.15", "client.stream.given-up", [Peer(Quirk::KeepsStreams)];
};
