//! Bytes between two ZMTP engines, as sockets would move them.

use std::{
    io::IoSlice,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use zerorpc_proto::{
    Payload,
    transport::{SecretKey, Security, SocketKind},
};
use zerorpc_zmtp::{
    Engine, EngineConfig, NoRandomness, RandomSource, Violation, Want, ZmtpEvent, key_pair,
};

use crate::{Error, Meter, Side};

/// What one read takes at most.
const READ: usize = 64 << 10;

/// How many parts one write gathers at most.
const SLICES: usize = 64;

/// Two engines that have shaken hands, and what is on its way from one to the other.
#[derive(Debug)]
pub struct Connection {
    sender: Engine,
    receiver: Engine,
    now: Instant,
    bytes: Vec<u8>,
}

/// What is between two engines and whoever listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// Nothing.
    None,
    /// CURVE.
    Curve,
}

impl Connection {
    /// A DEALER, which sends, and a ROUTER, which receives.
    ///
    /// # Errors
    /// When they do not understand each other.
    pub fn new(cover: Cover) -> Result<Self, Error> {
        let now = Instant::now();
        let [sender, receiver] = shaken(now, cover)?;
        Ok(Self { sender, receiver, now, bytes: Vec::new() })
    }

    /// Sends so many messages of two frames, the second with this payload, writes and reads their bytes, and
    /// takes them out at the other end.
    ///
    /// # Errors
    /// When not all of them arrive.
    pub fn send(
        &mut self,
        meter: &mut impl Meter,
        payload: &Payload,
        count: usize,
    ) -> Result<(), Error> {
        let Self { sender, receiver, now, bytes } = self;
        bytes.clear();
        meter.watch(Side::Client, || {
            for _ in 0..count {
                sender.send_payload([Bytes::new()], payload.clone());
            }
            write(sender, bytes);
        });
        let mut arrived = 0;
        let read = meter.watch(Side::Server, || {
            read(receiver, *now, bytes, |event| {
                arrived += usize::from(matches!(event, ZmtpEvent::Message(_)));
                Ok(())
            })
        });
        read?;
        if arrived == count {
            Ok(())
        } else {
            Err(format!("{arrived} of {count} messages arrived").into())
        }
    }
}

/// Not random at all: each byte is one more than the one before.
#[derive(Debug, Default)]
struct Counting(AtomicU8);

impl RandomSource for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

/// What a DEALER and a ROUTER want of each other.
fn securities(cover: Cover) -> [Security; 2] {
    match cover {
        Cover::None => [Security::Null, Security::Null],
        Cover::Curve => {
            let [ours, theirs] = [1, 2].map(|byte| key_pair(SecretKey::new([byte; 32])));
            let client = Security::CurveClient { keys: ours, server: theirs.public };
            [client, Security::CurveServer { keys: theirs }]
        }
    }
}

/// A DEALER and a ROUTER that have shaken hands.
pub(crate) fn shaken(now: Instant, cover: Cover) -> Result<[Engine; 2], Error> {
    let engine = |kind, security| {
        let config = EngineConfig::new(kind).security(security);
        Engine::new(Arc::new(config.random(Arc::new(Counting::default()))), now)
    };
    let [dealer, router] = securities(cover);
    let mut ends = [engine(SocketKind::Dealer, dealer), engine(SocketKind::Router, router)];
    let mut ready = 0;
    let mut bytes = Vec::new();
    // A handshake takes a few turns, each of which begins with something to say.
    while ends.iter().any(Engine::has_output) {
        for at in [0, 1] {
            bytes.clear();
            write(&mut ends[at], &mut bytes);
            read(&mut ends[1 - at], now, &bytes, |event| {
                ready += usize::from(matches!(event, ZmtpEvent::Ready(_)));
                Ok(())
            })?;
        }
    }
    if ready == ends.len() { Ok(ends) } else { Err("the handshake has not come to an end".into()) }
}

/// Writes all output of an engine, as a socket with room enough would.
pub(crate) fn write(engine: &mut Engine, bytes: &mut Vec<u8>) {
    loop {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = engine.output(&mut slices);
        if filled == 0 {
            return;
        }
        let before = bytes.len();
        for slice in &slices[..filled] {
            bytes.extend_from_slice(slice);
        }
        engine.advance(bytes.len() - before);
    }
}

/// Reads bytes into an engine, as much at a time as the transport does, and takes out what comes of it.
pub(crate) fn read(
    engine: &mut Engine,
    now: Instant,
    mut bytes: &[u8],
    mut take: impl FnMut(ZmtpEvent) -> Result<(), Error>,
) -> Result<(), Error> {
    while !bytes.is_empty() {
        let count = read_once(engine, now, bytes)?;
        bytes = &bytes[count..];
        while let Some(event) = engine.poll_event() {
            take(event)?;
        }
    }
    Ok(())
}

fn read_once(engine: &mut Engine, now: Instant, bytes: &[u8]) -> Result<usize, Violation> {
    if let Want::Body(missing) = engine.want() {
        let count = bytes.len().min(missing.len());
        missing[..count].copy_from_slice(&bytes[..count]);
        engine.handle_body(now, count)?;
        return Ok(count);
    }
    let count = bytes.len().min(READ);
    engine.handle_chunk(now, Bytes::copy_from_slice(&bytes[..count]))?;
    Ok(count)
}
