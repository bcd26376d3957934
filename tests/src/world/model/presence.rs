//! How long somebody has listened: not while it was stopped, and its clock may have been set.

use std::time::{Duration, Instant};

/// What may be off: rhythms count in milliseconds, and what is due may have been a little earlier before.
pub(super) const TOLERANCE: Duration = Duration::from_millis(5);

/// A time that was not as others are.
#[derive(Debug)]
struct Absence {
    from: Instant,
    until: Instant,
    /// How far the clock went forward, beside what passed.
    forward: Duration,
    /// The clock was set back: what comes is heard, but time stands still until it is where it was.
    is_back: bool,
}

impl Absence {
    /// How much of it lies between two times.
    fn missed(&self, since: Instant, now: Instant) -> Duration {
        self.until.min(now).saturating_duration_since(self.from.max(since))
    }
}

/// One node, as far as its time matters.
#[derive(Debug)]
pub(super) struct Presence {
    /// The time between two beats.
    pub(super) interval: Option<Duration>,
    absences: Vec<Absence>,
}

impl Presence {
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self { interval, absences: Vec::new() }
    }

    /// It is stopped for a while.
    pub(super) fn frozen(&mut self, from: Instant, until: Instant) {
        self.absences.push(Absence { from, until, forward: Duration::ZERO, is_back: false });
    }

    /// It is not stopped any more.
    pub(super) fn thaws(&mut self, now: Instant) {
        for absence in self.absences.iter_mut().filter(|absence| !absence.is_back) {
            absence.until = absence.until.min(now);
        }
    }

    /// Its clock is set.
    pub(super) fn jumped(&mut self, at: Instant, forward: Duration, back: Duration) {
        let others = self.absences.iter().filter(|absence| absence.is_back);
        let still = others.map(|absence| absence.until).fold(at, Instant::max);
        let is_back = !back.is_zero();
        self.absences.push(Absence { from: at, until: still + back, forward, is_back });
    }

    /// Whether it is stopped.
    pub(super) fn is_frozen(&self, now: Instant) -> bool {
        self.absences.iter().any(|it| !it.is_back && it.from <= now && now < it.until)
    }

    /// Time stands still where it is later than it should be by more than this (protocol section 5): so much before,
    /// or for so much longer.
    fn lateness(&self) -> Duration {
        self.interval.map_or(Duration::ZERO, |interval| interval / 4)
    }

    fn between(&self, since: Instant, now: Instant) -> impl Iterator<Item = &Absence> {
        let late = self.lateness();
        self.absences.iter().filter(move |it| it.until + late >= since && it.from <= now)
    }

    /// The shortest time that it may have counted.
    pub(super) fn least(&self, since: Instant, now: Instant) -> Duration {
        let uncounted = |absence: &Absence| absence.missed(since, now) + self.lateness();
        (now - since).saturating_sub(self.between(since, now).map(uncounted).sum())
    }

    /// The longest time that it may have counted, if it is to be woken for a beat in an interval at the latest.
    pub(super) fn most(&self, since: Instant, now: Instant) -> Duration {
        let at_once = self.interval.map_or(Duration::MAX, |interval| interval + self.lateness());
        let (mut most, mut forward) = (now - since, Duration::ZERO);
        for absence in self.between(since, now) {
            if !absence.is_back {
                most -= absence.missed(since, now).saturating_sub(at_once);
            }
            forward += absence.forward.min(at_once);
        }
        most + forward + TOLERANCE
    }

    /// The same of one that may sleep for longer.
    pub(super) fn most_asleep(&self, since: Instant, now: Instant) -> Duration {
        let forward: Duration = self.between(since, now).map(|absence| absence.forward).sum();
        now - since + forward + TOLERANCE
    }
}
