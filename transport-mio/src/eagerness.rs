//! Whether to look again before falling asleep.
//!
//! To be put to sleep and woken again costs more, in time and often in processor time, than looking a few times
//! whether the next message is there, if it is on its way already. So a waiter looks again for a moment, as long
//! as this pays off. It does not where whoever is waited for can only work when this thread sleeps: then it is
//! tried again more and more seldom.

use std::time::Duration;

/// For how long it is worth looking again.
pub(crate) const MOMENT: Duration = Duration::from_micros(120);
/// A sleep that was over so soon could have been spared: to wake up takes its time as well.
const NAP: Duration = Duration::from_micros(250);

/// After so many naps in a row it is tried; after each failure, after twice as many.
const NAPS: u32 = 8;
const MOST_NAPS: u32 = 1 << 13;
/// A moment in vain costs so much of the credit that a moment well spent gives one of.
const COST: u32 = 4;
const MOST_CREDIT: u32 = 4 * COST;

/// What has come of waiting lately.
#[derive(Debug)]
pub(crate) struct Eagerness {
    /// What may be lost before it is given up; 0 while it is not tried.
    credit: u32,
    /// How many naps there were in a row,
    naps: u32,
    /// and how many are needed to try it.
    needed: u32,
}

impl Default for Eagerness {
    fn default() -> Self {
        Self { credit: 0, naps: 0, needed: NAPS }
    }
}

impl Eagerness {
    /// Whether to look again before sleeping.
    pub(crate) fn pays(&self) -> bool {
        self.credit > 0
    }

    /// Something came while it was looked for, so many times. What was there at the first look says nothing: it had come
    /// before, perhaps only because its sender got the processor that this thread is in need of.
    pub(crate) fn found(&mut self, looks: u32) {
        if looks > 1 {
            self.credit = (self.credit + 1).min(MOST_CREDIT);
            if self.credit == MOST_CREDIT {
                self.needed = NAPS;
            }
        }
    }

    /// Nothing came while it was looked for.
    pub(crate) fn found_nothing(&mut self) {
        self.credit = self.credit.saturating_sub(COST);
        if self.credit == 0 {
            self.naps = 0;
            self.needed = (2 * self.needed).min(MOST_NAPS);
        }
    }

    /// How long a sleep was that something ended.
    pub(crate) fn slept(&mut self, duration: Duration) {
        self.naps = if duration < NAP { self.naps + 1 } else { 0 };
        if self.naps >= self.needed && self.credit == 0 {
            self.credit = COST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many naps it takes until it is tried.
    fn naps(eagerness: &mut Eagerness) -> u32 {
        (0..)
            .find(|_| {
                eagerness.pays() || {
                    eagerness.slept(NAP / 2);
                    false
                }
            })
            .unwrap_or(0)
    }

    #[test]
    fn it_follows_what_pays() {
        let mut eagerness = Eagerness::default();
        assert_eq!(naps(&mut eagerness), NAPS);
        for _ in 0..100 {
            eagerness.found(2);
        }
        for _ in 0..3 {
            eagerness.found_nothing();
            eagerness.found(1);
        }
        assert!(eagerness.pays(), "a few misses do not matter");
        eagerness.found_nothing();
        assert!(!eagerness.pays(), "nothing comes at once any more");
        eagerness.slept(Duration::from_secs(1));
        assert!(!eagerness.pays());
    }

    #[test]
    fn what_never_pays_is_tried_less_and_less() {
        let mut eagerness = Eagerness::default();
        for round in 0..20 {
            assert_eq!(naps(&mut eagerness), (NAPS << round).min(MOST_NAPS));
            eagerness.found_nothing();
        }
    }
}
