//! A program whose output is read as it comes.

use std::{
    io,
    process::{Command, ExitStatus},
};

use crate::process::{Output, Process};

/// A program that was started; killed when dropped.
pub(crate) struct Running {
    pub(crate) line: String,
    pub(crate) process: Process,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let (stdout, stdout_end) = io::pipe().expect("a pipe");
        let (stderr, stderr_end) = io::pipe().expect("a pipe");
        command.stdout(stdout_end).stderr(stderr_end);
        Self {
            line: format!("{command:?}"),
            process: Process::start(&mut command),
            stdout: Output::of(stdout),
            stderr: Output::of(stderr),
        }
    }

    /// Waits for the end of it and of all that it has started: how it ended, and what it has said.
    pub(crate) fn end(mut self) -> (String, ExitStatus, String, String) {
        let line = self.line;
        let status = self.process.wait().unwrap_or_else(|why| panic!("{line}: {why}"));
        let text = |output: Output| output.wait_end().unwrap_or_else(|why| panic!("{line}: {why}"));
        let (stdout, stderr) = (text(self.stdout), text(self.stderr));
        (line, status, stdout, stderr)
    }
}
