//! Every recorded event is read as what it says, and written as it was.

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{
    Args, Context, Event, Limits, Malformed, MessageId, Multipart, OneWayWriter, read_one_way,
};
use zerorpc_tests::{
    vectors::{self, Vector},
    world::raw_event::{encode, value},
};

/// Hand-made events whose writer had habits of its own, and which are therefore not written byte by byte as
/// they came. Node's are all of that kind: it puts `v` first.
const OTHER_FORM: [&str; 4] = [
    "py-client-v2-server/02-STREAM",
    "py-client-v2-server/04-STREAM",
    "py-client-v2-server/05-STREAM_DONE",
    // A bin name is read as text, and text is what we write.
    "bin-name/01-b'echo'",
];

fn all() -> impl Iterator<Item = Vector> {
    vectors::FILES.into_iter().flat_map(vectors::load)
}

fn decode(payload: &Bytes) -> Event {
    Event::decode(payload, &Limits::default()).expect("recorded events are sound")
}

fn id(id: &MessageId) -> Value {
    rmpv::decode::read_value(&mut id.as_encoded()).expect("ids are well-formed")
}

/// All header keys, by name.
fn header(event: &Event) -> Vec<(String, Value)> {
    let own = [
        ("message_id", event.header.message_id.as_ref().map(id)),
        ("response_to", event.header.response_to.as_ref().map(id)),
        ("v", event.header.version.number().map(Value::from)),
    ];
    let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let others = event
        .header
        .context
        .iter()
        .map(|(key, item)| (key.decode().expect("recorded keys are text"), value(item)));
    let mut keys: Vec<_> = own.chain(others).collect();
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    keys
}

/// A value by its encoding, as NaN equals nothing, and in order of keys, as JSON keeps no other.
fn comparable(value: Value) -> Bytes {
    fn sort(value: Value) -> Value {
        match value {
            Value::Array(items) => Value::Array(items.into_iter().map(sort).collect()),
            Value::Map(pairs) => {
                let mut pairs: Vec<_> = pairs.into_iter().map(|(k, v)| (k, sort(v))).collect();
                pairs.sort_by_key(|(key, _)| encode(key));
                Value::Map(pairs)
            }
            other => other,
        }
    }
    encode(&sort(value))
}

#[test]
fn every_event_is_read_as_what_it_says() {
    for vector in all() {
        let says = vector.says();
        let Multipart { envelope, payload } = vector.multipart();
        assert_eq!(envelope.frames(), says.envelope, "{}", vector.name);
        let event = decode(&payload);
        let mut keys = says.header.clone();
        keys.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(header(&event), keys, "{}", vector.name);
        let name = match &says.name {
            Value::Binary(text) => text.as_slice(),
            text => text.as_str().expect("text").as_bytes(),
        };
        assert_eq!(event.name.as_bytes(), name, "{}", vector.name);
        let args = event.args;
        assert_eq!(comparable(value(&args)), comparable(says.args.clone()), "{}", vector.name);
        let shown: Value = args.decode().expect("serde reads everything that msgpack has");
        assert_eq!(comparable(shown), comparable(says.args.clone()), "{}, by serde", vector.name);
    }
}

#[test]
fn every_event_is_written_as_it_came() {
    for vector in all() {
        let event = decode(vector.payload());
        let again = event.encode();
        assert_eq!(decode(&again), event, "{}", vector.name);
        let other_form = vector.peer.contains("node") || OTHER_FORM.contains(&&*vector.name);
        assert_eq!(again != *vector.payload(), other_form, "{}", vector.name);
    }
}

#[test]
fn every_event_is_read_whole_in_parts_and_with_a_tail() {
    for vector in all() {
        let payload = vector.payload();
        let event = decode(payload);
        for tail in [&[0xc1][..], &[0x93], &[0; 100]] {
            let longer = [payload, tail].concat().into();
            assert_eq!(decode(&longer), event, "{} with a tail", vector.name);
        }
        for len in 0..payload.len() {
            let broken = Event::decode(&payload.slice(..len), &Limits::default());
            let reason = broken.expect_err("a part is no event").reason;
            assert_eq!(reason, Malformed::Truncated, "{} up to {len}", vector.name);
        }
    }
}

#[test]
fn pushed_and_published_events() {
    for vector in vectors::load("push_pub") {
        assert_eq!(vector.frames.len(), 1, "{} has no delimiter", vector.name);
        let event = read_one_way(&vector.multipart(), &Limits::default()).expect("an event");
        let mut sender = OneWayWriter::new(5);
        let sent = sender.event(&event.name, &event.args, &event.header.context);
        let mut ours = decode(&sent.expect("arguments are a list").payload.to_bytes());
        assert_ne!(ours.header.message_id, event.header.message_id);
        ours.header.message_id = event.header.message_id;
        assert_eq!(ours.encode(), *vector.payload(), "{}", vector.name);
    }
    let no_list = OneWayWriter::new(5).event("f", &Args::NIL, &Context::new());
    assert!(no_list.is_err());
}
