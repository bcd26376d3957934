//! Much too much of what is allowed.

use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use zerorpc::Limits;
use zerorpc_tests::service::eventually;

use crate::harness::{AttackHarness, MIB, call, event, is_closed};

/// Sends `bytes` over and over on some connections that never read, while others are served.
fn flood(
    harness: &AttackHarness,
    connections: usize,
    bytes: &[u8],
    rounds: usize,
) -> Vec<TcpStream> {
    let streams: Vec<TcpStream> = (0..connections).map(|_| harness.intrude()).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for stream in &streams {
            let (mut stream, over) = (stream, &over);
            stream.set_write_timeout(Some(Duration::from_millis(50))).expect("an option");
            scope.spawn(move || {
                let mut rest = bytes;
                while !over.load(Ordering::Relaxed) {
                    match stream.write(rest) {
                        Ok(written) => rest = &rest[written..],
                        Err(error)
                            if matches!(
                                error.kind(),
                                ErrorKind::WouldBlock | ErrorKind::TimedOut
                            ) => {}
                        // Shown out.
                        Err(_) => break,
                    }
                    if rest.is_empty() {
                        rest = bytes;
                    }
                }
            });
        }
        for _ in 0..rounds {
            harness.serves_others();
        }
        over.store(true, Ordering::Relaxed);
    });
    streams
}

#[test]
fn pings_whose_answers_nobody_reads() {
    let harness = AttackHarness::new();
    let ping = b"\x04\x17\x04PING\0\0sixteen bytes---".repeat(1000);
    let _streams = flood(&harness, 3, &ping, 10);
    harness.stays_below(32 * MIB);
    harness.serves_others();
}

#[test]
fn commands_that_nobody_knows() {
    let harness = AttackHarness::new();
    let _streams = flood(&harness, 3, &b"\x04\x05\x04WHAT".repeat(10_000), 10);
    harness.stays_below(32 * MIB);
}

#[test]
fn events_that_are_none() {
    let harness = AttackHarness::new();
    let _streams = flood(&harness, 2, &event(b"\x93\xc1garbage").repeat(5000), 5);
    harness.stays_below(64 * MIB);
}

#[test]
fn calls_whose_answers_nobody_reads() {
    let harness = AttackHarness::new();
    // Always the same id: only the first of those that are open counts.
    let calls: Vec<u8> =
        (0..1000).flat_map(|number| call(number, "echo", b"\x91\xa5hello")).collect();
    let _streams = flood(&harness, 2, &calls, 5);
    harness.stays_below(256 * MIB);
    harness.serves_others();
}

#[test]
fn streams_that_nobody_reads() {
    let harness = AttackHarness::new();
    let mut stream = harness.intrude();
    for number in 0..50_u32 {
        // All the numbers there are, with all the credit there is.
        let request = call(number, "numbers", b"\x91\xce\xff\xff\xff\xff");
        stream.write_all(&request).expect("there is room");
        let head = b"\x93\x83\xaamessage_id\xa8";
        let id = format!("{number:08}");
        let own = format!("{:08}", number + 1_000_000);
        let grant = [
            head,
            own.as_bytes(),
            b"\xa1v\x03\xabresponse_to\xa8",
            id.as_bytes(),
            b"\xa9_zpc_more\x91\xce\xff\xff\xff\xff",
        ];
        stream.write_all(&event(&grant.concat())).expect("there is room");
    }
    for _ in 0..10 {
        harness.serves_others();
    }
    harness.stays_below(128 * MIB);
}

#[test]
fn large_answers_that_nobody_reads() {
    let harness = AttackHarness::new();
    let mut stream = harness.intrude();
    for number in 0..50_u32 {
        // 1 MiB each.
        stream
            .write_all(&call(number, "blob", b"\x91\xce\x00\x10\x00\x00"))
            .expect("there is room");
    }
    for _ in 0..10 {
        harness.serves_others();
    }
    // Those that are made wait for their reader or his end: there is no more of them than was asked for.
    harness.stays_below(200 * MIB);
}

#[test]
fn whoever_does_not_read_is_cut_off_and_told_of() {
    let limits = Limits::default().peer_bytes(8 * MIB);
    let harness = AttackHarness::with(|builder| builder.limits(limits));
    let mut stream = harness.intrude();
    for number in 0..100_u32 {
        // 2 MiB each.
        let request = call(number, "blob", b"\x91\xce\x00\x20\x00\x00");
        stream.write_all(&request).expect("there is room");
    }
    let mut reasons = Vec::new();
    eventually("it is cut off", || {
        harness.serves_others();
        reasons.extend(harness.reasons());
        reasons.iter().any(|reason| reason.contains("it does not read what it asks for"))
    });
    assert!(reasons.iter().any(|reason| reason.contains("MiB of answers")), "{reasons:?}");
    // It hears of it at once, however much the system had taken for it.
    is_closed(&mut stream);
    harness.serves_others();
}

#[test]
fn halves_of_large_messages_are_bounded_by_their_sum() {
    let limits = Limits::default().total_bytes(64 * MIB);
    let harness = AttackHarness::with(|builder| builder.limits(limits));
    // One gigabyte is announced.
    let send = |mut stream: &TcpStream, mebibytes: usize, begins: bool| {
        let header = b"\x01\0\x02\0\0\0\0\x40\0\0\0";
        let header = if begins { &header[..] } else { &[] };
        let bytes = [header, &vec![0; mebibytes * MIB]].concat();
        stream.write_all(&bytes)
    };
    let streams: Vec<TcpStream> = (0..3).map(|_| harness.intrude()).collect();
    send(&streams[0], 10, true).expect("it is read");
    send(&streams[1], 20, true).expect("it is read");
    harness.serves_others();
    assert!(!harness.reasons().iter().any(|reason| reason.contains("too much")));
    // As buffers grow by doubling, this takes 32 or 64: beyond seven eighths of all there is, whoever has most goes.
    let _refused = send(&streams[2], 40, true);
    let mut reasons = Vec::new();
    eventually("it is cut off", || {
        harness.serves_others();
        reasons.extend(harness.reasons());
        reasons.iter().any(|reason| reason.contains("too much is kept for all peers together"))
    });
    is_closed(&mut { &streams[2] }.try_clone().expect("a descriptor"));
    send(&streams[0], 1, false).expect("the smaller ones go on");
    harness.serves_others();
    // What the allocator keeps of the buffers in between counts here, 16, 32 and 64 MiB at worst; a gigabyte was announced.
    harness.stays_below(192 * MIB);
}
