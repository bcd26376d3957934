//! Liveness of one channel, alone (protocol section 5).

use web_time::{Duration, Instant};

use crate::{
    config::HeartbeatMode,
    faults::{self, Fault},
};

/// When a channel beats, and when its silence has lasted too long.
///
/// Beats leave once per interval. Silence counts from the start, or from the last event of any kind; two
/// intervals of it lose the remote. A server waits longer for the first sign of life of its caller, as
/// [`Patience`] says, and afterwards judges it by its own rhythm, if that is the slower one.
///
/// With beats switched off, this side neither beats nor counts, but it answers the beats that it hears: otherwise a
/// peer that counts would lose it.
//
// The interval is the same for all channels of a session, and so is not kept in each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heartbeat(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody is there to beat for.
    Idle,
    /// Beats are switched off.
    Answering {
        /// When the latest beat was heard.
        heard: Option<Instant>,
        /// When one was answered.
        answered: Option<Instant>,
    },
    /// A passive side before the first beat.
    Waiting(Rhythm),
    Beating {
        /// `None` where the clock cannot reach that far: never.
        next: Option<Instant>,
        /// `None` where silence is not counted, or never is.
        silent_since: Option<Instant>,
        rhythm: Rhythm,
    },
}

/// The time between the beats of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rhythm {
    /// When the latest beat was heard; before there is one, when the channel began. `None`: it does not matter.
    last: Option<Instant>,
    /// The longest time between two of them so far, in milliseconds.
    longest: u32,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Beat,
    /// The silence has lasted for so long.
    Lost(Duration),
}

/// How long the first sign of life may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Two intervals.
    OfCaller,
    /// Three, or three of those that its peer keeps on other channels: passive callers of the reference send their first
    /// beat one interval after they hear ours, at two.
    OfServer { rhythm: Duration },
    /// As long as the connection lives, which ends the channel with it: callers may have no heartbeats, or slow ones.
    WhileConnected,
}

/// So many intervals of silence lose the remote.
const LOST: u32 = 2;

/// The shortest time between two answers to beats. Some peers answer every beat themselves: what comes sooner is taken for
/// such an answer.
const SHORTEST_ANSWER: Duration = Duration::from_millis(100);

impl Rhythm {
    const UNKNOWN: Self = Self { last: None, longest: 0 };

    fn starting(now: Instant, longest: Duration) -> Self {
        Self { last: Some(now), longest: milliseconds(longest) }
    }

    /// A beat was heard.
    fn hear(&mut self, now: Instant) {
        if let Some(last) = &mut self.last {
            let gap = now.saturating_duration_since(std::mem::replace(last, now));
            self.longest = self.longest.max(milliseconds(gap));
        }
    }

    fn longest(self) -> Duration {
        Duration::from_millis(u64::from(self.longest))
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

impl Heartbeat {
    /// Never beats and never counts.
    pub(crate) fn idle() -> Self {
        Self(State::Idle)
    }

    /// Beats are switched off on this side.
    pub(crate) fn answering() -> Self {
        Self(State::Answering { heard: None, answered: None })
    }

    pub(crate) fn start(
        now: Instant,
        interval: Duration,
        mode: HeartbeatMode,
        patience: Patience,
    ) -> Self {
        // Servers are judged by what their callers have chosen, callers by themselves.
        let rhythm = match patience {
            Patience::OfCaller => Rhythm::UNKNOWN,
            Patience::OfServer { rhythm } => Rhythm::starting(now, rhythm),
            Patience::WhileConnected => Rhythm::starting(now, Duration::ZERO),
        };
        Self(match mode {
            HeartbeatMode::Passive => State::Waiting(rhythm),
            HeartbeatMode::Active => State::Beating {
                next: now.checked_add(interval),
                // More patience at the start is a silence that begins later.
                silent_since: match patience {
                    Patience::OfCaller => Some(now),
                    Patience::OfServer { rhythm } => now.checked_add(interval.max(rhythm)),
                    Patience::WhileConnected => None,
                },
                rhythm,
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

    /// A beat was heard. True when it is to be answered at once: the first one on a passive side, all on one without
    /// beats of its own.
    pub(crate) fn heard_beat(&mut self, now: Instant, interval: Duration) -> bool {
        match &mut self.0 {
            State::Idle => false,
            State::Answering { heard, answered } => {
                *heard = Some(now);
                let is_answered = answered.is_none_or(|latest| now >= latest + SHORTEST_ANSWER);
                if is_answered {
                    *answered = Some(now);
                }
                is_answered
            }
            State::Waiting(rhythm) => {
                rhythm.hear(now);
                let (next, silent_since) = (now.checked_add(interval), Some(now));
                self.0 = State::Beating { next, silent_since, rhythm: *rhythm };
                true
            }
            State::Beating { silent_since, rhythm, .. } => {
                rhythm.hear(now);
                *silent_since = Some(silent_since.map_or(now, |since| since.max(now)));
                false
            }
        }
    }

    /// What is due by now; a beat that is due is rescheduled by asking.
    pub(crate) fn poll(&mut self, now: Instant, interval: Duration) -> Option<Due> {
        if self.lost(interval).is_some_and(|lost| lost <= now) {
            return Some(Due::Lost(self.longest_silence(interval)));
        }
        let State::Beating { next, .. } = &mut self.0 else { return None };
        if next.is_some_and(|next| next <= now) {
            let pause = if faults::has(Fault::BeatSkipped) { interval * 2 } else { interval };
            *next = now.checked_add(pause);
            return Some(Due::Beat);
        }
        None
    }

    /// When to poll next.
    pub(crate) fn deadline(&self, interval: Duration) -> Option<Instant> {
        let State::Beating { next, .. } = self.0 else { return None };
        match (next, self.lost(interval)) {
            (Some(next), Some(lost)) => Some(next.min(lost)),
            (next, lost) => next.or(lost),
        }
    }

    /// When the silence has lasted too long, if it goes on.
    fn lost(&self, interval: Duration) -> Option<Instant> {
        let State::Beating { silent_since, .. } = self.0 else { return None };
        silent_since?.checked_add(self.longest_silence(interval))
    }

    /// How long silence may last: by our rhythm, or by the other side's.
    fn longest_silence(&self, interval: Duration) -> Duration {
        let lost = if faults::has(Fault::LossTooShort) { 1 } else { LOST };
        interval.max(self.rhythm()).saturating_mul(lost)
    }

    /// The longest time between two beats of the other side, as far as it matters.
    pub(crate) fn rhythm(&self) -> Duration {
        match self.0 {
            State::Beating { rhythm, .. } | State::Waiting(rhythm) => rhythm.longest(),
            State::Idle | State::Answering { .. } => Duration::ZERO,
        }
    }

    /// Whether this side beats by itself.
    pub(crate) fn beats(&self) -> bool {
        matches!(self.0, State::Beating { .. })
    }

    /// When the latest beat was heard, where beats are switched off on this side.
    pub(crate) fn heard_at(&self) -> Option<Instant> {
        match self.0 {
            State::Answering { heard, .. } => heard,
            State::Idle | State::Waiting(_) | State::Beating { .. } => None,
        }
    }

    /// Whether silence will end the channel.
    pub(crate) fn counts_silence(&self) -> bool {
        matches!(self.0, State::Beating { silent_since: Some(_), .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const I: Duration = Duration::from_secs(1);

    /// For a caller whose peer has not beaten yet.
    const UNKNOWN: Patience = Patience::OfServer { rhythm: Duration::ZERO };

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
                Some(Due::Lost(_)) => return (beats, Some(tenth)),
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
            (UNKNOWN, &[], &[10, 20], Some(30)),
            (UNKNOWN, &[5], &[10, 20], Some(30)),
            (UNKNOWN, &[15], &[10, 20, 30], Some(35)),
            (Patience::OfCaller, &[9, 19, 29], &[10, 20, 30, 40], Some(49)),
        ] {
            let mut heartbeat = Heartbeat::start(start, I, HeartbeatMode::Active, patience);
            let (mut expected, found) = (beats.to_vec(), times(&mut heartbeat, start, heard, 100));
            expected.retain(|beat| lost.is_none_or(|lost| *beat < lost));
            assert_eq!(found, (expected, lost), "{patience:?} {heard:?}");
        }
    }

    #[test]
    fn passive_side_answers_the_first_beat_at_once_and_only_that() {
        let start = epoch();
        let mut heartbeat = Heartbeat::start(start, I, HeartbeatMode::Passive, Patience::OfCaller);
        assert_eq!(times(&mut heartbeat, start, &[3, 7], 1000), (vec![], None));
        let later = start + I * 200;
        assert!(heartbeat.heard_beat(later, I));
        assert!(!heartbeat.heard_beat(later, I));
        assert_eq!(times(&mut heartbeat, later, &[], 100), (vec![10], Some(20)));
    }

    /// In tenths of an interval: when beats are heard, how long silence may last then, and until when it does.
    #[test]
    fn callers_are_judged_by_their_own_rhythm() {
        let start = epoch();
        for (patience, beats, silence, lost) in [
            (Patience::WhileConnected, &[][..], 20, None),
            (Patience::WhileConnected, &[4], 20, Some(24)),
            (Patience::WhileConnected, &[10, 20, 30], 20, Some(50)),
            (Patience::WhileConnected, &[200], 400, Some(600)),
            (Patience::WhileConnected, &[200, 200, 200], 400, Some(600)),
            (Patience::WhileConnected, &[20, 30, 55, 65], 50, Some(115)),
            (UNKNOWN, &[], 20, Some(30)),
            (UNKNOWN, &[5], 20, Some(30)),
            (UNKNOWN, &[25], 50, Some(75)),
            (UNKNOWN, &[25, 70], 90, Some(160)),
            (Patience::OfServer { rhythm: I.saturating_mul(4) }, &[], 80, Some(120)),
            (Patience::OfServer { rhythm: I.saturating_mul(4) }, &[40], 80, Some(120)),
            (Patience::OfServer { rhythm: I.saturating_mul(4) }, &[40, 80], 80, Some(160)),
            (Patience::OfCaller, &[19], 20, Some(39)),
        ] {
            let mut heartbeat = Heartbeat::start(start, I, HeartbeatMode::Active, patience);
            let mut end = None;
            for tenth in 0..1000 {
                let now = start + I / 10 * tenth;
                for _ in beats.iter().filter(|beat| **beat == tenth) {
                    assert!(!heartbeat.heard_beat(now, I));
                }
                if let Some(Due::Lost(after)) = heartbeat.poll(now, I) {
                    assert_eq!(after, I / 10 * silence, "{patience:?} {beats:?}");
                    end = Some(tenth);
                    break;
                }
            }
            assert_eq!(end, lost, "{patience:?} {beats:?}");
            assert_eq!(heartbeat.counts_silence(), lost.is_some());
        }
    }

    #[test]
    fn switched_off_it_answers_beats_but_no_answers() {
        let start = epoch();
        let mut off = Heartbeat::answering();
        assert!(!off.counts_silence());
        let mut heard = |ms| off.heard_beat(start + Duration::from_millis(ms), Duration::MAX);
        for (ms, answered) in [
            (5000, true),
            (5001, false),
            (5099, false),
            (10_000, true),
            (10_100, true),
            (1_000_000, true),
            (1_005_000, true),
        ] {
            assert_eq!(heard(ms), answered, "{ms}");
        }
        assert_eq!(off.deadline(Duration::MAX), None);
    }

    /// In tenths of an interval: when it is asked, and when it is to be asked again.
    #[test]
    fn it_is_to_be_asked_when_a_beat_is_due_or_silence_has_lasted() {
        let start = epoch();
        for (patience, asked, deadline) in [
            (Patience::OfCaller, &[][..], 10),
            (Patience::OfCaller, &[5], 10),
            (Patience::OfCaller, &[10], 20),
            (Patience::OfCaller, &[19], 20),
            (UNKNOWN, &[19], 29),
            (UNKNOWN, &[19, 29], 30),
            (Patience::WhileConnected, &[19, 30], 40),
        ] {
            let mut heartbeat = Heartbeat::start(start, I, HeartbeatMode::Active, patience);
            for tenth in asked {
                let due = heartbeat.poll(start + I / 10 * *tenth, I);
                assert_eq!(due, (*tenth >= 10).then_some(Due::Beat), "{patience:?} {asked:?}");
            }
            let expected = Some(start + I / 10 * deadline);
            assert_eq!(heartbeat.deadline(I), expected, "{patience:?} {asked:?}");
            assert!(heartbeat.beats());
        }
        let mut passive = Heartbeat::start(start, I, HeartbeatMode::Passive, Patience::OfCaller);
        assert_eq!((passive.deadline(I), passive.beats()), (None, false));
        assert!(passive.heard_beat(start, I));
        assert_eq!((passive.deadline(I), passive.beats()), (Some(start + I), true));
        for mute in [Heartbeat::idle(), Heartbeat::answering()] {
            assert_eq!((mute.deadline(I), mute.beats()), (None, false));
        }
    }

    #[test]
    fn idle_is_idle_and_endless_intervals_do_not_overflow() {
        let start = epoch();
        let mut idle = Heartbeat::idle();
        assert!(!idle.heard_beat(start, I));
        assert_eq!(idle.deadline(I), None);
        let mut endless =
            Heartbeat::start(start, Duration::MAX, HeartbeatMode::Active, Patience::OfCaller);
        endless.heard(start);
        assert_eq!(
            (endless.deadline(Duration::MAX), endless.poll(start + I, Duration::MAX)),
            (None, None)
        );
    }
}
