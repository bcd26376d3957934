//! Whether a thread has waited for a processor: then more threads beside it would only make all of them slower.

use std::time::{Duration, Instant};

/// A stretch of work of this thread that is being watched.
#[derive(Debug)]
pub(super) struct Stretch {
    start: Instant,
    /// How long the thread had waited for a processor before, where the system tells.
    delay: Option<Duration>,
}

impl Stretch {
    pub(super) fn begin() -> Self {
        Self { start: Instant::now(), delay: delay() }
    }

    /// Whether the thread has waited for a processor for a quarter of the time or more, as far as is known, whoever had it:
    /// waiting for anything else does not count.
    pub(super) fn was_held_up(&self) -> bool {
        let since = |before| delay()?.checked_sub(before);
        let held_up = self.delay.and_then(since).unwrap_or_default();
        held_up * 4 >= self.start.elapsed()
    }
}

/// How long this thread has waited for a processor while it could have run.
#[cfg(target_os = "linux")]
fn delay() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split(' ').nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(not(target_os = "linux"))]
fn delay() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn sleeping_is_not_being_held_up() {
        // A machine that is busy with other things may be late to wake it, now and then.
        let is_told = |()| {
            let stretch = Stretch::begin();
            thread::sleep(Duration::from_millis(100));
            !stretch.was_held_up()
        };
        assert!(std::iter::repeat_n((), 50).any(is_told));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn whoever_shares_a_processor_is_held_up() {
        if delay().is_none() {
            eprintln!("skipped: this system does not tell how long threads wait");
            return;
        }
        let crowd = 8 * thread::available_parallelism().map_or(1, usize::from);
        let held_up = thread::scope(|scope| {
            let work = || {
                let stretch = Stretch::begin();
                let mut sum = 0_u64;
                while stretch.start.elapsed() < Duration::from_millis(300) {
                    sum = sum.wrapping_add(1);
                }
                assert!(sum > 0);
                stretch.was_held_up()
            };
            let threads: Vec<_> = (0..crowd).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|it| it.join()).filter(|it| matches!(it, Ok(true))).count()
        });
        assert!(held_up * 2 > crowd, "{held_up} of {crowd}");
    }
}
