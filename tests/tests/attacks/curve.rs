//! Attacks on the handshake of CURVE and on the traffic after it, by peers who write every byte themselves.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use zerorpc::{
    AuthRequest, Authenticator, Credential, Denied, KeyPair, Principal, SecretKey, Security,
    SocketOptions,
};
use zerorpc_tests::service::eventually;
use zerorpc_zmtp::key_pair;

use crate::harness::{AttackHarness, MIB, files, memory};

mod impostors;
mod intruders;
#[path = "../../../transport-mio/zmtp/tests/engine/curve/raw.rs"]
mod raw;

/// How often all attacks are played: what is needed once is there after the first time.
const ROUNDS: usize = 3;

fn keys(of: u8) -> KeyPair {
    key_pair(SecretKey::new([of; 32]))
}

fn server_keys() -> KeyPair {
    keys(77)
}

/// Those of somebody who may come in, but call nothing but `echo`: mallory.
fn client_keys() -> KeyPair {
    keys(11)
}

/// Those of somebody who may call everything: ada.
fn trusted_keys() -> KeyPair {
    keys(12)
}

fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).expect("a short value").to_be_bytes();
    [&[name.len() as u8], name.as_bytes(), &length, value].concat()
}

/// A short frame, or a long one where it must be.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => announced(flags, body.len() as u64).into_iter().chain(body.to_vec()).collect(),
    }
}

/// The head of a long frame.
fn announced(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | 2][..], &size.to_be_bytes()].concat()
}

fn command(name: &str, data: &[u8]) -> Vec<u8> {
    frame(4, &[&[name.len() as u8], name.as_bytes(), data].concat())
}

/// The greeting of ZMTP 3.1.
fn greeting(mechanism: &str, is_server: bool) -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01".to_vec();
    bytes.extend_from_slice(mechanism.as_bytes());
    bytes.resize(32, 0);
    bytes.push(u8::from(is_server));
    bytes.resize(64, 0);
    bytes
}

/// The next frame, with its head.
fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = vec![0; 2];
    stream.read_exact(&mut heard).expect("there is a frame");
    let size = if heard[0] & 2 == 0 {
        usize::from(heard[1])
    } else {
        heard.resize(9, 0);
        stream.read_exact(&mut heard[2..]).expect("there is a length");
        let length = heard[1..].try_into().expect("eight bytes");
        usize::try_from(u64::from_be_bytes(length)).expect("a short frame")
    };
    let begins = heard.len();
    heard.resize(begins + size, 0);
    stream.read_exact(&mut heard[begins..]).expect("there is a body");
    heard
}

fn hear_greeting(stream: &mut TcpStream) {
    stream.read_exact(&mut [0; 64]).expect("there is a greeting");
}

fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("there is room");
}

/// Knows ada and mallory by their keys, and nobody else.
fn acquaintances() -> Arc<dyn Authenticator> {
    let (ada, mallory) = (trusted_keys().public, client_keys().public);
    Arc::new(move |request: &AuthRequest<'_>| match &request.credential {
        Credential::Key(key) if *key == ada => Ok("ada".to_owned()),
        Credential::Key(key) if *key == mallory => Ok("mallory".to_owned()),
        _ => Err(Denied::new("a stranger")),
    })
}

fn trusted() -> SocketOptions {
    let server = server_keys().public;
    SocketOptions::new().security(Security::CurveClient { keys: trusted_keys(), server })
}

fn secured() -> AttackHarness {
    let options = SocketOptions::new()
        .security(Security::CurveServer { keys: server_keys() })
        .authenticator(acquaintances());
    let rule =
        |peer: &Principal, method: &str| peer.name.as_deref() == Some("ada") || method == "echo";
    let with = |builder: zerorpc::ServerBuilder| builder.socket_options(options).authorize(rule);
    AttackHarness::with_clients(with, trusted())
}

/// Plays attacks while a client of the server goes on calling: each leaves it served, and all of them nothing behind.
fn withstand(harness: &AttackHarness, attacks: &[(&str, &dyn Fn())]) {
    let stats = || harness.server.links().accept_stats().expect("it works").expect("over mio");
    let (answered, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (files_before, mut memory_before) = (files(), 0);
    let client = harness.client();
    let go_on_calling = || {
        while !over.load(Ordering::Relaxed) {
            assert_eq!(client.call("add", (1, 1)), Ok(2));
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        scope.spawn(go_on_calling);
        // Ends the calls also where an attack gets through.
        let _end = Ends(&over);
        for round in 0..ROUNDS {
            for (what, attack) in attacks {
                let before = answered.load(Ordering::Relaxed);
                attack();
                eventually(what, || answered.load(Ordering::Relaxed) > before + 1);
            }
            eventually("all but the client are gone", || stats().connections == 1);
            if round == 0 {
                memory_before = memory();
            }
        }
    });
    eventually("their files are closed", || files() <= files_before);
    let growth = memory().saturating_sub(memory_before);
    assert!(growth < MIB, "{} KiB more after the first round", growth >> 10);
    harness.serves_others();
    assert_eq!(harness.client().call("count", ()), Ok(1), "no attacker has called it");
}

/// Sets a flag when it is dropped.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
