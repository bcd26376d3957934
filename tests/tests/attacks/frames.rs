//! Frames that are not what they seem.

use std::io::Write;

use zerorpc_proto::transport::SocketOptions;

use crate::harness::{AttackHarness, MIB, Noise, is_closed};

#[test]
fn announced_lengths_cost_nothing() {
    let harness = AttackHarness::new();
    // Beyond all limits: closed at once.
    for length in [1_u64 << 62, (1 << 63) - 1, 1 << 63, u64::MAX, (1 << 30) + 1, 1 << 40] {
        for (flags, body) in [(2, &b"and so on"[..]), (3, b"and so on"), (6, b"\x04PING\0\0")] {
            let mut stream = harness.intrude();
            let bytes = [&[flags][..], &length.to_be_bytes(), body].concat();
            stream.write_all(&bytes).expect("there is room");
            is_closed(&mut stream);
        }
    }
    // Within the limits: waited for, but not paid in advance. Commands that nobody knows may have any size, and are not kept.
    let waiting: Vec<_> =
        [(2, 1_u64 << 30, &b"and so on"[..]), (6, 1 << 62, b"\x04WHAT and so on")]
            .into_iter()
            .cycle()
            .take(200)
            .map(|(flags, length, body)| {
                let mut stream = harness.intrude();
                let bytes = [&[flags][..], &length.to_be_bytes(), body].concat();
                stream.write_all(&bytes).expect("there is room");
                stream
            })
            .collect();
    harness.serves_others();
    harness.stays_below(32 * MIB);
    drop(waiting);
}

#[test]
fn messages_without_end_are_cut_off() {
    let options = SocketOptions::default().max_frame(1 << 20);
    let harness = AttackHarness::with(|builder| builder.socket_options(options));
    let table = [
        ("empty frames", b"\x01\0".repeat(10_000)),
        ("small frames", b"\x01\x05hello".repeat(10_000)),
        ("long forms of nothing", b"\x03\0\0\0\0\0\0\0\0".repeat(10_000)),
        ("frames of 64 KiB", {
            let frame = [&b"\x03\0\0\0\0\0\x01\0\0"[..], &[0; 65_536]].concat();
            frame.repeat(50)
        }),
    ];
    for (what, bytes) in table {
        let mut streams: Vec<_> = (0..10).map(|_| harness.intrude()).collect();
        let mut rounds = 0;
        while !streams.is_empty() {
            streams.retain_mut(|stream| stream.write_all(&bytes).is_ok());
            harness.serves_others();
            rounds += 1;
            // Whoever is cut off is listened to for another moment, so that it hears why: many rounds on a fast machine.
            assert!(rounds < 10_000, "{what} without end");
        }
    }
    harness.stays_below(64 * MIB);
}

#[test]
fn a_million_empty_frames() {
    let harness = AttackHarness::new();
    let mut stream = harness.intrude();
    for _ in 0..100 {
        stream.write_all(&b"\0\0".repeat(10_000)).expect("the server reads");
        harness.serves_others();
    }
    harness.stays_below(64 * MIB);
}

#[test]
fn random_frames() {
    let harness = AttackHarness::new();
    let mut noise = Noise(0xf4a3);
    for number in 0..300 {
        let mut stream = harness.intrude();
        for _ in 0..20 {
            let count = usize::try_from(noise.number() % 200).expect("small");
            let flags = noise.number().to_le_bytes()[0] & 0x07;
            let mut bytes = vec![flags & !2, u8::try_from(count).expect("small")];
            bytes.extend(noise.bytes(count));
            // The server may close in the middle of it.
            let _ = stream.write_all(&bytes);
        }
        if number % 30 == 0 {
            harness.serves_others();
        }
    }
    harness.serves_others();
    harness.stays_below(32 * MIB);
}
