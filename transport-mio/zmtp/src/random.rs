//! Random numbers, which come from whoever uses this crate.

use std::fmt;

/// Where keys and nonces come from. Whoever can guess them reads everything: in programs, the system's source; in tests,
/// whatever does the same again.
pub trait RandomSource: fmt::Debug + Send + Sync {
    /// Fills all of `bytes`.
    ///
    /// # Errors
    /// When there are no random numbers. The connection that needs them ends.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// There are no random numbers, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are no random numbers for keys: {reason}")]
pub struct NoRandomness {
    reason: String,
}

impl NoRandomness {
    /// For this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// What gives none.
#[derive(Debug)]
pub(super) struct NoSource;

impl RandomSource for NoSource {
    fn fill(&self, _bytes: &mut [u8]) -> Result<(), NoRandomness> {
        Err(NoRandomness::new("give CURVE a source of them (EngineConfig::random)"))
    }
}
