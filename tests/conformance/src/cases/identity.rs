//! Identities that callers bring along.

use std::time::Instant;

use super::served::{ends_or_serves, others_are_served, serves};
use crate::{
    case::{Case, Level},
    event::shown_bytes,
    failure::Failure,
    raw::{Handshake, Peer},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    Case::server(
        Level::Must,
        "identity.empty",
        "ZRPC-14.21",
        "Two callers with an empty identity, which is none, are served beside each other.",
        |trial| {
            let mut first = with_identity(trial, b"")?;
            let mut second = with_identity(trial, b"")?;
            serves(trial, &mut first)?;
            serves(trial, &mut second)?;
            serves(trial, &mut first)
        },
    ),
    Case::server(
        Level::Must,
        "identity.any-bytes",
        "ZRPC-14.21",
        "Identities of one byte, of 255, and of bytes that are no text are taken.",
        |trial| {
            for identity in [&b"i"[..], &[b'x'; 255], b"\xff\xfe\0\x01", b"two words"] {
                let mut peer = with_identity(trial, identity)?;
                serves(trial, &mut peer).map_err(|failure| {
                    failure.during(format!("the identity {}", shown_bytes(identity)))
                })?;
            }
            Ok(())
        },
    ),
    Case::server(
        Level::Must,
        "identity.zero",
        "ZRPC-14.40",
        "Identities that begin with 0, as those that servers make, may be refused or taken; whoever has none is served.",
        |trial| {
            let mut automatic = trial.connect()?;
            serves(trial, &mut automatic)?;
            for identity in [&b"\0"[..], b"\0\0\0\0\x01", b"\0\xff\xff\xff\xff"] {
                let mut bytes = trial.connect_bytes()?;
                let handshake = Handshake::new("DEALER").identity(identity);
                bytes.send(&handshake.greeting())?;
                bytes.expect_greeting()?;
                bytes.offer(&handshake.ready(), trial.soon());
                ends_or_serves(trial, bytes.shaken_after_ready())?;
                serves(trial, &mut automatic)?;
            }
            Ok(())
        },
    ),
    Case::server(
        Level::May,
        "identity.too-long",
        "ZRPC-14.21",
        "An identity of 256 bytes may be refused or taken; others are served anyway.",
        |trial| {
            let handshake = Handshake::new("DEALER").identity([b'x'; 256]);
            let mut bytes = trial.connect_bytes()?;
            bytes.send(&handshake.greeting())?;
            bytes.expect_greeting()?;
            bytes.offer(&handshake.ready(), trial.soon());
            ends_or_serves(trial, bytes.shaken_after_ready())
        },
    ),
    Case::server(
        Level::Must,
        "identity.taken.holder",
        "ZRPC-14.41",
        "A second connection with the identity of a living one does not disturb the first.",
        |trial| {
            let mut holder = with_identity(trial, b"holder")?;
            serves(trial, &mut holder)?;
            let mut second = newcomer(trial, b"holder")?;
            serves(trial, &mut holder)?;
            second.bytes().ends(trial.moment());
            serves(trial, &mut holder)?;
            others_are_served(trial)
        },
    ),
    Case::server(
        Level::Should,
        "identity.taken.newcomer",
        "ZRPC-14.41",
        "A second connection with the identity of a living one is ended, so that its caller knows. (libzmq keeps it open and \
         never reads it.)",
        |trial| {
            let mut holder = with_identity(trial, b"still there")?;
            serves(trial, &mut holder)?;
            newcomer(trial, b"still there")?.expect_close(trial.soon())?;
            serves(trial, &mut holder)
        },
    ),
    Case::server(
        Level::Must,
        "identity.free-again",
        "ZRPC-14.42",
        "When a connection has ended, another one may have its identity.",
        free_again,
    ),
];

fn with_identity(trial: &mut Trial, identity: &[u8]) -> Result<Peer, Failure> {
    trial.connect_bytes()?.shake_hands_as(&Handshake::new("DEALER").identity(identity))
}

/// One that may be ended before its handshake is over.
fn newcomer(trial: &mut Trial, identity: &[u8]) -> Result<Peer, Failure> {
    let handshake = Handshake::new("DEALER").identity(identity);
    let mut bytes = trial.connect_bytes()?;
    bytes.send(&handshake.greeting())?;
    bytes.expect_greeting()?;
    bytes.offer(&handshake.ready(), trial.soon());
    Ok(bytes.shaken_after_ready())
}

fn free_again(trial: &mut Trial) -> Result<(), Failure> {
    let mut holder = with_identity(trial, b"one after the other")?;
    serves(trial, &mut holder)?;
    drop(holder);
    trial.note("the connection with the identity is closed");
    let deadline = Instant::now() + trial.soon();
    loop {
        // The server may not have seen the end yet.
        let outcome = newcomer(trial, b"one after the other")
            .and_then(|mut peer| serves_within(trial, &mut peer));
        match outcome {
            Ok(()) => return Ok(()),
            Err(failure) if Instant::now() >= deadline => return Err(failure),
            Err(_) => {}
        }
    }
}

/// A call that is given up soon.
fn serves_within(trial: &Trial, peer: &mut Peer) -> Result<(), Failure> {
    peer.call("echo", vec!["x".into()], trial.moment().max(trial.soon() / 5)).map(drop)
}
