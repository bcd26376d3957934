//! What goes through the pipes of a running child.

use std::{
    io::Read,
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use tracing::{error, warn};
use zerorpc::send_together;

use super::{
    frames::{self, Frame, Kind, Output},
    mailbox::{Mailbox, Message},
    process::Process,
    service_info,
    shared::{Shared, State},
};

/// How often it is looked whether calls wait for too long, where any wait at all. Not measured: a fifth of what is too long
/// (`JAM_PATIENCE` of `notice.rs`).
const LOOK: Duration = Duration::from_secs(1);

/// Items that come faster than this are waited for, so long: each wake-up costs the child more than an item. Measured with
/// the rest of it when it was written (`benches`, items of a stream from a module): 115,000 items a second on a busy
/// machine, 19,000 to 55,000 before. Other times were not tried.
const GAP: Duration = Duration::from_micros(50);

/// For how long it is looked again for answers before sleeping, where they have come soon: to be woken takes longer.
/// Measured on two cores when it was written, in turn, four times 1.5 s each: a call of a quick method takes 84 µs
/// (75 to 142) instead of 120 µs (101 to 140). Other times were not tried.
const SPIN_TIME: Duration = Duration::from_micros(60);

/// What log lines about the module are told apart by.
pub(super) const LOG: &str = "zerorpc::python";

/// Moves frames between the child and the mailboxes.
pub(super) struct PipeLoop {
    woken: UnixStream,
    /// Nothing has come since the last look.
    is_quiet: bool,
    /// Answers come soon: it is worth looking again before sleeping.
    looks_again: bool,
}

/// A message, and where it goes.
type Delivery = (Arc<Mailbox>, Message);

impl PipeLoop {
    pub(super) fn new(woken: UnixStream) -> Self {
        Self { woken, is_quiet: false, looks_again: false }
    }

    /// Passes on what the child sends, and sends what its pipe had no room for, until it ends.
    pub(super) fn run(&mut self, shared: &Shared, output: &mut Output) {
        let mut frames = Vec::new();
        let mut before = Instant::now();
        loop {
            if output.buffer().is_empty() && !self.wait(shared, output) {
                continue;
            }
            loop {
                match frames::read(output) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => return deliver(shared, &mut frames),
                    Err(error) => {
                        error!(%error, "the Python process cannot be understood; it is being restarted");
                        return deliver(shared, &mut frames);
                    }
                }
                // What has come together is passed on together: one wake-up for all items of a stream.
                if !frames::has_arrived(output) {
                    break;
                }
            }
            let are_items = frames.iter().all(|frame| frame.kind == Kind::Item);
            deliver(shared, &mut frames);
            let now = Instant::now();
            if are_items && now.duration_since(std::mem::replace(&mut before, now)) < 4 * GAP {
                thread::sleep(GAP);
            }
        }
    }

    /// Waits until there is something to read, and does what else is to be done; whether there is.
    fn wait(&mut self, shared: &Shared, output: &Output) -> bool {
        let mut state = shared.state.lock();
        // A look without calls is the last, until it is called again.
        state.is_unwatched = self.is_quiet && !state.queue.has_unbegun();
        let timeout = (!state.is_unwatched).then_some(LOOK);
        // The pipe stays open meanwhile: what is polled is a copy.
        let input = state.process.as_ref().and_then(Process::blocked_input);
        let input = input.and_then(|input| rustix::io::dup(input).ok());
        drop(state);
        let mut watched = vec![
            PollFd::new(output.get_ref(), PollFlags::IN),
            PollFd::new(&self.woken, PollFlags::IN),
        ];
        watched.extend(input.as_ref().map(|input| PollFd::new(input, PollFlags::OUT)));
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as _,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        let looked = self.looks_again && look(&mut watched);
        let slept = Instant::now();
        let waited = if looked { Ok(1) } else { poll(&mut watched, timeout.as_ref()) };
        // It pays where answers come soon.
        self.looks_again = looked || slept.elapsed() < 2 * SPIN_TIME;
        match waited {
            Ok(_) | Err(Errno::INTR) => {}
            // Reading will say what is wrong.
            Err(_) => return true,
        }
        let came: Vec<bool> = watched.iter().map(|one| !one.revents().is_empty()).collect();
        self.is_quiet = !came.contains(&true);
        if came[1] {
            let mut bytes = [0; 64];
            while matches!((&self.woken).read(&mut bytes), Ok(1..)) {}
        }
        if !came[0] {
            state = shared.state.lock();
            if let Some(process) = &mut state.process {
                process.flush();
            }
            tell_of_jam(&mut state);
        }
        came[0]
    }
}

/// Looks again and again, for a moment, whether there is something to read. Others get the processor in between.
fn look(watched: &mut [PollFd<'_>]) -> bool {
    let until = Instant::now() + SPIN_TIME;
    while Instant::now() < until {
        if poll(watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0) {
            return true;
        }
        thread::yield_now();
    }
    false
}

/// Says what calls wait for, if they do so for long.
fn tell_of_jam(state: &mut State) {
    let current = state.process.as_ref().and_then(Process::current);
    let State { queue, notice, .. } = state;
    if let Some(text) = notice.look(queue, current, Instant::now()) {
        warn!(target: LOG, "{text}");
    }
}

/// Passes on what has come; `frames` is empty after that.
fn deliver(shared: &Shared, frames: &mut Vec<Frame>) {
    let mut deliveries: Vec<Delivery> = Vec::with_capacity(frames.len());
    let now = Instant::now();
    let mut state = shared.state.lock();
    for frame in frames.drain(..) {
        deliveries.extend(accept(&mut state, frame, now, shared.options.is_quiet));
    }
    // The child goes on while the answers leave.
    state.send_calls();
    drop(state);
    // Also what goes to many callers leaves together.
    send_together(|| pass_on(deliveries));
}

fn pass_on(deliveries: Vec<Delivery>) {
    let mut deliveries = deliveries.into_iter().peekable();
    while let Some((mailbox, message)) = deliveries.next() {
        // A run of messages of one call, mostly items of a stream.
        let mut run = vec![message];
        while let Some((_, message)) = deliveries.next_if(|(next, _)| Arc::ptr_eq(next, &mailbox)) {
            run.push(message);
        }
        mailbox.put(run);
    }
}

/// What a frame is to whom. A call that has ended meanwhile has no mailbox any more.
fn accept(state: &mut State, frame: Frame, now: Instant, is_quiet: bool) -> Option<Delivery> {
    let Frame { kind, call, body } = frame;
    let queue = &mut state.queue;
    match kind {
        Kind::Begun => queue.begun(call, now),
        Kind::Async => queue.asynchronous(call, now),
        Kind::Stream => return Some((queue.streams(call, now)?, Message::Stream)),
        Kind::Item => return Some((queue.mailbox(call)?, Message::Item(body))),
        Kind::Value => return Some((queue.end(call)?, Message::Value(body))),
        Kind::Done => return Some((queue.end(call)?, Message::Done)),
        Kind::Failure => {
            let (failure, is_raised) = service_info::failure(&body);
            let is_withdrawn = queue.is_withdrawn(call) && !is_raised;
            let (method, mailbox) = queue.end_with_method(call)?;
            if is_raised && !is_quiet {
                warn!(target: LOG, "{method}() failed\n{}", failure.traceback.trim_end());
            }
            if is_withdrawn && failure.name == "CancelledError" {
                return Some((mailbox, Message::GivenBack));
            }
            return Some((mailbox, Message::Failure(failure)));
        }
        Kind::Outgoing(kind) => {
            if let Some(outgoing) = &state.outgoing {
                outgoing.handle(kind, call, body);
            }
        }
        Kind::Ready | Kind::Refused => {}
    }
    None
}

/// Sends a frame to a child about a socket that it has opened, and waits until the pipe has taken it, or the child is
/// gone.
pub(super) fn send_to(shared: &Shared, child: u32, frame: Vec<Bytes>) {
    /// How often it is looked whether the child is still there. Not measured: only where it does not read, and nobody waits
    /// for it then.
    const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
    let mut frame = Some(frame);
    loop {
        let mut state = shared.state.lock();
        let Some(process) = state.process.as_mut().filter(|process| process.id() == child) else {
            return;
        };
        match frame.take() {
            Some(frame) => process.send(frame),
            None => process.flush(),
        }
        // The pipe stays open meanwhile: what is polled is a copy.
        let Some(input) = process.blocked_input().and_then(|it| rustix::io::dup(it).ok()) else {
            return;
        };
        drop(state);
        // Whatever it says, the next look will show.
        let _ = poll(&mut [PollFd::new(&input, PollFlags::OUT)], Some(&LOOK));
    }
}
