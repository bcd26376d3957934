//! Which version the first bytes lead to, and what is sent when.

use bytes::Bytes;
use zerorpc_proto::transport::{
    PlainCredentials, Security,
    SocketKind::{Dealer, Pub, Router},
};
use zerorpc_zmtp::{Blame, Identity, SocketType, Violation, ZmtpEvent, ZmtpVersion};

use crate::support::{SIGNATURE, config, engine, feed, frame, greeting, modern, output, play, v2};

#[test]
fn nothing_is_sent_before_the_peer_understands_it() {
    let mut engine = engine(&config(Dealer));
    assert_eq!(output(&mut engine), SIGNATURE);
    let peer = modern(1, "ROUTER");
    for (at, byte) in peer.iter().enumerate() {
        feed(&mut engine, &[*byte]).expect("a sound greeting");
        let sent = output(&mut engine);
        match at {
            9 => assert_eq!(sent, [3]),
            10 => assert_eq!(sent, greeting([3, 1], "NULL", false)[11..]),
            63 => assert_eq!(
                sent,
                b"\x04\x37\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0\
                  \x08X-Goaway\0\0\0\x011"
            ),
            _ => assert_eq!(sent, b"", "after byte {at}"),
        }
    }
    assert!(matches!(engine.poll_event(), Some(ZmtpEvent::Ready(_))));
}

#[test]
fn the_signature_holds_the_length_of_the_identity() {
    let mut config = config(Dealer);
    config.identity = Identity::new("me").expect("a good name");
    assert_eq!(output(&mut engine(&config)), b"\xff\0\0\0\0\0\0\0\x03\x7f");
}

#[test]
fn version_bytes() {
    let table = [
        ([3, 0], ZmtpVersion::V3_0),
        ([3, 1], ZmtpVersion::V3_1),
        ([3, 7], ZmtpVersion::V3_1),
        ([2, 0], ZmtpVersion::V3_1),
        ([4, 0], ZmtpVersion::V3_1),
        ([255, 255], ZmtpVersion::V3_1),
    ];
    for (version, expected) in table {
        let mut script = modern(0, "DEALER");
        script[10..12].copy_from_slice(&version);
        assert_eq!(play(&config(Router), &script).peer().version, expected, "{version:?}");
    }
}

#[test]
fn what_is_never_looked_at() {
    let mut script = modern(1, "DEALER");
    script[1..9].fill(0xa5);
    script[32..64].fill(0xa5);
    for last in [0x01, 0x7f, 0xff] {
        script[9] = last;
        assert_eq!(play(&config(Router), &script).peer().version, ZmtpVersion::V3_1);
    }
}

#[test]
fn older_peers() {
    let mut config = config(Dealer);
    config.identity = Identity::new("me").expect("a good name");
    let signature: &[u8] = b"\xff\0\0\0\0\0\0\0\x03\x7f";
    let long = |length: u64, rest: &[u8]| [&[0xff], &length.to_be_bytes()[..], rest].concat();
    // What the peer sends, version, socket type and identity of the peer, what it gets.
    let table = [
        (v2(6), ZmtpVersion::V2_0, Some(SocketType::Router), "", "\x03\x05\0\x02me"),
        (
            [SIGNATURE, b"\x01\x04\0\x03you"].concat(),
            ZmtpVersion::V2_0,
            Some(SocketType::Rep),
            "you",
            "\x03\x05\0\x02me",
        ),
        (
            [SIGNATURE, b"\x01\x63\x02\0\0\0\0\0\0\0\x03you"].concat(),
            ZmtpVersion::V2_0,
            None,
            "you",
            "\x03\x05\0\x02me",
        ),
        (
            [SIGNATURE, b"\0\x06\x04\0you"].concat(),
            ZmtpVersion::V1_0,
            Some(SocketType::Router),
            "you",
            "\x03\x05\x03\0me",
        ),
        (b"\x01\0".to_vec(), ZmtpVersion::Unversioned, None, "", "me"),
        (b"\x04\0you".to_vec(), ZmtpVersion::Unversioned, None, "you", "me"),
        (long(4, b"\0you"), ZmtpVersion::Unversioned, None, "you", "me"),
        (long(1, b"\0"), ZmtpVersion::Unversioned, None, "", "me"),
    ];
    for (script, version, socket_type, identity, answer) in table {
        let outcome = play(&config, &script);
        let peer = outcome.peer();
        assert_eq!((peer.version, peer.socket_type), (version, socket_type));
        assert_eq!(peer.identity, identity);
        let expected = [signature, answer.as_bytes()].concat();
        assert_eq!(outcome.output, expected, "{}", script.escape_ascii());
    }
}

#[test]
fn what_is_not_zmtp() {
    let table: [(&[u8], Violation); 7] = [
        (b"\0", Violation::NoLength),
        (b"\xff\0\0\0\0\0\0\0\0\0", Violation::NoLength),
        (b"GET / HTTP/1.1\r\n\r\n", Violation::UnknownFlags(b'E')),
        (b"\x16\x03\x01\x02\0", Violation::UnknownFlags(3)),
        (b"\xff\x80\0\0\0\0\0\0\0\0", Violation::FrameLength(1 << 63)),
        (b"\xff\0\0\0\0\0\0\x01\x01\0", Violation::IdentityTooLong(256)),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\x02\x7f", Violation::IdentityTooLong(127 << 56)),
    ];
    for (script, expected) in table {
        // The last is only announced as far as its length field goes.
        let script = [script, &[0; 7]].concat();
        let mut engine = engine(&config(Dealer));
        let result = feed(&mut engine, &script);
        assert_eq!(result, Err(expected.clone()), "{}", script.escape_ascii());
        assert_eq!(expected.blame(), Blame::Peer);
        assert_eq!(feed(&mut engine, b"x"), Err(expected), "it stays dead");
        assert!(engine.poll_event().is_none() && engine.poll_timeout().is_none());
    }
}

#[test]
fn an_unversioned_subscriber_wants_everything() {
    let outcome = play(&config(Pub), b"\x01\0");
    assert_eq!(outcome.events[1], ZmtpEvent::Subscribe(Bytes::new()));
    for script in [v2(2), modern(0, "SUB"), modern(1, "SUB")] {
        assert_eq!(play(&config(Pub), &script).events.len(), 1);
    }
}

#[test]
fn mechanisms_are_compared_whole_and_early() {
    for theirs in ["PLAIN", "CURVE", "null", "NULLX", ""] {
        let script = &greeting([3, 1], theirs, false)[..32];
        let outcome = play(&config(Router), script);
        let expected = Violation::Mechanism { ours: "NULL", theirs: theirs.to_owned() };
        assert_eq!(outcome.violation(), &expected);
        assert_eq!(outcome.violation().blame(), Blame::Settings);
        assert_eq!(outcome.output, greeting([3, 1], "NULL", false), "a full greeting is owed");
    }
    let mut hidden = greeting([3, 1], "NULL", false);
    hidden[31] = b'X';
    assert!(matches!(play(&config(Router), &hidden).violation(), Violation::Mechanism { .. }));
}

#[test]
fn a_required_mechanism_is_not_talked_away() {
    let credentials = PlainCredentials::new("name", "word").expect("short");
    for security in [Security::PlainClient(credentials), Security::PlainServer] {
        let config = config(Router).security(security);
        let versions = [
            (b"\x01\0".to_vec(), ZmtpVersion::Unversioned),
            ([SIGNATURE, b"\0\x05"].concat(), ZmtpVersion::V1_0),
            (v2(5), ZmtpVersion::V2_0),
        ];
        for (script, version) in versions {
            let outcome = play(&config, &script);
            let expected = Violation::Downgrade { version, mechanism: "PLAIN" };
            assert_eq!(outcome.violation(), &expected);
            assert!(outcome.output.len() <= 11, "nothing more is told");
        }
        let outcome = play(&config, &modern(1, "DEALER"));
        assert!(matches!(outcome.violation(), Violation::Mechanism { ours: "PLAIN", .. }));
    }
}

#[test]
fn a_longer_identity_frame_is_refused_as_announced() {
    let script = [SIGNATURE, b"\x01\x05", &frame(0, &[b'x'; 300])].concat();
    assert_eq!(play(&config(Router), &script).violation(), &Violation::IdentityTooLong(300));
}
