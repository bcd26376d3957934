//! How long methods take.

use std::time::Duration;

/// How long methods have taken lately: whether it is worth a wake-up to have the next one run by another thread.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Follows longer times at once, and shorter ones slowly.
    nanos: u64,
    /// What the latest method took.
    latest: u64,
}

impl Pace {
    /// About what it costs to wake a thread: 10 to 40 µs, by docs/speed.md.
    const SHORT: u64 = 20_000;
    /// Longer times count as this, so that they are forgotten after some fifty short ones.
    const LONG: u64 = 1_000_000;

    pub(crate) fn is_short(&self) -> bool {
        self.nanos < Self::SHORT
    }

    pub(crate) fn note(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min(Self::LONG);
        let before = std::mem::replace(&mut self.latest, nanos);
        // A short method takes longer once when the system has something else to do meanwhile.
        let nanos = if nanos < Self::LONG { nanos.min(before) } else { nanos };
        self.nanos =
            if nanos >= self.nanos { nanos } else { self.nanos - (self.nanos - nanos) / 16 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_methods_and_not_the_system() {
        let (short, long, longest) = (1_000, Pace::SHORT, Pace::LONG);
        let table = [
            ("at first", vec![], true),
            ("short methods", vec![short; 100], true),
            ("one that was held up", vec![short, long, short], true),
            ("two that are long", vec![short, long, long], false),
            ("one that is very long", vec![short, longest], false),
            ("short ones behind it", [vec![longest], vec![short; 10]].concat(), false),
            ("many of them", [vec![longest], vec![short; 100]].concat(), true),
        ];
        for (what, durations, is_short) in table {
            let mut pace = Pace::default();
            durations.into_iter().for_each(|nanos| pace.note(Duration::from_nanos(nanos)));
            assert_eq!(pace.is_short(), is_short, "{what}");
        }
    }
}
