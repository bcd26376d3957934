//! What was counted, and how long each took.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Steps within a power of two: times are known to better than one in a hundred.
const STEPS: u32 = 128;

/// A count, and a histogram of times that takes the same small room for any number of them.
#[derive(Debug, Clone)]
pub struct Tally {
    counts: Vec<u64>,
    n: u64,
    lasted: Duration,
    tenths: Option<(Duration, Duration)>,
}

/// What a client reports.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How many calls ended, or items or echoes came.
    pub n: u64,
    /// In how much time.
    pub secs: f64,
    /// How long one takes, in microseconds: half are faster.
    pub p50_us: f64,
    /// The same: 99 of 100 are faster.
    pub p99_us: f64,
    /// How long one of the first tenth took on average, where many things are opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_us: Option<f64>,
    /// The same for the last tenth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_us: Option<f64>,
}

impl Default for Tally {
    fn default() -> Self {
        let counts = vec![0; 64 * STEPS as usize];
        Self { counts, n: 0, lasted: Duration::ZERO, tenths: None }
    }
}

impl Tally {
    /// Counts `weight` things that took `time` together.
    pub fn add(&mut self, time: Duration, weight: u64) {
        let nanos = time.as_nanos() as u64 / weight.max(1);
        self.counts[bucket(nanos)] += weight;
        self.n += weight;
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// How long it took altogether.
    pub fn lasted(&mut self, time: Duration) {
        self.lasted = self.lasted.max(time);
    }

    /// How long one took on average, of the first tenth and of the last.
    pub fn tenths(&mut self, first: Duration, last: Duration) {
        self.tenths = Some((first, last));
    }

    /// Adds what was counted at the same time elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.n += other.n;
        self.lasted(other.lasted);
    }

    /// All in few numbers.
    #[must_use]
    pub fn report(&self) -> Report {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        Report {
            n: self.n,
            secs: self.lasted.as_secs_f64(),
            p50_us: self.quantile(0.50),
            p99_us: self.quantile(0.99),
            first_us: self.tenths.map(|(first, _)| micros(first)),
            last_us: self.tenths.map(|(_, last)| micros(last)),
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.n as f64 * share).ceil().max(1.0) as u64;
        let mut passed = 0;
        let found = self.counts.iter().position(|count| {
            passed += count;
            passed >= wanted
        });
        found.map_or(0.0, |index| middle(index) / 1000.0)
    }
}

/// Where a time is counted: exact below [`STEPS`], then so many steps to each power of two.
fn bucket(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEPS.ilog2() + 1);
    shift as usize * STEPS as usize + (nanos >> shift) as usize
}

/// The time in the middle of a bucket.
fn middle(index: usize) -> f64 {
    let steps = STEPS as usize;
    let shift = (index / steps).saturating_sub(1);
    let first = (index - shift * steps) as f64;
    (first + if shift == 0 { 0.0 } else { 0.5 }) * (1_u64 << shift) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_again() {
        for nanos in [0, 1, 127, 128, 255, 256, 1000, 123_456, 7_000_000_000, u64::MAX / 3] {
            let found = middle(bucket(nanos));
            let error = (found - nanos as f64).abs();
            assert!(error <= nanos as f64 / 100.0, "{nanos} became {found}");
        }
    }

    #[test]
    fn quantiles_of_what_was_merged() {
        let (mut fast, mut slow) = (Tally::default(), Tally::default());
        assert_eq!(fast.report().n, 0);
        fast.add(Duration::from_nanos(9_800), 98);
        slow.add(Duration::from_millis(1), 1);
        slow.add(Duration::from_millis(1), 1);
        fast.lasted(Duration::from_secs(1));
        slow.lasted(Duration::from_secs(2));
        fast.merge(&slow);
        let Report { n, secs, p50_us, p99_us, .. } = fast.report();
        assert_eq!((n, secs, p50_us), (100, 2.0, 0.1));
        assert!((990.0..1010.0).contains(&p99_us), "{p99_us}");
    }
}
