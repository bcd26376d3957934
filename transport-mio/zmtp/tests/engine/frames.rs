//! Frames in and out, in every version.

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{Dealer, Pull, Push, Router};
use zerorpc_zmtp::{Violation, WireLimits};

use crate::support::{config, frame, modern, output, play_after, ready, v2};

const V1: &[u8] = b"\x01\0";

#[test]
fn forms_of_a_frame() {
    type Row = (&'static str, &'static [u8], &'static [&'static [&'static [u8]]]);
    let v3: [Row; 10] = [
        ("short", b"\0\x02ab", &[&[b"ab"]]),
        ("short empty", b"\0\0", &[&[b""]]),
        ("more", b"\x01\0\0\x02ab", &[&[b"", b"ab"]]),
        ("long", b"\x02\0\0\0\0\0\0\0\x02ab", &[&[b"ab"]]),
        ("long empty", b"\x02\0\0\0\0\0\0\0\0", &[&[b""]]),
        ("long more", b"\x03\0\0\0\0\0\0\0\x01a\0\x01b", &[&[b"a", b"b"]]),
        ("two messages", b"\0\x01a\0\x01b", &[&[b"a"], &[b"b"]]),
        ("a command between frames", b"\x01\x01a\x04\x02\x01x\0\x01b", &[&[b"a", b"b"]]),
        (
            "commands that say more",
            b"\x01\x01a\x05\x02\x01x\x07\0\0\0\0\0\0\0\0\0\x01b",
            &[&[b"a", b"b"]],
        ),
        ("an unfinished message", b"\0\x01a\x01\x01b", &[&[b"a"]]),
    ];
    for (what, script, expected) in v3 {
        let outcome = play_after(&config(Router), &modern(1, "DEALER"), script);
        assert_eq!(outcome.end, Ok(()), "{what}");
        assert_eq!(outcome.messages(), expected, "{what}");
        assert_eq!(outcome.output, b"", "{what}");
    }
    let v1: [Row; 5] = [
        ("short", b"\x03\0ab", &[&[b"ab"]]),
        ("empty", b"\x01\0", &[&[b""]]),
        ("more", b"\x01\x01\x03\0ab", &[&[b"", b"ab"]]),
        ("long", b"\xff\0\0\0\0\0\0\0\x03\0ab", &[&[b"ab"]]),
        ("long empty", b"\xff\0\0\0\0\0\0\0\x01\x01\x01\0", &[&[b"", b""]]),
    ];
    for (what, script, expected) in v1 {
        let outcome = play_after(&config(Router), V1, script);
        assert_eq!(
            (outcome.end.clone(), outcome.messages()),
            (Ok(()), expected.iter().map(|one| one.to_vec()).collect()),
            "{what}"
        );
    }
}

#[test]
fn frames_that_are_refused() {
    let v3 = modern(1, "DEALER");
    let huge = |flags: u8, size: u64| [&[flags], &size.to_be_bytes()[..]].concat();
    let limit = WireLimits::default().frame_bytes;
    let table = [
        (&v3[..], vec![0x08, 0], Violation::UnknownFlags(8)),
        (&v3, vec![0x80, 0], Violation::UnknownFlags(0x80)),
        (&v3, huge(2, 1 << 63), Violation::FrameLength(1 << 63)),
        (&v3, huge(2, u64::MAX), Violation::FrameLength(u64::MAX)),
        (&v3, huge(2, 1 << 62), Violation::FrameTooLarge { size: 1 << 62, limit }),
        (&v3, huge(3, limit + 1), Violation::FrameTooLarge { size: limit + 1, limit }),
        (
            &v3,
            [&huge(6, 65537)[..], b"\x04PING"].concat(),
            Violation::CommandTooLarge { size: 65537, limit: 65536 },
        ),
        (&v2(5), vec![0x04, 0], Violation::UnknownFlags(4)),
        (V1, vec![0], Violation::NoLength),
        (V1, vec![1, 2], Violation::UnknownFlags(2)),
        (V1, huge(0xff, 0), Violation::NoLength),
        (V1, huge(0xff, u64::MAX), Violation::FrameLength(u64::MAX)),
    ];
    for (handshake, script, expected) in table {
        let script = [b"\0\x01a"[..if handshake == V1 { 0 } else { 3 }].to_vec(), script].concat();
        let outcome = play_after(&config(Router), handshake, &script);
        assert_eq!(outcome.end, Err(expected), "{}", script.escape_ascii());
        assert_eq!(
            outcome.messages().len(),
            usize::from(handshake != V1),
            "what came before stays"
        );
    }
}

#[test]
fn limits_of_a_message() {
    let mut config = config(Pull);
    config.limits.frame_bytes = 300;
    config.limits.message_bytes = 600;
    config.limits.frames = 3;
    let frames = |sizes: &[usize]| {
        let last = sizes.len() - 1;
        let each = sizes.iter().enumerate();
        each.flat_map(|(at, &size)| frame(u8::from(at < last), &vec![b'x'; size]))
            .collect::<Vec<u8>>()
    };
    let table = [
        (frames(&[300]), Ok(())),
        (frames(&[301]), Err(Violation::FrameTooLarge { size: 301, limit: 300 })),
        (frames(&[300, 172]), Ok(())),
        (frames(&[300, 173]), Err(Violation::MessageTooLarge { limit: 600 })),
        (frames(&[0, 0, 0]), Ok(())),
        (frames(&[0, 0, 0, 0]), Err(Violation::TooManyFrames { limit: 3 })),
        // Each message counts for itself.
        ([frames(&[300, 172]), frames(&[300, 172]), frames(&[0, 0, 0])].concat(), Ok(())),
    ];
    for (at, (script, expected)) in table.into_iter().enumerate() {
        assert_eq!(play_after(&config, &modern(0, "PUSH"), &script).end, expected, "row {at}");
    }
}

#[test]
fn what_is_over_a_limit_is_told_with_its_setting() {
    for (violation, setting) in [
        (Violation::FrameTooLarge { size: 301, limit: 300 }, "SocketOptions::max_frame"),
        (Violation::MessageTooLarge { limit: 300 }, "SocketOptions::max_frame"),
        (Violation::TooManyFrames { limit: 3 }, "WireLimits::frames"),
    ] {
        assert!(violation.to_string().contains(setting), "{violation}");
    }
}

#[test]
fn sizes_out() {
    let modern = modern(1, "PULL");
    for size in [0, 1, 252, 253, 254, 255, 256, 4095, 4096, 65536] {
        let body = vec![7; size];
        let length = size as u64;
        let v2_header = match u8::try_from(size) {
            Ok(short) => vec![0, short],
            Err(_) => [&[2], &length.to_be_bytes()[..]].concat(),
        };
        let v1_header = if size <= 253 {
            vec![size as u8 + 1, 0]
        } else {
            [&[0xff], &(length + 1).to_be_bytes()[..], &[0]].concat()
        };
        for (handshake, header) in
            [(&modern[..], &v2_header), (&v2(7), &v2_header), (V1, &v1_header)]
        {
            let mut engine = ready(&config(Push), handshake);
            engine.send([Bytes::from(body.clone())]);
            assert_eq!(output(&mut engine), [&header[..], &body].concat(), "{size} bytes");
        }
    }
}

#[test]
fn several_frames_out() {
    let frames = || [Bytes::new(), Bytes::from("ab"), Bytes::from("c")];
    for (handshake, expected) in [
        (&modern(0, "ROUTER")[..], &b"\x01\0\x01\x02ab\0\x01c"[..]),
        (&v2(6), b"\x01\0\x01\x02ab\0\x01c"),
        (V1, b"\x01\x01\x03\x01ab\x02\0c"),
    ] {
        let mut engine = ready(&config(Dealer), handshake);
        engine.send(frames());
        assert_eq!(output(&mut engine), expected);
        engine.send([]);
        assert!(!engine.has_output(), "a message without frames is nothing");
    }
}
