//! Keeps a Python process running: the one thread that reads from it, and restarts it when it dies.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use tracing::{debug, info, warn};
use zerorpc::Failure;

use super::{
    catalogue::Catalogue,
    error::PythonError,
    launch::{self, Output, PythonOptions},
    process::Process,
};

/// How long the first restart waits; each further one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest wait. A child that has run for longer than this is no longer held to be failing.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keeps a child alive that serves one target.
#[derive(Debug)]
pub(super) struct Supervisor {
    target: String,
    options: PythonOptions,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    catalogue: Arc<Catalogue>,
    /// How often a restart has failed, and why it did so last, or why there had to be one.
    failures: u64,
    trouble: String,
}

#[derive(Debug, Clone)]
enum Phase {
    /// A process imports the module.
    Loading(Arc<Process>),
    /// It takes calls.
    Running(Arc<Process>),
    /// There is none until then.
    Pausing(Instant),
    /// There will be none again.
    Closed,
}

impl Supervisor {
    /// Starts the first child in this thread, and a thread that looks after it and its successors.
    pub(super) fn start(target: &str, options: PythonOptions) -> Result<Arc<Self>, PythonError> {
        let (process, mut output) = launch::spawn(target, &options)?;
        let loaded = launch::load(&process, &mut output, &options);
        let catalogue = loaded.inspect_err(log_traceback)?;
        let supervisor = Arc::new(Self {
            target: target.to_owned(),
            options,
            state: Mutex::new(State {
                phase: Phase::Running(Arc::clone(&process)),
                catalogue: Arc::new(catalogue),
                failures: 0,
                trouble: String::new(),
            }),
            changed: Condvar::new(),
        });
        let thread_supervisor = Arc::clone(&supervisor);
        let spawned_process = Arc::clone(&process);
        thread::Builder::new()
            .name("zerorpc-python".to_owned())
            .spawn(move || thread_supervisor.supervise(spawned_process, output))
            .inspect_err(|_| process.stop())?;
        Ok(supervisor)
    }

    /// What the running child, or the last one, has told of its methods.
    pub(super) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.state.lock().catalogue)
    }

    /// A child that takes calls; waits a bounded time for one that is being restarted.
    pub(super) fn process(&self) -> Result<Arc<Process>, Failure> {
        let deadline = Instant::now() + self.options.restart_wait;
        let mut state = self.state.lock();
        let failures = state.failures;
        loop {
            let hopeless = match &state.phase {
                Phase::Running(process) => return Ok(Arc::clone(process)),
                Phase::Closed => {
                    return Err(Failure::new("WorkerDied", "the server is shutting down"));
                }
                Phase::Pausing(until) => *until > deadline || state.failures > failures,
                Phase::Loading(_) => false,
            };
            if hopeless || self.changed.wait_until(&mut state, deadline).timed_out() {
                return Err(Failure::new("WorkerDied", state.trouble.clone()));
            }
        }
    }

    /// How many calls the child works on.
    pub(super) fn open_calls(&self) -> usize {
        match &self.state.lock().phase {
            Phase::Running(process) => process.open_calls(),
            Phase::Loading(_) | Phase::Pausing(_) | Phase::Closed => 0,
        }
    }

    /// Ends the child, and the thread with it; takes a few seconds at most.
    pub(super) fn close(&self) {
        let phase = self.enter(Phase::Closed);
        if let Phase::Loading(process) | Phase::Running(process) = phase {
            process.stop();
        }
    }

    fn supervise(&self, mut process: Arc<Process>, mut output: Output) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let status = process.attend(&mut output);
            if began.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            let trouble = format!("the Python process that serves {:?} died ({how})", self.target);
            // In this order: who calls again because of this failure is to find no dead process.
            let until = self.announce_pause(pause, &trouble);
            process.fail_calls(&Failure::new("WorkerDied", format!("{trouble} during the call")));
            match self.revive(&mut pause, until) {
                Some(revived) => (process, output) = revived,
                None => return,
            }
        }
    }

    /// Tries until there is another child; `None` when there is to be none.
    fn revive(&self, pause: &mut Duration, mut until: Instant) -> Option<(Arc<Process>, Output)> {
        while self.wait_until(until) {
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match self.restart() {
                Ok(restarted) => return restarted,
                Err(error) => {
                    log_traceback(&error);
                    self.state.lock().failures += 1;
                    until = self.announce_pause(*pause, &error.to_string());
                }
            }
        }
        None
    }

    /// Tells everybody that there is no child for a while; gives the end of that while.
    fn announce_pause(&self, pause: Duration, trouble: &str) -> Instant {
        let until = Instant::now() + pause;
        trouble.clone_into(&mut self.state.lock().trouble);
        if !matches!(self.enter(Phase::Pausing(until)), Phase::Closed) {
            warn!("{trouble}; restarting it in {pause:?}");
        }
        until
    }

    /// Waits before a restart; false when there is to be none.
    fn wait_until(&self, until: Instant) -> bool {
        let mut state = self.state.lock();
        loop {
            let timed_out = self.changed.wait_until(&mut state, until).timed_out();
            if matches!(state.phase, Phase::Closed) {
                return false;
            }
            if timed_out {
                return true;
            }
        }
    }

    /// Starts another child; `None` when the supervisor was closed meanwhile.
    fn restart(&self) -> Result<Option<(Arc<Process>, Output)>, PythonError> {
        let (process, mut output) = launch::spawn(&self.target, &self.options)?;
        if let Phase::Closed = self.enter(Phase::Loading(Arc::clone(&process))) {
            process.stop();
            return Ok(None);
        }
        let catalogue = launch::load(&process, &mut output, &self.options)?;
        self.state.lock().catalogue = Arc::new(catalogue);
        if let Phase::Closed = self.enter(Phase::Running(Arc::clone(&process))) {
            process.stop();
            return Ok(None);
        }
        info!(pid = process.id(), "the Python process runs again");
        Ok(Some((process, output)))
    }

    /// Goes into another phase, unless this one is the last, and gives the one before.
    fn enter(&self, phase: Phase) -> Phase {
        let mut state = self.state.lock();
        let before = state.phase.clone();
        if !matches!(before, Phase::Closed) {
            state.phase = phase;
            self.changed.notify_all();
        }
        before
    }
}

fn log_traceback(error: &PythonError) {
    if let PythonError::Refused { traceback, .. } = error
        && !traceback.is_empty()
    {
        debug!("{traceback}");
    }
}
