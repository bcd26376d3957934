//! Liveness of one channel, alone (protocol section 5).

use web_time::{Duration, Instant};

use crate::{
    config::HeartbeatMode,
    faults::{self, Fault},
    transport::earliest,
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
        earliest([next, self.lost(interval)])
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
mod tests;
