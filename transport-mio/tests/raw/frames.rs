//! Frames, their flags and their lengths.

use zerorpc_proto::transport::SocketKind::Router;

use crate::target::{Of, command, frame, handshake, is_closed, peer, stands, until};

#[test]
fn frames_that_are_read() {
    let long =
        |flags: u8, body: &[u8]| [&[flags][..], &(body.len() as u64).to_be_bytes(), body].concat();
    /// For whom, what, the bytes, and the payloads that they are.
    type Row<'a> = (Of, &'a str, Vec<u8>, &'a [&'a [u8]]);
    let table: [Row<'_>; 11] = [
        (Of::Both, "short", b"\x01\0\0\x05hello".to_vec(), &[b"hello"]),
        (Of::Both, "empty", b"\x01\0\0\0".to_vec(), &[b""]),
        (Of::Both, "alone", frame(0, b"hello"), &[b"hello"]),
        (Of::Both, "long of five", [long(3, b""), long(2, b"hello")].concat(), &[b"hello"]),
        (Of::Both, "long of none", [long(3, b""), long(2, b"")].concat(), &[b""]),
        (Of::Both, "long of many", [long(3, b""), long(2, &[7; 300])].concat(), &[&[7; 300]]),
        (Of::Both, "an unknown command", command("WHAT", b"ever"), &[]),
        (Of::Both, "a long unknown command", long(6, b"\x04WHATever"), &[]),
        (
            Of::Both,
            "a command between the frames of a message",
            [&b"\x01\0"[..], &command("WHAT", b""), b"\0\x05hello"].concat(),
            &[b"hello"],
        ),
        (
            Of::Both,
            "COMMAND and MORE is a command",
            [&b"\x01\0"[..], &frame(5, b"\x04WHAT"), b"\0\x05hello"].concat(),
            &[b"hello"],
        ),
        (Of::Both, "READY once more", command("READY", b""), &[]),
    ];
    for (of, what, says, expected) in table {
        for (mut target, address) in of.targets(Router) {
            for pieces in [says.len(), 1] {
                let mut raw = peer(&mut target, &address, 1, "DEALER");
                let before = target.payloads().len();
                for piece in says.chunks(pieces) {
                    raw.say(piece);
                }
                let payloads = stands(what, &mut target, &mut raw);
                assert_eq!(payloads[before..], *expected, "{}: {what}", target.name());
            }
        }
    }
}

#[test]
fn envelopes_and_delimiters() {
    /// What, the bytes, the envelope and the payload.
    type Row<'a> = (&'a str, &'a [u8], &'a [&'a [u8]], &'a [u8]);
    let table: [Row<'_>; 4] = [
        ("a proxy", b"\x01\x02id\x01\0\0\x01x", &[b"id"], b"x"),
        ("two proxies", b"\x01\x01a\x01\x01b\x01\0\0\x01x", &[b"a", b"b"], b"x"),
        ("no empty delimiter", b"\x01\x01a\0\x01x", &[], b"x"),
        ("empty frames", b"\x01\0\x01\0\0\0", &[b""], b""),
    ];
    for (what, says, envelope, payload) in table {
        for (mut target, address) in Of::Both.targets(Router) {
            let mut raw = peer(&mut target, &address, 1, "DEALER");
            raw.say(says);
            until(what, &mut target, &mut raw, |target, _| target.messages().len() == 1);
            let message = &target.messages()[0];
            assert_eq!(message.envelope.frames(), envelope, "{}: {what}", target.name());
            assert_eq!(message.payload, payload, "{}: {what}", target.name());
        }
    }
}

#[test]
fn frames_that_end_a_connection() {
    let announced = |flags: u8, length: u64| [&[flags][..], &length.to_be_bytes()].concat();
    let table = [
        (Of::Both, "2^63", announced(2, 1 << 63)),
        (Of::Both, "2^64 - 1", announced(2, u64::MAX)),
        (Of::Both, "2^62", announced(2, 1 << 62)),
        // libzmq sets none of these limits, and does not look at reserved bits.
        (Of::Ours, "more than the limit", announced(2, (1 << 30) + 1)),
        (Of::Ours, "a large command", [&announced(6, 70_000)[..], b"\x04PING"].concat()),
        (Of::Ours, "a reserved bit", frame(8, b"hello")),
        (Of::Ours, "all reserved bits", frame(0xf8, b"hello")),
        (Of::Ours, "too many frames", b"\x01\0".repeat(1025)),
    ];
    for (of, what, says) in table {
        for (mut target, address) in of.targets(Router) {
            let mut raw = peer(&mut target, &address, 1, "DEALER");
            raw.say(&says);
            is_closed(what, &mut target, &mut raw);
            assert!(target.payloads().is_empty(), "{}: {what}", target.name());
        }
    }
}

#[test]
fn messages_are_delivered_whole_or_not_at_all() {
    for (mut target, address) in Of::Both.targets(Router) {
        for cut in [&b"\x01\0"[..], b"\x01\0\0\x05hel", b"\x01\0\x01\x05hello", b"\x01"] {
            let mut raw = peer(&mut target, &address, 1, "DEALER");
            raw.say(cut);
            drop(raw);
            let mut raw = peer(&mut target, &address, 1, "DEALER");
            stands("the next connection", &mut target, &mut raw);
        }
        assert_eq!(target.payloads(), [b"last"; 4], "{}", target.name());
    }
}

#[test]
fn messages_with_the_handshake_are_accepted() {
    // libzmq takes an early message for a second command of the handshake, and closes.
    for (mut target, address) in Of::Ours.targets(Router) {
        let mut raw = crate::target::Raw::connect(&address);
        raw.say(&[&handshake(1, "DEALER")[..], b"\x01\0\0\x05early"].concat());
        assert_eq!(stands("early", &mut target, &mut raw), [b"early"]);
    }
}
