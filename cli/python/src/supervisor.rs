//! Keeps a Python process running: the one thread that reads from it, and restarts it when it dies.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::process::Signal;
use tracing::{info, warn};
use zerorpc::{Context, Failure};

use super::{
    call::PythonCall,
    error::PythonError,
    frames::{self, Output},
    launch,
    mailbox::{fail, unbegun},
    options::PythonOptions,
    outgoing::Outgoing,
    pipes::{self, PipeLoop},
    process::Process,
    service_info::ServiceInfo,
    shared::{Phase, Shared, State},
    slow_import::SlowImport,
};

mod ending;

/// How long the first restart waits; each further one waits twice as long. Not measured: a child that
/// dies at once leaves some of the processor to others.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest wait. A child that has run for longer than this is no longer held to be failing. Not measured: whoever
/// has mended a module does not wait for long.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keeps a child alive that serves one target.
#[derive(Debug)]
pub(super) struct Supervisor {
    target: String,
    shared: Arc<Shared>,
}

impl Supervisor {
    /// Starts the first child in this thread, and a thread that looks after it and its successors.
    pub(super) fn start(target: &str, options: PythonOptions) -> Result<Arc<Self>, PythonError> {
        let (shared, woken) = Shared::new(options)?;
        let supervisor = Arc::new(Self { target: target.to_owned(), shared: Arc::new(shared) });
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
        Arc::clone(&self.shared.state.lock().service_info)
    }

    /// Begins a call, or lets it wait for its turn; never blocks.
    pub(super) fn begin(
        &self,
        method: &str,
        header: &Context,
        peer: &[u8],
        arguments: Bytes,
    ) -> PythonCall {
        let mut state = self.shared.state.lock();
        let mut lost = Vec::new();
        let frame = |number| frames::call(number, method, header, peer, arguments);
        let (number, mailbox) = state.queue.push(method, Instant::now(), frame);
        match state.phase {
            Phase::Running => state.send_calls(),
            Phase::Loading => {}
            Phase::Pausing(until) if until <= Instant::now() + self.shared.options.restart_wait => {
            }
            Phase::Pausing(_) | Phase::Closed => {
                lost = state.queue.take_waiting(None);
            }
        }
        let why = if lost.is_empty() { String::new() } else { state.last_failure.clone() };
        self.shared.wake_reader(&state);
        // Calls take the lock when they end.
        drop(state);
        fail(lost, &unbegun(&why));
        PythonCall::new(number, Arc::clone(&self.shared), mailbox)
    }

    /// How many calls somebody waits for.
    pub(super) fn open_calls(&self) -> usize {
        self.shared.state.lock().queue.wanted()
    }

    fn supervise(&self, mut pipes: PipeLoop, mut output: Output) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            pipes.run(&self.shared, &mut output);
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
        let mut state = self.shared.state.lock();
        let running = state.process.as_ref().and_then(Process::current);
        let lost = state.queue.take_begun(running.map(|current| current.number));
        let how = self.reap(&mut state);
        let why = format!("the Python process that serves {:?} died ({how})", self.target);
        // In this order: who calls again because of this failure is to find no dead process.
        let until = self.announce_pause(&mut state, pause, &why);
        let failure = match state.phase {
            Phase::Closed => {
                Failure::new("ServerStopping", "the server was stopped during the call")
            }
            _ => Failure::new("WorkerDied", format!("{why} during the call")),
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
        self.shared.changed.notify_all();
        match status {
            Some(Ok(status)) => status.to_string(),
            Some(Err(error)) => error.to_string(),
            None => "it never was".to_owned(),
        }
    }

    /// Tries until there is another child; `None` when there is to be none.
    fn revive(&self, pause: &mut Duration, mut until: Instant) -> Option<Output> {
        while self.wait_until(until) {
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match self.launch() {
                Ok(output) => {
                    let id = self.shared.state.lock().process.as_ref().map(Process::id);
                    info!(pid = id, "the Python process runs again");
                    return Some(output);
                }
                Err(error) => {
                    if let Some(traceback) = error.traceback() {
                        warn!(target: pipes::LOG, "{traceback}");
                    }
                    let mut state = self.shared.state.lock();
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
    fn announce_pause(&self, state: &mut State, pause: Duration, why: &str) -> Instant {
        let until = Instant::now() + pause;
        if state.phase != Phase::Closed {
            why.clone_into(&mut state.last_failure);
            state.phase = Phase::Pausing(until);
            warn!(target: pipes::LOG, "{why}; restarting it in {pause:?}");
        }
        until
    }

    /// Waits before a restart; false when there is to be none. Calls that wait for too long fail meanwhile.
    fn wait_until(&self, until: Instant) -> bool {
        let mut state = self.shared.state.lock();
        loop {
            if state.phase == Phase::Closed {
                return false;
            }
            let now = Instant::now();
            if now >= until {
                return true;
            }
            let given_up = now.checked_sub(self.shared.options.restart_wait);
            let late = given_up.map(|since| state.queue.take_waiting(Some(since)));
            if let Some(late) = late
                && !late.is_empty()
            {
                let failure = unbegun(&state.last_failure);
                // Calls take the lock when they end.
                drop(state);
                fail(late, &failure);
                state = self.shared.state.lock();
                continue;
            }
            let oldest = state.queue.oldest_waiting();
            let due =
                oldest.map_or(until, |since| until.min(since + self.shared.options.restart_wait));
            self.shared.changed.wait_until(&mut state, due);
        }
    }

    /// What holds the sockets of a child.
    fn outgoing(&self, child: u32) -> std::io::Result<Outgoing> {
        let shared = Arc::downgrade(&self.shared);
        Outgoing::new(move |kind, number, body| {
            if let Some(shared) = shared.upgrade() {
                pipes::send_to(&shared, child, frames::frame(kind, number, &[], body));
            }
        })
    }

    /// Says that the import takes long, if it is time to; when it is next.
    fn tell_of_slow_import(&self, import: &mut SlowImport) -> Instant {
        let state = self.shared.state.lock();
        let child = state.process.as_ref();
        let text = child.and_then(|child| import.look(Instant::now(), &self.target, child));
        drop(state);
        if let Some(text) = text {
            warn!(target: pipes::LOG, "{text}");
        }
        import.due()
    }

    /// Starts a child and waits until it has loaded the module.
    fn launch(&self) -> Result<Output, PythonError> {
        let (mut process, mut output) = launch::spawn(&self.target, &self.shared.options)?;
        let outgoing = match self.outgoing(process.id()) {
            Ok(outgoing) => Arc::new(outgoing),
            Err(error) => {
                process.reap()?;
                return Err(error.into());
            }
        };
        let mut state = self.shared.state.lock();
        if state.phase != Phase::Closed {
            state.phase = Phase::Loading;
        } else {
            process.signal_group(Signal::KILL);
        }
        state.process = Some(process);
        state.outgoing = Some(Arc::clone(&outgoing));
        drop(state);
        let mut import = SlowImport::begin(Instant::now());
        let look = || self.tell_of_slow_import(&mut import);
        let loaded = launch::load(&self.target, &mut output, &self.shared.options, &outgoing, look);
        let mut state = self.shared.state.lock();
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
                self.shared.changed.notify_all();
                let (python, target) = (launch::name(&self.shared.options), self.target.clone());
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
