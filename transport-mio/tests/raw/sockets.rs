//! The kinds of sockets: which go together, and what each says.

use zerorpc_proto::transport::SocketKind::{self, Dealer, Pub, Pull, Push, Router, Sub};

use crate::target::{
    Of, Raw, SIGNATURE, Target, command, frame, greeting, handshake, hears, is_closed, peer, shake,
    until,
};

const ALL: [&str; 11] =
    ["PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB"];

#[test]
fn the_matrix() {
    let matrix: [(SocketKind, &str, &[&str]); 6] = [
        (Dealer, "DEALER", &["REP", "DEALER", "ROUTER"]),
        (Router, "ROUTER", &["REQ", "DEALER", "ROUTER"]),
        (Push, "PUSH", &["PULL"]),
        (Pull, "PULL", &["PUSH"]),
        (Pub, "PUB", &["SUB", "XSUB"]),
        (Sub, "SUB", &["PUB", "XPUB"]),
    ];
    for (kind, name, allowed) in matrix {
        for (mut target, address) in Of::Both.targets(kind) {
            for theirs in ALL {
                let mut raw = Raw::connect(&address);
                raw.say(&handshake(1, theirs));
                if allowed.contains(&theirs) {
                    // An answer to a PING shows that the handshake has passed.
                    let what = format!("{name} {theirs}");
                    shake(&what, &mut target, &mut raw);
                    raw.say(&command("PING", b"\0\0"));
                    until(&what, &mut target, &mut raw, |target, raw| {
                        assert!(!raw.ended, "{}: {what}: closed", target.name());
                        // A SUB has something of its own to say.
                        raw.heard.windows(7).any(|heard| heard == command("PONG", b""))
                    });
                } else {
                    is_closed(&format!("{name} {theirs}"), &mut target, &mut raw);
                }
            }
        }
    }
}

#[test]
fn what_each_says_of_itself() {
    let table: [(SocketKind, &str, &str, bool, u8); 6] = [
        (Dealer, "DEALER", "ROUTER", true, 5),
        (Router, "ROUTER", "DEALER", true, 6),
        (Push, "PUSH", "PULL", false, 8),
        (Pull, "PULL", "PUSH", false, 7),
        (Pub, "PUB", "SUB", false, 1),
        (Sub, "SUB", "PUB", false, 2),
    ];
    for (kind, name, theirs, has_identity, number) in table {
        let length = u8::try_from(name.len()).expect("short names");
        let mut ready =
            [b"\x05READY\x0bSocket-Type\0\0\0", &[length][..], name.as_bytes()].concat();
        if has_identity {
            ready.extend_from_slice(b"\x08Identity\0\0\0\0");
        }
        let mut modern = [greeting([3, 1], "NULL"), frame(4, &ready)].concat();
        let mut old = [SIGNATURE, &[3, number, 0, 0]].concat();
        if kind == Sub {
            // It wants everything.
            modern.extend_from_slice(&command("SUBSCRIBE", b""));
            old.extend_from_slice(b"\0\x01\x01");
        }
        for (mut target, address) in Of::Both.targets(kind) {
            let mut raw = Raw::connect(&address);
            raw.say(&handshake(1, theirs));
            hears(name, &mut target, &mut raw, &modern);
            let announces = raw.heard.windows(8).any(|part| part == b"X-Goaway");
            assert_eq!(announces, has_identity && target.name() == "ours", "{name}");
            let mut raw = Raw::connect(&address);
            raw.say(&[SIGNATURE, b"\x01\x05\0\0"].concat());
            hears(name, &mut target, &mut raw, &old);
        }
    }
}

#[test]
fn messages_as_they_leave() {
    let table: [(SocketKind, &str, &[u8]); 2] =
        [(Dealer, "ROUTER", b"\x01\0\0\x05hello"), (Push, "PULL", b"\0\x05hello")];
    for (kind, theirs, expected) in table {
        for (mut target, address) in Of::Both.targets(kind) {
            let mut raw = peer(&mut target, &address, 1, theirs);
            // The other side knows of us when it answers.
            raw.say(&command("PING", b"\0\0"));
            hears("a peer", &mut target, &mut raw, &command("PONG", b""));
            raw.heard.clear();
            target.send("hello");
            hears("a message", &mut target, &mut raw, expected);
        }
    }
}

/// Waits until everything that was said is read, and has its effect.
fn settle(target: &mut Target, raw: &mut Raw) {
    for _ in 0..2 {
        raw.say(&command("PING", b"\0\0"));
        hears("an answer", target, raw, &command("PONG", b""));
        raw.heard.clear();
        target.turn();
    }
}

#[test]
fn subscriptions_in_both_forms_from_all_versions() {
    let forms = [
        (command("SUBSCRIBE", b"news"), command("CANCEL", b"news")),
        (frame(0, b"\x01news"), frame(0, b"\0news")),
    ];
    for minor in [0, 1] {
        for (begin, end) in &forms {
            for (mut target, address) in Of::Both.targets(Pub) {
                let mut raw = peer(&mut target, &address, minor, "SUB");
                raw.say(&[&begin[..], begin].concat());
                settle(&mut target, &mut raw);
                for text in ["new", "news", "other", "news today"] {
                    target.send(text);
                }
                let expected = [frame(0, b"news"), frame(0, b"news today")].concat();
                hears("what was asked for", &mut target, &mut raw, &expected);
                raw.heard.clear();
                // One end is enough for two beginnings.
                raw.say(end);
                settle(&mut target, &mut raw);
                target.send("news");
                settle(&mut target, &mut raw);
            }
        }
    }
}

#[test]
fn subscribers_that_cannot_ask_get_everything() {
    for (mut target, address) in Of::Both.targets(Pub) {
        let mut raw = Raw::connect(&address);
        raw.say(b"\x01\0");
        hears("a signature", &mut target, &mut raw, SIGNATURE);
        raw.heard.clear();
        until("news", &mut target, &mut raw, |target, raw| {
            target.send("news");
            raw.turn();
            raw.heard.starts_with(b"\x05\0news")
        });
    }
}

#[test]
fn subscribers_tell_older_publishers_in_their_way() {
    for (minor, expected) in [(0, frame(0, b"\x01")), (1, command("SUBSCRIBE", b""))] {
        for (mut target, address) in Of::Both.targets(Sub) {
            let mut raw = peer(&mut target, &address, minor, "PUB");
            hears("a subscription", &mut target, &mut raw, &expected);
            raw.say(&frame(0, b"news"));
            until("news", &mut target, &mut raw, |target, _| target.payloads() == [b"news"]);
        }
    }
}

#[test]
fn what_publishers_and_pushers_are_told_reaches_nobody() {
    for (kind, theirs) in [(Pub, "SUB"), (Push, "PULL")] {
        let (mut target, address) = Target::ours(kind).bound();
        let mut raw = peer(&mut target, &address, 1, theirs);
        raw.say(&frame(0, b"hello"));
        raw.say(&command("PING", b"\0\0"));
        hears("an answer", &mut target, &mut raw, &command("PONG", b""));
        assert!(target.payloads().is_empty());
    }
}
