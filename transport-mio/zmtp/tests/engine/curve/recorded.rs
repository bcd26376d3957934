//! Conversations of libzmq (`tests/vectors/curve.json`), of which each side in turn is ours: with the random bytes that the
//! recorded one drew, it says the same, byte for byte.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use zerorpc_proto::transport::{
    Credential, KeyPair, PublicKey, SecretKey, Security,
    SocketKind::{self, Dealer, Pub, Pull, Push, Router, Sub},
};
use zerorpc_zmtp::{Engine, EngineConfig, NoRandomness, RandomSource, Violation, ZmtpEvent};

use crate::support::{authenticator, config, engine, events, feed, output};

/// What was drawn while it was recorded.
#[derive(Debug)]
struct Recorded {
    draws: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl RandomSource for Recorded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let draw = self.draws.get(self.next.fetch_add(1, Ordering::Relaxed));
        bytes.copy_from_slice(draw.ok_or_else(|| NoRandomness::new("no more was drawn"))?);
        Ok(())
    }
}

struct Conversation(Value);

impl Conversation {
    fn all() -> Vec<Self> {
        let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/curve.json");
        let text = std::fs::read_to_string(vectors).expect("the vectors are there");
        let all: Vec<Value> = serde_json::from_str(&text).expect("they are JSON");
        all.into_iter().map(Self).collect()
    }

    fn name(&self) -> &str {
        self.0["name"].as_str().expect("a name")
    }

    /// What one side said: the greeting, and frames.
    fn said(&self, side: &str) -> VecDeque<Vec<u8>> {
        let wire = self.0["wire"].as_array().expect("a list");
        let said = wire.iter().filter(|unit| unit["from"] == side);
        said.filter_map(|unit| unit["bytes"].as_str()).map(bytes).collect()
    }

    /// The messages that one side sent.
    fn messages(&self, side: &str) -> Vec<Vec<Vec<u8>>> {
        let frames = |message: &Value| {
            let frames = message["frames"].as_array().expect("a list");
            frames.iter().map(|frame| bytes(frame.as_str().expect("a text"))).collect()
        };
        let messages = self.0["messages"].as_array().expect("a list").iter();
        messages.filter(|message| message["from"] == side).map(frames).collect()
    }

    fn keys(&self, side: &str) -> KeyPair {
        let key = |half: &str| -> [u8; 32] {
            let text = self.0["keys"][side][half].as_str().expect("a key");
            bytes(text).try_into().expect("32 bytes")
        };
        KeyPair::new(PublicKey::new(key("public")), SecretKey::new(key("secret")))
    }

    /// The server's key, as the client has it.
    fn expected(&self) -> PublicKey {
        match self.0["server_key"].as_str() {
            Some(other) => PublicKey::new(bytes(other).try_into().expect("32 bytes")),
            None => self.keys("server").public,
        }
    }

    /// An engine in the place of one side.
    fn config(&self, side: &str) -> EngineConfig {
        let kind = match self.0["sockets"][side].as_str() {
            Some("DEALER") => Dealer,
            Some("ROUTER") => Router,
            Some("PUSH") => Push,
            Some("PULL") => Pull,
            Some("PUB") => Pub,
            Some("SUB") => Sub,
            other => panic!("{other:?}"),
        };
        let draws = self.0["random"][side].as_array().expect("a list").iter();
        let draws = draws.map(|draw| bytes(draw.as_str().expect("a text"))).collect();
        let keys = self.keys(side);
        let security = if side == "client" {
            Security::CurveClient { keys, server: self.expected() }
        } else {
            Security::CurveServer { keys }
        };
        config(kind)
            .security(security)
            .random(Arc::new(Recorded { draws, next: AtomicUsize::new(0) }))
    }

    /// Whether the two sides got to know each other.
    fn ends_well(&self) -> bool {
        self.0["messages"].as_array().is_some_and(|messages| !messages.is_empty())
    }

    /// Whether all that one side said after the handshake are its messages.
    fn is_only_messages(&self) -> bool {
        self.name() != "heartbeats"
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// One frame after another.
fn frames(mut wire: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let [flags, short, ..] = wire {
        let size = if flags & 2 == 0 {
            2 + usize::from(*short)
        } else {
            let length = wire[1..].first_chunk().expect("a length");
            9 + usize::try_from(u64::from_be_bytes(*length)).expect("not that long")
        };
        let (frame, rest) = wire.split_at(size);
        frames.push(frame.to_vec());
        wire = rest;
    }
    frames
}

fn received(engine: &mut Engine) -> Vec<Vec<Vec<u8>>> {
    let message = |event| match event {
        ZmtpEvent::Message(frames) => Some(frames.iter().map(|frame| frame.to_vec()).collect()),
        _ => None,
    };
    events(engine).into_iter().filter_map(message).collect()
}

fn send(engine: &mut Engine, conversation: &Conversation, side: &str) {
    for message in conversation.messages(side) {
        engine.send(message.into_iter().map(Into::into));
    }
}

#[test]
fn our_client_in_the_place_of_libzmqs() {
    for conversation in Conversation::all().into_iter().filter(Conversation::ends_well) {
        let name = conversation.name();
        let mut client = engine(&conversation.config("client"));
        let ours = conversation.said("client");
        let mut theirs = conversation.said("server");
        let mut next = || theirs.pop_front().expect("they said more");
        feed(&mut client, &next()).expect("a greeting");
        let hello = output(&mut client).split_off(64);
        assert_eq!(hello, ours[1], "{name}: HELLO");
        feed(&mut client, &next()).expect("WELCOME");
        let initiate = output(&mut client);
        let (theirs_initiate, box_at) = (&ours[2], 9 + 9 + 96 + 8);
        assert_eq!(initiate[9..box_at], theirs_initiate[9..box_at], "{name}: INITIATE");
        feed(&mut client, &next()).expect("READY");
        assert!(matches!(client.poll_event(), Some(ZmtpEvent::Ready(_))), "{name}");

        let topics: [&[u8]; 2] = [b"", b"topic"];
        if conversation.0["sockets"]["client"] == "SUB" {
            topics.iter().for_each(|topic| client.subscribe(topic));
            client.cancel(b"");
        }
        send(&mut client, &conversation, "client");
        let said = frames(&output(&mut client));
        if conversation.is_only_messages() {
            let expected: Vec<_> = ours.iter().skip(3).cloned().collect();
            assert_eq!(said, expected, "{name}: MESSAGE");
        }
        for frame in theirs {
            feed(&mut client, &frame).expect(name);
        }
        assert_eq!(received(&mut client), conversation.messages("server"), "{name}");
    }
}

#[test]
fn our_server_in_the_place_of_libzmqs() {
    for conversation in Conversation::all().into_iter().filter(Conversation::ends_well) {
        let name = conversation.name();
        let key = conversation.keys("client").public;
        let known = authenticator(
            move |request| matches!(&request.credential, Credential::Key(other) if *other == key),
        );
        let mut server = engine(&conversation.config("server").authenticator(known));
        let ours = conversation.said("server");
        let mut theirs = conversation.said("client");
        let mut next = || theirs.pop_front().expect("they said more");
        feed(&mut server, &next()).expect("a greeting");
        feed(&mut server, &next()).expect("HELLO");
        let welcome = output(&mut server).split_off(64);
        assert_eq!(welcome, ours[1], "{name}: WELCOME");
        feed(&mut server, &next()).expect("INITIATE");
        let Some(ZmtpEvent::Ready(peer)) = server.poll_event() else { panic!("{name}: ready") };
        if name.starts_with("calls") {
            assert_eq!(peer.identity, "someone");
            assert_eq!(peer.metadata, [("X-Greeting".into(), "hello".into())]);
        }
        // Behind READY, which has properties of ours.
        assert_eq!(frames(&output(&mut server)).len(), 1);

        let topics: [&[u8]; 2] = [b"", b"topic"];
        if conversation.0["sockets"]["server"] == "SUB" {
            topics.iter().for_each(|topic| server.subscribe(topic));
            server.cancel(b"");
        }
        send(&mut server, &conversation, "server");
        let said = frames(&output(&mut server));
        if conversation.is_only_messages() {
            let expected: Vec<_> = ours.iter().skip(3).cloned().collect();
            assert_eq!(said, expected, "{name}: MESSAGE");
        }
        for frame in theirs {
            feed(&mut server, &frame).expect(name);
        }
        if conversation.0["sockets"]["server"] == "PUB" {
            let expected = [
                ZmtpEvent::Subscribe("".into()),
                ZmtpEvent::Subscribe("topic".into()),
                ZmtpEvent::Cancel("".into()),
            ];
            assert_eq!(events(&mut server), expected, "{name}");
        } else {
            assert_eq!(received(&mut server), conversation.messages("client"), "{name}");
        }
        if name == "heartbeats" {
            assert!(!frames(&output(&mut server)).is_empty(), "PINGs are answered");
        }
    }
}

#[test]
fn refusals_of_libzmqs_server() {
    let all = Conversation::all();
    for (name, expected) in [
        ("zap-400", Some(Violation::NotAuthorized { key: all[0].keys("client").public })),
        ("zap-500", Some(Violation::Refused { reason: "500".to_owned() })),
        ("zap-300", None),
        ("wrong-server-key", None),
    ] {
        let conversation = all.iter().find(|one| one.name() == name).expect("it is recorded");
        let mut client = engine(&conversation.config("client"));
        let mut end = None;
        for unit in conversation.said("server") {
            end = end.or(feed(&mut client, &unit).err());
        }
        assert_eq!(end, expected, "{name}");
        assert!(client.poll_event().is_none(), "{name}");
    }
}

#[test]
fn clients_of_libzmq_that_expect_another_server() {
    let all = Conversation::all();
    let conversation = all.iter().find(|one| one.name() == "wrong-server-key").expect("recorded");
    let mut server = engine(&conversation.config("server"));
    let mut end = None;
    for unit in conversation.said("client") {
        end = end.or(feed(&mut server, &unit).err());
    }
    assert_eq!(end, Some(Violation::Unopened { command: "HELLO" }));
    assert_eq!(output(&mut server).len(), 64, "nothing is said to it but the greeting");
}

#[test]
fn every_kind_of_socket_was_recorded() {
    let all = Conversation::all();
    let kinds: Vec<SocketKind> =
        all.iter().flat_map(|one| ["client", "server"].map(|side| one.config(side).kind)).collect();
    for kind in [Dealer, Router, Push, Pull, Pub, Sub] {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
}
