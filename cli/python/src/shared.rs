//! What calls, the thread that reads from the child and the supervisor share: the calls that wait, and the child.

use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use rustix::process::Signal;
use zerorpc::Failure;

use super::{
    frames,
    mailbox::fail,
    notice::JamNotice,
    options::PythonOptions,
    outgoing::Outgoing,
    process::Process,
    queue::{CallQueue, Cancelled},
    service_info::ServiceInfo,
    window::Credit,
};

/// The child that serves one target, and the calls that wait for it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: PythonOptions,
    pub(super) state: Mutex<State>,
    /// Wakes the thread that reads from the child.
    pub(super) waker: ReaderWaker,
    /// Tells of each new phase, and of the end of a child.
    pub(super) changed: Condvar,
    /// How many streams are open.
    pub(super) streams: AtomicUsize,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) queue: CallQueue,
    /// The child, from its start to its end.
    pub(super) process: Option<Process>,
    /// The sockets that it has opened. Dropped without the lock, which it may wait for.
    pub(super) outgoing: Option<Arc<Outgoing>>,
    pub(super) service_info: Arc<ServiceInfo>,
    /// Why the last child, or attempt to start one, failed.
    pub(super) last_failure: String,
    pub(super) notice: JamNotice,
    /// The thread that reads from the child does not look in by itself: no calls have come for a while.
    pub(super) is_unwatched: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
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

    pub(super) fn signal_group(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal_group(signal);
        }
    }

    /// Sends something of a call that the child has.
    pub(super) fn send(&mut self, frame: Vec<Bytes>) {
        if let Some(process) = &mut self.process {
            process.send(frame);
        }
    }
}

impl Shared {
    /// Those of the first child, which is not started yet; and what wakes the thread that will read from it.
    pub(super) fn new(options: PythonOptions) -> io::Result<(Self, UnixStream)> {
        let (waker, woken) = ReaderWaker::pair()?;
        let state = Mutex::new(State {
            phase: Phase::Loading,
            queue: CallQueue::new(options.pool_size),
            process: None,
            outgoing: None,
            service_info: Arc::default(),
            last_failure: String::new(),
            notice: JamNotice::default(),
            is_unwatched: false,
        });
        let shared =
            Self { options, state, waker, changed: Condvar::new(), streams: AtomicUsize::new(0) };
        Ok((shared, woken))
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

    /// The child may make so much more of a stream.
    pub(super) fn grant(&self, number: u64, credit: Credit) {
        let mut state = self.state.lock();
        state.send(frames::credit(number, credit.items as u64, credit.bytes as u64));
        self.wake_reader(&state);
    }

    /// Calls the reading thread where it does not look in by itself: for what the pipe has no room for, and when calls
    /// begin to come after a while without any.
    pub(super) fn wake_reader(&self, state: &State) {
        let is_blocked = state.process.as_ref().is_some_and(|it| it.blocked_input().is_some());
        if is_blocked || state.is_unwatched && state.queue.has_unbegun() {
            self.waker.wake();
        }
    }
}

/// Wakes the thread that reads from the child.
#[derive(Debug)]
pub(super) struct ReaderWaker(UnixStream);

impl ReaderWaker {
    /// The end that wakes, and the end that is waited for.
    pub(super) fn pair() -> io::Result<(Self, UnixStream)> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok((Self(wake), woken))
    }

    pub(super) fn wake(&self) {
        // Where there is no room, it is being woken already.
        let _ = (&self.0).write(&[0]);
    }
}
