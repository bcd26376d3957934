//! Garbage of all kinds costs its sender itself, and nobody anything else (protocol section 11).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallOptions, Config, DEFAULT_HEARTBEAT, Multipart, Notice, PeerId, RemoteError,
    RequestId, Session,
};
use zerorpc_tests::{
    vectors::{self, Reference, Vector},
    world::{
        raw_event::{RawEvent, encode, read},
        test_session::hear,
    },
};

/// Where we answer otherwise than the reference, with the events that our server sends.
const DIFFERENCES: [(&str, &[&str], &str); 19] = [
    ("truncated", &["ERR"], "the id can be read: the caller is told at once"),
    ("arg-bad-utf8", &["ERR"], "the id can be read: the caller is told at once"),
    ("name-bad-utf8", &["ERR"], "the id can be read: the caller is told at once"),
    ("array-length-lie", &["ERR"], "the id can be read: the caller is told at once"),
    ("string-length-lie", &["ERR"], "the id can be read: the caller is told at once"),
    ("bin-length-lie", &["ERR"], "the id can be read: the caller is told at once"),
    ("nest-100k", &["ERR"], "the id can be read: the caller is told at once"),
    ("header-int-keys", &["OK"], "unknown keys of any type are nobody's business"),
    ("id-nil", &[], "an answer without response_to would reach nobody"),
    ("id-huge", &[], "ids are table keys and echoed with every event: 1 KiB is the limit"),
    ("v-string", &["OK"], "a version that is no number counts as none"),
    ("v-nil", &["OK"], "a version that is no number counts as none"),
    ("v-array", &["OK"], "a version that is no number counts as none"),
    ("name-bin", &["OK"], "peers on Python 2 send text as bin"),
    ("timestamp-out-of-range", &["OK"], "extension types pass unseen"),
    ("response-to-array", &[], "the reference is deaf for ever afterwards"),
    ("response-to-map", &[], "the reference is deaf for ever afterwards"),
    ("hb-opens-channel", &[], "the reference keeps and beats a channel that calls nothing"),
    ("more-opens-channel", &[], "the reference keeps and beats a channel that calls nothing"),
];

const HOSTILE: PeerId = PeerId::new(1);
const NEIGHBOUR: PeerId = PeerId::new(2);

/// The vectors, with those that were too long to store.
fn broken() -> Vec<Vector> {
    let mut all = vectors::load("broken");
    for vector in all.iter_mut().filter(|vector| vector.frames.is_empty()) {
        let nested = [vec![0x91; 100_000], vec![0xc0]].concat();
        let payload: Bytes = match &*vector.name {
            "id-huge" => {
                let id = Value::Binary(vec![0x69; 1_000_000]);
                RawEvent::request(id, "echo", vec![1.into()]).payload()
            }
            "nest-100k" => {
                let whole = RawEvent::request("n", "echo", vec![]).payload();
                [&whole[..whole.len() - 1], &nested].concat().into()
            }
            "nest-header-100k" => {
                let rest = encode(&Value::from("message_id"));
                [b"\x93\x82\xa1x", &nested[..], &rest, b"\x07\xa4echo\x90"].concat().into()
            }
            other => panic!("how to make {other}?"),
        };
        vector.frames = vec![Bytes::new(), payload];
    }
    all
}

/// A server with one method, `echo`, that answers at once, and `later`, which does not.
struct Server {
    session: Session,
    now: Instant,
    later: Vec<RequestId>,
    /// What was sent, by receiver and channel id.
    sent: BTreeMap<(PeerId, Vec<u8>), Vec<String>>,
}

impl Server {
    fn new() -> Self {
        let session = Session::new(Config::server(1));
        Self { session, now: Instant::now(), later: Vec::new(), sent: BTreeMap::new() }
    }

    fn hear(&mut self, from: PeerId, message: Multipart) {
        // Whether that is reported as misbehaviour does not matter here.
        let _ = hear(&mut self.session, self.now, from, message);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(notice) = self.session.poll_notice() {
            let Notice::Requested(id) = notice else { continue };
            let Some(request) = self.session.request(id) else { continue };
            match request.method() {
                "later" => self.later.push(id),
                "echo" => {
                    let args = request.args().elements().unwrap_or_default();
                    let value = args.first().cloned().unwrap_or(Args::NIL);
                    request.reply(value).expect("no stream has begun");
                }
                unknown => {
                    let failure = RemoteError::new("NameError", unknown);
                    request.fail(failure);
                }
            }
        }
        while let Some(sent) = self.session.poll_transmit() {
            let event = read(&sent);
            let channel = event.header.response_to.expect("servers only answer");
            let key = (sent.to, channel.content().to_vec());
            self.sent.entry(key).or_default().push(event.name.to_string());
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn call(&mut self, from: PeerId, id: &str, method: &str) {
        self.hear(from, RawEvent::request(id, method, vec![7.into()]).message());
    }

    fn take(&mut self, to: PeerId, id: &str) -> Vec<String> {
        self.sent.remove(&(to, id.into())).unwrap_or_default()
    }
}

#[test]
fn a_server_survives_and_serves_on() {
    let mut differing = Vec::new();
    for vector in broken() {
        let name = &vector.name;
        let mut server = Server::new();
        server.call(HOSTILE, "before", "later");
        server.call(NEIGHBOUR, "before", "later");

        server.hear(HOSTILE, vector.multipart());
        let answers: Vec<String> =
            server.sent.split_off(&(HOSTILE, vec![])).into_values().flatten().collect();

        for peer in [HOSTILE, NEIGHBOUR] {
            server.call(peer, "after", "echo");
            assert_eq!(server.take(peer, "after"), ["OK"], "{name}: a call afterwards");
        }
        for id in std::mem::take(&mut server.later) {
            let request = server.session.request(id).expect("calls from before go on");
            request.reply(Args::NIL).expect("no stream has begun");
        }
        server.settle();
        for peer in [HOSTILE, NEIGHBOUR] {
            assert_eq!(server.take(peer, "before"), ["OK"], "{name}: a call from before");
        }
        server.pass(3 * DEFAULT_HEARTBEAT);
        assert_eq!(server.sent, BTreeMap::new(), "{name}: nothing beats on");
        assert_eq!(server.session.open_channels(), 0, "{name}");
        assert_eq!(server.session.buffered_bytes(), 0, "{name}");
        assert_eq!(server.session.poll_timeout(), None, "{name}");

        let ours = Reference { events: answers, heartbeats: false, still_serves: true };
        let reference = vector.reference.expect("broken vectors say what the reference does");
        let expected = DIFFERENCES.iter().find(|(vector, ..)| vector == name);
        match expected {
            Some((_, events, why)) => {
                assert_eq!(ours.events, *events, "{name}: {why}");
                assert_ne!(ours, reference, "{name} is no difference");
                differing.push(name.clone());
            }
            None => assert_eq!(ours, reference, "{name}"),
        }
    }
    assert_eq!(differing.len(), DIFFERENCES.len(), "each difference names a vector");
}

#[test]
fn a_client_survives_and_calls_on() {
    for vector in broken() {
        let name = &vector.name;
        let (mut client, now) = (Session::new(Config::client(1)), Instant::now());
        let mut calls = Vec::new();
        for peer in [HOSTILE, NEIGHBOUR] {
            let options = CallOptions::default();
            let call = client.open(now, peer, "echo", Args::NONE, &options).expect("few calls");
            let id = read(&client.poll_transmit().expect("the request")).header.message_id;
            calls.push((peer, call, id.expect("requests have an id")));
        }
        let _ = hear(&mut client, now, HOSTILE, vector.multipart());
        assert_eq!(client.open_channels(), 2, "{name}");
        for (peer, call, id) in calls {
            let id = rmpv::decode::read_value(&mut id.as_encoded()).expect("well-formed");
            let answer = RawEvent::on(id, "OK", Value::Array(vec![7.into()])).message();
            assert_eq!(hear(&mut client, now, peer, answer), Ok(()), "{name}");
            let answer = client.call(call).and_then(|mut call| call.recv());
            assert_eq!(answer, Some(Answer::Value(Args::encode(&7).expect("a number"))), "{name}");
        }
        assert_eq!((client.open_channels(), client.buffered_bytes()), (0, 0), "{name}");
        assert_eq!(client.poll_transmit(), None, "{name}: a client answers no garbage");
    }
}

/// Every broken message again, as the answer to a call: that call may end, its neighbour may not.
#[test]
fn a_broken_answer_costs_its_own_call_at_most() {
    for (what, answer) in [
        ("OK without a value", RawEvent::on("", "OK", Value::Array(vec![]))),
        ("OK with nil", RawEvent::on("", "OK", Value::Nil)),
        ("ERR of nothing", RawEvent::on("", "ERR", Value::Array(vec![]))),
        ("ERR of a map", RawEvent::on("", "ERR", Value::Map(vec![]))),
        ("ERR of numbers", RawEvent::on("", "ERR", Value::Array(vec![1.into(); 5]))),
        ("an unknown name", RawEvent::on("", "NOT_OK", Value::Nil)),
        ("a name that is no text", RawEvent::on("", "OK", Value::Nil).with_name(5)),
        ("version of any type", RawEvent::on("", "OK", Value::Nil).version("three")),
    ] {
        let (mut client, now) = (Session::new(Config::client(1)), Instant::now());
        let mut open = || {
            let call = client.open(now, HOSTILE, "f", Args::NONE, &CallOptions::default());
            let id = read(&client.poll_transmit().expect("the request")).header.message_id;
            let id = id.expect("requests have an id").content().to_vec();
            (call.expect("few calls"), Value::Binary(id))
        };
        let ((bad, bad_id), (good, good_id)) = (open(), open());
        let _ = hear(&mut client, now, HOSTILE, answer.with("response_to", bad_id).message());
        let answer = client.call(bad).and_then(|mut call| call.recv());
        assert!(matches!(answer, Some(Answer::Lost(_) | Answer::Failed(_))), "{what}: {answer:?}");
        let fine = RawEvent::on(good_id, "OK", Value::Array(vec![Value::Nil])).message();
        hear(&mut client, now, HOSTILE, fine).expect("a sound event");
        let answer = client.call(good).and_then(|mut call| call.recv());
        assert_eq!(answer, Some(Answer::Value(Args::NIL)), "{what}");
        assert_eq!((client.open_channels(), client.buffered_bytes()), (0, 0), "{what}");
    }
}
