//! Built-in methods, and what versions 1 and 2 are told.

use std::time::Duration;

use rmpv::Value;

use crate::{
    event::Event,
    fault::{
        Fault,
        Hook::{In, Out},
    },
    memory::Memory,
};

/// What a method answers, if it does not fail, is this instead.
fn answers(
    memory: &mut Memory,
    mut event: Event,
    method: &str,
    value: impl Fn(Value) -> Value,
) -> Vec<Event> {
    if memory.channel(&event).request.is(method) && event.is("OK") {
        let first = value(event.first());
        event.args = Value::Array(vec![first]);
    }
    vec![event]
}

/// The error of a method has another name.
fn fails(memory: &mut Memory, mut event: Event, method: &str, name: &str) -> Vec<Event> {
    if memory.channel(&event).request.is(method)
        && event.is("ERR")
        && let Value::Array(parts) = &mut event.args
        && let Some(first) = parts.first_mut()
    {
        *first = name.into();
    }
    vec![event]
}

fn version(event: &Event) -> Option<u64> {
    event.get("v").and_then(Value::as_u64)
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "list-as-map": "_zerorpc_list answers a map", "ZRPC-7.25", "introspection.list.form", [Out(|memory, event| {
        answers(memory, event, "_zerorpc_list", |_| Value::Map(vec![("echo".into(), Value::Nil)]))
    })];
    "list-turned": "_zerorpc_list is sorted from the end", "ZRPC-7.25", "introspection.list.sorted", [Out(|memory, event| {
        answers(memory, event, "_zerorpc_list", |list| {
            let mut names = list.as_array().cloned().unwrap_or_default();
            names.reverse();
            Value::Array(names)
        })
    })];
    "name-nil": "_zerorpc_name answers nil", "ZRPC-7.26", "introspection.name.form", [Out(|memory, event| answers(memory, event, "_zerorpc_name", |_| Value::Nil))];
    "help-as-array": "_zerorpc_help answers an array", "ZRPC-7.26", "introspection.help.form", [Out(|memory, event| {
        answers(memory, event, "_zerorpc_help", |help| Value::Array(vec![help]))
    })];
    "args-as-text": "_zerorpc_args answers text", "ZRPC-7.26", "introspection.args.form", [Out(|memory, event| {
        answers(memory, event, "_zerorpc_args", |_| "(x)".into())
    })];
    "help-of-unknown-misnamed": "_zerorpc_help of a method that is not there is the error NameError", "ZRPC-7.26", "introspection.help.unknown", [Out(|memory, event| {
        fails(memory, event, "_zerorpc_help", "NameError")
    })];
    "ping-takes-anything": "_zerorpc_ping looks at no arguments", "ZRPC-7.27", "introspection.arguments.ping", [In(|_, mut event| {
        if event.is("_zerorpc_ping") {
            event.args = Value::Array(Vec::new());
        }
        vec![event]
    })];
    "built-ins-wait": "built-in methods wait while ten calls are open", "ZRPC-7.28", "introspection.while-busy", [In(|memory, event| {
        let is_built_in = event.name.as_str().is_some_and(|name| name.starts_with("_zerorpc_"));
        if event.is_request() && is_built_in && memory.open_count() > 10 {
            memory.receive_later(Duration::from_secs(30), event);
            return vec![];
        }
        vec![event]
    })];
    "private-names-called": "names with an underscore in front are called", "ZRPC-7.22", "answer.private-names", [In(|_, mut event| {
        let is_private = event.name.as_str().is_some_and(|name| name.starts_with('_') && !name.starts_with("_z"));
        if event.is_request() && is_private {
            event.name = "echo".into();
            event.args = Value::Array(vec![1.into()]);
        }
        vec![event]
    })];
    "arguments-uncounted": "add with one argument answers nil", "ZRPC-7.13", "answer.arguments.too-few", [Out(|memory, mut event| {
        if memory.channel(&event).request.is("add") && event.is("ERR") {
            event.name = "OK".into();
            event.args = Value::Array(vec![Value::Nil]);
        }
        vec![event]
    })];
    "arguments-misnamed": "a wrong number of arguments is the error ValueError", "ZRPC-7.13", "answer.arguments.name", [Out(|memory, event| fails(memory, event, "add", "ValueError"))];
    "tracebacks-empty": "errors have an empty traceback", "ZRPC-7.5", "answer.err.traceback", [Out(|_, mut event| {
        if event.is("ERR")
            && let Value::Array(parts) = &mut event.args
            && let Some(traceback) = parts.get_mut(2)
        {
            *traceback = "".into();
        }
        vec![event]
    })];
    "err-one-element-to-version-2": "ERR to version 2 is its message alone", "ZRPC-8.3", "versions.2.err", [Out(|memory, mut event| {
        if event.is("ERR") && version(&memory.channel(&event).request) == Some(2) {
            let message = event.args.as_array().and_then(|parts| parts.get(1).cloned());
            event.args = Value::Array(vec![message.unwrap_or(Value::Nil)]);
        }
        vec![event]
    })];
    "beats-grant-back-to-version-2": "beats to version 2 grant a hundred", "ZRPC-8.9", "versions.2.beats-are-no-grants-back", [Out(|memory, mut event| {
        if event.is_beat() && version(&memory.channel(&event).request) == Some(2) {
            event.args = Value::Array(vec![100.into()]);
        }
        vec![event]
    })];
    "each-beat-decides": "a beat of version 2 grants on every channel", "ZRPC-8.1", "versions.first-event-decides.3", [In(|_, mut event| {
        if event.is_beat() && version(&event) == Some(2) && event.number() > 0.0 {
            event.name = "_zpc_more".into();
            event.set("v", 3);
        }
        vec![event]
    })];
    "first-version-decides": "requests of another version than the first are passed over", "ZRPC-8.6", "versions.side-by-side", [In(|memory, event| {
        if !event.is_request() || event.is("_zerorpc_ping") || event.is("_zerorpc_inspect") {
            return vec![event];
        }
        let version = version(&event).unwrap_or(1);
        memory.count = if memory.count == 0 { version } else { memory.count };
        if memory.count == version { vec![event] } else { vec![] }
    })];
};
