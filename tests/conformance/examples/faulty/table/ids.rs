//! Ids, and what is on which channel.

use std::time::Duration;

use rmpv::Value;

use crate::{
    event::Event,
    fault::{
        Fault,
        Hook::{In, Out},
    },
};

/// Requests whose bin id is so are passed over.
fn without(event: Event, is: fn(&[u8]) -> bool) -> Vec<Event> {
    let is_so = matches!(event.channel(), Value::Binary(id) if is(&id));
    if event.is_request() && is_so { vec![] } else { vec![event] }
}

/// The same event on a channel of another name, for what is remembered of an id.
fn twin(event: &Event) -> Event {
    let mut twin = event.clone();
    twin.remove("response_to");
    twin.set("message_id", format!("{:?}", event.channel()));
    twin
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "odd-bytes-in-ids-refused": "requests whose id is no printable text are passed over", "ZRPC-3.10", "event.id.any-bytes", [In(|_, event| {
        without(event, |id| !id.iter().all(u8::is_ascii_graphic))
    })];
    "short-ids-refused": "requests with an id of one byte are passed over", "ZRPC-3.10", "event.id.one-byte", [In(|_, event| without(event, |id| id.len() == 1))];
    "long-ids-refused": "requests with an id above 64 bytes are passed over", "ZRPC-3.10", "event.id.255-bytes", [In(|_, event| without(event, |id| id.len() > 64))];
    "ids-without-types": "requests with an id of str are passed over while the same bytes are open as bin", "ZRPC-3.12", "event.id.types-apart", [In(|memory, event| {
        let other = match (event.is_request(), event.channel()) {
            (true, Value::String(text)) => Value::Binary(text.as_bytes().to_vec()),
            (true, Value::Binary(bytes)) => String::from_utf8_lossy(&bytes).into_owned().into(),
            _ => return vec![event],
        };
        let mut twin = event.clone();
        twin.set("message_id", other);
        if memory.is_open(&twin) { vec![] } else { vec![event] }
    })];
    "odd-keys-refused": "events with keys that are no text in their header are passed over", "ZRPC-3.8", "event.header.keys-of-other-types", [In(|_, event| {
        if event.header.iter().all(|(key, _)| key.is_str()) { vec![event] } else { vec![] }
    })];
    "message-ids-as-numbers": "the ids of answers are integers", "ZRPC-3.4", "event.answer.message-id-form", [Out(|memory, mut event| {
        memory.count += 1;
        event.set("message_id", memory.count);
        vec![event]
    })];
    "same-id-lost": "of two open requests with one id the second is passed over", "ZRPC-4.11", "channel.same-id.two-calls", [
        In(|memory, event| {
            if !event.is_request() {
                return vec![event];
            }
            let channel = memory.channel(&twin(&event));
            channel.count += 1;
            if channel.count > 1 { vec![] } else { vec![event] }
        }),
        Out(|memory, event| {
            if event.is_last() {
                memory.channel(&twin(&event)).count = 0;
            }
            vec![event]
        }),
    ];
    "dies-at-early-beats": "a beat within a tenth of a second of its request ends the process", "ZRPC-4.10", "channel.right-behind.beats", [In(|memory, event| {
        let opened = memory.channel(&event).opened;
        if event.is_beat() && memory.now - opened < Duration::from_millis(100) {
            std::process::exit(70);
        }
        vec![event]
    })];
    "beats-open-channels": "a beat or a grant without response_to is run", "ZRPC-4.14", "channel.without-request.beat", [In(|_, mut event| {
        if event.is_request() && (event.is_beat() || event.is_grant()) {
            event.name = "a beat".into();
        }
        vec![event]
    })];
    "broken-requests-silent": "requests that cannot be read are not answered", "ZRPC-11.4", "broken.args-missing.told", [Out(|memory, event| {
        let is_known = memory.channel(&event).request.response_to().is_none();
        if event.is("ERR") && !is_known { vec![] } else { vec![event] }
    })];
};
