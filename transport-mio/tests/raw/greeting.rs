//! Greetings of all versions, in all pieces.

use zerorpc_proto::transport::SocketKind::Router;

use crate::target::{
    Of, Raw, SIGNATURE, greeting, handshake, hears, is_closed, ready, stands, until,
};

/// What a ROUTER without identity says in its handshake.
const READY: &[u8] = b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0";

#[test]
fn nobody_says_more_than_the_other_can_understand() {
    for (mut target, address) in Of::Both.targets(Router) {
        let mut raw = Raw::connect(&address);
        hears("unasked", &mut target, &mut raw, SIGNATURE);
        raw.say(SIGNATURE);
        hears("after ten bytes", &mut target, &mut raw, &[SIGNATURE, &[3]].concat());
        raw.say(&[3]);
        let mut whole = greeting([3, 1], "NULL");
        hears("after eleven", &mut target, &mut raw, &whole);
        raw.say(&greeting([3, 1], "NULL")[11..]);
        whole.extend_from_slice(READY);
        hears("after all", &mut target, &mut raw, &whole);
        raw.say(&ready("DEALER"));
        assert_eq!(stands("messages", &mut target, &mut raw), [b""; 0]);
    }
}

#[test]
fn greetings_in_any_split() {
    let whole = handshake(1, "DEALER");
    for (mut target, address) in Of::Both.targets(Router) {
        for size in [1, 3, 10, 11, 12, 64] {
            let mut raw = Raw::connect(&address);
            for piece in whole.chunks(size) {
                raw.say(piece);
                target.turn();
            }
            stands("in pieces", &mut target, &mut raw);
        }
        assert_eq!(target.payloads().len(), 6, "{}", target.name());
    }
}

#[test]
fn versions() {
    // What the peer says, what it hears, and its first message.
    let modern = |version: [u8; 2]| [greeting(version, "NULL"), ready("DEALER")].concat();
    let heard = [&greeting([3, 1], "NULL")[..], READY].concat();
    let message = b"\x01\0\0\x05hello".to_vec();
    let table = [
        ("3.0", modern([3, 0]), heard.clone(), message.clone()),
        ("3.1", modern([3, 1]), heard.clone(), message.clone()),
        ("3.9", modern([3, 9]), heard.clone(), message.clone()),
        ("2 is later than 2.0", modern([2, 5]), heard.clone(), message.clone()),
        ("4.0", modern([4, 0]), heard.clone(), message.clone()),
        ("255.255", modern([255, 255]), heard, message.clone()),
        (
            "2.0",
            [SIGNATURE, b"\x01\x05\0\0"].concat(),
            [SIGNATURE, b"\x03\x06\0\0"].concat(),
            message,
        ),
        (
            "1.0 with a version",
            [SIGNATURE, b"\0\x05\x01\0"].concat(),
            [SIGNATURE, b"\x03\x06\x01\0"].concat(),
            b"\x01\x01\x06\0hello".to_vec(),
        ),
        ("1.0", b"\x01\0".to_vec(), SIGNATURE.to_vec(), b"\x01\x01\x06\0hello".to_vec()),
        (
            "1.0 with a long identity",
            [&b"\xff\0\0\0\0\0\0\0\x04\0"[..], b"abc"].concat(),
            SIGNATURE.to_vec(),
            b"\x01\x01\xff\0\0\0\0\0\0\0\x06\0hello".to_vec(),
        ),
    ];
    for (what, says, expected, message) in table {
        for (mut target, address) in Of::Both.targets(Router) {
            let mut raw = Raw::connect(&address);
            raw.say(&says);
            hears(what, &mut target, &mut raw, &expected);
            raw.say(&message);
            until(what, &mut target, &mut raw, |target, _| target.payloads() == [b"hello"]);
        }
    }
}

#[test]
fn what_is_not_looked_at() {
    let change = |places: std::ops::Range<usize>, byte: u8| {
        let mut bytes = handshake(1, "DEALER");
        bytes[places].fill(byte);
        bytes
    };
    let table = [
        ("the padding of the signature", change(1..9, 0xab)),
        ("the upper bits of byte 9", change(9..10, 1)),
        ("the role", change(32..33, 1)),
        ("the filler", change(33..64, 0xcd)),
    ];
    for (what, says) in table {
        for (mut target, address) in Of::Both.targets(Router) {
            let mut raw = Raw::connect(&address);
            raw.say(&says);
            stands(what, &mut target, &mut raw);
        }
    }
}

#[test]
fn what_is_refused() {
    let padded = {
        let mut bytes = greeting([3, 1], "NULL");
        bytes[31] = b'x';
        bytes
    };
    let table = [
        (Of::Both, "PLAIN", greeting([3, 1], "PLAIN")),
        (Of::Both, "another CURVE", greeting([3, 1], "CURVE")),
        (Of::Both, "small letters", greeting([3, 1], "null")),
        (Of::Both, "no mechanism", greeting([3, 1], "")),
        (Of::Both, "something behind the mechanism", padded),
        (Of::Both, "no length in 1.0", vec![0]),
        (Of::Both, "an endless identity", b"\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0".to_vec()),
    ];
    for (of, what, says) in table {
        for (mut target, address) in of.targets(Router) {
            let mut raw = Raw::connect(&address);
            raw.say(&says);
            is_closed(what, &mut target, &mut raw);
        }
    }
}
