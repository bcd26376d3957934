//! Ending a wait at some time, without a time-out for each wait.

use std::{
    io,
    time::{Duration, Instant},
};

use mio::{Registry, Token};

/// What is due so soon is left to a time-out: else much that is due soon would have the alarm set again and again. Not
/// measured: beats and reconnections are farther off, what is sent together is nearer.
const NEAR: Duration = Duration::from_millis(50);

/// Ends waits at times that are far off, where the system has such a thing (Linux). For a time-out, the system sets a timer
/// and takes it back with each wait, which takes 0.2 µs of one side's time for a call (docs/speed.md). This one is set once,
/// and stays as long as nothing is due earlier: so it goes off too early, once, and whoever waited sees that nothing is due.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: Option<Timer>,
    /// When it goes off, unless it has.
    set: Option<Instant>,
}

impl Alarm {
    /// An alarm that waits hear of by this token.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { timer: Timer::new(registry, token)?, set: None })
    }

    /// Sees to it that a wait ends by `until`; the time-out that it needs all the same.
    pub(crate) fn timeout(&mut self, until: Option<Instant>) -> Option<Duration> {
        let until = until?;
        if self.set.is_some_and(|set| set <= until) {
            return None;
        }
        let left = until.saturating_duration_since(Instant::now());
        let timer = self.timer.as_ref().filter(|_| left >= NEAR);
        if timer.is_none_or(|timer| timer.set(left).is_err()) {
            return Some(left);
        }
        self.set = Some(until);
        None
    }

    /// A wait has heard of it.
    pub(crate) fn went_off(&mut self) {
        self.set = None;
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
struct Timer(std::os::fd::OwnedFd);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Timer {
    fn new(registry: &Registry, token: Token) -> io::Result<Option<Self>> {
        use std::os::fd::AsRawFd;

        use mio::{Interest, unix::SourceFd};
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Readiness is told each time it goes off: there is no need to read how often it did.
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Some(Self(timer)))
    }

    fn set(&self, after: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        let once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let after = Timespec::try_from(after).map_err(io::Error::other)?;
        let time = Itimerspec { it_interval: once, it_value: after };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &time)?;
        Ok(())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
enum Timer {}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Timer {
    fn new(_: &Registry, _: Token) -> io::Result<Option<Self>> {
        Ok(None)
    }

    fn set(&self, _: Duration) -> io::Result<()> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn it_is_set_once_and_goes_off_in_time() {
        const ALARM: Token = Token(7);
        const FAR: Duration = Duration::from_millis(500);
        let mut poll = Poll::new().expect("a poll");
        let mut alarm = Alarm::new(poll.registry(), ALARM).expect("a timer");
        let has_timer = alarm.timer.is_some();
        assert_eq!(alarm.timeout(None), None, "nothing is due");

        let soon = Instant::now() + NEAR / 2;
        assert!(alarm.timeout(Some(soon)).is_some(), "what is near needs a time-out");
        let start = Instant::now();
        let until = start + FAR;
        for later in [0, 1, 60] {
            let until = until + Duration::from_secs(later);
            assert_eq!(alarm.timeout(Some(until)).is_none(), has_timer, "{later} s later");
        }
        if !has_timer {
            return;
        }
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(30))).expect("it can wait");
        assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [ALARM]);
        assert!(start.elapsed() >= FAR, "it went off early");
        alarm.went_off();

        // It goes off a second time without having been read; and what is due earlier has it set anew.
        let start = Instant::now();
        assert_eq!(alarm.timeout(Some(start + Duration::from_secs(60))), None);
        assert_eq!(alarm.timeout(Some(start + FAR)), None);
        poll.poll(&mut events, Some(Duration::from_secs(30))).expect("it can wait");
        assert_eq!(events.iter().count(), 1);
    }
}
