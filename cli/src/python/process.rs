//! One running child: the pipe to it, the calls it works on, and its end.

use std::{
    collections::HashMap,
    io::{self, Write},
    process::{Child, ChildStdin, ExitStatus},
    sync::Arc,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use tracing::{debug, error};
use zerorpc::Failure;

use super::{
    catalogue,
    conversation::{Mailbox, Message},
    frames::{self, Frame, Kind},
    launch::Output,
};

/// How long a child may take to end once its stdin is closed; it gives itself one second less (`worker.py`).
const GRACE: Duration = Duration::from_secs(3);

/// A Python process that has been started.
#[derive(Debug)]
pub(super) struct Process {
    target: String,
    child: Mutex<Child>,
    /// Locked while somebody writes, which a child that does not read can make last.
    input: Mutex<Option<ChildStdin>>,
    calls: Mutex<Calls>,
    exit: Mutex<Option<ExitStatus>>,
    exited: Condvar,
}

/// The calls that the child works on.
#[derive(Debug, Default)]
struct Calls {
    last: u64,
    open: HashMap<u64, Arc<Mailbox>>,
    /// The child has died: no more calls.
    closed: bool,
}

impl Process {
    pub(super) fn new(target: &str, child: Child, input: ChildStdin) -> Self {
        Self {
            target: target.to_owned(),
            child: Mutex::new(child),
            input: Mutex::new(Some(input)),
            calls: Mutex::default(),
            exit: Mutex::new(None),
            exited: Condvar::new(),
        }
    }

    /// What is served.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// The child's process id.
    pub(super) fn id(&self) -> u32 {
        self.child.lock().id()
    }

    /// Lets `how` write to the child; may block as long as the child does not read.
    pub(super) fn write(
        &self,
        how: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.input.lock().as_mut() {
            Some(input) => how(input),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Writes something of a call. A child that cannot be written to is made to end, and its end is what
    /// the calls hear of.
    pub(super) fn tell(&self, how: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if let Err(error) = self.write(how) {
            debug!(%error, "the Python process does not read");
            self.kill();
        }
    }

    /// A number and a mailbox for a new call; `None` when the child has died.
    pub(super) fn enter(&self) -> Option<(u64, Arc<Mailbox>)> {
        let mut calls = self.calls.lock();
        if calls.closed {
            return None;
        }
        calls.last += 1;
        let number = calls.last;
        let mailbox = Arc::new(Mailbox::default());
        calls.open.insert(number, Arc::clone(&mailbox));
        Some((number, mailbox))
    }

    /// Forgets a call: what still comes for it is dropped. False when it has ended by itself.
    pub(super) fn leave(&self, call: u64) -> bool {
        self.calls.lock().open.remove(&call).is_some()
    }

    /// How many calls are open.
    pub(super) fn open_calls(&self) -> usize {
        self.calls.lock().open.len()
    }

    /// Passes on what the child sends, until it ends; gives its exit status.
    pub(super) fn attend(&self, output: &mut Output) -> io::Result<ExitStatus> {
        let mut frames = Vec::new();
        loop {
            match frames::read(output) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    error!(%error, "the Python process cannot be understood; it is being restarted");
                    break;
                }
            }
            // What has come together is passed on together: one wake-up for all items of a stream.
            if !frames::has_arrived(output) {
                self.dispatch(&mut frames);
            }
        }
        self.dispatch(&mut frames);
        self.reap()
    }

    /// Ends all calls with a failure, and takes no more.
    pub(super) fn fail_calls(&self, failure: &Failure) {
        let mut calls = self.calls.lock();
        calls.closed = true;
        let open = std::mem::take(&mut calls.open);
        drop(calls);
        for mailbox in open.into_values() {
            mailbox.put([Message::Failure(failure.clone())]);
        }
    }

    /// Passes on what has come; `frames` is empty after that.
    fn dispatch(&self, frames: &mut Vec<Frame>) {
        // A run of messages of one call each: its mailbox, and how many there are.
        let mut runs: Vec<(u64, Option<Arc<Mailbox>>, usize)> = Vec::new();
        let mut messages = Vec::with_capacity(frames.len());
        let mut calls = self.calls.lock();
        for Frame { kind, call, body } in frames.drain(..) {
            let (message, last) = match kind {
                Kind::Value => (Message::Value(body), true),
                Kind::Stream => (Message::Stream, false),
                Kind::Item => (Message::Item(body), false),
                Kind::Done => (Message::Done, true),
                Kind::Failure => (Message::Failure(catalogue::failure(&body)), true),
                Kind::Ready | Kind::Refused => continue,
            };
            messages.push(message);
            match runs.last_mut() {
                Some((number, _, count)) if *number == call => *count += 1,
                _ => runs.push((call, calls.open.get(&call).map(Arc::clone), 1)),
            }
            if last {
                calls.open.remove(&call);
            }
        }
        drop(calls);
        let mut messages = messages.into_iter();
        for (_, mailbox, count) in runs {
            let run = messages.by_ref().take(count);
            match mailbox {
                Some(mailbox) => mailbox.put(run),
                // A call that was abandoned meanwhile has no mailbox any more.
                None => run.for_each(drop),
            }
        }
    }

    /// Makes sure that a child which has closed its stdout ends, and gives its exit status.
    ///
    /// A child that is ending already keeps the status with which it ends.
    pub(super) fn reap(&self) -> io::Result<ExitStatus> {
        let mut child = self.child.lock();
        child.kill()?;
        let status = child.wait()?;
        drop(child);
        *self.exit.lock() = Some(status);
        self.exited.notify_all();
        Ok(status)
    }

    /// Ends the child: closes its stdin, waits a bounded time for it to end in order, kills it then.
    pub(super) fn stop(&self) {
        let asked = match self.input.try_lock_for(GRACE) {
            Some(mut input) => input.take().is_some(),
            None => false,
        };
        if asked {
            let mut exit = self.exit.lock();
            self.exited.wait_while_for(&mut exit, |exit| exit.is_none(), GRACE);
            if exit.is_some() {
                return;
            }
        }
        if let Err(error) = self.reap() {
            error!(%error, "the Python process could not be ended");
        }
    }

    fn kill(&self) {
        // Fails only for a process that cannot be signalled; `reap` will report that.
        let _ = self.child.lock().kill();
    }
}
