//! Bounding what peers make this side keep, beside what the session refuses: who reads nothing of what piles up for it is
//! cut off, and when all of them together are too much, the largest is.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use zerorpc_proto::{Limits, PeerId, RemoteError, Route, transport::TransportError};

use super::State;

/// So long may a peer read nothing for which as much waits as may; half of it when twice as much does, and so on. Long
/// enough for a reader that the system has not let run for a moment, or whose network has lost a packet.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often peers are looked at that do not keep up.
const SUSPECT_INTERVAL: Duration = Duration::from_millis(50);

/// So much has to be kept and then freed before it is worth telling,
const MUCH: usize = 64 << 20;

/// and it is told so long afterwards: what was kept for one peer goes together with what was kept for the next.
const LULL: Duration = Duration::from_secs(1);

/// What is run when much memory was freed.
pub(crate) type OnFreed = Arc<dyn Fn() + Send + Sync>;

/// What bounds the memory of a socket.
pub(crate) struct Bounds {
    peer: usize,
    total: usize,
    /// The most that was kept since it was told that much was freed,
    highest: usize,
    /// when that is told next,
    freed_due: Option<Instant>,
    /// and to whom.
    pub(crate) on_freed: Option<OnFreed>,
    /// Peers that do not keep up.
    suspects: Vec<Suspect>,
    /// When they are looked at.
    suspects_due: Option<Instant>,
}

/// A peer that does not keep up.
#[derive(Debug)]
struct Suspect {
    route: Route,
    /// Since when it has taken nothing,
    since: Instant,
    /// by this number.
    progress: Option<u64>,
}

impl Bounds {
    /// A side that only calls has asked for whatever it keeps.
    pub(super) fn new(limits: &Limits, is_server: bool) -> Self {
        let total = if is_server { limits.total_bytes } else { usize::MAX };
        Self {
            peer: limits.peer_bytes,
            total,
            highest: 0,
            freed_due: None,
            on_freed: None,
            suspects: Vec::new(),
            suspects_due: None,
        }
    }

    /// When there is something to look at.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.suspects_due, self.freed_due].into_iter().flatten().min()
    }

    /// Takes note of how much is kept now. Whom to tell that much was freed, if it is time to.
    fn note(&mut self, now: Instant, kept: usize) -> Option<OnFreed> {
        if kept > self.highest {
            self.highest = kept;
        } else if self.freed_due.is_some_and(|due| due <= now) {
            (self.highest, self.freed_due) = (kept, None);
            return self.on_freed.clone();
        } else if self.highest - kept > MUCH && self.freed_due.is_none() && self.on_freed.is_some()
        {
            self.freed_due = Some(now + LULL);
        }
        None
    }

    /// From so many bytes on, the largest peer goes: what is left of the total is for the others.
    fn brim(&self) -> usize {
        self.total - self.total / 8
    }

    /// Those of the crowded routes whose peers have read nothing for too long.
    fn deaf(
        &mut self,
        now: Instant,
        crowded: Vec<(Route, usize)>,
        progress_of: impl Fn(PeerId) -> Option<u64>,
    ) -> Vec<(Route, usize)> {
        self.suspects.retain(|suspect| crowded.iter().any(|(route, _)| *route == suspect.route));
        self.suspects_due = (!crowded.is_empty()).then(|| now + SUSPECT_INTERVAL);
        let is_deaf = |(route, bytes): &(Route, usize)| {
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
        crowded.into_iter().filter(is_deaf).collect()
    }
}

impl State {
    /// Looks whether too much is kept, which takes next to nothing as long as it is not. True when something was sent, and
    /// that may have used up the announcement of messages that have come.
    pub(super) fn bound_memory(&mut self, now: Instant) -> Result<bool, TransportError> {
        let mut hides = false;
        if self.session.has_crowded_routes() || self.bounds.suspects_due.is_some() {
            hides |= self.cut_off_the_deaf(now)?;
        }
        while self.retained_bytes() > self.bounds.brim() {
            let Some((route, bytes)) = self.largest() else { break };
            let reason = format!(
                "too much is kept for all peers together, and most of it, {}, for this one",
                readable(bytes)
            );
            hides |= self.cut_off(now, &route, &reason)?;
        }
        let kept = self.retained_bytes();
        if let Some(on_freed) = self.bounds.note(now, kept) {
            self.deferred.push(Box::new(move || on_freed()));
        }
        Ok(hides)
    }

    /// Whether too much may be kept.
    pub(super) fn is_over_bounds(&self) -> bool {
        self.session.has_crowded_routes() || self.retained_bytes() > self.bounds.brim()
    }

    fn retained_bytes(&self) -> usize {
        let transport = self.transport.as_ref().map_or(0, |transport| transport.retained_bytes());
        let decoded = self.requests.as_ref().map_or(0, |requests| requests.load.decoded());
        self.session.retained_bytes() + transport + decoded
    }

    fn cut_off_the_deaf(&mut self, now: Instant) -> Result<bool, TransportError> {
        let Self { session, transport, bounds, .. } = self;
        let Some(transport) = transport else { return Ok(false) };
        if bounds.suspects_due.is_some_and(|due| now < due) {
            return Ok(false);
        }
        let mut hides = false;
        let crowded = session.crowded_routes();
        for (route, bytes) in bounds.deaf(now, crowded, |peer| transport.progress_of(peer)) {
            let reason =
                format!("it does not read what it asks for, {} of answers", readable(bytes));
            hides |= self.cut_off(now, &route, &reason)?;
        }
        Ok(hides)
    }

    /// The peer for which most is kept.
    fn largest(&self) -> Option<(Route, usize)> {
        let transport = self.transport.as_ref()?;
        let mut sums: HashMap<Route, usize> = HashMap::new();
        let all = self.session.retained_by_route().chain(transport.retained_by_route());
        all.for_each(|(route, bytes)| *sums.entry(route).or_default() += bytes);
        // Among equals, the one that has come last.
        sums.into_iter()
            .filter(|(_, bytes)| *bytes > 0)
            .max_by_key(|(route, bytes)| (*bytes, route.peer))
    }

    /// Ends all that is open with a peer, and its connection. It is told as far as it listens.
    fn cut_off(
        &mut self,
        now: Instant,
        route: &Route,
        reason: &str,
    ) -> Result<bool, TransportError> {
        let Some(transport) = &mut self.transport else { return Ok(false) };
        // Of connections with names, the transport tells.
        if let Some(identity) = &route.identity {
            tracing::warn!("the peer {identity:?} was cut off: {reason}");
        }
        transport.discard(route);
        let failure = RemoteError::new("ServerBusy", format!("the connection was ended: {reason}"));
        self.session.dismiss(now, route, &failure);
        let hides = self.transmit()?;
        if let Some(transport) = &mut self.transport {
            transport.cut_off(route.peer, reason);
        }
        self.poll_peer_events(now);
        Ok(hides)
    }
}

/// A number of bytes, for people.
fn readable(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}
