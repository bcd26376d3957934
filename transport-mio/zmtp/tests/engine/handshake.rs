//! NULL: READY and ERROR, what they may hold, and the time they may take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{self, Dealer, Pub, Pull, Push, Router, Sub};
use zerorpc_zmtp::{Blame, Engine, SocketType, Violation, ZmtpEvent};

use crate::support::{
    SIGNATURE, command, config, engine, feed, frame, greeting, modern, output, play, property,
};

fn with(parts: &[Vec<u8>]) -> Vec<u8> {
    [greeting([3, 1], "NULL", false), parts.concat()].concat()
}

fn router() -> Vec<u8> {
    property("Socket-Type", b"ROUTER")
}

#[test]
fn what_ready_may_hold() {
    let long = vec![b'x'; 255];
    let identity = |value: &[u8]| property("Identity", value);
    // The properties, and what is made of them: type, identity, how many others.
    type Row<'a> = (&'a str, Vec<u8>, Option<SocketType>, &'a [u8], usize);
    let table: [Row<'_>; 11] = [
        ("nothing", vec![], None, b"", 0),
        ("a type", router(), Some(SocketType::Router), b"", 0),
        ("an identity", [router(), identity(b"you")].concat(), Some(SocketType::Router), b"you", 0),
        (
            "names in other case",
            [property("socket-TYPE", b"REP"), property("IDENTITY", b"i")].concat(),
            Some(SocketType::Rep),
            b"i",
            0,
        ),
        ("the type twice", [router(), router()].concat(), Some(SocketType::Router), b"", 0),
        ("two identities", [identity(b"a"), identity(b"b")].concat(), None, b"b", 0),
        ("the longest identity", identity(&long), None, &long, 0),
        ("an identity that begins with zero", identity(b"\0abc"), None, b"\0abc", 0),
        (
            "other properties",
            [property("X-Color", b"red"), property("Resource", b"")].concat(),
            None,
            b"",
            2,
        ),
        ("an empty name", property("", b"value"), None, b"", 1),
        ("a large value", property("X-Large", &[0; 60_000]), None, b"", 1),
    ];
    for (what, properties, socket_type, identity, others) in table {
        let outcome = play(&config(Dealer), &with(&[command("READY", &properties)]));
        let peer = outcome.peer();
        assert_eq!((peer.socket_type, &peer.identity[..]), (socket_type, identity), "{what}");
        assert_eq!(peer.metadata.len(), others, "{what}");
    }
}

#[test]
fn what_ends_the_handshake() {
    let bad = |reason| Violation::Malformed { command: "READY", reason };
    let out_of_turn = |got: &str| Violation::OutOfTurn { expected: "READY", got: got.to_owned() };
    let beyond = bad("the value of a property goes beyond its end");
    let table = [
        (
            command("READY", &[router(), vec![3]].concat()),
            bad("the name of a property goes beyond its end"),
        ),
        (command("READY", b"\x01X\0\0\0"), bad("a property ends before the length of its value")),
        (
            command("READY", &[router(), vec![0]].concat()),
            bad("a property ends before the length of its value"),
        ),
        (command("READY", b"\x01X\0\0\0\x02a"), beyond),
        (
            command("READY", b"\x01X\x80\0\0\0"),
            bad("the value of a property is longer than 2^31-1 bytes"),
        ),
        (command("READY", &property("Identity", &[b'x'; 256])), Violation::IdentityTooLong(256)),
        (command("ready", &router()), out_of_turn("ready")),
        (command("PING", b"\0\0"), out_of_turn("PING")),
        (command("HELLO", b""), out_of_turn("HELLO")),
        (frame(0, b"hello there"), out_of_turn("no command")),
        (frame(0, b""), out_of_turn("no command")),
        (command("ERROR", b"\x03400"), Violation::Refused { reason: "400".to_owned() }),
        (command("ERROR", b"\0"), Violation::Refused { reason: String::new() }),
        (
            command("ERROR", b"\x04400"),
            Violation::Malformed { command: "ERROR", reason: "its reason goes beyond the end" },
        ),
        (
            command("ERROR", b""),
            Violation::Malformed { command: "ERROR", reason: "its reason goes beyond the end" },
        ),
        (
            b"\x06\0\0\0\0\0\x01\0\x01".to_vec(),
            Violation::CommandTooLarge { size: 65537, limit: 65536 },
        ),
    ];
    for (bytes, expected) in table {
        let outcome = play(&config(Dealer), &with(std::slice::from_ref(&bytes)));
        assert_eq!(outcome.end, Err(expected), "{}", bytes.escape_ascii());
        assert_eq!(outcome.events, []);
    }
}

#[test]
fn sockets_that_go_together() {
    const ALL: [&str; 13] = [
        "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB",
        "dealer", "DEALERS",
    ];
    let matrix: [(SocketKind, &str); 6] = [
        (Dealer, "REP DEALER ROUTER"),
        (Router, "REQ DEALER ROUTER"),
        (Push, "PULL"),
        (Pull, "PUSH"),
        (Pub, "SUB XSUB"),
        (Sub, "PUB XPUB"),
    ];
    for (ours, allowed) in matrix {
        for theirs in ALL {
            let outcome = play(&config(ours), &modern(1, theirs));
            if allowed.split(' ').any(|one| one == theirs) {
                assert_eq!(outcome.peer().socket_type.map(SocketType::name), Some(theirs));
                continue;
            }
            let violation = outcome.violation();
            assert_eq!(violation, &Violation::SocketType { ours, theirs: theirs.to_owned() });
            assert_eq!(violation.blame(), Blame::Settings);
            let error = command("ERROR", b"\x18Incompatible socket type");
            assert!(outcome.output.ends_with(&error), "the peer is told");
        }
    }
    // Of two, each is compared.
    let two = [router(), property("Socket-Type", b"PUB")].concat();
    let outcome = play(&config(Dealer), &with(&[command("READY", &two)]));
    assert!(matches!(outcome.violation(), Violation::SocketType { .. }));
}

#[test]
fn our_ready() {
    for (kind, theirs, identity) in [
        (Dealer, "ROUTER", true),
        (Router, "DEALER", true),
        (Push, "PULL", false),
        (Pull, "PUSH", false),
        (Pub, "SUB", false),
        (Sub, "PUB", false),
    ] {
        let outcome = play(&config(kind), &modern(1, theirs));
        let name = format!("{kind:?}").to_uppercase();
        let mut properties = property("Socket-Type", name.as_bytes());
        if identity {
            properties.extend(property("Identity", b""));
            // What clients and servers of ours understand.
            properties.extend(property("X-Goaway", b"1"));
        }
        if kind == Router {
            properties.extend(property("X-Lossless", b"1"));
        }
        assert_eq!(outcome.output[64..], command("READY", &properties), "{kind:?}");
    }
}

#[test]
fn ready_in_a_message_frame_passes() {
    let body = [b"\x05READY", &router()[..]].concat();
    let outcome = play(&config(Dealer), &with(&[frame(0, &body)]));
    assert_eq!(outcome.peer().socket_type, Some(SocketType::Router));
}

#[test]
fn messages_wait_for_the_peers_ready_and_early_ones_are_taken() {
    let mut engine = engine(&config(Dealer));
    engine.send([Bytes::from("hello")]);
    assert_eq!(engine.queued_messages(), 1);
    feed(&mut engine, &greeting([3, 1], "NULL", false)).expect("sound");
    let before = output(&mut engine);
    assert!(!before.ends_with(b"hello") && !engine.has_output());
    feed(&mut engine, &[command("READY", &router()), frame(0, b"early")].concat()).expect("sound");
    assert_eq!(output(&mut engine), b"\0\x05hello");
    assert!(matches!(engine.poll_event(), Some(ZmtpEvent::Ready(_))));
    assert!(matches!(engine.poll_event(), Some(ZmtpEvent::Message(_))));
}

#[test]
fn a_second_ready_and_error_mean_nothing() {
    let parts = [
        command("READY", &router()),
        command("READY", b""),
        command("ERROR", b"\x01x"),
        frame(0, b"a"),
    ];
    let outcome = play(&config(Dealer), &with(&parts));
    assert_eq!((outcome.end.clone(), outcome.messages()), (Ok(()), vec![vec![&b"a"[..]]]));
    assert_eq!(outcome.events.len(), 2);
}

#[test]
fn dripped_bytes_do_not_extend_the_handshake() {
    let half = [SIGNATURE, b"\x01\x05"].concat();
    let scripts =
        [&b""[..], b"\xff", b"\x64\0half of an identity", &half, &greeting([3, 1], "NULL", false)];
    for script in scripts {
        let start = Instant::now();
        let mut engine = Engine::new(Arc::new(config(Dealer)), start);
        let due = start + Duration::from_secs(30);
        for (second, byte) in script.iter().enumerate() {
            let now = start + Duration::from_millis(400) * second as u32;
            engine.handle_chunk(now, Bytes::copy_from_slice(&[*byte])).expect("sound");
            engine.handle_timeout(now).expect("there is time left");
            assert_eq!(engine.poll_timeout(), Some(due));
        }
        let late = Err(Violation::HandshakeTimeout(Duration::from_secs(30)));
        assert_eq!(engine.handle_timeout(due), late);
        assert_eq!(engine.handle_timeout(due), late);
        assert_eq!(engine.poll_timeout(), None);
    }
}

#[test]
fn an_established_connection_may_be_idle() {
    for script in [modern(1, "ROUTER"), b"\x01\0".to_vec()] {
        let mut engine = engine(&config(Dealer));
        feed(&mut engine, &script).expect("sound");
        assert_eq!(engine.poll_timeout(), None);
        assert_eq!(engine.handle_timeout(Instant::now() + Duration::from_secs(3600)), Ok(()));
    }
}
