//! For how long something is measured.

use std::{
    collections::VecDeque,
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

    /// Begins: operations come one after the other, each worth `weight` counted things.
    #[must_use]
    pub fn lap(self, weight: u64) -> Lap {
        let start = Instant::now();
        Lap { span: self.0, weight, cold: WARM_UP.0, start, before: start, tally: Tally::default() }
    }

    /// Begins: several operations are under way at a time.
    #[must_use]
    pub fn flight(self) -> Flight {
        Flight {
            span: self.0,
            start: Instant::now(),
            begun: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    /// Repeats an operation, which is worth `weight` counted things, until the span is over; at least once.
    ///
    /// # Errors
    /// The first error of the operation.
    pub fn repeat(self, weight: u64, mut operation: impl FnMut() -> Result<()>) -> Result<Tally> {
        let mut lap = self.lap(weight);
        loop {
            operation()?;
            if lap.passed() {
                return Ok(lap.tally);
            }
        }
    }

    /// The same with an operation that is awaited.
    ///
    /// # Errors
    /// The first error of the operation.
    pub async fn repeat_async<F: Future<Output = Result<()>>>(
        self,
        weight: u64,
        mut operation: impl FnMut() -> F,
    ) -> Result<Tally> {
        let mut lap = self.lap(weight);
        loop {
            operation().await?;
            if lap.passed() {
                return Ok(lap.tally);
            }
        }
    }
}

/// Operations one after the other: some to warm up, then those that count.
#[derive(Debug)]
pub struct Lap {
    span: Duration,
    weight: u64,
    /// How many operations still warm up.
    cold: u32,
    start: Instant,
    /// When the last operation ended.
    before: Instant,
    tally: Tally,
}

impl Lap {
    /// Takes note of an operation that has ended; true if it was the last.
    #[must_use]
    pub fn passed(&mut self) -> bool {
        let now = Instant::now();
        let cold = self.cold > 0;
        if cold {
            self.cold = if now - self.start > WARM_UP.1 { 0 } else { self.cold - 1 };
            self.start = if self.cold == 0 { now } else { self.start };
        } else {
            self.tally.add(now - self.before, self.weight);
            self.tally.lasted(now - self.start);
        }
        self.before = now;
        !cold && now - self.start >= self.span
    }

    /// What was counted.
    #[must_use]
    pub fn tally(self) -> Tally {
        self.tally
    }
}

/// Operations under way, of which the oldest is always the first to end.
#[derive(Debug)]
pub struct Flight {
    span: Duration,
    start: Instant,
    /// When those under way began.
    begun: VecDeque<Instant>,
    tally: Tally,
}

impl Flight {
    /// Takes note of an operation that begins.
    pub fn begins(&mut self) {
        self.begun.push_back(Instant::now());
    }

    /// Takes note of the end of the oldest; true when the time is over.
    #[must_use]
    pub fn ended(&mut self) -> bool {
        let now = Instant::now();
        if let Some(begun) = self.begun.pop_front() {
            self.tally.add(now - begun, 1);
            self.tally.lasted(now - self.start);
        }
        now - self.start >= self.span
    }

    /// What was counted.
    #[must_use]
    pub fn tally(self) -> Tally {
        self.tally
    }
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

/// The same in so many tasks of the runtime that is running.
///
/// # Errors
/// The error of the first task that failed.
pub async fn in_tasks<F>(count: usize, measure: impl Fn() -> F) -> Result<Tally>
where
    F: Future<Output = Result<Tally>> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(measure())).collect();
    let mut total = Tally::default();
    for task in tasks {
        total.merge(&task.await??);
    }
    Ok(total)
}
