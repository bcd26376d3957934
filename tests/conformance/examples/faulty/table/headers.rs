//! Headers of what a server sends.

use rmpv::Value;

use crate::fault::{Fault, Hook::Out};

pub(crate) static FAULTS: &[Fault] = faults! {
    "version-missing": "no event has the key v", "ZRPC-3.5", "event.answer.version", [Out(|_, mut event| {
        event.remove("v");
        vec![event]
    })];
    "version-2": "every event says that it is of version 2", "ZRPC-3.5", "event.answer.version", [Out(|_, mut event| {
        event.set("v", 2);
        vec![event]
    })];
    "header-keys-as-bin": "the keys of headers are bin", "ZRPC-3.2", "event.answer.header-keys", [Out(|_, mut event| {
        for (key, _) in &mut event.header {
            *key = bin(key);
        }
        vec![event]
    })];
    "message-id-missing": "events have no id of their own", "ZRPC-3.3", "event.answer.message-ids", [Out(|_, mut event| {
        event.remove("message_id");
        vec![event]
    })];
    "message-id-repeated": "all events have the same id", "ZRPC-3.3", "event.answer.message-ids", [Out(|_, mut event| {
        event.set("message_id", Value::Binary(b"0123456789abcdef0123456789abcdef".to_vec()));
        vec![event]
    })];
    "message-id-of-request": "answers have the id of their request as their own", "ZRPC-3.3", "event.answer.message-ids", [Out(|_, mut event| {
        let id = event.channel();
        event.set("message_id", id);
        vec![event]
    })];
    "response-to-missing": "answers do not say what they answer", "ZRPC-4.2", "channel.response-to", [Out(|_, mut event| {
        event.remove("response_to");
        vec![event]
    })];
    "response-to-as-text": "ids of bin are echoed as str", "ZRPC-3.11", "event.id.bin", [Out(|_, mut event| {
        if let Some(Value::Binary(id)) = event.get("response_to").cloned() {
            event.set("response_to", String::from_utf8_lossy(&id).into_owned());
        }
        vec![event]
    })];
    "response-to-as-bin": "ids of str are echoed as bin", "ZRPC-3.11", "event.id.str", [Out(|_, mut event| {
        if let Some(id @ Value::String(_)) = event.get("response_to").cloned() {
            event.set("response_to", bin(&id));
        }
        vec![event]
    })];
    "response-to-integer-as-text": "ids that are numbers are echoed as str", "ZRPC-3.9", "event.id.int", [Out(|_, mut event| {
        if let Some(Value::Integer(id)) = event.get("response_to").cloned() {
            event.set("response_to", id.to_string());
        }
        vec![event]
    })];
    "response-to-cut": "ids are echoed without their last byte", "ZRPC-4.2", "channel.response-to", [Out(|_, mut event| {
        if let Some(Value::Binary(mut id)) = event.get("response_to").cloned() {
            id.pop();
            event.set("response_to", Value::Binary(id));
        }
        vec![event]
    })];
    "name-as-bin": "the names of events are bin", "ZRPC-3.17", "event.answer.name-str", [Out(|_, mut event| {
        event.name = bin(&event.name);
        vec![event]
    })];
};

/// Text as bytes.
pub(crate) fn bin(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::Binary(text.as_bytes().to_vec()),
        other => other.clone(),
    }
}
