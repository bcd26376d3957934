//! A session's own time, which stands still while nobody listens.

use web_time::{Duration, Instant};

use super::Session;
use crate::config::Config;

/// So much later than it was due something may always be done: whoever drives a session may let others wait for each other. Ten times what
/// the driver has beats wait for each other, and a hundredth of an interval.
const LEAST_LATENESS: Duration = Duration::from_millis(50);

/// How much later than it was due something may be done; what is later was slept through.
pub(super) fn lateness(config: &Config) -> Duration {
    (config.interval() / 4).max(LEAST_LATENESS)
}

impl Session {
    /// The session's own time, which never goes back, and stands still while nobody listens: far beyond a deadline, of
    /// which everybody had been told, the process was stopped, or got no processor. What its peers have said meanwhile was
    /// no silence; there is some time before that deadline to read it.
    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        let mut now = match self.slept {
            Duration::ZERO => now,
            slept => now.checked_sub(slept).unwrap_or(now),
        };
        if let Some(due) = self.timers.first()
            && now > due
            && now.duration_since(due) > self.lateness
        {
            let before = due.checked_sub(self.lateness).unwrap_or(due);
            self.slept += now - before;
            now = before;
        }
        let now = self.now.map_or(now, |latest| latest.max(now));
        self.now = Some(now);
        now
    }
}
