//! Requests that wait to be answered, and whom to wake for them. What a worker does with one is the server's affair.

mod load;
mod pace;

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use bytestring::ByteString;
use foldhash::fast::RandomState;
use zerorpc_proto::{Notice, RequestId};

use super::{Deferred, Driver, Guard, State};
use crate::{
    dispatch::Stream,
    request::Caller,
    sync::{Arc, Ordering, thread},
};
pub(crate) use load::{Load, Share};
pub(crate) use pace::Pace;

/// The threads of a server, as it makes them.
pub(crate) struct WorkerPool {
    /// What a worker does, from its first job until it is not needed any more.
    pub(crate) work: Arc<dyn Fn(&Driver) + Send + Sync>,
    /// Whether a method is built in, and so answered at once.
    pub(crate) is_builtin: fn(&str) -> bool,
    /// How many run something of the service at a time.
    pub(crate) most_busy: usize,
}

/// Requests that wait for a worker, those that are being worked on, and the workers.
pub(crate) struct RequestQueue {
    jobs: VecDeque<Job>,
    /// Requests for built-in methods, which wait for nothing.
    builtins: VecDeque<RequestId>,
    /// Requests that a method runs for, or whose stream is parked.
    pub(crate) running: HashMap<RequestId, Arc<Caller>, RandomState>,
    /// Streams that wait for credit; no thread waits with them.
    pub(crate) parked: HashMap<RequestId, Stream, RandomState>,
    /// Of requests that have ended, to be used again.
    spare: Vec<Arc<Caller>>,
    /// How long methods take.
    pub(crate) pace: Pace,
    /// How much memory methods take.
    pub(crate) load: Load,
    /// How workers are made, and how many may be busy.
    pool: WorkerPool,
    /// How many workers there are.
    workers: usize,
    /// How many workers wait for something to do.
    idle: usize,
    /// How many workers run something of the service.
    busy: usize,
}

/// Something for a worker to do.
pub(crate) enum Job {
    /// Run the method of a request.
    Answer(RequestId),
    /// Answer a request for a built-in method.
    Builtin(RequestId),
    /// Go on with a stream that was parked.
    Resume(RequestId, Stream),
    /// Drop a stream that was parked: its destructor may take its time.
    Discard(Stream),
}

impl RequestQueue {
    /// A queue of a server that may keep so many bytes in all.
    pub(crate) fn new(mut pool: WorkerPool, total_bytes: usize) -> Self {
        pool.most_busy = pool.most_busy.max(1);
        Self {
            jobs: VecDeque::new(),
            builtins: VecDeque::new(),
            running: HashMap::default(),
            parked: HashMap::default(),
            spare: Vec::new(),
            pace: Pace::default(),
            load: Load::new(total_bytes),
            pool,
            workers: 0,
            idle: 0,
            busy: 0,
        }
    }

    /// Whether there is anything to do for one more worker.
    pub(crate) fn has_job(&self) -> bool {
        !self.builtins.is_empty() || self.busy < self.pool.most_busy && !self.jobs.is_empty()
    }

    /// The next thing to do. What is the service's counts as being worked on until [`done`](Self::done).
    pub(crate) fn next_job(&mut self) -> Option<Job> {
        if let Some(id) = self.builtins.pop_front() {
            return Some(Job::Builtin(id));
        }
        let job = if self.busy < self.pool.most_busy { self.jobs.pop_front() } else { None };
        self.busy += usize::from(job.is_some());
        job
    }

    /// When requests are to be looked at again that wait for others.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.load.due()
    }

    /// Takes up requests again that have waited for others to end.
    pub(crate) fn resume_waiting(&mut self, retained: usize) {
        let next = self.load.take_waiting(retained);
        self.jobs.extend(next.map(Job::Answer));
    }

    /// A worker is through with something of the service.
    pub(crate) fn done(&mut self) {
        self.busy -= 1;
    }

    /// A worker waits for something to do, or does no longer.
    pub(crate) fn set_idle(&mut self, is_idle: bool) {
        self.idle = self.idle.saturating_add_signed(if is_idle { 1 } else { -1 });
    }

    /// Whether there is too little to do for all workers.
    pub(crate) fn has_too_many_workers(&self) -> bool {
        !self.has_job() && self.workers > 1
    }

    /// A worker ends.
    pub(crate) fn worker_ended(&mut self) {
        self.workers -= 1;
    }

    /// Whether its methods are short: then one worker does everything.
    pub(crate) fn is_fast(&self) -> bool {
        self.pace.is_short()
    }

    /// Takes up a request.
    pub(crate) fn requested(&mut self, id: RequestId, method: &str) {
        if (self.pool.is_builtin)(method) {
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
    pub(crate) fn begin(&mut self, id: RequestId) -> Arc<Caller> {
        let caller = self.spare.pop().unwrap_or_default();
        self.running.insert(id, Arc::clone(&caller));
        caller
    }

    /// A request has its last answer.
    pub(crate) fn end(&mut self, id: RequestId) {
        /// So many are kept for later requests at most. Not measured: enough for a burst of short methods.
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
        unbegun.extend(self.load.take_unbegun());
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
    /// A method has ended, and may have shown how much it answers.
    pub(crate) fn release(
        &mut self,
        share: &Share,
        was_held_up: bool,
        method: &ByteString,
        size: Option<usize>,
    ) {
        let Some(requests) = &mut self.requests else { return };
        requests.load.release(share, was_held_up);
        if let Some(size) = size
            && share.is_news(size)
        {
            requests.load.learn(method, size);
        }
        if requests.load.has_waiting() {
            requests.resume_waiting(self.session.retained_bytes());
        }
    }

    /// Requests that wait for others to end do not for ever.
    pub(crate) fn resume_late(&mut self) {
        if let Some(requests) = &mut self.requests
            && requests.load.expire()
        {
            requests.resume_waiting(self.session.retained_bytes());
        }
    }
}

impl Driver {
    /// Wakes or starts one more worker if there is anything to do. Each worker that takes a job does so for the next one.
    pub(crate) fn wake_worker(&self, state: &mut State) {
        state.resume_late();
        let Some(requests) = &mut state.requests else { return };
        // A worker that is on its way looks for all there is: else a thousand short requests would have a thousand workers wait
        // for the lock, and everybody else behind them.
        if !requests.has_job() || self.coming.load(Ordering::SeqCst) > 0 {
            return;
        }
        if requests.idle > 0 {
            self.worker_cv.notify_one();
        } else if requests.workers <= requests.pool.most_busy {
            // One more than may be busy: built-in methods wait for nobody.
            self.spawn_worker(requests);
        }
    }

    /// The lock, for a worker that was started to look for something to do.
    pub(crate) fn arrive(&self) -> Guard<'_> {
        let state = self.lock();
        self.coming.fetch_sub(1, Ordering::SeqCst);
        state
    }

    /// The lock, for a worker that has run a method and will look for something to do afterwards.
    pub(crate) fn come_back(&self) -> Guard<'_> {
        self.coming.fetch_add(1, Ordering::SeqCst);
        self.arrive()
    }

    /// Turns down what nobody has begun to work on.
    pub(crate) fn give_back(&self, state: &mut State) {
        /// So many are turned down before they are sent: a quarter of what the session keeps of such answers.
        const AT_A_TIME: usize = 256;
        let unbegun = state.requests.as_mut().map(RequestQueue::take_unbegun).unwrap_or_default();
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
    pub(crate) fn spawn_worker(&self, requests: &mut RequestQueue) {
        let Some(driver) = self.me.upgrade() else { return };
        let work = Arc::clone(&requests.pool.work);
        let started =
            thread::Builder::new().name("zerorpc-worker".into()).spawn(move || work(&driver));
        match started {
            Ok(_) => {
                requests.workers += 1;
                self.coming.fetch_add(1, Ordering::SeqCst);
            }
            // The jobs stay in the queue for the workers that there are.
            Err(error) => tracing::error!("cannot start a worker thread: {error}"),
        }
    }
}
