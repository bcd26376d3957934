//! What a server answers.

use rmpv::Value;

use crate::{
    event::{Event, map},
    fault::{
        Fault,
        Hook::{In, Out},
    },
};

pub(crate) static FAULTS: &[Fault] = faults! {
    "ok-bare": "OK carries the value itself", "ZRPC-7.2", "answer.ok.nil", [Out(|_, event| {
        let first = event.first();
        if event.is("OK") { vec![event.with(first)] } else { vec![event] }
    })];
    "ok-two-values": "OK carries the value twice", "ZRPC-7.2", "answer.ok.nil", [Out(|_, event| {
        let both = Value::Array(vec![event.first(), event.first()]);
        if event.is("OK") { vec![event.with(both)] } else { vec![event] }
    })];
    "ok-nil-empty": "OK carries nothing where the value is nil", "ZRPC-7.2", "answer.ok.nil", [Out(|_, event| {
        let is = event.is("OK") && event.first().is_nil();
        if is { vec![event.with(Value::Array(vec![]))] } else { vec![event] }
    })];
    "ok-twice": "OK is sent twice", "ZRPC-4.5", "answer.once", [Out(|_, event| {
        if event.is("OK") { vec![event.clone(), event] } else { vec![event] }
    })];
    "ok-for-errors": "errors are answered by OK with their message", "ZRPC-7.3", "answer.err.three", [Out(|_, mut event| {
        if event.is("ERR") {
            event.name = "OK".into();
            event.args = Value::Array(vec![event.first()]);
        }
        vec![event]
    })];
    "ok-small-letters": "the answer is named ok", "ZRPC-7.2", "answer.ok.nil", [Out(|_, mut event| {
        if event.is("OK") {
            event.name = "ok".into();
        }
        vec![event]
    })];
    "err-two-elements": "ERR lacks the traceback", "ZRPC-7.3", "answer.err.three", [Out(|_, event| err(event, |args| args.truncate(2)))];
    "err-one-element": "ERR has one element for callers of version 3", "ZRPC-7.3", "answer.err.three", [Out(|_, event| err(event, |args| args.truncate(1)))];
    "err-four-elements": "ERR has one element too many", "ZRPC-7.3", "answer.err.three", [Out(|_, event| err(event, |args| args.push(Value::Nil)))];
    "err-bare": "ERR carries the message itself", "ZRPC-7.3", "answer.err.three", [Out(|_, event| {
        let message = event.args.as_array().and_then(|args| args.get(1)).cloned();
        match message {
            Some(message) if event.is("ERR") => vec![event.with(message)],
            _ => vec![event],
        }
    })];
    "err-three-elements-to-version-1": "ERR has three elements for callers of version 1", "ZRPC-8.2", "versions.1.unknown-method", [Out(|_, event| {
        match event.args.as_array().map(Vec::as_slice) {
            Some([only]) if event.is("ERR") => {
                let args = vec!["ValueError".into(), only.clone(), only.clone()];
                vec![event.with(Value::Array(args))]
            }
            _ => vec![event],
        }
    })];
    "err-name-lost": "the name of each error is Exception", "ZRPC-7.4", "answer.err.name", [Out(|_, event| err(event, |args| {
        if args.len() == 3 {
            args[0] = "Exception".into();
        }
    }))];
    "err-message-lost": "errors have no message", "ZRPC-7.4", "answer.err.message", [Out(|_, event| err(event, |args| {
        if args.len() == 3 {
            args[1] = "".into();
        }
    }))];
    "err-name-and-message-changed-about": "ERR has the message before the name", "ZRPC-7.4", "answer.err.name", [Out(|_, event| err(event, |args| {
        if args.len() == 3 {
            args.swap(0, 1);
        }
    }))];
    "err-traceback-nil": "the traceback of errors is nil", "ZRPC-7.3", "answer.err.three", [Out(|_, event| err(event, |args| {
        if args.len() == 3 {
            args[2] = Value::Nil;
        }
    }))];
    "err-as-bin": "the texts of errors are bin", "ZRPC-7.3", "answer.err.three", [Out(|_, event| err(event, |args| {
        args.iter_mut().for_each(|text| *text = super::headers::bin(text));
    }))];
    "items-wrapped": "items are wrapped in an array", "ZRPC-7.6", "stream.item.bare", [Out(|_, event| {
        let wrapped = Value::Array(vec![event.args.clone()]);
        if event.is("STREAM") { vec![event.with(wrapped)] } else { vec![event] }
    })];
    "items-swapped": "the third item comes before the second", "ZRPC-7.11", "stream.piecewise", [Out(|memory, event| {
        let is_item = event.is("STREAM");
        let items = memory.channel(&event).items;
        let is_held = memory.stash.as_ref().is_some_and(|held| held.channel() == event.channel());
        if is_item && items == 2 && memory.stash.is_none() {
            memory.stash = Some(event);
            return vec![];
        }
        if is_item && is_held {
            return std::iter::once(event).chain(memory.stash.take()).collect();
        }
        if event.is_last() && is_held {
            return memory.stash.take().into_iter().chain([event]).collect();
        }
        vec![event]
    })];
    "item-lost": "the third item of streams is lost", "ZRPC-7.11", "stream.order", [Out(|memory, event| {
        let is = event.is("STREAM") && memory.channel(&event).items == 3;
        if is { vec![] } else { vec![event] }
    })];
    "item-doubled": "the third item of streams comes twice", "ZRPC-7.11", "stream.piecewise", [Out(|memory, event| {
        let is = event.is("STREAM") && memory.channel(&event).items == 3;
        if is { vec![event.clone(), event] } else { vec![event] }
    })];
    "done-missing": "streams have no end", "ZRPC-7.7", "stream.end", [Out(|_, event| {
        if event.is("STREAM_DONE") { vec![] } else { vec![event] }
    })];
    "done-doubled": "streams end twice", "ZRPC-4.6", "heartbeat.end.stream", [Out(|_, event| {
        if event.is("STREAM_DONE") { vec![event.clone(), event] } else { vec![event] }
    })];
    "done-is-ok": "streams end with OK", "ZRPC-7.7", "stream.end.args", [Out(|_, mut event| {
        if event.is("STREAM_DONE") {
            event.name = "OK".into();
            event.args = Value::Array(vec![Value::Nil]);
        }
        vec![event]
    })];
    "done-after-err": "a stream that fails ends once more", "ZRPC-7.10", "stream.error.later", [Out(|memory, event| {
        let streamed = memory.channel(&event).items > 0;
        if event.is("ERR") && streamed {
            let done = Event::on(&event.channel(), "STREAM_DONE", Value::Nil);
            return vec![event, done];
        }
        vec![event]
    })];
    "err-lost-in-streams": "a stream that fails ends as if it were complete", "ZRPC-7.10", "stream.error.later", [Out(|memory, mut event| {
        if event.is("ERR") && memory.channel(&event).items > 0 {
            event.name = "STREAM_DONE".into();
            event.args = Value::Nil;
        }
        vec![event]
    })];
    "item-after-end": "an item follows the end of streams", "ZRPC-4.6", "heartbeat.end.stream", [Out(|_, event| {
        if event.is("STREAM_DONE") {
            let item = Event::on(&event.channel(), "STREAM", 7.into());
            return vec![event, item];
        }
        vec![event]
    })];
    "ok-after-stream": "OK follows the end of streams", "ZRPC-4.6", "heartbeat.end.stream", [Out(|_, event| {
        if event.is("STREAM_DONE") {
            let ok = Event::on(&event.channel(), "OK", Value::Array(vec![Value::Nil]));
            return vec![event, ok];
        }
        vec![event]
    })];
    "streams-as-array": "streams are answered by OK with an array of all items", "ZRPC-7.6", "stream.item.bare", [In(|memory, event| {
        if event.is("count") {
            memory.channel(&event).granted = 1000;
            let id = event.channel();
            let grant = Event::on(&id, "_zpc_more", Value::Array(vec![1000.into()]));
            return vec![event, grant];
        }
        vec![event]
    }), Out(|memory, mut event| {
        let items = memory.channel(&event).items;
        if !memory.channel(&event).request.is("count") {
            return vec![event];
        }
        if event.is("STREAM") {
            return vec![];
        }
        if event.is("STREAM_DONE") {
            event.name = "OK".into();
            event.args = Value::Array(vec![(0..items).map(Value::from).collect::<Vec<_>>().into()]);
        }
        vec![event]
    })];
    "empty-streams-as-nil": "an empty stream is answered by OK with nil", "ZRPC-7.9", "stream.empty", [Out(|memory, mut event| {
        if event.is("STREAM_DONE") && memory.channel(&event).items == 0 {
            event.name = "OK".into();
            event.args = Value::Array(vec![Value::Nil]);
        }
        vec![event]
    })];
    "nested-values-cut": "what is nested more than four deep is nil", "ZRPC-3.22", "event.depth.100", [Out(|_, event| {
        let args = cut(event.args.clone(), 5);
        if event.is("OK") { vec![event.with(args)] } else { vec![event] }
    })];
    "bin-as-text": "values of bin are answered as str", "ZRPC-3.20", "values.bin", [Out(|_, event| ok(event, |value| match value {
        Value::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        other => other,
    }))];
    "text-as-bin": "values of str are answered as bin", "ZRPC-3.20", "values.bin-of-text", [Out(|_, event| ok(event, |value| super::headers::bin(&value)))];
    "integers-as-floats": "integers above 2^53 are answered as floats", "ZRPC-3.20", "values.integers-64", [Out(|_, event| ok(event, |value| match value.as_u64() {
        Some(large) if large > 1 << 53 => (large as f64).into(),
        _ => value,
    }))];
    "floats-as-float32": "floats are answered as float32", "ZRPC-3.20", "values.floats", [Out(|_, event| ok(event, |value| match value {
        Value::F64(value) => Value::F32(value as f32),
        other => other,
    }))];
    "extensions-lost": "values of ext are answered as nil", "ZRPC-3.21", "values.ext", [Out(|_, event| ok(event, |value| match value {
        Value::Ext(..) => Value::Nil,
        other => other,
    }))];
    "nil-as-false": "nil is answered as false", "ZRPC-3.20", "values.nested", [Out(|_, event| ok(event, |value| match value {
        Value::Nil => false.into(),
        other => other,
    }))];
};

/// Changes the arguments of errors.
fn err(event: Event, change: fn(&mut Vec<Value>)) -> Vec<Event> {
    let args = event.args.as_array().cloned();
    match args {
        Some(mut args) if event.is("ERR") => {
            change(&mut args);
            vec![event.with(Value::Array(args))]
        }
        _ => vec![event],
    }
}

/// Changes each value in results.
fn ok(event: Event, change: fn(Value) -> Value) -> Vec<Event> {
    if !event.is("OK") {
        return vec![event];
    }
    let args = map(event.args.clone(), &mut |value| change(value));
    vec![event.with(args)]
}

/// A value with nil for what is deeper than this.
fn cut(value: Value, depth: u32) -> Value {
    match value {
        Value::Array(_) | Value::Map(_) if depth == 0 => Value::Nil,
        Value::Array(items) => {
            items.into_iter().map(|item| cut(item, depth - 1)).collect::<Vec<_>>().into()
        }
        Value::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(key, value)| (key, cut(value, depth - 1))).collect())
        }
        other => other,
    }
}
