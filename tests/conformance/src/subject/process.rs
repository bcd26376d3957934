//! A process with all that it starts, which ends when this value goes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value as Json;

use crate::case::Failure;

/// So much of the last that it said on stderr is kept.
const STDERR_KEPT: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    stderr: Arc<Mutex<Vec<u8>>>,
    lines: Option<Receiver<Json>>,
}

impl Process {
    /// Starts a line of the shell in a process group of its own; with `talks`, it is told what to do on its stdin.
    pub(super) fn start(line: &str, talks: bool) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::new(format!("`{line}` to start"), error.to_string());
        let pipe = || if talks { Stdio::piped() } else { Stdio::null() };
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {line}")])
            .stdin(pipe())
            .stdout(pipe())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let stderr = Arc::new(Mutex::new(Vec::new()));
        if let Some(source) = child.stderr.take() {
            let kept = Arc::clone(&stderr);
            thread::spawn(move || keep_the_last(source, &kept));
        }
        let lines = child.stdout.take().map(|output| {
            let (sender, receiver) = channel();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Ok(outcome) = serde_json::from_str(&line)
                        && sender.send(outcome).is_err()
                    {
                        break;
                    }
                }
            });
            receiver
        });
        let input = child.stdin.take();
        Ok(Self { child, input, stderr, lines })
    }

    /// What it prints, once.
    pub(super) fn lines(&mut self) -> Option<Receiver<Json>> {
        self.lines.take()
    }

    pub(super) fn write_line(&mut self, line: &str) -> Result<(), Failure> {
        let written = match &mut self.input {
            Some(input) => writeln!(input, "{line}").and_then(|()| input.flush()).is_ok(),
            None => false,
        };
        if written {
            Ok(())
        } else {
            Err(Failure::new("the client under test to run", self.death()))
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// How it ended, and the last that it said.
    pub(super) fn death(&mut self) -> String {
        let how = match self.child.try_wait() {
            Ok(Some(status)) => format!("it ended ({status})"),
            _ => "it has closed its output".to_owned(),
        };
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        match String::from_utf8_lossy(&stderr).trim() {
            "" => how,
            words => format!("{how}; its stderr:\n{words}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn keep_the_last(mut source: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = source.read(&mut chunk) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&chunk[..count]);
        let excess = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..excess);
    }
}
