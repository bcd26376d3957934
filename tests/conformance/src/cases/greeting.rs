//! Greetings: the first 64 bytes.

use std::time::{Duration, Instant};

use super::served::{others_are_served, serves};
use crate::{
    case::{Case, Level},
    event::shown_bytes,
    failure::{Failure, ensure},
    raw::{Handshake, Version, signature},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    Case::server(
        Level::Must,
        "greeting.signature.unprompted",
        "ZRPC-14.1",
        "A connection on which nothing is said brings the ten bytes of the signature: two peers that wait for each other \
         never start.",
        |trial| trial.connect_bytes()?.expect_signature().map(drop),
    )
    .needing(&[]),
    Case::server(
        Level::Should,
        "greeting.signature.no-more",
        "ZRPC-14.2",
        "Nothing follows the signature while nothing is said, and one byte (the major version) while only the signature is: \
         peers of ZMTP 1.0 and 2.0 would read it as something else.",
        signature_and_no_more,
    )
    .needing(&[]),
    Case::server(
        Level::Should,
        "greeting.sent.filler",
        "ZRPC-14.7",
        "The greeting says NULL, is no server of a mechanism (byte 32), and ends in 31 zeros.",
        sent_filler,
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "greeting.split.single-bytes",
        "ZRPC-14.3",
        "The greeting comes byte by byte, and a call is answered behind it.",
        |trial| split(trial, &[1; 64]),
    ),
    Case::server(
        Level::Must,
        "greeting.split.at-once",
        "ZRPC-14.3",
        "The greeting comes as 64 bytes before anything has been read, and a call is answered behind it.",
        |trial| split(trial, &[64]),
    ),
    Case::server(
        Level::Must,
        "greeting.split.by-parts",
        "ZRPC-14.3",
        "The greeting comes as signature, major version and the rest, as libzmq sends it.",
        |trial| split(trial, &[10, 1, 53]),
    ),
    Case::server(
        Level::Must,
        "greeting.split.within-parts",
        "ZRPC-14.3",
        "The greeting comes in pieces that end within the signature, between the versions, within the mechanism and before \
         the last byte.",
        |trial| split(trial, &[9, 1, 1, 3, 49]),
    ),
    Case::server(
        Level::Must,
        "greeting.split.with-ready",
        "ZRPC-14.14",
        "Greeting and READY come in one piece, and a call is answered behind them.",
        with_ready,
    ),
    Case::server(
        Level::Must,
        "greeting.padding",
        "ZRPC-14.4",
        "The eight bytes behind FF are anything: zeros, FF, or noise.",
        |trial| {
            for padding in [[0; 8], [0xff; 8], *b"\x80\0\x7f\x01odd?"] {
                with_greeting(trial, |greeting| greeting[1..9].copy_from_slice(&padding))
                    .map_err(|failure| failure.during(format!("padding {}", shown_bytes(&padding))))?;
            }
            Ok(())
        },
    ),
    Case::server(
        Level::Should,
        "greeting.signature.bit",
        "ZRPC-14.4",
        "Of the last byte of the signature only bit 0 counts: 01 and FF are as good as 7F.",
        |trial| {
            with_greeting(trial, |greeting| greeting[9] = 0x01)?;
            with_greeting(trial, |greeting| greeting[9] = 0xff)
        },
    ),
    Case::server(
        Level::Must,
        "greeting.filler",
        "ZRPC-14.4",
        "The 31 bytes at the end are noise, and a call is answered behind them.",
        |trial| with_greeting(trial, |greeting| greeting[33..].fill(0xa5)),
    ),
    Case::server(
        Level::Should,
        "greeting.as-server",
        "ZRPC-14.4",
        "Byte 32 says something to other mechanisms; with NULL it is not looked at.",
        |trial| with_greeting(trial, |greeting| greeting[32] = 1),
    ),
    Case::server(
        Level::Must,
        "greeting.version.3-0",
        "ZRPC-14.5",
        "A peer of ZMTP 3.0 is served.",
        |trial| version(trial, Version::V3(3, 0)),
    ),
    Case::server(
        Level::Must,
        "greeting.version.3-1",
        "ZRPC-14.5",
        "A peer of ZMTP 3.1 is served.",
        |trial| version(trial, Version::V3(3, 1)),
    ),
    Case::server(
        Level::Must,
        "greeting.version.higher-minor",
        "ZRPC-14.5",
        "A peer of ZMTP 3.2 or 3.255 is served as one of 3.1.",
        |trial| {
            version(trial, Version::V3(3, 2))?;
            version(trial, Version::V3(3, 255))
        },
    ),
    Case::server(
        Level::Must,
        "greeting.version.higher-major",
        "ZRPC-14.5",
        "A peer of ZMTP 4.0 or 255.0 is served as one of 3.1: a higher version is no error.",
        |trial| {
            version(trial, Version::V3(4, 0))?;
            version(trial, Version::V3(255, 0))
        },
    ),
    Case::server(
        Level::Should,
        "greeting.version.2-0",
        "ZRPC-14.6",
        "A peer of ZMTP 2.0 (JeroMQ 0.3, libzmq 3.2) is served.",
        |trial| version(trial, Version::V2_0),
    ),
    Case::server(
        Level::May,
        "greeting.version.1-0-signed",
        "ZRPC-14.6",
        "A peer with a signature and the revision 0 is served with frames of ZMTP 1.0.",
        |trial| version(trial, Version::V1_0Signed),
    ),
    Case::server(
        Level::May,
        "greeting.version.1-0",
        "ZRPC-14.6",
        "A peer of ZMTP 1.0 (libzmq 2), which begins with the frame of its identity, is served.",
        |trial| version(trial, Version::V1_0),
    ),
    Case::server(
        Level::Must,
        "greeting.mechanism.null",
        "ZRPC-14.7",
        "The server offers NULL, padded with zeros to 20 bytes.",
        |trial| {
            let mut bytes = trial.connect_bytes()?;
            bytes.send(&Handshake::new("DEALER").greeting())?;
            bytes.expect_greeting().map(drop)
        },
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "greeting.mechanism.other",
        "ZRPC-14.8",
        "PLAIN, CURVE and a mechanism that nobody knows end the connection.",
        |trial| mechanisms(trial, &[b"PLAIN", b"CURVE", b"GSSAPI", b"NONE", b""]),
    ),
    Case::server(
        Level::Must,
        "greeting.mechanism.exact",
        "ZRPC-14.7",
        "All 20 bytes of the mechanism count: NULLX, null, and NULL with something behind the zero are others.",
        |trial| mechanisms(trial, &[b"NULLX", b"null", b"NULL\0X", b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"]),
    ),
    Case::server(
        Level::Must,
        "greeting.noise",
        "ZRPC-14.10",
        "HTTP, TLS and noise in place of a greeting cost their own connection at most: others are served meanwhile.",
        noise,
    ),
    Case::server(
        Level::Should,
        "greeting.never-ends",
        "ZRPC-14.9",
        "Within 40 s the server ends connections that say nothing, that drip a byte a second, and that stop before READY.",
        never_ends,
    )
    .needing(&[]),
];

fn signature_and_no_more(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = trial.connect_bytes()?;
    bytes.expect_signature()?;
    bytes
        .expect_silence(trial.moment())
        .map_err(|failure| failure.during("behind the signature, before anything is said"))?;
    bytes.send(&signature(0))?;
    bytes.receive(1, trial.soon()).map_err(|failure| failure.during("the major version"))?;
    bytes
        .expect_silence(trial.moment())
        .map_err(|failure| failure.during("behind the major version, before the peer's is known"))
}

fn sent_filler(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = trial.connect_bytes()?;
    bytes.send(&Handshake::new("DEALER").greeting())?;
    let greeting = bytes.expect_greeting()?;
    ensure(
        greeting[32..].iter().all(|byte| *byte == 0),
        "zeros behind the mechanism",
        shown_bytes(&greeting[32..]),
    )
}

fn split(trial: &mut Trial, sizes: &[usize]) -> Result<(), Failure> {
    let handshake = Handshake::new("DEALER");
    let mut bytes = trial.connect_bytes()?;
    bytes.send_split(&handshake.greeting(), sizes, Duration::from_millis(3))?;
    bytes.expect_greeting()?;
    let mut peer = bytes.finish_handshake(&handshake)?;
    serves(trial, &mut peer)
}

fn with_ready(trial: &mut Trial) -> Result<(), Failure> {
    let handshake = Handshake::new("DEALER");
    let mut bytes = trial.connect_bytes()?;
    bytes.send(&[handshake.greeting(), handshake.ready()].concat())?;
    bytes.expect_greeting()?;
    bytes.expect_ready()?;
    serves(trial, &mut bytes.shaken())
}

/// A greeting that is changed a little, and a call behind it.
fn with_greeting(trial: &mut Trial, change: impl Fn(&mut [u8])) -> Result<(), Failure> {
    let handshake = Handshake::new("DEALER");
    let mut greeting = handshake.greeting();
    change(&mut greeting);
    let mut bytes = trial.connect_bytes()?;
    bytes.send(&greeting)?;
    bytes.expect_greeting()?;
    let mut peer = bytes.finish_handshake(&handshake)?;
    serves(trial, &mut peer)
}

fn version(trial: &mut Trial, version: Version) -> Result<(), Failure> {
    let handshake = Handshake::new("DEALER").version(version);
    let mut peer = trial.connect_bytes()?.shake_hands_as(&handshake)?;
    serves(trial, &mut peer)
}

fn mechanisms(trial: &mut Trial, names: &[&[u8]]) -> Result<(), Failure> {
    for name in names {
        let mut greeting = Handshake::new("DEALER").greeting();
        greeting[12..32].fill(0);
        greeting[12..12 + name.len()].copy_from_slice(name);
        let mut bytes = trial.connect_bytes()?;
        bytes.offer(&greeting, trial.soon());
        bytes
            .expect_close(trial.soon())
            .map_err(|failure| failure.during(format!("the mechanism {}", shown_bytes(name))))?;
    }
    others_are_served(trial)
}

fn noise(trial: &mut Trial) -> Result<(), Failure> {
    let tls = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03noise noise noise noise noise noise noise";
    let beginnings: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PROXY TCP4 127.0.0.1 127.0.0.1 56324 443\r\n",
        tls,
        &[0; 128],
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\0\0\0\0\0\0\0\x01\x7f\x02\x05\xff\xff\xff\xff",
    ];
    // They are held until the end, so that others have to be served beside them.
    let mut held = Vec::new();
    for beginning in beginnings {
        let mut bytes = trial.connect_bytes()?;
        bytes.offer(beginning, trial.soon());
        held.push(bytes);
        others_are_served(trial)
            .map_err(|failure| failure.during(format!("beside {}", shown_bytes(beginning))))?;
    }
    drop(held);
    others_are_served(trial)
}

fn never_ends(trial: &mut Trial) -> Result<(), Failure> {
    const LONGEST: Duration = Duration::from_secs(40);
    let greeting = Handshake::new("DEALER").greeting();
    let mut silent = trial.connect_bytes()?;
    let mut dripping = trial.connect_bytes()?;
    let mut half = trial.connect_bytes()?;
    half.send(&greeting)?;
    let start = Instant::now();
    for byte in &greeting[..40] {
        if start.elapsed() > LONGEST || !dripping.offer(&[*byte], Duration::from_secs(1)) {
            break;
        }
        if dripping.ends(Duration::from_secs(1)) {
            break;
        }
    }
    for (bytes, words) in [
        (&mut silent, "a connection that says nothing"),
        (&mut dripping, "one that drips"),
        (&mut half, "one that sends no READY"),
    ] {
        let left = LONGEST.saturating_sub(start.elapsed()).max(Duration::from_secs(1));
        bytes.expect_close(left).map_err(|failure| {
            let seen = format!("{} after {:.0?}", failure.seen, start.elapsed());
            Failure::new(format!("{words} to end within 40 s"), seen)
        })?;
    }
    Ok(())
}
