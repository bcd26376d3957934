//! The thread that waits for the socket when nobody else does.

use std::time::Duration;

use super::{Driver, Guard};
use crate::sync::{Arc, JoinHandle, Ordering, thread};

/// How long nothing may be done before the watchdog looks whether anything is to be done. What that costs is in
/// docs/speed.md, under system calls.
const TICK: Duration = Duration::from_millis(1);
/// After how many uneventful ticks the watchdog goes to sleep until it is called. Not measured: long enough not to be woken
/// in a pause of a busy socket.
const UNEVENTFUL_TICKS: u32 = if cfg!(shuttle) { 2 } else { 100 };

/// What others know of the watchdog.
#[derive(Debug, Default)]
pub(super) struct WatchdogState {
    /// Does not look in by itself.
    pub(super) asleep: bool,
    /// Leads, and somebody else wants to.
    pub(super) yield_requested: bool,
}

pub(super) fn spawn(driver: Arc<Driver>) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("zerorpc-watchdog".into()).spawn(move || keep(&driver))
}

/// Looks in once per tick, without the lock as long as others make progress.
fn keep(driver: &Driver) {
    let mut seen = None;
    let mut uneventful = 0;
    loop {
        let progress = Some(driver.progress.load(Ordering::Relaxed));
        let called = driver.watchdog_called.swap(false, Ordering::Relaxed);
        if called || progress == seen {
            let mut state = driver.lock();
            if state.closed.is_some() {
                return;
            }
            if state.leader.is_none() && (state.must_be_polled() || state.session.has_output()) {
                state = lead(driver, state);
                seen = None;
                uneventful = 0;
            } else {
                uneventful += 1;
            }
            // Whoever needs the watchdog from now on says so.
            state.watchdog.asleep = uneventful > UNEVENTFUL_TICKS && state.closed.is_none();
            let asleep = state.watchdog.asleep;
            drop(state);
            if asleep {
                thread::park();
                uneventful = 0;
                continue;
            }
        } else {
            seen = progress;
            uneventful = 0;
        }
        thread::park_timeout(TICK);
    }
}

/// Leads until somebody else wants to, or there is nothing to wait for.
fn lead<'a>(driver: &'a Driver, mut state: Guard<'a>) -> Guard<'a> {
    // What a busy thread has put off, and what waits behind its long method.
    driver.send_out(&mut state);
    driver.wake_worker(&mut state);
    while state.closed.is_none() && state.must_be_polled() && state.leader.is_none() {
        state = driver.wait_as(state, true);
        driver.pump(&mut state);
        driver.wake_worker(&mut state);
        let yield_requested = std::mem::take(&mut state.watchdog.yield_requested);
        if yield_requested {
            state.followers.wake_thread();
            driver.worker_cv.notify_one();
            // Whoever wanted to lead has a tick to begin.
            break;
        }
    }
    state
}
