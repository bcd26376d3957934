//! Processes of the soak, and what the system tells of them.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{Result, samples::Needs};

/// How long a process may take to say something, or to end; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process of this program in another role; it is killed when dropped.
pub(crate) struct Part {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Part {
    /// Starts this program in a role, with its arguments.
    pub(crate) fn start(role: &'static str, args: &[String]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(role).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().ok_or("stdout is piped")?);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            stdout.lines().map_while(|line| line.ok()).try_for_each(|line| sender.send(line))
        });
        Ok(Self { name: role, child, stdin, lines })
    }

    /// Waits for a line that it says.
    pub(crate) fn hear<T: DeserializeOwned>(&self) -> Result<T> {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.map_err(|error| self.complaint(&format!("says nothing: {error}")))?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Asks for a line, and waits for it.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self) -> Result<T> {
        self.stdin.as_mut().ok_or("it was stopped")?.write_all(b"\n")?;
        self.hear()
    }

    /// Has it end in good order. It is still to be waited for.
    pub(crate) fn stop(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end, which is to be in good order.
    pub(crate) fn wait(mut self) -> Result<()> {
        self.stop();
        // Its end closes its stdout, and with that ends the thread that reads it.
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(_late_word) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(self.complaint("does not end")),
            }
        }
        match self.child.wait()? {
            status if status.success() => Ok(()),
            status => Err(self.complaint(&status.to_string())),
        }
    }

    /// Ends it without a chance to say goodbye.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    fn complaint(&self, what: &str) -> Box<dyn std::error::Error> {
        format!("`soak {}` (process {}): {what}", self.name, self.child.id()).into()
    }

    /// How many descriptors it has.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// What it needs now, as the system sees it: nothing is known of its heap.
    pub(crate) fn needs(&self) -> Result<Needs> {
        let id = self.child.id();
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let field = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_ascii_whitespace().next()?.parse::<usize>().ok()
        };
        let kib = field("VmRSS:").ok_or("no memory in /proc/…/status")?;
        Ok(Needs {
            memory: kib as f64 / 1024.0,
            heap: 0.0,
            descriptors: self.descriptors()?,
            threads: field("Threads:").ok_or("no threads in /proc/…/status")?,
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
