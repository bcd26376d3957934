//! Output: slices, partial writes, and messages taken back.

use std::io::IoSlice;

use bytes::Bytes;
use zerorpc_proto::{Payload, transport::SocketKind::Dealer};
use zerorpc_zmtp::{Engine, Outgoing};

use crate::support::{config, engine, feed, frame, message, modern, output, ready};

fn connected() -> Engine {
    ready(&config(Dealer), &modern(1, "ROUTER"))
}

/// Writes `count` bytes, as far as one call of `output` goes.
fn write(engine: &mut Engine, count: usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 8];
    let filled = engine.output(&mut slices);
    let mut bytes = slices[..filled].iter().map(|slice| &slice[..]).collect::<Vec<_>>().concat();
    bytes.truncate(count);
    engine.advance(bytes.len());
    bytes
}

#[test]
fn small_parts_are_one_slice_and_large_ones_are_not_copied() {
    let mut engine = connected();
    let large = Bytes::from(vec![b'x'; 100_000]);
    for _ in 0..3 {
        engine.send([Bytes::new(), Bytes::from("small")]);
    }
    let payload = Payload { head: Bytes::from("head"), body: large.clone() };
    engine.send_payload([Bytes::new()], payload);
    engine.send([Bytes::from("after")]);
    let mut slices = [IoSlice::new(&[]); 8];
    assert_eq!(engine.output(&mut slices), 3);
    assert_eq!(slices[1].as_ptr(), large.as_ptr());
    assert_eq!(slices[1].len(), large.len());
    let small = [frame(1, b""), frame(0, b"small")].concat().repeat(3);
    let header = [&b"\x01\0\x02"[..], &100_004u64.to_be_bytes(), b"head"].concat();
    assert_eq!(*slices[0], [small, header].concat());
    assert_eq!(*slices[2], frame(0, b"after"));
}

#[test]
fn few_slices_are_enough_and_partial_writes_lose_nothing() {
    let mut whole = connected();
    let mut pieces = connected();
    for engine in [&mut whole, &mut pieces] {
        for at in 0..300u32 {
            let body = vec![at as u8; (at * at % 9000) as usize];
            engine.send([Bytes::new(), Bytes::from(body)]);
        }
    }
    let expected = output(&mut whole);
    let mut got = Vec::new();
    for step in 1.. {
        let mut slices = [IoSlice::new(&[]); 1];
        let filled = pieces.output(&mut slices);
        if filled == 0 {
            break;
        }
        let count = slices[0].len().min(step % 777);
        got.extend_from_slice(&slices[0][..count]);
        pieces.advance(count);
    }
    assert!(got == expected, "{} of {} bytes", got.len(), expected.len());
    assert_eq!((pieces.queued_messages(), pieces.queued_bytes()), (0, 0));
}

#[test]
fn messages_count_until_their_last_byte_is_written() {
    let mut engine = connected();
    engine.send([Bytes::new(), Bytes::from("ab")]);
    engine.send([Bytes::from("cd")]);
    assert_eq!((engine.queued_messages(), engine.queued_bytes()), (2, 4 + 3 * 64));
    write(&mut engine, 5);
    assert_eq!((engine.queued_messages(), engine.queued_bytes()), (2, 4 + 3 * 64));
    write(&mut engine, 1);
    assert_eq!((engine.queued_messages(), engine.queued_bytes()), (1, 2 + 64));
    write(&mut engine, 100);
    assert_eq!((engine.queued_messages(), engine.queued_bytes()), (0, 0));
    assert!(!engine.has_output());
}

#[test]
fn what_has_not_begun_is_taken_back() {
    let bodies: Vec<Bytes> =
        vec!["one".into(), vec![2; 10_000].into(), "three".into(), "four".into()];
    let encoded: Vec<_> = bodies.iter().map(|body| frame(0, body)).collect();
    let starts: Vec<usize> =
        (0..=4).map(|count| encoded[..count].iter().map(Vec::len).sum()).collect();
    for written in 0..=starts[4] {
        let mut first = connected();
        bodies.iter().for_each(|body| first.send([body.clone()]));
        let mut wire = write(&mut first, written);
        assert_eq!(wire.len(), written);

        let begun = starts[..4].iter().filter(|&&start| start < written).count();
        let unsent = first.take_unsent();
        assert_eq!(unsent.len(), 4 - begun, "{written} bytes are written");
        assert_eq!(unsent.first().map(|one| &one.frames[0]), bodies.get(begun));
        wire.extend(output(&mut first));
        assert_eq!(wire, encoded[..begun].concat(), "what has begun is finished");
        assert_eq!((first.queued_messages(), first.queued_bytes()), (0, 0));

        let mut second = connected();
        unsent.into_iter().for_each(|one| second.send_message(one));
        assert_eq!(output(&mut second), encoded[begun..].concat());
    }
}

#[test]
fn everything_is_taken_back_before_the_handshake_and_after_a_violation() {
    let mut engine = engine(&config(Dealer));
    engine.send([Bytes::from("one")]);
    let mut whole = Outgoing::new(message(&[b"", b"two"]));
    whole.tail = Bytes::from("tail");
    engine.send_message(whole.clone());
    output(&mut engine);
    feed(&mut engine, b"\0\0").expect_err("no frame has length 0");
    engine.send([Bytes::from("three")]);
    assert!(!engine.has_output(), "no message leaves a dead engine");
    let unsent = engine.take_unsent();
    assert_eq!(unsent.len(), 3);
    assert_eq!(unsent[1], whole);
    assert_eq!(engine.take_unsent(), []);

    let mut engine = connected();
    engine.send([Bytes::from("begun")]);
    engine.send([Bytes::from("waits")]);
    let begun = write(&mut engine, 2);
    engine.send([Bytes::from("waits too")]);
    feed(&mut engine, &[0x80, 0]).expect_err("unknown flags");
    assert_eq!(engine.take_unsent().len(), 2);
    assert_eq!([begun, output(&mut engine)].concat(), frame(0, b"begun"));
}

#[test]
fn an_idle_engine_is_small() {
    assert!(size_of::<Engine>() < 1024, "{} bytes", size_of::<Engine>());
}
