//! Liveness of one channel, alone (protocol section 5).

use std::time::{Duration, Instant};

use crate::config::Liveness;

/// When a channel beats, and when its silence has lasted too long.
///
/// Beats leave once per interval. Silence counts from the start, or from the last event of any kind; two
/// intervals of it lose the remote. A server gives a caller that was never heard again three: passive
/// callers of the reference send their first beat one interval after they hear ours, at two intervals.
//
// The interval is the same for all channels of a session, and so is not kept in each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heartbeat(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Neither beats nor counts; a passive side before the first beat, and any side with beats switched off.
    Quiet { answers: bool },
    /// `None` where the clock cannot reach that far: never.
    Beating { next: Option<Instant>, silent_since: Option<Instant> },
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Beat,
    Lost,
}

/// How many intervals may pass before the first sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    OfCaller = 2,
    OfServer = 3,
}

/// So many intervals of silence lose the remote.
const LOST: u32 = 2;

impl Heartbeat {
    /// Never beats and never counts.
    pub(crate) fn off() -> Self {
        Self(State::Quiet { answers: false })
    }

    pub(crate) fn start(
        now: Instant,
        interval: Duration,
        liveness: Liveness,
        patience: Patience,
    ) -> Self {
        Self(match liveness {
            Liveness::Passive => State::Quiet { answers: true },
            Liveness::Active => State::Beating {
                next: now.checked_add(interval),
                // More patience at the start is a silence that begins later.
                silent_since: now.checked_add(interval.saturating_mul(patience as u32 - LOST)),
            },
        })
    }

    /// Any event was heard on the channel.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let State::Beating { silent_since: Some(since), .. } = &mut self.0 {
            // The patience at the start is never cut short by an early event.
            *since = now.max(*since);
        }
    }

    /// A beat was heard. True when it is to be answered at once: the first one on a passive side.
    pub(crate) fn heard_beat(&mut self, now: Instant, interval: Duration) -> bool {
        self.heard(now);
        if self.0 != (State::Quiet { answers: true }) {
            return false;
        }
        self.0 = State::Beating { next: now.checked_add(interval), silent_since: Some(now) };
        true
    }

    /// What is due by now; a beat that is due is rescheduled by asking.
    pub(crate) fn poll(&mut self, now: Instant, interval: Duration) -> Option<Due> {
        if self.lost(interval).is_some_and(|lost| lost <= now) {
            return Some(Due::Lost);
        }
        let State::Beating { next, .. } = &mut self.0 else { return None };
        if next.is_some_and(|next| next <= now) {
            *next = now.checked_add(interval);
            return Some(Due::Beat);
        }
        None
    }

    /// When to poll next.
    pub(crate) fn deadline(&self, interval: Duration) -> Option<Instant> {
        match (self.0, self.lost(interval)) {
            (State::Beating { next: Some(next), .. }, Some(lost)) => Some(next.min(lost)),
            (State::Beating { next, .. }, lost) => next.or(lost),
            (State::Quiet { .. }, _) => None,
        }
    }

    /// When the silence has lasted too long, if it goes on.
    fn lost(&self, interval: Duration) -> Option<Instant> {
        match self.0 {
            State::Quiet { .. } => None,
            State::Beating { silent_since, .. } => {
                silent_since?.checked_add(interval.saturating_mul(LOST))
            }
        }
    }

    /// Whether nothing will ever be due on this side as things are.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self.0, State::Quiet { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const I: Duration = Duration::from_secs(1);

    fn times(
        heartbeat: &mut Heartbeat,
        start: Instant,
        heard: &[u32],
        until: u32,
    ) -> (Vec<u32>, Option<u32>) {
        let mut beats = Vec::new();
        for tenth in 0..=until {
            let now = start + I / 10 * tenth;
            if heard.contains(&tenth) {
                heartbeat.heard(now);
            }
            match heartbeat.poll(now, I) {
                Some(Due::Beat) => beats.push(tenth),
                Some(Due::Lost) => return (beats, Some(tenth)),
                None => {}
            }
        }
        (beats, None)
    }

    /// The only clock reading of this crate's tests: a base for arithmetic.
    #[expect(clippy::disallowed_methods, reason = "tests need some instant to start from")]
    fn epoch() -> Instant {
        Instant::now()
    }

    #[test]
    fn active_sides() {
        let start = epoch();
        for (patience, heard, beats, lost) in [
            (Patience::OfCaller, &[][..], &[10][..], Some(20)),
            (Patience::OfServer, &[], &[10, 20], Some(30)),
            (Patience::OfServer, &[5], &[10, 20], Some(30)),
            (Patience::OfServer, &[15], &[10, 20, 30], Some(35)),
            (Patience::OfCaller, &[9, 19, 29], &[10, 20, 30, 40], Some(49)),
        ] {
            let mut heartbeat = Heartbeat::start(start, I, Liveness::Active, patience);
            let (mut expected, found) = (beats.to_vec(), times(&mut heartbeat, start, heard, 100));
            expected.retain(|beat| lost.is_none_or(|lost| *beat < lost));
            assert_eq!(found, (expected, lost), "{patience:?} {heard:?}");
        }
    }

    #[test]
    fn passive_side_answers_the_first_beat_at_once_and_only_that() {
        let start = epoch();
        let mut heartbeat = Heartbeat::start(start, I, Liveness::Passive, Patience::OfCaller);
        assert_eq!(times(&mut heartbeat, start, &[3, 7], 1000), (vec![], None));
        let later = start + I * 200;
        assert!(heartbeat.heard_beat(later, I));
        assert!(!heartbeat.heard_beat(later, I));
        assert_eq!(times(&mut heartbeat, later, &[], 100), (vec![10], Some(20)));
    }

    #[test]
    fn off_is_off_and_endless_intervals_do_not_overflow() {
        let start = epoch();
        let mut off = Heartbeat::off();
        assert!(!off.heard_beat(start, I));
        assert_eq!(off.deadline(I), None);
        let mut endless =
            Heartbeat::start(start, Duration::MAX, Liveness::Active, Patience::OfCaller);
        endless.heard(start);
        assert_eq!(
            (endless.deadline(Duration::MAX), endless.poll(start + I, Duration::MAX)),
            (None, None)
        );
    }
}
