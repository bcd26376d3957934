//! The lock on a driver's state, and what is owed when it is given back.

use std::{
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use super::{Driver, State};
use crate::sync::{Condvar, MutexGuard};

/// Work that must not be done under the lock: whatever is a user's, such as callbacks and destructors.
pub(crate) type Deferred = Box<dyn FnOnce() + Send>;

/// The lock on a driver's state. Giving it back passes the lead on, if nobody waits for the socket though somebody has to,
/// and then runs, without the lock, what was deferred under it.
pub(crate) struct Guard<'a> {
    driver: &'a Driver,
    state: MutexGuard<'a, State>,
    /// Behind `state`, since fields are dropped in this order.
    after: After,
}

/// What is run when this is dropped.
#[derive(Default)]
struct After(Vec<Deferred>);

impl Driver {
    pub(crate) fn lock(&self) -> Guard<'_> {
        Guard { driver: self, state: self.state.lock(), after: After::default() }
    }
}

impl Guard<'_> {
    /// Waits for `cv`, until `deadline` at most, without the lock; whether it came to that. Returns early where
    /// something was deferred.
    pub(crate) fn wait_until(mut self, cv: &Condvar, deadline: Option<Instant>) -> (Self, bool) {
        if !self.state.deferred.is_empty() {
            return (self.relock(), false);
        }
        self.driver.pass_on(&mut self.state);
        let timed_out = match deadline {
            Some(deadline) => cv.wait_until(&mut self.state, deadline).timed_out(),
            None => {
                cv.wait(&mut self.state);
                false
            }
        };
        (self, timed_out)
    }

    /// Gives the lock back and takes it again: what was deferred is done then.
    pub(super) fn relock(self) -> Self {
        let driver = self.driver;
        drop(self);
        driver.lock()
    }
}

impl Deref for Guard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.driver.pass_on(&mut self.state);
        if !self.state.deferred.is_empty() {
            self.after.0 = std::mem::take(&mut self.state.deferred);
        }
    }
}

impl Drop for After {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            self.run();
        }
    }
}

impl After {
    #[cold]
    fn run(&mut self) {
        for work in self.0.drain(..) {
            // A callback that panics has said so by then. It must not take the thread away on which others rely.
            let _panicked = catch_unwind(AssertUnwindSafe(work));
        }
    }
}
