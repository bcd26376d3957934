//! What holds for every value, every message, and every course of events.

use std::time::Duration;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallOptions, Config, Event, Limits, MessageId, Multipart, Notice, PeerId, Session,
};
use zerorpc_tests::world::{
    epoch,
    raw_event::{self, RawEvent, encode, read},
    test_session::{TestSession, hear},
};

const PEER: PeerId = PeerId::new(1);

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        vec(any::<u8>(), 0..300).prop_map(Value::Binary),
        (any::<i8>(), vec(any::<u8>(), 0..40)).prop_map(|(code, data)| Value::Ext(code, data)),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 60, 10, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::Array),
            vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
        ]
    })
}

/// Values that can be table keys.
fn any_id() -> impl Strategy<Value = Value> {
    scalar().prop_filter("nil is no id", |id| !id.is_nil())
}

/// A str or bin in one of the forms that msgpack has for it, not only the shortest.
fn any_form(content: &[u8], form: usize) -> Vec<u8> {
    let len = content.len();
    let mut bytes = match form {
        0 => vec![0xd9, len as u8],
        1 => vec![0xda, 0, len as u8],
        2 => vec![0xdb, 0, 0, 0, len as u8],
        3 => vec![0xc4, len as u8],
        4 => vec![0xc5, 0, len as u8],
        _ => vec![0xc6, 0, 0, 0, len as u8],
    };
    bytes.extend_from_slice(content);
    bytes
}

fn sound_payload() -> impl Strategy<Value = Bytes> {
    (any_id(), ".{0,20}", any_value(), vec((scalar(), any_value()), 0..4)).prop_map(
        |(id, name, args, keys)| {
            let event = RawEvent::request(id, &name, vec![]).with_args(args);
            keys.into_iter().fold(event, |event, (key, value)| event.with(key, value)).payload()
        },
    )
}

/// How deep a value is nested, and how many values it is made of.
fn measure(value: &Value) -> (u32, u32) {
    let parts: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Map(pairs) => pairs.iter().flat_map(|(key, item)| [key, item]).collect(),
        _ => return (0, 1),
    };
    let measures = parts.into_iter().map(measure);
    let (depth, count) = measures.fold((0, 0), |(d, n), (depth, count)| (d.max(depth), n + count));
    (depth + 1, count + 1)
}

proptest! {
    #[test]
    fn values_survive(value in any_value()) {
        let args = raw_event::args(&value);
        prop_assert_eq!(encode(&raw_event::value(&args)), encode(&value));
        // By serde in both directions.
        let decoded: Value = args.decode().expect("everything is a value");
        prop_assert_eq!(Args::encode(&decoded).expect("values can be encoded"), args);
    }

    #[test]
    fn events_survive(payload in sound_payload()) {
        let event = Event::decode(&payload, &Limits::default()).expect("a sound event");
        let again = Event::decode(&event.encode(), &Limits::default());
        prop_assert_eq!(again.as_ref(), Ok(&event));
        prop_assert_eq!(event.encode(), again.expect("compared above").encode());
    }

    #[test]
    fn envelopes_survive(
        routing in prop::option::of(vec(any::<u8>(), 0..10)),
        identities in vec(vec(any::<u8>(), 0..10), 0..6),
        delimiter in vec(any::<u8>(), 0..2),
        payload in vec(any::<u8>(), 0..50),
    ) {
        let identities: Vec<Bytes> = identities.into_iter().map(Bytes::from).collect();
        let routing = routing.map(Bytes::from);
        let mut frames = identities.clone();
        frames.extend([delimiter.into(), payload.clone().into()]);
        let message = Multipart::from_frames(routing.clone(), frames).expect("frames");
        let expected: Vec<Bytes> = routing.into_iter().chain(identities).collect();
        prop_assert_eq!(message.envelope.frames(), &expected[..]);
        prop_assert_eq!(message.payload, payload);
    }

    #[test]
    fn limits_are_exact(args in any_value()) {
        let payload = RawEvent::request("id", "f", vec![]).with_args(args.clone()).payload();
        let (depth, count) = measure(&args);
        // The event stands around its parts; the header is a map with two keys, then comes the name.
        let (depth, count) = (1 + depth.max(1), 5 + count);
        let fits = Limits::default().message_bytes(payload.len()).depth(depth).elements(count);
        prop_assert!(Event::decode(&payload, &fits).is_ok());
        for tight in [
            fits.clone().message_bytes(payload.len() - 1),
            fits.clone().elements(count - 1),
        ] {
            prop_assert!(Event::decode(&payload, &tight).is_err(), "{:?}", tight);
        }
        if depth > 2 {
            let tight = fits.depth(depth - 1);
            prop_assert!(Event::decode(&payload, &tight).is_err(), "{:?}", tight);
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..400)) {
        zerorpc_tests::fuzzing::event(&bytes);
    }

    #[test]
    fn damaged_events_do_no_harm(
        payload in sound_payload(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = payload.to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let part = Bytes::from(bytes.clone()).slice(..cut.index(bytes.len()));
        for damaged in [Bytes::from(bytes), part] {
            zerorpc_tests::fuzzing::event(&[&[0, 0], &damaged[..]].concat());
            let mut server = Session::new(Config::server(1));
            let _ = hear(&mut server, epoch(), PEER, Multipart::direct(damaged));
            server.check_invariants();
            prop_assert!(server.open_channels() <= 1);
        }
    }

    #[test]
    fn ids_are_echoed_byte_for_byte(content in "[ -~]{0,100}", form in 0_usize..6) {
        let id = any_form(content.as_bytes(), form);
        let payload = [b"\x93\x81\xaamessage_id", &id[..], b"\xa1f\x90"].concat();
        let mut server = Session::new(Config::server(1));
        let message = Multipart::direct(payload.into());
        hear(&mut server, epoch(), PEER, message).expect("a sound request");
        let Some(Notice::Requested(request)) = server.poll_notice() else { panic!("a request") };
        let request = server.request(request).expect("it has just come");
        request.reply(Args::NIL).expect("no stream has begun");
        let answer = read(&server.poll_transmit().expect("the answer"));
        let echo = answer.header.response_to.expect("answers have a channel");
        prop_assert_eq!(echo.as_encoded(), &id);
        // Whatever its form, it matches any other form of the same content.
        let short = MessageId::new(&encode(&Value::from(content.as_str()))).expect("a text is an id");
        prop_assert_eq!(&echo, &short);
    }

    /// A server's channel against the rule: lost when the last event is two intervals old, or two of the caller's own,
    /// but not before three intervals from the start; where connections are seen, not before the first beat. Beats at
    /// every whole interval until then.
    #[test]
    fn heartbeats_follow_the_rule(gaps in vec(1_u64..3000, 0..30), is_seen: bool) {
        const INTERVAL: u64 = 1000;
        let config = Config::server(1).heartbeat(Duration::from_millis(INTERVAL));
        let mut server = TestSession::new(config);
        let from = if is_seen { PEER } else { PeerId::NAMELESS };
        server.request(from, &RawEvent::request("id", "f", vec![]));
        let (mut clock, mut rhythm) = (0, INTERVAL);
        let mut lost = if is_seen { 100 * INTERVAL } else { 3 * INTERVAL };
        for gap in &gaps {
            clock += gap;
            rhythm = rhythm.max(*gap);
            if clock >= lost {
                break;
            }
            server.pass_to(Duration::from_millis(clock));
            server.hear(from, &RawEvent::beat("id")).expect("a beat");
            let start = if is_seen { 0 } else { 3 * INTERVAL };
            lost = start.max(clock + 2 * rhythm);
        }
        if is_seen && gaps.is_empty() {
            server.pass_to(Duration::from_millis(lost));
            prop_assert!(server.notices.is_empty());
            return Ok(());
        }
        server.pass_to(Duration::from_millis(lost + 10 * INTERVAL));
        let told: Vec<_> = server.notices.iter().map(|(at, _)| at.as_millis() as u64).collect();
        prop_assert_eq!(told, vec![lost]);
        let beats: Vec<_> = (1..).map(|beat| beat * INTERVAL).take_while(|at| *at < lost).collect();
        let sent: Vec<_> = server.beats().into_iter().map(|at| at as u64).collect();
        prop_assert_eq!(sent, beats);
    }

    /// Two sessions, a stream between them, and any order of sending, carrying and reading.
    #[test]
    fn streams_are_whole_and_never_far_ahead(
        slots in 1_u32..130,
        total in 0_u64..400,
        course in vec((0_u8..4, 1_usize..40), 0..300),
    ) {
        let mut pair = Pair::new(slots, total);
        for (what, times) in course {
            for _ in 0..times {
                pair.step(what);
            }
        }
        // Whatever came before, taking turns brings it to its end.
        for turn in 0..40 * (total as usize + 10) {
            pair.step((turn % 4) as u8);
        }
        let items = (0..total).map(|n| Answer::Item(raw_event::args(&n.into())));
        let expected: Vec<_> = items.chain([Answer::End]).collect();
        prop_assert_eq!(pair.got, expected);
        prop_assert_eq!((pair.client.open_channels(), pair.server.open_channels()), (0, 0));
    }
}

/// A client and a server, and the wire between them in both directions.
struct Pair {
    client: Session,
    server: Session,
    call: zerorpc_proto::CallId,
    request: Option<zerorpc_proto::RequestId>,
    wire: [std::collections::VecDeque<Bytes>; 2],
    slots: u32,
    total: u64,
    sent: u64,
    got: Vec<Answer>,
}

impl Pair {
    fn new(slots: u32, total: u64) -> Self {
        let mut client = Session::new(Config::client(1));
        let options = CallOptions::new().slots(slots);
        let call = client.open(epoch(), PEER, "f", Args::NONE, &options).expect("few calls");
        let (wire, got) = (Default::default(), Vec::new());
        let server = Session::new(Config::server(2));
        Self { client, server, call, request: None, wire, slots, total, sent: 0, got }
    }

    fn step(&mut self, what: u8) {
        match what {
            0 => self.produce(),
            1 => self.transmit(),
            2 => self.carry(),
            _ => self.read(),
        }
    }

    fn produce(&mut self) {
        while let Some(notice) = self.server.poll_notice() {
            if let Notice::Requested(id) = notice {
                self.request = Some(id);
            }
        }
        let request = self.request.and_then(|id| self.server.request(id));
        let Some(mut request) = request else { return };
        if self.sent == self.total {
            request.finish();
        } else if request.send(raw_event::args(&self.sent.into())).is_ok() {
            self.sent += 1;
        }
        let ahead = self.sent - self.got.len() as u64;
        assert!(ahead <= u64::from(self.slots) + 1, "{ahead} ahead with {} slots", self.slots);
    }

    fn transmit(&mut self) {
        for (session, wire) in [&mut self.client, &mut self.server].into_iter().zip(&mut self.wire)
        {
            wire.extend(session.poll_transmit().map(|transmit| transmit.payload.to_bytes()));
        }
    }

    fn carry(&mut self) {
        let [to_server, to_client] = &mut self.wire;
        for (wire, session) in [(to_server, &mut self.server), (to_client, &mut self.client)] {
            if let Some(payload) = wire.pop_front() {
                let message = Multipart::direct(payload);
                hear(session, epoch(), PEER, message).expect("within its credit");
            }
        }
    }

    fn read(&mut self) {
        self.got.extend(self.client.call(self.call).and_then(|mut call| call.recv()));
    }
}
