//! What is said when calls wait for long behind others.

use std::{
    collections::HashSet,
    time::{Duration, Instant, SystemTime},
};

use super::{
    process::Current,
    queue::{CallQueue, Mode},
};

/// How long calls wait before it is told. Not measured: longer than calls that are meant to be short, sooner than callers
/// give up (30 s by default).
const JAM_PATIENCE: Duration = Duration::from_secs(5);

/// Says once for each method that calls wait for it.
#[derive(Debug, Default)]
pub(super) struct JamNotice {
    told: HashSet<String>,
}

impl JamNotice {
    /// What is to be said now, if anything is.
    pub(super) fn look(
        &mut self,
        queue: &CallQueue,
        current: Option<Current>,
        now: Instant,
    ) -> Option<String> {
        let jam = queue.jam(now, JAM_PATIENCE, current.map(|current| current.number))?;
        if !self.told.insert(jam.method.clone()) {
            return None;
        }
        let since = match (jam.since, current) {
            (Some(since), _) => now.saturating_duration_since(since),
            (None, Some(current)) => {
                SystemTime::now().duration_since(current.since).unwrap_or_default()
            }
            (None, None) => Duration::ZERO,
        };
        let advice = match queue.mode() {
            Mode::Serial => {
                "calls run one at a time, as in plain Python; a module that is safe for threads can be served with \
                 --threads N"
            }
            Mode::Threads(_) => "--threads N allows more at a time",
            Mode::Greenlets => {
                "something in it waits without letting other greenlets run (gevent.monkey.patch_all() makes most of \
                 Python do so), or --pool-size is reached; --no-gevent --threads N runs calls in threads instead"
            }
        };
        let (count, calls) =
            (jam.waiting, if jam.waiting == 1 { "call waits" } else { "calls wait" });
        Some(format!(
            "{count} {calls} behind {:?}, which has been running for {:.0} s: {advice}",
            jam.method,
            since.as_secs_f64()
        ))
    }
}
