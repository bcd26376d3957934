//! Commands after the handshake.

use zerorpc_proto::transport::SocketKind::{Pull, Router};

use crate::target::{
    Of, Raw, SIGNATURE, Target, command, frame, hears, is_closed, peer, stands, until,
};

#[test]
fn pings_are_answered() {
    let table: [(Of, &[u8], &[u8]); 5] = [
        (Of::Both, b"\0\0", b""),
        (Of::Both, b"\0\0context", b"context"),
        (Of::Both, b"\xff\xffcontext", b"context"),
        (Of::Both, b"\0\x000123456789abcdef", b"0123456789abcdef"),
        (Of::Both, b"\0\x000123456789abcdefghij", b"0123456789abcdef"),
    ];
    for (of, data, context) in table {
        for (mut target, address) in of.targets(Router) {
            let mut raw = peer(&mut target, &address, 1, "DEALER");
            // In the middle of a message.
            raw.say(&[b"\x01\0", &command("PING", data)[..]].concat());
            hears("an answer", &mut target, &mut raw, &command("PONG", context));
            raw.say(b"\0\x05hello");
            assert_eq!(stands("the message", &mut target, &mut raw), [b"hello"]);
        }
    }
}

#[test]
fn what_is_ignored() {
    let table = [
        (Of::Both, "a PONG that nobody asked for", command("PONG", b"context")),
        (Of::Both, "ERROR after the handshake", command("ERROR", b"\x03why")),
        // libzmq reads beyond these two, and answers with what it finds there.
        (Of::Ours, "a PING without its TTL", command("PING", b"")),
        (Of::Ours, "a PING with half of its TTL", command("PING", b"\0")),
        // libzmq delivers these two as messages.
        (Of::Ours, "a subscription to what publishes nothing", command("SUBSCRIBE", b"topic")),
        (Of::Ours, "the end of one", command("CANCEL", b"topic")),
        (Of::Both, "a name beyond its end", frame(4, b"\x09WHAT")),
        (Of::Both, "no name", frame(4, b"")),
        // libzmq does not take commands of this size.
        (Of::Ours, "something large from a later version", {
            let body = [b"\x05LATER", &[b'x'; 100_000][..]].concat();
            [&[6][..], &(body.len() as u64).to_be_bytes(), &body].concat()
        }),
    ];
    for (of, what, says) in table {
        for (mut target, address) in of.targets(Router) {
            let mut raw = peer(&mut target, &address, 1, "DEALER");
            raw.say(&says);
            assert_eq!(stands(what, &mut target, &mut raw), [b""; 0], "{}: {what}", target.name());
            raw.turn();
            assert_eq!(raw.heard, b"", "{}: {what}", target.name());
        }
    }
}

#[test]
fn a_promise_that_is_not_kept_ends_the_connection() {
    for (mut target, address) in Of::Both.targets(Router) {
        let mut raw = peer(&mut target, &address, 1, "DEALER");
        // A tenth of a second.
        raw.say(&command("PING", b"\0\x01"));
        crate::target::is_closed("silence", &mut target, &mut raw);
    }
}

#[test]
fn who_is_refused_hears_why_before_the_end() {
    // What is over a limit is refused as announced: it need not come.
    const WORDS: &[u8] =
        b"a frame of 4611686018427387904 bytes is over the limit of 1073741824 bytes";
    for minor in [0, 1] {
        for (mut target, address) in Of::Ours.targets(Router) {
            let mut raw = peer(&mut target, &address, minor, "DEALER");
            raw.say(b"\x02\x40\0\0\0\0\0\0\0");
            is_closed("an endless frame", &mut target, &mut raw);
            if minor == 0 {
                // Some of these take it for a message.
                assert_eq!(raw.heard, b"");
                continue;
            }
            let length = u8::try_from(raw.heard.len() - 2).expect("a short frame");
            assert_eq!(raw.heard[..8], [&[4, length], &b"\x05ERROR"[..]].concat());
            assert_eq!(usize::from(raw.heard[8]), raw.heard.len() - 9);
            assert!(raw.heard[9..].starts_with(WORDS), "{}", raw.heard.escape_ascii());
        }
    }
    // Before ZMTP 3.0 there are no commands.
    for (mut target, address) in Of::Ours.targets(Router) {
        let mut raw = Raw::connect(&address);
        raw.say(&[SIGNATURE, b"\x01\x05\0\0\x02\x40\0\0\0\0\0\0\0"].concat());
        is_closed("an endless frame", &mut target, &mut raw);
        assert_eq!(raw.heard, [SIGNATURE, b"\x03\x06\0\0"].concat());
    }
}

#[test]
fn an_error_after_the_handshake_harms_nobody() {
    for (kind, theirs) in [(Router, "DEALER"), (Pull, "PUSH")] {
        for (mut target, address) in Of::Both.targets(kind) {
            let mut raw = peer(&mut target, &address, 1, theirs);
            raw.say(&command("ERROR", b"\x0aI gave up!"));
            raw.say(&command("ERROR", b"\xff\"no end"));
            raw.say(if kind == Router { b"\x01\0\0\x05hello" } else { b"\0\x05hello" });
            let heard = |target: &mut Target, _: &mut Raw| target.payloads() == [b"hello"];
            until("a message", &mut target, &mut raw, heard);
            assert!(!raw.ended);
        }
    }
}
