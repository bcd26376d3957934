//! Bounding what peers make a server keep: who reads nothing of what piles up for it is cut off, and when all of them
//! together are too much, the largest is.

use std::collections::BTreeMap;

use web_time::{Duration, Instant};
use zerorpc_proto::{Limits, PeerId, RemoteError, Route, Session};

use crate::Socket;

/// So long may a peer read nothing for which as much waits as may; half of it when twice as much does, and so on. Long
/// enough for a reader that the system has not let run for a moment, or whose network has lost a packet.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often peers are looked at that do not keep up.
const TICK: Duration = Duration::from_millis(50);

/// What bounds the memory of a socket.
#[derive(Debug)]
pub(super) struct Bounds {
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

impl Bounds {
    /// A side that only calls has asked for whatever it keeps.
    pub(super) fn new(limits: &Limits, is_server: bool) -> Self {
        let total = if is_server { limits.total_bytes } else { usize::MAX };
        Self { peer: limits.peer_bytes, total, suspects: Vec::new(), due: None }
    }

    /// When there is something to look at.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Looks whether too much is kept, which takes next to nothing as long as it is not; whether anything was done about it.
    pub(super) fn enforce(
        &mut self,
        now: Instant,
        session: &mut Session,
        socket: &mut Socket,
    ) -> bool {
        let mut found = Vec::new();
        if (session.has_crowded_routes() || self.due.is_some())
            && self.due.is_none_or(|due| due <= now)
        {
            let crowded = session.crowded_routes();
            let unread = self.unread(now, crowded, |peer| socket.progress_of(peer));
            let words = |bytes| {
                format!("it does not read what it asks for, {} of answers", readable(bytes))
            };
            found.extend(unread.into_iter().map(|(route, bytes)| (route, words(bytes))));
        }
        // What is left of the total is for the others.
        let kept = session.retained_bytes() + socket.retained_bytes();
        if found.is_empty()
            && kept > self.total - self.total / 8
            && let Some((route, bytes)) = largest(session, socket)
        {
            let reason = format!(
                "too much is kept for all peers together, and most of it, {}, for this one",
                readable(bytes)
            );
            found.push((route, reason));
        }
        for (route, reason) in &found {
            socket.discard(route.peer);
            let failure =
                RemoteError::new("ServerBusy", format!("the connection was ended: {reason}"));
            session.dismiss(now, route, &failure);
            socket.cut_off(route.peer, reason);
        }
        !found.is_empty()
    }

    /// Those of the crowded routes whose peers have read nothing for too long.
    fn unread(
        &mut self,
        now: Instant,
        crowded: Vec<(Route, usize)>,
        progress_of: impl Fn(PeerId) -> Option<u64>,
    ) -> Vec<(Route, usize)> {
        self.suspects.retain(|suspect| crowded.iter().any(|(route, _)| *route == suspect.route));
        self.due = (!crowded.is_empty()).then(|| now + TICK);
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
            now.saturating_duration_since(suspect.since) >= PATIENCE.mul_f64(share.min(2.0))
        };
        crowded.into_iter().filter(is_unread).collect()
    }
}

/// The peer for which most is kept.
fn largest(session: &Session, socket: &Socket) -> Option<(Route, usize)> {
    let mut sums = BTreeMap::new();
    for (route, bytes) in session.retained_by_route().chain(socket.retained_by_route()) {
        *sums.entry(route.peer).or_insert(0) += bytes;
    }
    // Among equals, the one that has come last.
    let largest = sums
        .into_iter()
        .filter(|(_, bytes)| *bytes > 0)
        .max_by_key(|(peer, bytes)| (*bytes, *peer));
    largest.map(|(peer, bytes)| (Route { peer, identity: None }, bytes))
}

/// A number of bytes, for people.
fn readable(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}
