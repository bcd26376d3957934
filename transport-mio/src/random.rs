//! Random numbers of the system.

use zerorpc_zmtp::{NoRandomness, RandomSource};

/// The system's source, which is fit for keys.
#[derive(Debug)]
pub(crate) struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|error| NoRandomness::new(error.to_string()))
    }
}
