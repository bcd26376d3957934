//! Byte scripts, and engines that read them.

use std::{io::IoSlice, sync::Arc, time::Instant};

use bytes::Bytes;
use zerorpc_proto::transport::{
    AuthRequest, Authenticator, Credential, Denied, Security, SocketKind,
};
use zerorpc_zmtp::{Engine, EngineConfig, Frames, PeerInfo, Violation, ZmtpEvent};

pub(crate) fn config(kind: SocketKind) -> EngineConfig {
    EngineConfig::new(kind)
}

/// A ROUTER that lets in whoever has this name and password.
pub(crate) fn plain_server(name: &'static [u8], word: &'static [u8]) -> EngineConfig {
    config(SocketKind::Router).security(Security::PlainServer).authenticator(authenticator(
        move |request| match &request.credential {
            Credential::Password { username, password, .. } => {
                *username == name && password.is(word)
            }
            _ => false,
        },
    ))
}

/// Lets in whom `check` does.
pub(crate) fn authenticator(
    check: impl Fn(&AuthRequest<'_>) -> bool + Send + Sync + 'static,
) -> Arc<dyn Authenticator> {
    Arc::new(move |request: &AuthRequest<'_>| {
        if check(request) { Ok("a guest".to_owned()) } else { Err(Denied::new("not on the list")) }
    })
}

pub(crate) fn engine(config: &EngineConfig) -> Engine {
    Engine::new(Arc::new(config.clone()), Instant::now())
}

/// An engine behind its handshake, its output written and its readiness taken.
pub(crate) fn ready(config: &EngineConfig, handshake: &[u8]) -> Engine {
    let mut engine = engine(config);
    feed(&mut engine, handshake).expect("the handshake is sound");
    assert!(matches!(engine.poll_event(), Some(ZmtpEvent::Ready(_))));
    output(&mut engine);
    engine
}

pub(crate) fn feed(engine: &mut Engine, bytes: &[u8]) -> Result<(), Violation> {
    engine.handle_chunk(Instant::now(), Bytes::copy_from_slice(bytes))
}

/// Everything that there is to write.
pub(crate) fn output(engine: &mut Engine) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut slices = [IoSlice::new(&[]); 3];
        let filled = engine.output(&mut slices);
        let before = all.len();
        slices[..filled].iter().for_each(|slice| all.extend_from_slice(slice));
        let count = all.len() - before;
        if count == 0 {
            return all;
        }
        engine.advance(count);
    }
}

pub(crate) fn events(engine: &mut Engine) -> Vec<ZmtpEvent> {
    std::iter::from_fn(|| engine.poll_event()).collect()
}

/// What comes of a script.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<ZmtpEvent>,
    pub(crate) end: Result<(), Violation>,
    pub(crate) output: Vec<u8>,
}

impl Outcome {
    pub(crate) fn peer(&self) -> &PeerInfo {
        match self.events.first() {
            Some(ZmtpEvent::Ready(peer)) => peer,
            other => panic!("ready first, not {other:?}; {:?}", self.end),
        }
    }

    pub(crate) fn messages(&self) -> Vec<Vec<&[u8]>> {
        let messages = self.events.iter().filter_map(|event| match event {
            ZmtpEvent::Message(frames) => Some(frames.iter().map(|frame| &frame[..]).collect()),
            _ => None,
        });
        messages.collect()
    }

    pub(crate) fn violation(&self) -> &Violation {
        self.end.as_ref().expect_err("the engine refuses this")
    }
}

/// Plays a script whole, byte by byte, and in two pieces at every place: always with the same outcome.
pub(crate) fn play(config: &EngineConfig, script: &[u8]) -> Outcome {
    let whole = play_in(config, &[script]);
    let bytes: Vec<_> = script.chunks(1).collect();
    assert_eq!(whole, play_in(config, &bytes), "byte by byte");
    if script.len() < 400 {
        for at in 1..script.len() {
            let (one, two) = script.split_at(at);
            assert_eq!(whole, play_in(config, &[one, two]), "split at {at}");
        }
    }
    whole
}

/// Plays a script after a handshake, also with a message behind it; the outcome has no handshake.
pub(crate) fn play_after(config: &EngineConfig, handshake: &[u8], script: &[u8]) -> Outcome {
    let outcome = play_without(config, handshake, script);
    if outcome.end.is_ok() {
        let tail = play_without(config, handshake, &[script, b"\0\x04tail"].concat());
        assert_eq!(outcome.events, tail.events[..outcome.events.len()], "with a tail");
    }
    outcome
}

fn play_without(config: &EngineConfig, handshake: &[u8], script: &[u8]) -> Outcome {
    let alone = play_in(config, &[handshake]);
    let mut outcome = play(config, &[handshake, script].concat());
    outcome.events.drain(..alone.events.len());
    outcome.output.drain(..alone.output.len());
    outcome
}

fn play_in(config: &EngineConfig, pieces: &[&[u8]]) -> Outcome {
    let mut engine = engine(config);
    let mut end = Ok(());
    for piece in pieces {
        if end.is_ok() {
            end = feed(&mut engine, piece);
        }
    }
    let events = events(&mut engine);
    Outcome { events, end, output: output(&mut engine) }
}

pub(crate) fn message(frames: &[&[u8]]) -> Frames {
    frames.iter().map(|frame| Bytes::copy_from_slice(frame)).collect()
}

/// The ten bytes of a peer without identity.
pub(crate) const SIGNATURE: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f";

pub(crate) fn greeting(version: [u8; 2], mechanism: &str, server: bool) -> Vec<u8> {
    let mut bytes = [SIGNATURE, &version, mechanism.as_bytes()].concat();
    bytes.resize(32, 0);
    bytes.push(u8::from(server));
    bytes.resize(64, 0);
    bytes
}

/// A short frame, or a long one where it must be.
pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&[flags | 2], &(body.len() as u64).to_be_bytes()[..], body].concat(),
    }
}

pub(crate) fn command(name: &str, data: &[u8]) -> Vec<u8> {
    frame(4, &[&[name.len() as u8], name.as_bytes(), data].concat())
}

pub(crate) fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let length = (value.len() as u32).to_be_bytes();
    [&[name.len() as u8], name.as_bytes(), &length, value].concat()
}

/// Greeting and READY of a 3.x peer.
pub(crate) fn modern(minor: u8, socket_type: &str) -> Vec<u8> {
    let properties = property("Socket-Type", socket_type.as_bytes());
    [greeting([3, minor], "NULL", false), command("READY", &properties)].concat()
}

/// Greeting and empty identity of a 2.0 peer, with its number of the socket type.
pub(crate) fn v2(socket_type: u8) -> Vec<u8> {
    [SIGNATURE, &[1, socket_type, 0, 0]].concat()
}
