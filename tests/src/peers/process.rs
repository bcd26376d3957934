use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::ServeOptions;
use crate::service::eventually;

/// How long a program may take to start; machines that run tests are slow and busy.
const START: Duration = Duration::from_secs(120);

/// A running peer program. It is killed when dropped, and tells its stderr if the test failed.
#[derive(Debug)]
pub struct PeerProcess {
    name: String,
    child: Child,
    stderr: Option<JoinHandle<Vec<u8>>>,
    endpoints: Vec<String>,
}

#[derive(Deserialize)]
struct Ready {
    endpoints: Vec<String>,
}

impl PeerProcess {
    /// Starts a program and waits for its `ready`; returns the lines it prints afterwards.
    pub(super) fn start(
        name: &str,
        mut command: Command,
        options: &Value,
    ) -> (Self, Receiver<String>) {
        command.arg(options.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stderr = child.stderr.take().expect("stderr is piped");

        let stderr = thread::spawn(move || {
            let mut told = Vec::new();
            // What came before an error is still worth telling.
            let _ = stderr.read_to_end(&mut told);
            told
        });
        let (line_sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line_sender.send(line).is_err() {
                    break;
                }
            }
        });

        let name = format!("{name} (process {})", child.id());
        let mut process = Self { name, child, stderr: Some(stderr), endpoints: Vec::new() };
        process.endpoints = process.wait_until_ready(&lines);
        (process, lines)
    }

    /// Starts a server program of ours that is told, and tells, what those of the peers are; its last argument
    /// are the options.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    #[must_use]
    pub fn of_program(name: &str, command: Command, options: &ServeOptions) -> Self {
        Self::start(name, command, &options.to_json()).0
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn wait(mut self) -> ExitStatus {
        let mut status = None;
        eventually("the program ends", || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("it has ended")
    }

    fn wait_until_ready(&mut self, lines: &Receiver<String>) -> Vec<String> {
        let line = match lines.recv_timeout(START) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{} is not ready after {START:?}", self.name),
            Err(RecvTimeoutError::Disconnected) => panic!("{} ended at its start", self.name),
        };
        let ready = line.strip_prefix("ready ").and_then(|json| serde_json::from_str(json).ok());
        let Some(Ready { endpoints }) = ready else {
            panic!("{} should have said that it is ready, but said {line:?}", self.name)
        };
        endpoints
    }

    /// The endpoints it is bound to, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// The first endpoint it is bound to.
    ///
    /// # Panics
    ///
    /// When it is bound to none.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.endpoints.first().unwrap_or_else(|| panic!("{} is bound to no endpoint", self.name))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn take_stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("stdin is piped and taken once")
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let told = self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        if thread::panicking() {
            eprintln!("--- stderr of {}:\n{}---", self.name, String::from_utf8_lossy(&told));
        }
    }
}
