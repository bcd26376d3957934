//! Whether to look again before falling asleep.
//!
//! To be put to sleep and woken again costs more, in time and often in processor time, than looking a few times
//! whether the next message is there, if it is on its way already. So a waiter looks again for a moment, as long
//! as this pays off. It does not where whoever is waited for can only work when this thread sleeps: then it is
//! tried again more and more seldom. On a single processor it never pays.

use std::{thread, time::Duration};

/// For how long it is worth spinning: on two cores, an answer over loopback takes 20 to 60 µs (`benches/`, calls one at a time).
pub(crate) const SPIN_TIME: Duration = Duration::from_micros(120);
/// A sleep that was over so soon could have been spared: to wake up takes its time as well, as much again as spinning may take.
const SHORT_SLEEP: Duration = Duration::from_micros(250);

/// After so many short sleeps in a row spinning is tried; after each failure, after twice as many. Not measured:
/// a pause by chance is no rhythm.
const SHORT_SLEEPS: u32 = 8;
/// However often it has failed, it is tried again after so many: 120 µs spent in vain in a second or so.
const MOST_SHORT_SLEEPS: u32 = 1 << 13;
/// Spinning in vain costs so much of the credit that spinning well spent gives one of: it takes up to 120 µs, and
/// spares a wake-up.
const COST: u32 = 4;
/// No more credit than this is kept: four failures in a row end it.
const MOST_CREDIT: u32 = 4 * COST;

/// What has come of waiting lately.
#[derive(Debug)]
pub(crate) struct AdaptiveSpin {
    /// What may be lost before it is given up; 0 while it is not tried.
    credit: u32,
    /// How many short sleeps there were in a row.
    short_sleeps: u32,
    /// How many of them are needed to try spinning.
    needed: u32,
    /// There is a processor for whoever is waited for.
    is_possible: bool,
}

impl Default for AdaptiveSpin {
    fn default() -> Self {
        Self::new(thread::available_parallelism().map_or(1, usize::from))
    }
}

impl AdaptiveSpin {
    /// For a thread that may use so many processors.
    fn new(processors: usize) -> Self {
        Self { credit: 0, short_sleeps: 0, needed: SHORT_SLEEPS, is_possible: processors > 1 }
    }

    /// Whether it makes a difference how long sleeps are.
    pub(crate) fn is_possible(&self) -> bool {
        self.is_possible
    }

    /// Whether to look again before sleeping.
    pub(crate) fn should_spin(&self) -> bool {
        self.credit > 0
    }

    /// Something came while it was looked for, so many times. What was there at the first look says nothing: it had come
    /// before, perhaps only because its sender got the processor that this thread is in need of.
    pub(crate) fn found(&mut self, looks: u32) {
        if looks > 1 {
            self.credit = (self.credit + 1).min(MOST_CREDIT);
            if self.credit == MOST_CREDIT {
                self.needed = SHORT_SLEEPS;
            }
        }
    }

    /// Nothing came while it was looked for.
    pub(crate) fn found_nothing(&mut self) {
        self.credit = self.credit.saturating_sub(COST);
        if self.credit == 0 {
            self.short_sleeps = 0;
            self.needed = (2 * self.needed).min(MOST_SHORT_SLEEPS);
        }
    }

    /// How long a sleep was that something ended.
    pub(crate) fn slept(&mut self, duration: Duration) {
        self.short_sleeps = if duration < SHORT_SLEEP { self.short_sleeps + 1 } else { 0 };
        if self.short_sleeps >= self.needed && self.credit == 0 {
            self.credit = COST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many short sleeps it takes until it is tried.
    fn short_sleeps(spin: &mut AdaptiveSpin) -> u32 {
        (0..)
            .find(|_| {
                spin.should_spin() || {
                    spin.slept(SHORT_SLEEP / 2);
                    false
                }
            })
            .unwrap_or(0)
    }

    #[test]
    fn it_follows_what_pays() {
        let mut spin = AdaptiveSpin::new(2);
        assert_eq!(short_sleeps(&mut spin), SHORT_SLEEPS);
        for _ in 0..100 {
            spin.found(2);
        }
        for _ in 0..3 {
            spin.found_nothing();
            spin.found(1);
        }
        assert!(spin.should_spin(), "a few misses do not matter");
        spin.found_nothing();
        assert!(!spin.should_spin(), "nothing comes at once any more");
        spin.slept(Duration::from_secs(1));
        assert!(!spin.should_spin());
    }

    #[test]
    fn what_never_pays_is_tried_less_and_less() {
        let mut spin = AdaptiveSpin::new(2);
        for round in 0..20 {
            assert_eq!(short_sleeps(&mut spin), (SHORT_SLEEPS << round).min(MOST_SHORT_SLEEPS));
            spin.found_nothing();
        }
    }
}
