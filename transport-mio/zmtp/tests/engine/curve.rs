//! CURVE, from both sides.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use zerorpc_proto::transport::{
    KeyPair, SecretKey, Security,
    SocketKind::{Dealer, Router},
};
use zerorpc_zmtp::{Engine, EngineConfig, NoRandomness, RandomSource, key_pair};

use self::raw::RawClient;
use crate::support::{command, config, feed, frame, greeting, output, property};

mod attacks;
mod handshake;
mod raw;
mod recorded;

/// Bytes that are different each time, and the same again in each test.
#[derive(Debug)]
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl RandomSource for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        for chunk in bytes.chunks_mut(8) {
            // SplitMix64.
            let mut mixed =
                self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(1);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let random = (mixed ^ (mixed >> 31)).to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) fn server_keys() -> KeyPair {
    key_pair(SecretKey::new([77; 32]))
}

pub(crate) fn client_keys() -> KeyPair {
    key_pair(SecretKey::new([11; 32]))
}

/// A DEALER that expects our server.
pub(crate) fn curve_client(seed: u64) -> EngineConfig {
    let server = server_keys().public;
    config(Dealer)
        .security(Security::CurveClient { keys: client_keys(), server })
        .random(Seeded::new(seed))
}

/// A ROUTER that lets everybody in who knows its key.
pub(crate) fn curve_server(seed: u64) -> EngineConfig {
    config(Router)
        .security(Security::CurveServer { keys: server_keys() })
        .random(Seeded::new(seed + 1_000_000))
}

/// Bytes of the greeting.
const GREETING: usize = 64;

impl RawClient {
    /// Leads an engine to where it waits for INITIATE.
    pub(crate) fn meet(&mut self, server: &mut Engine) {
        feed(server, &greeting([3, 1], "CURVE", false)).expect("a greeting");
        feed(server, &command("HELLO", &self.hello())).expect("a HELLO");
        let said = output(server).split_off(GREETING);
        self.welcome(said.strip_prefix(b"\x04\xa8\x07WELCOME").expect("a WELCOME"));
    }

    /// Leads an engine through all of the handshake.
    pub(crate) fn connect(&mut self, server: &mut Engine) {
        self.meet(server);
        feed(server, &command("INITIATE", &self.initiate(&self.truth()))).expect("an INITIATE");
        output(server);
        assert!(server.poll_event().is_some(), "ready");
    }
}
