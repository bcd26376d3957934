//! The groups of all processes that run, which end with this process where it is told to end.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, RawPid, Signal, kill_process_group, test_kill_process_group};

/// `None` once all of them were ended for good.
static RUNNING: Mutex<Option<BTreeSet<RawPid>>> = Mutex::new(Some(BTreeSet::new()));

/// Starts a process that leads a group of its own, unless all are to be ended.
pub(super) fn start<T>(
    start: impl FnOnce() -> std::io::Result<T>,
    id: impl Fn(&T) -> u32,
) -> std::io::Result<T> {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(running) = running.as_mut() else {
        return Err(std::io::Error::other("this process is about to end"));
    };
    let started = start()?;
    running.extend(RawPid::try_from(id(&started)));
    Ok(started)
}

/// Ends a group.
pub(super) fn end(id: u32) {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(id) = RawPid::try_from(id) else { return };
    // Before its leader is waited for, its number is nobody else's.
    kill(id);
    if let Some(running) = running.as_mut() {
        running.remove(&id);
    }
}

/// Waits for a moment until nobody of a group that was ended is left: ports are free then.
pub(super) fn wait(id: u32) {
    let Some(group) = RawPid::try_from(id).ok().and_then(Pid::from_raw) else { return };
    let deadline = Instant::now() + Duration::from_secs(1);
    while test_kill_process_group(group).is_ok() && Instant::now() < deadline {
        // The system tells nobody of the end of those whom others have started.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends all groups, and lets no other process start.
pub(crate) fn end_all() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).take();
    running.into_iter().flatten().for_each(kill);
}

fn kill(id: RawPid) {
    if let Some(group) = Pid::from_raw(id) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
