//! Bounding what peers make a socket keep, beside what the session refuses: who reads nothing of what piles up for it is cut
//! off, and when all of them together are too much, the largest is.

use std::collections::HashMap;

use foldhash::quality::FixedState;
use web_time::{Duration, Instant};

use crate::{
    limits::Limits,
    peer::{PeerId, Route},
    session::Session,
};

/// So long may a peer read nothing for which as much waits as may; half of it when twice as much does, and so on. Long
/// enough for a reader that the system has not let run for a moment, or whose network has lost a packet.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often peers are looked at that do not keep up. Not measured: often enough beside the pause that is judged.
const SUSPECT_INTERVAL: Duration = Duration::from_millis(50);

/// Whom to cut off: for whoever joins a [`Session`] with a [`Transport`](super::Transport), or with what is like one.
///
/// Looking costs next to nothing as long as nothing is too much. What it names has to be
/// [dismissed](Session::dismiss), and its connection to be ended.
#[derive(Debug)]
pub struct MemoryBounds {
    /// What may be kept for one peer.
    peer: usize,
    /// What may be kept for all peers together.
    total: usize,
    /// Peers that do not keep up.
    suspects: Vec<Suspect>,
    /// When they are looked at.
    due: Option<Instant>,
}

/// A peer that does not keep up.
#[derive(Debug)]
struct Suspect {
    route: Route,
    /// Since when it has taken nothing.
    since: Instant,
    /// Changes when it takes something.
    progress: Option<u64>,
}

impl MemoryBounds {
    /// The bounds of a socket that serves: [`Limits::peer_bytes`](field@Limits::peer_bytes) and
    /// [`Limits::total_bytes`](field@Limits::total_bytes).
    #[must_use]
    pub fn of_server(limits: &Limits) -> Self {
        Self { peer: limits.peer_bytes, total: limits.total_bytes, suspects: Vec::new(), due: None }
    }

    /// The bounds of a socket that only calls, which has asked for whatever it keeps: there is no total.
    #[must_use]
    pub fn of_client(limits: &Limits) -> Self {
        Self { total: usize::MAX, ..Self::of_server(limits) }
    }

    /// When peers are to be looked at that do not keep up, by [`unread`](Self::unread).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Whether so many bytes are too much for all peers together: then the [largest](Self::largest) goes. What is left of
    /// the total is for the others.
    #[must_use]
    pub fn is_over(&self, retained: usize) -> bool {
        retained > self.total - self.total / 8
    }

    /// The routes whose peers have read nothing for too long of the answers that wait for them, and why each is to be cut
    /// off. `progress_of` is a number that changes whenever a peer takes something; see
    /// [`Transport::progress_of`](super::Transport::progress_of).
    pub fn unread(
        &mut self,
        now: Instant,
        session: &mut Session,
        progress_of: impl Fn(PeerId) -> Option<u64>,
    ) -> Vec<(Route, String)> {
        let is_due = match self.due {
            Some(due) => due <= now,
            None => session.has_crowded_routes(),
        };
        if is_due { self.judge(now, session, progress_of) } else { Vec::new() }
    }

    #[cold]
    fn judge(
        &mut self,
        now: Instant,
        session: &mut Session,
        progress_of: impl Fn(PeerId) -> Option<u64>,
    ) -> Vec<(Route, String)> {
        let crowded = session.crowded_routes();
        self.suspects.retain(|suspect| crowded.iter().any(|(route, _)| *route == suspect.route));
        self.due = (!crowded.is_empty()).then(|| now + SUSPECT_INTERVAL);
        let is_unread = |(route, bytes): &(Route, usize)| {
            let progress = progress_of(route.peer);
            let known = self.suspects.iter_mut().find(|suspect| suspect.route == *route);
            let Some(suspect) = known else {
                self.suspects.push(Suspect { route: route.clone(), since: now, progress });
                return false;
            };
            if suspect.progress != progress {
                (suspect.progress, suspect.since) = (progress, now);
            }
            let share = self.peer as f64 / (*bytes).max(1) as f64;
            now.saturating_duration_since(suspect.since) >= LONGEST_PAUSE.mul_f64(share.min(2.0))
        };
        let words =
            |bytes| format!("it does not read what it asks for, {} of answers", readable(bytes));
        let unread = crowded.into_iter().filter(is_unread);
        unread.map(|(route, bytes)| (route, words(bytes))).collect()
    }

    /// The route for which most of `retained` is kept, and why it is to be cut off; among equals, the peer that has come
    /// last. A route may come several times.
    pub fn largest(retained: impl Iterator<Item = (Route, usize)>) -> Option<(Route, String)> {
        let mut sums = HashMap::with_hasher(FixedState::default());
        retained.for_each(|(route, bytes)| *sums.entry(route).or_insert(0) += bytes);
        let (route, bytes) = sums
            .into_iter()
            .filter(|(_, bytes)| *bytes > 0)
            .max_by_key(|(route, bytes)| (*bytes, route.peer))?;
        let words = format!(
            "too much is kept for all peers together (Limits::total_bytes), and most of it, {}, for this one",
            readable(bytes)
        );
        Some((route, words))
    }
}

/// A number of bytes, for people.
pub(crate) fn readable(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}
