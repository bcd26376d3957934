//! The thread that waits for the socket when nobody else does.

use std::{sync::Arc, thread, time::Duration};

use super::{Driver, Guard};

/// How long the socket may go unwatched before the keeper watches it.
const TICK: Duration = Duration::from_millis(1);
/// After how many uneventful ticks the keeper goes to sleep until it is called.
const PATIENCE: u32 = 100;

/// What others know of the keeper.
#[derive(Debug, Default)]
pub(super) struct Duty {
    /// Does not look in by itself.
    pub(super) asleep: bool,
    /// Leads, and somebody else wants to.
    pub(super) gives_way: bool,
}

pub(super) fn spawn(driver: Arc<Driver>) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("zerorpc-keeper".into()).spawn(move || keep(&driver))
}

fn keep(driver: &Driver) {
    let mut state = driver.lock();
    let mut seen = state.turns;
    let mut uneventful = 0;
    while state.closed.is_none() {
        if state.turns != seen {
            seen = state.turns;
            uneventful = 0;
        } else if state.leader.is_none() && state.must_be_polled() {
            state = lead(driver, state);
            seen = state.turns;
            uneventful = 0;
            continue;
        } else {
            uneventful += 1;
        }
        if uneventful < PATIENCE {
            driver.keeper_bell.wait_for(&mut state, TICK);
        } else {
            state.keeper.asleep = true;
            driver.keeper_bell.wait(&mut state);
            state.keeper.asleep = false;
            uneventful = 0;
        }
    }
    driver.leave(state);
}

/// Leads until somebody else wants to, or there is nothing to wait for.
fn lead<'a>(driver: &'a Driver, mut state: Guard<'a>) -> Guard<'a> {
    while state.closed.is_none() && state.must_be_polled() && state.leader.is_none() {
        state = driver.wait_as(state, true);
        driver.pump(&mut state);
        driver.call_workers(&mut state);
        let gives_way = std::mem::take(&mut state.keeper.gives_way);
        if gives_way {
            driver.pass_on(&mut state);
            driver.worker_bell.notify_one();
        }
        if !state.deferred.is_empty() {
            driver.leave(state);
            state = driver.lock();
        }
        if gives_way {
            // Whoever wanted to lead has this long to begin.
            driver.keeper_bell.wait_for(&mut state, TICK);
        }
    }
    state
}
