//! A process with all that it starts, which ends when this value goes.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde_json::Value as Json;

use super::groups;
use crate::failure::Failure;

/// So much of the last that it said is kept.
const KEPT: usize = 16 * 1024;

/// What stands in front of the words of a process in a sentence.
pub(crate) const SAID: &str = "; it said:\n";

/// So many lines of one that runs are shown where a case fails: the end of a traceback, or a few of a log.
const LAST_LINES: usize = 8;

/// A line of more bytes is no outcome: nothing behind it is read.
const LONGEST_LINE: u64 = 256 << 20;

/// So long is waited for the last words of a process that has ended: whoever it has started may go on talking.
const LAST_WORDS: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    said: Said,
    /// Its other end goes when all has been read that is kept.
    reading: Receiver<Infallible>,
    lines: Option<Receiver<Json>>,
}

/// The last that a process said, apart from what it was asked for.
#[derive(Clone, Debug, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Process {
    /// Starts a line of the shell in a process group of its own; with `talks`, it is told what to do on its stdin.
    pub(super) fn start(line: &str, talks: bool) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::new(format!("`{line}` to start"), error.to_string());
        let input = if talks { Stdio::piped() } else { Stdio::null() };
        let mut command = Command::new("sh");
        command
            .args(["-c", &of_shell(line)])
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0);
        let mut child = groups::start(|| command.spawn(), Child::id).map_err(failed)?;
        let said = Said::default();
        let (reader, reading) = channel();
        if let Some(errors) = child.stderr.take() {
            said.keep_all(errors, reader.clone());
        }
        let lines = match child.stdout.take() {
            Some(output) if talks => Some(outcomes(output, said.clone())),
            Some(output) => {
                said.keep_all(output, reader);
                None
            }
            None => None,
        };
        let input = child.stdin.take();
        Ok(Self { child, input, said, reading, lines })
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
            Ok(Some(status)) => {
                self.hear_out();
                format!("it ended ({status})")
            }
            _ => "it has closed its output".to_owned(),
        };
        format!("{how}{}", self.words())
    }

    /// Waits for its last words, unless somebody whom it has started could still say something.
    fn hear_out(&self) {
        let (Ok(_) | Err(_)) = self.reading.recv_timeout(LAST_WORDS);
    }

    /// The last that it said, for the end of a sentence; nothing where it said nothing.
    pub(super) fn words(&self) -> String {
        self.told(|words| words.to_owned())
    }

    /// The same, where that is more than a few lines no more than the last of them: it runs, and may have said it of others.
    pub(super) fn last_lines(&self) -> String {
        self.told(last_lines)
    }

    fn told(&self, chosen: impl Fn(&str) -> String) -> String {
        let said = self.said.0.lock().unwrap_or_else(PoisonError::into_inner);
        match String::from_utf8_lossy(&said).trim() {
            "" => String::new(),
            words => format!("{SAID}{}", chosen(words)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        groups::end(self.child.id());
        let _ = self.child.wait();
        groups::wait(self.child.id());
    }
}

fn last_lines(words: &str) -> String {
    let count = words.lines().count();
    let lines: Vec<&str> = words.lines().skip(count.saturating_sub(LAST_LINES)).collect();
    let cut = if count > LAST_LINES { "…\n" } else { "" };
    format!("{cut}{}", lines.join("\n"))
}

/// A simple command takes the place of the shell, as not all shells have it; then there is one process less.
fn of_shell(line: &str) -> String {
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_simple = !line.contains(|sign| ";&|<>()`#\n".contains(sign))
        && !first.contains('=')
        && first != "exec";
    if is_simple { format!("exec {line}") } else { line.to_owned() }
}

impl Said {
    fn keep(&self, words: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(words);
        let excess = kept.len().saturating_sub(KEPT);
        kept.drain(..excess);
    }

    /// Keeps what comes until it ends, and the `reader` as long.
    fn keep_all(&self, mut source: impl Read + Send + 'static, reader: Sender<Infallible>) {
        let said = self.clone();
        thread::spawn(move || {
            let _reader = reader;
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = source.read(&mut chunk) {
                said.keep(&chunk[..count]);
            }
        });
    }
}

/// The outcomes that a client prints. What else it prints is kept.
fn outcomes(output: impl Read + Send + 'static, said: Said) -> Receiver<Json> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while let Ok(1..) = (&mut output).take(LONGEST_LINE).read_until(b'\n', &mut line) {
            match serde_json::from_slice(&line) {
                Ok(outcome) => {
                    if sender.send(outcome).is_err() {
                        break;
                    }
                }
                Err(_) if line.len() as u64 == LONGEST_LINE => break,
                Err(_) => said.keep(&line),
            }
            line.clear();
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_that_was_said_the_last_lines_are_shown() {
        assert_eq!(last_lines("one\ntwo"), "one\ntwo");
        let many: String = (0..20).map(|number| format!("{number}\n")).collect();
        assert_eq!(last_lines(&many), "…\n12\n13\n14\n15\n16\n17\n18\n19");
    }

    #[test]
    fn simple_commands_take_the_place_of_the_shell() {
        for (line, expected) in [
            ("serve 'a b' $PORT", "exec serve 'a b' $PORT"),
            ("cd x && serve", "cd x && serve"),
            ("A=1 serve", "A=1 serve"),
            ("env A=1 serve", "exec env A=1 serve"),
            ("exec serve", "exec serve"),
            ("serve 2>/dev/null", "serve 2>/dev/null"),
        ] {
            assert_eq!(of_shell(line), expected);
        }
    }
}
