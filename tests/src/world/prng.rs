//! Chance that can be repeated.

/// A small deterministic generator (SplitMix64).
///
/// The seed comes from the environment variable `ZERORPC_SEED`, or from the test. When a test fails, the
/// generator tells its seed on stderr.
#[derive(Debug)]
pub struct Prng {
    seed: u64,
    state: u64,
    is_told: bool,
}

impl Prng {
    /// A generator with a seed that is always the same.
    #[must_use]
    pub fn new() -> Self {
        Self::with_seed(0x7a65_726f)
    }

    /// A generator with this seed, unless the environment names another one.
    ///
    /// # Panics
    /// When `ZERORPC_SEED` is no number.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        let seed = match std::env::var("ZERORPC_SEED") {
            Ok(text) => text.parse().expect("ZERORPC_SEED is a number"),
            Err(_) => seed,
        };
        Self { seed, state: seed, is_told: true }
    }

    /// A generator with this seed, whatever the environment says; it is not told when a test fails.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, state: seed, is_told: false }
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the items.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

impl Default for Prng {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Prng {
    fn drop(&mut self) {
        if self.is_told && std::thread::panicking() {
            eprintln!("to see this again: ZERORPC_SEED={}", self.seed);
        }
    }
}
