//! The time of one side alone.

use std::time::{Duration, Instant};

use zerorpc_hot_paths::{Meter, Side};

/// Takes the time of what one side does. Reading the clock takes its own, so it is for work that is longer.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    side: Side,
    pub(crate) elapsed: Duration,
}

impl Stopwatch {
    pub(crate) fn of(side: Side) -> Self {
        Self { side, elapsed: Duration::ZERO }
    }
}

impl Meter for Stopwatch {
    fn watch<T>(&mut self, side: Side, work: impl FnOnce() -> T) -> T {
        if side != self.side {
            return work();
        }
        let start = Instant::now();
        let done = work();
        self.elapsed += start.elapsed();
        done
    }
}
