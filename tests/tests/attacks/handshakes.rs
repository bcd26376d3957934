//! Those who never get through the door.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketOptions;

use crate::harness::{AttackHarness, MIB, Noise, PATIENCE, handshake, is_closed};

fn impatient() -> AttackHarness {
    let handshake_timeout = Duration::from_millis(400);
    let options = SocketOptions::default().handshake_timeout(handshake_timeout);
    AttackHarness::with(|builder| builder.socket_options(options))
}

#[test]
fn half_open_connections_end_with_their_time() {
    let harness = impatient();
    let whole = handshake();
    let mut streams: Vec<_> = (0..200)
        .map(|number| {
            let mut stream = harness.connect();
            stream.write_all(&whole[..number % whole.len()]).expect("there is room");
            stream
        })
        .collect();
    harness.serves_others();
    harness.stays_below(16 * MIB);
    streams.iter_mut().for_each(is_closed);
    harness.serves_others();
    let reasons = harness.reasons();
    let late = reasons.iter().filter(|reason| reason.contains("within 400 ms")).count();
    assert_eq!(late, 200, "{} reasons", reasons.len());
}

#[test]
fn bytes_one_at_a_time_win_no_time() {
    let harness = impatient();
    let whole = handshake();
    let mut streams: Vec<_> = (0..20).map(|_| harness.connect()).collect();
    let start = Instant::now();
    // At this pace they would be through in seconds.
    'drip: for byte in &whole[..whole.len() - 1] {
        for stream in &mut streams {
            if stream.write_all(&[*byte]).is_err() {
                break 'drip;
            }
        }
        harness.serves_others();
        assert!(start.elapsed() < PATIENCE, "nobody stops them");
    }
    streams.iter_mut().for_each(is_closed);
    harness.stays_below(16 * MIB);
}

#[test]
fn bytes_one_at_a_time_are_served_after_the_handshake() {
    let harness = impatient();
    let mut slow = harness.intrude();
    for byte in crate::harness::call(1, "echo", b"\x91\xa5hello") {
        slow.write_all(&[byte]).expect("the connection stands");
        harness.serves_others();
    }
    let mut heard = [0; 16];
    std::io::Read::read_exact(&mut slow, &mut heard).expect("an answer");
    assert_eq!(heard[..2], [1, 0], "the delimiter");
}

#[test]
fn random_bytes_lead_nowhere() {
    let harness = impatient();
    let mut noise = Noise(0x5eed);
    let whole = handshake();
    for number in 0..400 {
        let mut stream = harness.connect();
        let known = number % (whole.len() + 1);
        let count = usize::try_from(noise.number() % 4000).expect("small");
        let bytes = [&whole[..known], &noise.bytes(count)].concat();
        // The server may close in the middle of it.
        let _ = stream.write_all(&bytes);
        if number % 50 == 0 {
            harness.serves_others();
        }
    }
    harness.serves_others();
    harness.stays_below(32 * MIB);
}

#[test]
fn those_who_speak_http_or_tls_are_shown_out() {
    let harness = impatient();
    for greeting in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\0",
        b"SSH-2.0-OpenSSH_9.0\r\n",
    ] {
        let mut stream = harness.connect();
        stream.write_all(greeting).expect("there is room");
        is_closed(&mut stream);
        harness.serves_others();
    }
}
