//! Who waits for the socket, and who does it next.

use std::time::Instant;

use zerorpc_proto::transport::TransportError;

use super::{Closed, Driver, Guard, State};

/// Who waits for the socket.
pub(crate) struct Leader {
    pub(super) is_watchdog: bool,
    /// When it will come back without being woken.
    pub(super) until: Option<Instant>,
}

impl Driver {
    /// Waits for the socket as its leader, then moves what has come.
    pub(crate) fn lead<'a>(&'a self, mut state: Guard<'a>) -> Guard<'a> {
        state = self.wait_as(state, false);
        self.pump(&mut state);
        state
    }

    pub(super) fn wait_as<'a>(&'a self, mut state: Guard<'a>, is_watchdog: bool) -> Guard<'a> {
        if !state.deferred.is_empty() {
            // It may take its time, and nobody would wait meanwhile.
            return state.relock();
        }
        let until = state.due();
        debug_assert!(state.leader.is_none(), "one leads at a time");
        state.leader = Some(Leader { is_watchdog, until });
        let mut waiter = state.waiter.take().expect("the leader before has left it here");
        self.progress();
        drop(state);
        let waited = waiter.wait_until(until);
        let mut state = self.lock();
        state.waiter = Some(waiter);
        state.leader = None;
        if let Err(error) = waited {
            self.close(&mut state, Closed::Failed(TransportError::from(error)));
        }
        state
    }

    /// Whether the caller may lead. If only the watchdog leads, it is asked to give way soon.
    pub(crate) fn may_lead(&self, state: &mut State) -> bool {
        match &state.leader {
            None => true,
            Some(leader) => {
                if leader.is_watchdog
                    && !std::mem::replace(&mut state.watchdog.yield_requested, true)
                {
                    self.waker.wake();
                }
                false
            }
        }
    }

    /// Finds somebody to lead if nobody does: a caller that waits, else the watchdog. (Unless it sleeps, it looks in by
    /// itself.)
    pub(super) fn pass_on(&self, state: &mut State) {
        if state.leader.is_some() || !state.followers.has_any() && !state.watchdog.asleep {
            return;
        }
        if state.followers.wake_thread() || !state.must_be_polled() {
            return;
        }
        let asleep = std::mem::take(&mut state.watchdog.asleep);
        if state.followers.has_any() {
            // Tasks cannot lead, and must not wait until the watchdog looks in.
            self.call_watchdog();
        } else if asleep {
            self.wake_watchdog();
        }
    }
}
