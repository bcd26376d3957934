//! How long to wait before trying again: pure state, no clock and no random source.

use std::time::Duration;

/// The shortest first wait: without any, trying again would keep a processor busy.
const SHORTEST: Duration = Duration::from_millis(1);

/// Nobody waits longer, whatever the options say. Not measured: keeps sums of times in range.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The bounds of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The first wait; up to as much again is added to it by chance.
    pub(crate) first: Duration,
    /// No wait is longer.
    pub(crate) longest: Duration,
}

impl Default for Pace {
    /// 100 ms as in libzmq. That goes on at this pace for ever, which thousands of clients make a burden for
    /// the server that they wait for; here the waits double until they are between 2.5 and 5 seconds.
    fn default() -> Self {
        Self { first: Duration::from_millis(100), longest: Duration::from_secs(5) }
    }
}

/// Waits that double, each lengthened by 0 to 100 % by chance so that those who lost the same server do not
/// come back in step.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    pace: Pace,
    /// The next wait without what chance adds to it.
    base: Duration,
    random: SplitMix,
}

impl Backoff {
    /// `seed` decides what chance adds: give each its own.
    pub(crate) fn new(pace: Pace, seed: u64) -> Self {
        let first = pace.first.clamp(SHORTEST, LONGEST);
        let pace = Pace { first, longest: pace.longest.clamp(first, LONGEST) };
        Self { pace, base: pace.first, random: SplitMix(seed) }
    }

    /// The wait that is due now; the one after it is about twice as long.
    pub(crate) fn next_wait(&mut self) -> Duration {
        // The waits at the upper end differ as well.
        let base = self.base.min(self.pace.longest / 2);
        self.base = self.base.saturating_mul(2).min(self.pace.longest);
        base + base.mul_f64(self.random.fraction())
    }

    /// Starts over with the first wait, after a success.
    pub(crate) fn reset(&mut self) {
        self.base = self.pace.first;
    }
}

/// The generator of Steele, Lea and Flood (2014): as random as waits must be, and any seed will do.
#[derive(Debug, Clone)]
struct SplitMix(u64);

impl SplitMix {
    /// From 0 up to, but not including, 1.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        f64::from((mixed >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let bounds = [
            (100, 200),
            (200, 400),
            (400, 800),
            (800, 1600),
            (1600, 3200),
            (2500, 5000),
            (2500, 5000),
        ];
        for seed in 0..200 {
            let mut backoff = Backoff::new(Pace::default(), seed);
            for round in 0..2 {
                for (least, most) in bounds {
                    let wait = backoff.next_wait();
                    assert!((ms(least)..=ms(most)).contains(&wait), "{seed}, {round}: {wait:?}");
                }
                backoff.reset();
            }
        }
    }

    #[test]
    fn chance_spreads_the_waits() {
        let waits: Vec<_> =
            (0..1000).map(|seed| Backoff::new(Pace::default(), seed).next_wait()).collect();
        for quarter in 0..4 {
            let range = ms(100 + 25 * quarter)..ms(125 + 25 * quarter);
            let hits = waits.iter().filter(|wait| range.contains(wait)).count();
            assert!((150..350).contains(&hits), "{hits} of 1000 in {range:?}");
        }
    }

    #[test]
    fn odd_bounds_never_make_a_wait_of_nothing() {
        let table = [
            (Duration::ZERO, Duration::ZERO),
            (Duration::ZERO, ms(10)),
            (ms(100), ms(10)),
            (ms(100), ms(100)),
            (Duration::MAX, Duration::MAX),
        ];
        for (first, longest) in table {
            let mut backoff = Backoff::new(Pace { first, longest }, 7);
            for _ in 0..100 {
                let wait = backoff.next_wait();
                let bounds = Duration::from_micros(500)..=longest.max(first).max(SHORTEST);
                assert!(bounds.contains(&wait), "{first:?}, {longest:?}: {wait:?}");
            }
        }
    }
}
