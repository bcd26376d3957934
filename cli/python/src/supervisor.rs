//! Keeps a Python process running: the one thread that reads from it, and restarts it when it dies.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use rustix::process::Signal;
use tracing::{info, warn};
use zerorpc::{Context, Failure};

use super::{
    call::PythonCall,
    error::PythonError,
    frames::{self, Output},
    launch,
    mailbox::{fail, unbegun},
    notice::JamNotice,
    options::PythonOptions,
    outgoing::Outgoing,
    pipes::{self, PipeLoop, Wake},
    process::Process,
    queue::{CallQueue, Cancelled},
    service_info::ServiceInfo,
};

mod ending;

/// How long the first restart waits; each further one waits twice as long. Not measured: a child that
/// dies at once leaves some of the processor to others.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest wait. A child that has run for longer than this is no longer held to be failing. Not measured: whoever
/// has mended a module does not wait for long.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keeps a child alive that serves one target, and the calls that wait for it.
#[derive(Debug)]
pub(super) struct Supervisor {
    target: String,
    pub(super) options: PythonOptions,
    pub(super) state: Mutex<State>,
    /// Wakes the thread that reads from the child.
    wake: Wake,
    /// Tells of each new phase, and of the end of a child.
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    phase: Phase,
    pub(super) queue: CallQueue,
    /// The child, from its start to its end.
    pub(super) process: Option<Process>,
    /// The sockets that it has opened. Dropped without the lock, which it may wait for.
    pub(super) outgoing: Option<Arc<Outgoing>>,
    service_info: Arc<ServiceInfo>,
    /// Why the last child, or attempt to start one, failed.
    trouble: String,
    pub(super) notice: JamNotice,
    /// The thread that reads from the child does not look in by itself: no calls have come for a while.
    pub(super) is_unwatched: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A process imports the module.
    Loading,
    /// It takes calls.
    Running,
    /// There is none until then.
    Pausing(Instant),
    /// There will be none again.
    Closed,
}

impl State {
    /// Gives the child what it may be given.
    pub(super) fn send_calls(&mut self) {
        if self.phase == Phase::Running
            && let Some(process) = &mut self.process
        {
            while let Some(frame) = self.queue.send_next() {
                process.send(frame);
            }
        }
    }

    fn signal_group(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal_group(signal);
        }
    }

    /// Sends something of a call that the child has.
    fn send(&mut self, frame: Vec<Bytes>) {
        if let Some(process) = &mut self.process {
            process.send(frame);
        }
    }
}

impl Supervisor {
    /// Starts the first child in this thread, and a thread that looks after it and its successors.
    pub(super) fn start(target: &str, options: PythonOptions) -> Result<Arc<Self>, PythonError> {
        let (wake, woken) = Wake::pair()?;
        let supervisor = Arc::new(Self {
            target: target.to_owned(),
            state: Mutex::new(State {
                phase: Phase::Loading,
                queue: CallQueue::new(options.pool_size),
                process: None,
                outgoing: None,
                service_info: Arc::default(),
                trouble: String::new(),
                notice: JamNotice::default(),
                is_unwatched: false,
            }),
            options,
            wake,
            changed: Condvar::new(),
        });
        let output = supervisor.launch().inspect_err(|_| supervisor.close())?;
        let me = Arc::clone(&supervisor);
        thread::Builder::new()
            .name("zerorpc-python".to_owned())
            .spawn(move || me.supervise(PipeLoop::new(woken), output))
            .inspect_err(|_| supervisor.close())?;
        Ok(supervisor)
    }

    /// What the running child, or the last one, has told of its methods.
    pub(super) fn service_info(&self) -> Arc<ServiceInfo> {
        Arc::clone(&self.state.lock().service_info)
    }

    /// Begins a call, or lets it wait for its turn; never blocks.
    pub(super) fn begin(
        self: &Arc<Self>,
        method: &str,
        header: &Context,
        peer: &[u8],
        arguments: Bytes,
    ) -> PythonCall {
        let mut state = self.state.lock();
        let mut lost = Vec::new();
        let frame = |number| frames::call(number, method, header, peer, arguments);
        let (number, mailbox) = state.queue.push(method, Instant::now(), frame);
        match state.phase {
            Phase::Running => state.send_calls(),
            Phase::Loading => {}
            Phase::Pausing(until) if until <= Instant::now() + self.options.restart_wait => {}
            Phase::Pausing(_) | Phase::Closed => {
                lost = state.queue.take_waiting(None);
            }
        }
        let trouble = if lost.is_empty() { String::new() } else { state.trouble.clone() };
        self.wake_reader(&state);
        // Calls take the lock when they end.
        drop(state);
        fail(lost, &unbegun(&trouble));
        PythonCall::new(number, Arc::clone(self), mailbox)
    }

    /// The caller of a call has gone, or has its last answer.
    pub(super) fn cancel(&self, number: u64) {
        let mut state = self.state.lock();
        match state.queue.cancel(number) {
            Cancelled::Removed(mailbox) => {
                drop(state);
                let message = "the call was given up before it began";
                fail([mailbox], &Failure::new("CancelledError", message));
            }
            Cancelled::ByChild => {
                state.send(frames::cancel(number));
                self.wake_reader(&state);
            }
            Cancelled::Ended => {}
        }
    }

    /// So much was taken off a stream.
    pub(super) fn grant(&self, number: u64, items: u64, bytes: u64) {
        let mut state = self.state.lock();
        state.send(frames::credit(number, items, bytes));
        self.wake_reader(&state);
    }

    /// How many calls somebody waits for.
    pub(super) fn open_calls(&self) -> usize {
        self.state.lock().queue.wanted()
    }

    /// Calls the reading thread where it does not look in by itself: for what the pipe has no room for, and when calls
    /// begin to come after a while without any.
    fn wake_reader(&self, state: &State) {
        let is_blocked = state.process.as_ref().is_some_and(|it| it.blocked_input().is_some());
        if is_blocked || state.is_unwatched && state.queue.has_unbegun() {
            self.wake.wake();
        }
    }

    fn supervise(self: &Arc<Self>, mut pipes: PipeLoop, mut output: Output) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            pipes.run(self, &mut output);
            if began.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            let until = self.bury(pause);
            match self.revive(&mut pause, until) {
                Some(revived) => output = revived,
                None => return,
            }
        }
    }

    /// The child has closed its pipe: ends it, and the calls that it had begun.
    fn bury(&self, pause: Duration) -> Instant {
        let mut state = self.state.lock();
        let running = state.process.as_ref().and_then(Process::current);
        let lost = state.queue.take_begun(running.map(|current| current.number));
        let how = self.reap(&mut state);
        let trouble = format!("the Python process that serves {:?} died ({how})", self.target);
        // In this order: who calls again because of this failure is to find no dead process.
        let until = self.announce_pause(&mut state, pause, &trouble);
        let failure = match state.phase {
            Phase::Closed => {
                Failure::new("ServerStopping", "the server was stopped during the call")
            }
            _ => Failure::new("WorkerDied", format!("{trouble} during the call")),
        };
        let outgoing = state.outgoing.take();
        drop(state);
        drop(outgoing);
        fail(lost, &failure);
        until
    }

    /// Makes sure that the child has ended; how it has.
    fn reap(&self, state: &mut State) -> String {
        let status = state.process.take().map(|mut process| process.reap());
        self.changed.notify_all();
        match status {
            Some(Ok(status)) => status.to_string(),
            Some(Err(error)) => error.to_string(),
            None => "it never was".to_owned(),
        }
    }

    /// Tries until there is another child; `None` when there is to be none.
    fn revive(self: &Arc<Self>, pause: &mut Duration, mut until: Instant) -> Option<Output> {
        while self.wait_until(until) {
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match self.launch() {
                Ok(output) => {
                    let id = self.state.lock().process.as_ref().map(Process::id);
                    info!(pid = id, "the Python process runs again");
                    return Some(output);
                }
                Err(error) => {
                    if let Some(traceback) = error.traceback() {
                        warn!(target: pipes::LOG, "{traceback}");
                    }
                    let mut state = self.state.lock();
                    let waiting = state.queue.take_waiting(None);
                    until = self.announce_pause(&mut state, *pause, &error.to_string());
                    drop(state);
                    fail(waiting, &unbegun(&error.to_string()));
                }
            }
        }
        None
    }

    /// Tells everybody that there is no child for a while; gives the end of that while.
    fn announce_pause(&self, state: &mut State, pause: Duration, trouble: &str) -> Instant {
        let until = Instant::now() + pause;
        if state.phase != Phase::Closed {
            trouble.clone_into(&mut state.trouble);
            state.phase = Phase::Pausing(until);
            warn!(target: pipes::LOG, "{trouble}; restarting it in {pause:?}");
        }
        until
    }

    /// Waits before a restart; false when there is to be none. Calls that wait for too long fail meanwhile.
    fn wait_until(&self, until: Instant) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.phase == Phase::Closed {
                return false;
            }
            let now = Instant::now();
            if now >= until {
                return true;
            }
            let given_up = now.checked_sub(self.options.restart_wait);
            let late = given_up.map(|since| state.queue.take_waiting(Some(since)));
            if let Some(late) = late
                && !late.is_empty()
            {
                let failure = unbegun(&state.trouble);
                // Calls take the lock when they end.
                drop(state);
                fail(late, &failure);
                state = self.state.lock();
                continue;
            }
            let oldest = state.queue.oldest_waiting();
            let due = oldest.map_or(until, |since| until.min(since + self.options.restart_wait));
            self.changed.wait_until(&mut state, due);
        }
    }

    /// What holds the sockets of a child.
    fn outgoing(self: &Arc<Self>, child: u32) -> std::io::Result<Outgoing> {
        let supervisor = Arc::downgrade(self);
        Outgoing::new(move |kind, number, body| {
            if let Some(supervisor) = supervisor.upgrade() {
                pipes::tell(&supervisor, child, frames::frame(kind, number, &[], body));
            }
        })
    }

    /// Starts a child and waits until it has loaded the module.
    fn launch(self: &Arc<Self>) -> Result<Output, PythonError> {
        let (mut process, mut output) = launch::spawn(&self.target, &self.options)?;
        let outgoing = match self.outgoing(process.id()) {
            Ok(outgoing) => Arc::new(outgoing),
            Err(error) => {
                process.reap()?;
                return Err(error.into());
            }
        };
        let mut state = self.state.lock();
        if state.phase != Phase::Closed {
            state.phase = Phase::Loading;
        } else {
            process.signal_group(Signal::KILL);
        }
        state.process = Some(process);
        state.outgoing = Some(Arc::clone(&outgoing));
        drop(state);
        let loaded = launch::load(&self.target, &mut output, &self.options, &outgoing);
        let mut state = self.state.lock();
        if !matches!(loaded, Ok(Some(_))) {
            // The last handle is dropped at the end of this function, behind the lock.
            state.outgoing = None;
        }
        match loaded {
            Ok(Some((service_info, mode))) => {
                state.service_info = Arc::new(service_info);
                state.queue.set_mode(mode);
                if state.phase == Phase::Loading {
                    state.phase = Phase::Running;
                }
                state.send_calls();
                Ok(output)
            }
            Ok(None) => {
                let status = state.process.take().map(|mut process| process.reap()).transpose();
                self.changed.notify_all();
                let (python, target) = (launch::name(&self.options), self.target.clone());
                match status? {
                    Some(status) => Err(PythonError::Ended { python, target, status }),
                    None => Err(std::io::Error::other("the server is shutting down").into()),
                }
            }
            Err(error) => {
                self.reap(&mut state);
                Err(error)
            }
        }
    }
}
