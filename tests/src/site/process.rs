use std::{fs, path::PathBuf, process::Command};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;

use crate::peers::{PeerProcess, ServeOptions};

/// A process of the program `site`, which can be frozen, killed and stopped, and the journal that outlives it.
#[derive(Debug)]
pub struct SiteProcess {
    /// Gone once it was killed.
    process: Option<PeerProcess>,
    program: String,
    endpoint: String,
    journal: PathBuf,
    options: ServeOptions,
}

impl SiteProcess {
    /// Starts `program`, which is `env!("CARGO_BIN_EXE_site")` where tests can say that, with a journal of this name, and
    /// waits until it serves.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(program: &str, folder: &TempDir, name: &str, options: ServeOptions) -> Self {
        let journal = folder.path().join(name);
        let program = program.to_owned();
        let mut site = Self { process: None, program, endpoint: String::new(), journal, options };
        site.start_again();
        site
    }

    /// Starts it anew, at the same endpoint and with the same journal. The old process must have ended.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_again(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg(&self.journal);
        let name = self.journal.display().to_string();
        let process = PeerProcess::of_program(&name, command, &self.options);
        if let Some(endpoint) = process.endpoints().first() {
            self.endpoint.clone_from(endpoint);
            self.options.bind = process.endpoints().to_vec();
        }
        self.process = Some(process);
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends it a signal. When it is to stop, it has: its threads may go on for a moment after the signal was sent.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let id = self.process.as_ref().and_then(|process| i32::try_from(process.id()).ok());
        let id = id.and_then(Pid::from_raw).expect("a process that runs");
        kill_process(id, signal).expect("it is ours");
        if signal == Signal::STOP {
            let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
            waitid(WaitId::Pid(id), stopped).expect("it is a child of ours");
        }
    }

    /// Ends it without a chance to say goodbye.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    ///
    /// # Panics
    /// When it does not end, or not in order.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        self.wait_ended();
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not end, or not in order.
    pub fn wait_ended(&mut self) {
        let status = self.process.take().expect("it was started").wait();
        assert!(status.success(), "{}: {status}", self.journal.display());
    }

    /// The numbers of the calls that it has run, in order.
    ///
    /// # Panics
    /// When the journal cannot be read.
    #[must_use]
    pub fn ran(&self) -> Vec<u64> {
        let journal = fs::read_to_string(&self.journal).expect("a journal");
        journal.lines().map(|line| line.parse().expect("a number")).collect()
    }
}

/// Checks that no number stands in these journals twice.
///
/// # Panics
/// When one does.
#[track_caller]
pub fn nothing_ran_twice<'a>(sites: impl IntoIterator<Item = &'a SiteProcess>) {
    let mut ran: Vec<u64> = sites.into_iter().flat_map(SiteProcess::ran).collect();
    let count = ran.len();
    ran.sort_unstable();
    ran.dedup();
    assert_eq!(ran.len(), count, "something was run twice");
}
