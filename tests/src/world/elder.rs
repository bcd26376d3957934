//! Peers of versions 1 and 2 (protocol section 8): they write what a session says, and read what it hears, in their own way.

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{Event, Limits};

use super::{
    NodeId, World,
    raw_event::{RawEvent, value},
};

impl World {
    /// Makes a node a peer of version 1 or 2; 0 is version 1 that says nothing of it.
    pub fn make_elder(&mut self, node: NodeId, version: Option<u64>) {
        self.nodes[node.0].elder = version;
    }
}

/// What such a peer writes instead of an event of the current version; 0 is version 1 that says nothing of it.
pub(super) fn say(version: u64, payload: &Bytes) -> Bytes {
    let event = RawEvent::read(payload);
    let event = if version == 0 { event.without("v") } else { event.version(version) };
    let texts = match (event.name(), event.args()) {
        ("_zpc_more", _) => return event.with_name("_zpc_hb").payload(),
        ("ERR", Value::Array(texts)) if version < 2 && texts.len() == 3 => texts,
        _ => return event.payload(),
    };
    let [name, message] = [&texts[0], &texts[1]].map(|text| text.as_str().expect("three texts"));
    let text = format!("{name}('{message}')");
    event.with_args(Value::Array(vec![text.into()])).payload()
}

/// What it makes of what it hears: a beat may be a grant as well.
pub(super) fn hear(payload: Bytes) -> Vec<Bytes> {
    let event = Event::decode(&payload, &Limits::default()).expect("nobody sends garbage here");
    if event.name != *"_zpc_hb" || value(&event.args)[0] == Value::from(0) {
        return vec![payload];
    }
    let grant = RawEvent::read(&payload).with_name("_zpc_more");
    let beat = RawEvent::read(&payload).with_args(Value::Array(vec![0.into()]));
    vec![beat.payload(), grant.payload()]
}
