//! Callers that call one time after the other while something happens to their servers or to the network.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use zerorpc::{Client, Error};

use crate::service::eventually;

/// How many calls a caller makes at most, whatever happens.
const MOST: usize = 100_000;

/// How much each client calls at the least.
#[derive(Debug, Clone, Copy)]
pub struct Volume {
    /// How many threads call with each client at the same time.
    pub callers: usize,
    /// How many calls each client makes; more if what happens takes longer.
    pub calls: usize,
}

/// A call that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its own number, by which a service may write it down.
    pub number: u64,
    /// Which client made it.
    pub client: usize,
    /// When it began.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
    /// What it ended with, if not with an answer.
    pub error: Option<Error>,
}

/// What callers have done so far, for whoever makes things happen.
#[derive(Debug, Default)]
pub struct Progress {
    next: AtomicU64,
    answered: AtomicUsize,
    /// How many calls of each client have ended.
    ended_of: Vec<AtomicUsize>,
    ended: Mutex<Vec<Ended>>,
    happened: AtomicBool,
}

impl Progress {
    /// How many calls were answered.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    /// Waits until so many more were answered.
    ///
    /// # Panics
    /// When it takes unreasonably long.
    pub fn goes_on(&self, calls: usize) {
        let enough = self.answered() + calls;
        eventually("calls are answered", || self.answered() >= enough);
    }

    /// How many calls have failed.
    ///
    /// # Panics
    /// When a caller has.
    pub fn failed(&self) -> usize {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.iter().filter(|call| call.error.is_some()).count()
    }

    fn call(
        &self,
        client: (usize, &Client),
        calls: usize,
        act: &impl Fn(&Client, u64) -> Result<(), Error>,
    ) {
        let (index, client) = client;
        for _ in 0..MOST {
            let is_enough = self.ended_of[index].load(Ordering::SeqCst) >= calls;
            if is_enough && self.happened.load(Ordering::SeqCst) {
                return;
            }
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let began = Instant::now();
            let error = act(client, number).err();
            let took = began.elapsed();
            self.answered.fetch_add(usize::from(error.is_none()), Ordering::SeqCst);
            self.ended_of[index].fetch_add(1, Ordering::SeqCst);
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.push(Ended { number, client: index, began, took, error });
        }
    }
}

/// Ends the load however what happens ends.
struct Happened<'a>(&'a AtomicBool);

impl Drop for Happened<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Has clients call while `happen` makes things happen, and for as long as their volume wants it.
///
/// # Panics
/// When a caller does.
pub fn under(
    clients: &[Client],
    volume: Volume,
    call: impl Fn(&Client, u64) -> Result<(), Error> + Sync,
    happen: impl FnOnce(&Progress),
) -> Report {
    let ended_of = clients.iter().map(|_| AtomicUsize::new(0)).collect();
    let progress = Progress { ended_of, ..Progress::default() };
    thread::scope(|scope| {
        let (progress, call) = (&progress, &call);
        for client in clients.iter().enumerate() {
            for _ in 0..volume.callers {
                scope.spawn(move || progress.call(client, volume.calls, call));
            }
        }
        let _happened = Happened(&progress.happened);
        happen(progress);
    });
    Report(progress.ended.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// All calls of a load.
#[derive(Debug)]
pub struct Report(pub Vec<Ended>);

impl Report {
    /// The calls that were not answered.
    pub fn lost(&self) -> impl Iterator<Item = &Ended> {
        self.0.iter().filter(|call| call.error.is_some())
    }

    /// How long the slowest call took, answered or not.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.0.iter().map(|call| call.took).max().unwrap_or_default()
    }

    /// Checks that every call was answered.
    ///
    /// # Panics
    /// When one was not.
    #[track_caller]
    pub fn none_is_lost(&self) {
        assert_eq!(self.lost().count(), 0, "{self}");
    }

    /// Checks that nobody waited for longer, whatever came of it.
    ///
    /// # Panics
    /// When somebody did.
    #[track_caller]
    pub fn nobody_waits_longer_than(&self, limit: Duration) {
        assert!(self.longest() <= limit, "somebody waited for {:?}: {self}", self.longest());
    }
}

impl fmt::Display for Report {
    /// How many calls there were, and with what those ended that were not answered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors: BTreeMap<String, usize> = BTreeMap::new();
        for error in self.lost().filter_map(|call| call.error.as_ref()) {
            *errors.entry(error.to_string()).or_default() += 1;
        }
        let (all, lost) = (self.0.len(), self.lost().count());
        write!(f, "{lost} of {all} calls lost, the slowest took {:?}", self.longest())?;
        errors.iter().try_for_each(|(error, count)| write!(f, "\n{count} × {error}"))
    }
}
