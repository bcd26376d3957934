//! Random numbers of the system.

use std::hash::{BuildHasher, Hasher, RandomState};

use zerorpc_zmtp::{NoRandomness, RandomSource};

/// The system's source, which is fit for keys.
#[derive(Debug)]
pub(crate) struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|error| NoRandomness::new(error.to_string()))
    }
}

/// What chance adds to waits.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
