//! The end: what has not begun is given back, what runs has its time, then the child ends.

use rustix::process::Signal;

use super::{
    super::{
        frames,
        mailbox::give_back,
        process::{GRACE, Process},
        shared::{Phase, State},
    },
    Supervisor,
};

impl Supervisor {
    /// Begins no more calls: those that wait, here or in the child, are given back.
    pub(crate) fn withdraw(&self) {
        let mut state = self.shared.state.lock();
        let running = state.process.as_ref().and_then(Process::current);
        let (waiting, ahead) = state.queue.withdraw(running.map(|current| current.number));
        for number in ahead {
            state.send(frames::cancel(number));
        }
        self.shared.wake_reader(&state);
        drop(state);
        give_back(waiting);
    }

    /// Ends the child, and the thread with it; takes a few seconds at most.
    pub(crate) fn close(&self) {
        let mut state = self.shared.state.lock();
        state.phase = Phase::Closed;
        state.last_failure = "the server is shutting down".to_owned();
        if let Some(process) = &mut state.process {
            process.ask_to_end();
        }
        self.shared.changed.notify_all();
        self.shared.waker.wake();
        let ended = |state: &mut State| state.process.is_none();
        let timed_out = |state: &mut _, time| {
            self.shared.changed.wait_while_for(state, |state| !ended(state), time).timed_out()
        };
        // What it may wait for, such as processes of its own, is told too before its time is over.
        if timed_out(&mut state, GRACE * 2 / 3) {
            state.signal_group(Signal::TERM);
            if timed_out(&mut state, GRACE / 3) {
                state.signal_group(Signal::KILL);
                // A killed process ends, but the system may take its time.
                timed_out(&mut state, GRACE);
            }
        }
        // Also what it was given ahead, and has not begun.
        let waiting = state.queue.take_waiting(None);
        drop(state);
        give_back(waiting);
    }
}
