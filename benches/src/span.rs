//! For how long something is measured.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{Result, Tally};

/// How many operations, and how much time at most, go by before any is counted.
const WARM_UP: (u32, Duration) = (100, Duration::from_millis(100));

/// A length of time, begun by whoever measures.
#[derive(Debug, Clone, Copy)]
pub struct Span(Duration);

impl Span {
    /// A span of so many seconds.
    ///
    /// # Errors
    /// When time cannot be that long.
    pub fn new(secs: f64) -> Result<Self> {
        Ok(Self(Duration::try_from_secs_f64(secs)?))
    }

    /// Repeats an operation, which is worth `weight` counted things, until the span is over; at least once.
    ///
    /// # Errors
    /// The first error of the operation.
    pub fn repeat(self, weight: u64, mut operation: impl FnMut() -> Result<()>) -> Result<Tally> {
        let begun = Instant::now();
        for _ in 0..WARM_UP.0 {
            operation()?;
            if begun.elapsed() > WARM_UP.1 {
                break;
            }
        }
        let mut tally = Tally::default();
        let start = Instant::now();
        let mut before = start;
        while before - start < self.0 || tally.is_empty() {
            operation()?;
            let after = Instant::now();
            tally.add(after - before, weight);
            before = after;
        }
        tally.lasted(before - start);
        Ok(tally)
    }

    /// Keeps `count` operations in flight, of which the oldest is always the first to end.
    ///
    /// # Errors
    /// The first error of an operation.
    pub fn keep_in_flight(self, count: usize, mut operations: impl InFlight) -> Result<Tally> {
        let mut begun = std::collections::VecDeque::with_capacity(count);
        for _ in 0..count {
            begun.push_back(Instant::now());
            operations.begin()?;
        }
        let mut tally = Tally::default();
        let start = Instant::now();
        loop {
            operations.end()?;
            let now = Instant::now();
            if let Some(begun) = begun.pop_front() {
                tally.add(now - begun, 1);
            }
            if now - start >= self.0 {
                tally.lasted(now - start);
                return Ok(tally);
            }
            begun.push_back(now);
            operations.begin()?;
        }
    }
}

/// Operations whose begin and end are apart.
pub trait InFlight {
    /// Begins one.
    ///
    /// # Errors
    /// When it cannot.
    fn begin(&mut self) -> Result<()>;

    /// Waits until the oldest has ended.
    ///
    /// # Errors
    /// When it has failed.
    fn end(&mut self) -> Result<()>;
}

/// Measures in so many threads at a time, and adds up what they found.
///
/// # Errors
/// The error of the first thread that failed.
pub fn in_threads(count: usize, measure: impl Fn() -> Result<Tally> + Sync) -> Result<Tally> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(&measure)).collect();
        let mut total = Tally::default();
        for thread in threads {
            let tally = thread.join().map_err(|_| "a measuring thread panicked")??;
            total.merge(&tally);
        }
        Ok(total)
    })
}
