//! Peers that want our memory.

use std::{io::IoSlice, time::Instant};

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{Dealer, Pub, Pull, Router};
use zerorpc_zmtp::{Violation, Want, WireLimits, ZmtpEvent};

use crate::support::{command, config, engine, feed, frame, greeting, modern, output, ready};

/// The header of a long frame.
fn announce(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | 2], &size.to_be_bytes()[..]].concat()
}

#[test]
fn announced_sizes_reserve_nothing() {
    let limits = WireLimits::with_frame_bytes(1 << 62);
    let mut engine = ready(&config(Router).limits(limits), &modern(1, "DEALER"));
    feed(&mut engine, &announce(0, 1 << 62)).expect("within the limit");
    assert_eq!(engine.partial_bytes(), 0);
    let mut arrived = 0;
    for at in 0..60 {
        let Want::Body(missing) = engine.want() else { panic!("a body is missing") };
        let count = if at % 3 == 0 { 1 } else { missing.len().min(100_000) };
        arrived += count;
        engine.handle_body(Instant::now(), count).expect("within the limit");
        let held = engine.partial_bytes();
        assert!(held <= 2 * arrived + (32 << 10), "{held} bytes for {arrived}");
    }
    let mut engine = ready(&config(Router), &modern(1, "DEALER"));
    assert!(matches!(
        feed(&mut engine, &announce(0, 1 << 62)),
        Err(Violation::FrameTooLarge { .. })
    ));
}

#[test]
fn endless_chains_come_to_an_end() {
    for body in [0, 1, 200, 100_000] {
        let mut config = config(Pull);
        config.limits = WireLimits::with_frame_bytes(1 << 20);
        let link = frame(1, &vec![b'x'; body]);
        let mut engine = ready(&config, &modern(1, "PUSH"));
        let mut most = 0;
        let violation = loop {
            if let Err(violation) = feed(&mut engine, &link) {
                break violation;
            }
            most = most.max(engine.partial_bytes());
            assert!(most as u64 <= config.limits.message_bytes);
        };
        let reasons = (
            Violation::TooManyFrames { limit: 1024 },
            Violation::MessageTooLarge { limit: 2 << 20 },
        );
        assert!(violation == reasons.0 || violation == reasons.1, "{violation}");
        assert_eq!((engine.partial_bytes(), engine.poll_event()), (0, None));
    }
}

#[test]
fn a_million_empty_frames() {
    let mut engine = ready(&config(Router), &modern(1, "DEALER"));
    let chunk = b"\x01\0".repeat(1_000_000);
    assert_eq!(feed(&mut engine, &chunk), Err(Violation::TooManyFrames { limit: 1024 }));
    // As messages of their own they are harmless, when they are drained.
    let mut engine = ready(&config(Router), &modern(1, "DEALER"));
    let mut messages = 0;
    for _ in 0..1000 {
        feed(&mut engine, &b"\0\0".repeat(1000)).expect("sound");
        messages += std::iter::from_fn(|| engine.poll_event()).count();
    }
    assert_eq!((messages, engine.partial_bytes()), (1_000_000, 0));
}

#[test]
fn huge_commands() {
    for size in [65_537, 1 << 30, 1 << 62] {
        let mut engine = engine(&config(Router));
        feed(&mut engine, &greeting([3, 1], "NULL", false)).expect("sound");
        let expected = Err(Violation::CommandTooLarge { size, limit: 65_536 });
        assert_eq!(feed(&mut engine, &announce(4, size)), expected);
        let mut engine = ready(&config(Router), &modern(1, "DEALER"));
        let known = [announce(4, size), b"\x04PING".to_vec()].concat();
        assert_eq!(feed(&mut engine, &known), expected);
        // What nobody knows is passed over, for as long as it comes, and nothing is kept of it.
        let mut engine = ready(&config(Router), &modern(1, "DEALER"));
        feed(&mut engine, &announce(4, size)).expect("it may be anything yet");
        feed(&mut engine, b"\x05LATER").expect("it is nothing that is known");
        for _ in 0..100 {
            assert!(matches!(engine.want(), Want::Chunk));
            assert_eq!(engine.partial_bytes(), 0);
            let piece = vec![0; usize::try_from(size - 6).expect("64 bits").min(600)];
            feed(&mut engine, &piece).expect("of no meaning");
        }
    }
}

#[test]
fn pings_without_reading() {
    let mut engine = ready(&config(Router), &modern(1, "DEALER"));
    let pings = command("PING", b"\0\x010123456789abcdef").repeat(100);
    for _ in 0..1000 {
        feed(&mut engine, &pings).expect("sound");
        // The peer takes a byte now and then, so that a batch is always under way.
        let mut slices = [IoSlice::new(&[]); 4];
        engine.output(&mut slices);
        engine.advance(1);
        assert!(engine.queued_bytes() <= 4200, "{} bytes", engine.queued_bytes());
    }
    let answers = output(&mut engine).len();
    assert!(answers < 16_000, "{answers} bytes of answers");
    feed(&mut engine, &command("PING", b"\0\0again")).expect("sound");
    assert_eq!(output(&mut engine), command("PONG", b"again"), "answers again when it reads");
}

#[test]
fn subscriptions_are_no_way_around_the_limits() {
    let limit = 65_536;
    let mut engine = ready(&config(Pub), &modern(0, "SUB"));
    let violation = feed(&mut engine, &announce(0, 1 << 20));
    assert_eq!(violation, Err(Violation::FrameTooLarge { size: 1 << 20, limit }));
    let mut engine = ready(&config(Pub), &modern(0, "SUB"));
    let two = [frame(1, &[1; 40_000]), frame(0, &[1; 40_000])].concat();
    assert_eq!(feed(&mut engine, &two), Err(Violation::MessageTooLarge { limit }));
}

#[test]
fn parts_pin_no_chunks() {
    // A large message, then the first frame of another one, then half a frame.
    let filler = frame(0, &[b'x'; 60_000]);
    let parts = [&filler, &frame(1, b"small")[..], b"\x01\xc8half"].concat();
    let mut engine = ready(&config(Router), &modern(1, "DEALER"));
    let chunk = Bytes::from(parts);
    engine.handle_chunk(Instant::now(), chunk.clone()).expect("sound");
    assert!(!chunk.is_unique(), "the large message is a slice of it");
    assert!(matches!(engine.poll_event(), Some(ZmtpEvent::Message(_))));
    assert!(chunk.is_unique(), "what is unfinished is not");
    // A topic may stay for long.
    let mut engine = ready(&config(Pub), &modern(1, "SUB"));
    let chunk = Bytes::from([command("SUBSCRIBE", b"a"), frame(0, b"\x01b")].concat());
    engine.handle_chunk(Instant::now(), chunk.clone()).expect("sound");
    assert!(chunk.is_unique());
    // And so may what the handshake told.
    let mut engine = self::engine(&config(Router));
    let chunk = Bytes::from(modern(1, "DEALER"));
    engine.handle_chunk(Instant::now(), chunk.clone()).expect("sound");
    assert!(chunk.is_unique());
}

#[test]
fn a_slow_drip_of_a_message_is_a_message() {
    let mut engine = ready(&config(Dealer), &modern(1, "ROUTER"));
    let script = [frame(1, b""), frame(0, &[b'x'; 5000])].concat();
    for byte in &script {
        assert!(engine.poll_event().is_none());
        feed(&mut engine, &[*byte]).expect("sound");
        assert!(engine.partial_bytes() <= 5000 + 2 * WireLimits::FRAME_COST);
    }
    assert!(matches!(engine.poll_event(), Some(ZmtpEvent::Message(_))));
    assert_eq!(engine.partial_bytes(), 0);
}
