//! The calls of a Python process: those that wait here, and those that it was given.
//!
//! Pure bookkeeping: nothing is written, read or waited for here.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::mailbox::Mailbox;

/// How many plain calls the child is given ahead, so that it need not wait for the next one. Those that it has not
/// begun can be taken back: it looks for cancellations before each, and dies without them. Not measured by itself:
/// 64 calls in flight are (docs/performance.md).
const AHEAD: usize = 32;

/// How the child runs plain calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// One at a time, in order, in its main thread.
    Serial,
    /// So many at a time, in threads.
    Threads(usize),
    /// As greenlets.
    Greenlets,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// It waits here.
    Waiting,
    /// The child has it, and may have begun it: in order, if it runs one at a time.
    Sent,
    /// The child has said that it runs beside others, in a thread or greenlet.
    Begun,
    /// It runs on the event loop, where it takes nobody's place.
    Async,
    /// It has become a stream.
    Streaming,
}

#[derive(Debug)]
struct Call {
    method: Box<str>,
    mailbox: Arc<Mailbox>,
    phase: Phase,
    /// The frame that begins it, as long as it may have to be sent (again).
    frame: Vec<Bytes>,
    /// When it came, and from when on it runs beside others.
    since: Instant,
    /// Somebody still waits for its answer.
    is_wanted: bool,
    /// The child was told not to begin it, as the server is stopping.
    is_withdrawn: bool,
}

/// What a caller that has gone leaves to be done.
#[derive(Debug)]
pub(super) enum Cancelled {
    /// The call waited here and is gone.
    Removed(Arc<Mailbox>),
    /// The child has to be told.
    ByChild,
    /// It had ended by itself.
    Ended,
}

/// Calls that wait behind a running one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Jam {
    /// The method that runs.
    pub(super) method: String,
    /// Since when, where the child has said when it began.
    pub(super) since: Option<Instant>,
    /// How many wait.
    pub(super) waiting: usize,
}

/// All calls that have not ended.
#[derive(Debug)]
pub(super) struct CallQueue {
    mode: Mode,
    /// How many calls may be in progress; streams do not count.
    pool_size: usize,
    /// The number of the latest call.
    last: u64,
    calls: HashMap<u64, Call>,
    /// In the order in which they came.
    waiting: VecDeque<u64>,
    /// Those in phase `Sent`, in order.
    sent: VecDeque<u64>,
    /// How many are in phase `Begun`.
    begun: usize,
    /// How many are in phase `Async`.
    asynchronous: usize,
    /// How many calls somebody waits for.
    wanted: usize,
}

impl CallQueue {
    pub(super) fn new(pool_size: usize) -> Self {
        Self {
            mode: Mode::Serial,
            pool_size: pool_size.max(1),
            last: 0,
            calls: HashMap::new(),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            begun: 0,
            asynchronous: 0,
            wanted: 0,
        }
    }

    /// The child has said how it runs calls.
    pub(super) fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// How the child runs calls.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Takes a call, whose frame is made for its number.
    pub(super) fn push(
        &mut self,
        method: &str,
        now: Instant,
        frame: impl FnOnce(u64) -> Vec<Bytes>,
    ) -> (u64, Arc<Mailbox>) {
        self.last += 1;
        let (number, mailbox) = (self.last, Arc::new(Mailbox::default()));
        let call = Call {
            method: method.into(),
            mailbox: Arc::clone(&mailbox),
            phase: Phase::Waiting,
            frame: frame(number),
            since: now,
            is_wanted: true,
            is_withdrawn: false,
        };
        self.calls.insert(number, call);
        self.waiting.push_back(number);
        self.wanted += 1;
        (number, mailbox)
    }

    /// The next call that the child may be given, as the frame that begins it.
    pub(super) fn send_next(&mut self) -> Option<Vec<Bytes>> {
        let plain = self.sent.len() + self.begun;
        let places = match self.mode {
            Mode::Serial => AHEAD,
            Mode::Threads(threads) => threads,
            Mode::Greenlets => usize::MAX,
        };
        if plain >= places || plain + self.asynchronous >= self.pool_size {
            return None;
        }
        let number = self.waiting.pop_front()?;
        let call = self.calls.get_mut(&number)?;
        call.phase = Phase::Sent;
        self.sent.push_back(number);
        Some(call.frame.clone())
    }

    /// A call runs in a thread or greenlet of its own.
    pub(super) fn begun(&mut self, number: u64, now: Instant) {
        self.advance(number, Phase::Begun, now);
    }

    /// A call has become a task of the event loop.
    pub(super) fn asynchronous(&mut self, number: u64, now: Instant) {
        self.advance(number, Phase::Async, now);
    }

    /// A call has become a stream; gives where its items go.
    pub(super) fn streams(&mut self, number: u64, now: Instant) -> Option<Arc<Mailbox>> {
        self.advance(number, Phase::Streaming, now);
        self.mailbox(number)
    }

    /// Where the answers to a call go.
    pub(super) fn mailbox(&self, number: u64) -> Option<Arc<Mailbox>> {
        self.calls.get(&number).map(|call| Arc::clone(&call.mailbox))
    }

    /// A call has its last answer; gives where that goes.
    pub(super) fn end(&mut self, number: u64) -> Option<Arc<Mailbox>> {
        self.end_with_method(number).map(|(_, mailbox)| mailbox)
    }

    /// The same with the method that was called.
    pub(super) fn end_with_method(&mut self, number: u64) -> Option<(Box<str>, Arc<Mailbox>)> {
        self.leave_phase(number);
        let call = self.calls.remove(&number)?;
        self.wanted -= usize::from(call.is_wanted);
        Some((call.method, call.mailbox))
    }

    /// Nobody waits for a call any more.
    pub(super) fn cancel(&mut self, number: u64) -> Cancelled {
        let Some(call) = self.calls.get_mut(&number) else { return Cancelled::Ended };
        self.wanted -= usize::from(std::mem::take(&mut call.is_wanted));
        if call.phase != Phase::Waiting {
            return Cancelled::ByChild;
        }
        self.end(number).map_or(Cancelled::Ended, Cancelled::Removed)
    }

    /// The child has died: gives the calls that it had begun, which end with it. The others wait again, before all that
    /// have come since. `running` is the call that its main thread was at.
    pub(super) fn take_begun(&mut self, running: Option<u64>) -> Vec<Arc<Mailbox>> {
        let (mode, numbers) = (self.mode, std::mem::take(&mut self.sent));
        let (begun, unbegun): (Vec<_>, Vec<_>) = numbers
            .into_iter()
            .partition(|number| mode == Mode::Serial && Some(*number) == running);
        for number in unbegun.into_iter().rev() {
            if let Some(call) = self.calls.get_mut(&number) {
                call.phase = Phase::Waiting;
                self.waiting.push_front(number);
            }
        }
        (self.begun, self.asynchronous) = (0, 0);
        let mut lost: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| call.phase > Phase::Sent)
            .map(|(n, _)| *n)
            .collect();
        lost.extend(begun);
        lost.sort_unstable();
        self.remove(lost)
    }

    /// Takes out the calls that have waited since before `until`, or all.
    pub(super) fn take_waiting(&mut self, until: Option<Instant>) -> Vec<Arc<Mailbox>> {
        let is_due = |number: &&u64| {
            let since = self.calls.get(number).map(|call| call.since);
            until.is_none_or(|until| since.is_some_and(|since| since <= until))
        };
        let due: Vec<u64> = self.waiting.iter().filter(is_due).copied().collect();
        self.waiting.retain(|number| !due.contains(number));
        self.remove(due)
    }

    /// Nothing more is to be begun: takes the calls that wait, and gives those that the child was given ahead, which it is
    /// to be told of: what it has not begun comes back. `running` is the call that its main thread is at.
    pub(super) fn withdraw(&mut self, running: Option<u64>) -> (Vec<Arc<Mailbox>>, Vec<u64>) {
        let waiting = self.take_waiting(None);
        // In other modes they are begun at once.
        let ahead = match self.mode {
            Mode::Serial => self.sent.iter().copied().filter(|n| Some(*n) != running).collect(),
            Mode::Threads(_) | Mode::Greenlets => Vec::new(),
        };
        for number in &ahead {
            if let Some(call) = self.calls.get_mut(number) {
                call.is_withdrawn = true;
            }
        }
        (waiting, ahead)
    }

    /// Whether a call was taken back from the child.
    pub(super) fn is_withdrawn(&self, number: u64) -> bool {
        self.calls.get(&number).is_some_and(|call| call.is_withdrawn)
    }

    /// When the call that has waited longest came.
    pub(super) fn oldest_waiting(&self) -> Option<Instant> {
        self.waiting.front().and_then(|number| self.calls.get(number)).map(|call| call.since)
    }

    /// Whether a call waits that has not been begun.
    pub(super) fn has_unbegun(&self) -> bool {
        !self.waiting.is_empty() || !self.sent.is_empty()
    }

    /// How many calls somebody waits for.
    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// What the calls wait for, if one has done so for longer than `patience`. `running` is the call that the child's
    /// main thread is at.
    pub(super) fn jam(
        &self,
        now: Instant,
        patience: Duration,
        running: Option<u64>,
    ) -> Option<Jam> {
        let unbegun = self.sent.iter().chain(&self.waiting).filter(|n| Some(**n) != running);
        let mut waiting = 0;
        let mut is_long = false;
        for call in unbegun.filter_map(|number| self.calls.get(number)) {
            waiting += 1;
            is_long |= now.saturating_duration_since(call.since) > patience;
        }
        if !is_long {
            return None;
        }
        let current = running.and_then(|number| self.calls.get(&number));
        let (blocking, since) = match current {
            Some(current) => (current, None),
            // The one that has held its place longest.
            None => {
                let holds = |call: &&Call| matches!(call.phase, Phase::Begun | Phase::Async);
                let oldest = self.calls.values().filter(holds).min_by_key(|call| call.since)?;
                (oldest, Some(oldest.since))
            }
        };
        Some(Jam { method: blocking.method.to_string(), since, waiting })
    }

    fn advance(&mut self, number: u64, phase: Phase, now: Instant) {
        self.leave_phase(number);
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.phase = phase;
        call.since = now;
        call.frame = Vec::new();
        // Begun after all, before it was told not to.
        call.is_withdrawn = false;
        match phase {
            Phase::Begun => self.begun += 1,
            Phase::Async => self.asynchronous += 1,
            Phase::Waiting | Phase::Sent | Phase::Streaming => {}
        }
    }

    fn leave_phase(&mut self, number: u64) {
        let queue = match self.calls.get(&number).map(|call| call.phase) {
            Some(Phase::Waiting) => &mut self.waiting,
            Some(Phase::Sent) => &mut self.sent,
            Some(Phase::Begun) => return self.begun -= 1,
            Some(Phase::Async) => return self.asynchronous -= 1,
            Some(Phase::Streaming) | None => return,
        };
        // Nearly always the first.
        if queue.front() == Some(&number) {
            queue.pop_front();
        } else {
            queue.retain(|other| *other != number);
        }
    }

    fn remove(&mut self, numbers: Vec<u64>) -> Vec<Arc<Mailbox>> {
        let calls = numbers.into_iter().filter_map(|number| self.calls.remove(&number));
        calls
            .map(|call| {
                self.wanted -= usize::from(call.is_wanted);
                call.mailbox
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
