//! What a server has to do, and who does it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;
use zerorpc_proto::{Args, Notice, RequestId};

use super::{builtin, load::Load, worker};
use crate::{
    driver::{Deferred, Driver, State},
    request::Caller,
    service::{Items, Service},
};

/// Requests that wait for a worker, those that are being worked on, and the workers.
pub(crate) struct Desk {
    pub(super) service: Arc<dyn Service>,
    jobs: VecDeque<Job>,
    /// Requests for built-in methods, which wait for nothing.
    builtins: VecDeque<RequestId>,
    /// Requests that a method runs for, or whose stream is parked.
    pub(super) running: HashMap<RequestId, Arc<Caller>, RandomState>,
    /// Streams that wait for credit; no thread waits with them.
    pub(super) parked: HashMap<RequestId, Stream, RandomState>,
    /// Of requests that have ended, to be used again.
    spare: Vec<Arc<Caller>>,
    /// How long methods take,
    pub(super) pace: Pace,
    /// and how much memory.
    pub(super) load: Load,
    pub(super) workers: usize,
    pub(super) idle: usize,
    /// How many workers run something of the service.
    busy: usize,
    most_busy: usize,
}

/// Something for a worker to do.
pub(super) enum Job {
    /// Run the method of a request.
    Answer(RequestId),
    /// Answer a request for a built-in method.
    Builtin(RequestId),
    /// Go on with a stream that was parked.
    Resume(RequestId, Stream),
    /// Drop a stream that was parked: its destructor may take its time.
    Discard(Stream),
}

/// A stream that is under way.
pub(super) struct Stream {
    pub(super) items: Items,
    /// The item that was turned away.
    pub(super) pending: Option<Args>,
}

/// How long methods have taken lately: whether it is worth a wake-up to have the next one run by another thread.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Follows longer times at once, and shorter ones slowly.
    nanos: u64,
    /// What the latest method took.
    latest: u64,
}

impl Pace {
    /// About what it costs to wake a thread, and then some.
    const SHORT: u64 = 20_000;
    /// Longer times count as this, so that they are forgotten after some fifty short ones.
    const LONG: u64 = 1_000_000;

    pub(super) fn is_short(&self) -> bool {
        self.nanos < Self::SHORT
    }

    pub(super) fn note(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min(Self::LONG);
        let before = std::mem::replace(&mut self.latest, nanos);
        // A short method takes longer once when the system has something else to do meanwhile.
        let nanos = if nanos < Self::LONG { nanos.min(before) } else { nanos };
        self.nanos =
            if nanos >= self.nanos { nanos } else { self.nanos - (self.nanos - nanos) / 16 };
    }
}

impl Desk {
    pub(crate) fn new(service: Arc<dyn Service>, most_busy: usize, total_bytes: usize) -> Self {
        Self {
            service,
            jobs: VecDeque::new(),
            builtins: VecDeque::new(),
            running: HashMap::default(),
            parked: HashMap::default(),
            spare: Vec::new(),
            pace: Pace::default(),
            load: Load::new(total_bytes),
            workers: 0,
            idle: 0,
            busy: 0,
            most_busy: most_busy.max(1),
        }
    }

    /// Whether there is anything to do for one more worker.
    pub(super) fn has_job(&self) -> bool {
        !self.builtins.is_empty() || self.busy < self.most_busy && !self.jobs.is_empty()
    }

    /// The next thing to do. What is the service's counts as being worked on until [`done`](Self::done).
    pub(super) fn next_job(&mut self) -> Option<Job> {
        if let Some(id) = self.builtins.pop_front() {
            return Some(Job::Builtin(id));
        }
        let job = if self.busy < self.most_busy { self.jobs.pop_front() } else { None };
        self.busy += usize::from(job.is_some());
        job
    }

    /// When requests are to be looked at again that wait for others.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.load.due()
    }

    /// Takes up requests again that have waited for others to end.
    pub(super) fn resume_waiting(&mut self, retained: usize) {
        let next = self.load.take_waiting(retained);
        self.jobs.extend(next.map(Job::Answer));
    }

    /// A worker is through with something of the service.
    pub(super) fn done(&mut self) {
        self.busy -= 1;
    }

    /// Whether its methods are short: then one worker does everything.
    pub(crate) fn is_brisk(&self) -> bool {
        self.pace.is_short()
    }

    /// Takes up a request.
    pub(crate) fn requested(&mut self, id: RequestId, method: &str) {
        if builtin::is_builtin(method) {
            self.builtins.push_back(id);
        } else {
            self.jobs.push_back(Job::Answer(id));
        }
    }

    /// Takes up what the session has noticed of a request.
    pub(crate) fn note(&mut self, notice: Notice, deferred: &mut Vec<Deferred>) {
        match notice {
            Notice::Writable(id) => {
                if let Some(stream) = self.parked.remove(&id) {
                    self.jobs.push_back(Job::Resume(id, stream));
                } else if let Some(caller) = self.running.get(&id) {
                    let caller = Arc::clone(caller);
                    deferred.push(Box::new(move || caller.resume()));
                }
            }
            Notice::RequestLost(id, loss) => {
                tracing::debug!("a caller was lost: {loss}");
                if let Some(caller) = self.running.remove(&id) {
                    deferred.push(Box::new(move || caller.lose()));
                }
                if let Some(stream) = self.parked.remove(&id) {
                    self.jobs.push_back(Job::Discard(stream));
                }
            }
            _ => {}
        }
    }

    /// A request begins: nobody has been lost yet.
    pub(super) fn begin(&mut self, id: RequestId) -> Arc<Caller> {
        let caller = self.spare.pop().unwrap_or_default();
        self.running.insert(id, Arc::clone(&caller));
        caller
    }

    /// A request has its last answer.
    pub(super) fn end(&mut self, id: RequestId) {
        /// So many are kept for later requests at most.
        const SPARE: usize = 64;
        if let Some(mut caller) = self.running.remove(&id)
            && self.spare.len() < SPARE
            && Arc::get_mut(&mut caller).is_some_and(Caller::renew)
        {
            self.spare.push(caller);
        }
    }

    /// Takes the requests that nobody has begun to work on.
    fn take_unbegun(&mut self) -> Vec<RequestId> {
        let mut unbegun = Vec::new();
        self.jobs.retain(|job| match job {
            Job::Answer(id) => {
                unbegun.push(*id);
                false
            }
            Job::Builtin(_) | Job::Resume(..) | Job::Discard(_) => true,
        });
        unbegun
    }

    /// Lets go of all requests: nobody can be answered any more.
    pub(crate) fn abandon(&mut self, deferred: &mut Vec<Deferred>) {
        self.builtins.clear();
        let (jobs, parked) = (std::mem::take(&mut self.jobs), std::mem::take(&mut self.parked));
        let running = std::mem::take(&mut self.running);
        deferred.push(Box::new(move || {
            drop((jobs, parked));
            for caller in running.values() {
                caller.lose();
            }
        }));
    }
}

impl State {
    /// Requests that wait for others to end do not for ever.
    pub(super) fn resume_late(&mut self) {
        let retained = self.session.retained_bytes();
        if let Some(desk) = &mut self.desk
            && desk.load.expire()
        {
            desk.resume_waiting(retained);
        }
    }
}

impl Driver {
    /// Gets one more worker to the desk if there is anything to do. Each worker that takes a job calls the
    /// next one.
    pub(crate) fn call_workers(&self, state: &mut State) {
        state.resume_late();
        let Some(desk) = &mut state.desk else { return };
        if !desk.has_job() {
            return;
        }
        if desk.idle > 0 {
            self.worker_bell.notify_one();
        } else if desk.workers <= desk.most_busy {
            // One more than may be busy: built-in methods wait for nobody.
            self.hire(desk);
        }
    }

    /// Turns down what nobody has begun to work on.
    pub(super) fn give_back(&self, state: &mut State) {
        /// So many are turned down before they are sent: the session keeps no more than some.
        const AT_A_TIME: usize = 256;
        let unbegun = state.desk.as_mut().map(Desk::take_unbegun).unwrap_or_default();
        for some in unbegun.chunks(AT_A_TIME) {
            for id in some {
                if let Some(request) = state.session.request(*id) {
                    request.refuse();
                }
            }
            self.send_out(state);
        }
    }

    /// Starts a worker.
    pub(super) fn hire(&self, desk: &mut Desk) {
        let Some(driver) = self.me.upgrade() else { return };
        let started = thread::Builder::new()
            .name("zerorpc-worker".into())
            .spawn(move || worker::work(&driver));
        match started {
            Ok(_) => desk.workers += 1,
            // The jobs stay on the desk for the workers that there are.
            Err(error) => tracing::error!("cannot start a worker thread: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_methods_and_not_the_system() {
        let (short, long, longest) = (1_000, Pace::SHORT, Pace::LONG);
        let table = [
            ("at first", vec![], true),
            ("short methods", vec![short; 100], true),
            ("one that was held up", vec![short, long, short], true),
            ("two that are long", vec![short, long, long], false),
            ("one that is very long", vec![short, longest], false),
            ("short ones behind it", [vec![longest], vec![short; 10]].concat(), false),
            ("many of them", [vec![longest], vec![short; 100]].concat(), true),
        ];
        for (what, durations, is_short) in table {
            let mut pace = Pace::default();
            durations.into_iter().for_each(|nanos| pace.note(Duration::from_nanos(nanos)));
            assert_eq!(pace.is_short(), is_short, "{what}");
        }
    }
}
