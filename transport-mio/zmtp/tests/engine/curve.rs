//! CURVE, from both sides.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use zerorpc_proto::transport::{
    KeyPair, SecretKey, Security,
    SocketKind::{Dealer, Router},
};
use zerorpc_zmtp::{EngineConfig, NoRandomness, RandomSource, key_pair};

use crate::support::config;

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
