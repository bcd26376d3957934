//! Who waits for the socket, and who does it next.

use std::time::Instant;

use zerorpc_proto::TransportError;

use super::{Closed, Driver, Guard, State, exchange};
use crate::server::Desk;

/// Who waits for the socket.
pub(crate) struct Leader {
    pub(super) is_keeper: bool,
    /// Hears of being woken late, since nobody was there who could have had a reason to wake it.
    pub(super) is_undisturbed: bool,
    /// When it will come back without being woken.
    pub(super) until: Option<Instant>,
}

impl Driver {
    /// Waits for the socket as its leader, then moves what has come, or the first of it.
    pub(crate) fn lead<'a>(&'a self, mut state: Guard<'a>) -> Guard<'a> {
        state = self.wait_as(state, false);
        match state.portion() {
            exchange::BATCH => self.pump(&mut state),
            portion => {
                self.step(&mut state, portion);
                self.settle(&mut state);
            }
        }
        state
    }

    pub(super) fn wait_as<'a>(&'a self, mut state: Guard<'a>, is_keeper: bool) -> Guard<'a> {
        if state.is_unfinished {
            self.progress();
            return state;
        }
        let until = state.due();
        let is_alone = state.desk.as_ref().is_none_or(Desk::has_one_worker);
        let is_undisturbed = !is_keeper && is_alone && !state.followers.has_any();
        state.leader = Some(Leader { is_keeper, is_undisturbed, until });
        self.progress();
        drop(state);
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let mut waiter = self.waiter.lock();
        let waited =
            if is_undisturbed { waiter.wait_undisturbed(timeout) } else { waiter.wait(timeout) };
        drop(waiter);
        let mut state = self.lock();
        state.leader = None;
        if let Err(error) = waited {
            self.close(&mut state, Closed::Failed(TransportError(error.to_string())));
        }
        state
    }

    /// Whether the caller may lead. If only the keeper leads, it is asked to give way soon.
    pub(crate) fn may_lead(&self, state: &mut State) -> bool {
        match &state.leader {
            None => true,
            Some(leader) => {
                if leader.is_keeper && !std::mem::replace(&mut state.keeper.gives_way, true) {
                    self.waker.wake();
                }
                false
            }
        }
    }

    /// Lets go of the lock for good, or for a while: the wait for the socket goes on without this thread,
    /// and what may not happen under the lock happens now.
    pub(crate) fn leave(&self, mut state: Guard<'_>) {
        if state.leader.is_none() && (state.followers.has_any() || state.keeper.asleep) {
            self.pass_on(&mut state);
        }
        self.let_go(state);
    }

    /// Lets go of the lock, and does what may not happen under it.
    pub(super) fn let_go(&self, mut state: Guard<'_>) {
        if state.deferred.is_empty() {
            return;
        }
        let deferred = std::mem::take(&mut state.deferred);
        drop(state);
        for work in deferred {
            work();
        }
    }

    /// Finds somebody to lead: a caller that waits, else the keeper. (Unless he sleeps, he looks in by himself.)
    fn pass_on(&self, state: &mut State) {
        if state.followers.wake_thread() || !state.must_be_polled() {
            return;
        }
        let asleep = std::mem::take(&mut state.keeper.asleep);
        if state.followers.has_any() {
            // Tasks cannot lead, and must not wait until the keeper looks in.
            self.call_keeper();
        } else if asleep {
            self.wake_keeper();
        }
    }
}
