//! Bounding what peers make this side keep, beside what the session refuses: who reads nothing of what piles up for it is
//! cut off, and when all of them together are too much, the largest is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use zerorpc_proto::{
    RemoteError, Route,
    transport::{MemoryBounds, TransportError, earliest},
};

use super::State;

/// So much has to be kept and then freed before it is worth telling: what one peer may make a server hold by default,
const MUCH: usize = 64 << 20;

/// and it is told so long afterwards: what was kept for one peer goes together with what was kept for the next. Not
/// measured: longer than it takes to cut off several, shorter than anybody looks.
const LULL: Duration = Duration::from_secs(1);

/// What is run when much memory was freed.
pub(crate) type OnFreed = Arc<dyn Fn() + Send + Sync>;

/// What bounds the memory of a socket, and tells that much was freed.
pub(crate) struct Bounds {
    /// Whom to cut off.
    memory: MemoryBounds,
    /// The most that was kept since it was told that much was freed.
    highest: usize,
    /// When that is told next.
    freed_due: Option<Instant>,
    /// To whom it is told.
    pub(crate) on_freed: Option<OnFreed>,
}

impl Bounds {
    pub(super) fn new(memory: MemoryBounds) -> Self {
        Self { memory, highest: 0, freed_due: None, on_freed: None }
    }

    /// When there is something to look at.
    pub(super) fn due(&self) -> Option<Instant> {
        earliest([self.memory.poll_timeout(), self.freed_due])
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
}

impl State {
    /// Looks whether too much is kept, which takes next to nothing as long as it is not. True when something was sent, and
    /// that may have used up the announcement of messages that have come.
    pub(super) fn bound_memory(&mut self, now: Instant) -> Result<bool, TransportError> {
        let mut hides = false;
        let Self { session, transport: Some(transport), bounds, .. } = self else {
            return Ok(false);
        };
        for (route, reason) in
            bounds.memory.unread(now, session, |peer| transport.progress_of(peer))
        {
            hides |= self.cut_off(now, &route, &reason)?;
        }
        let mut kept = self.retained_bytes();
        while self.bounds.memory.is_over(kept)
            && let Some((route, reason)) = self.largest()
        {
            hides |= self.cut_off(now, &route, &reason)?;
            kept = self.retained_bytes();
        }
        if let Some(on_freed) = self.bounds.note(now, kept) {
            self.deferred.push(Box::new(move || on_freed()));
        }
        Ok(hides)
    }

    /// Whether too much may be kept.
    pub(super) fn is_over_bounds(&self) -> bool {
        self.session.has_crowded_routes() || self.bounds.memory.is_over(self.retained_bytes())
    }

    fn retained_bytes(&self) -> usize {
        let transport = self.transport.as_ref().map_or(0, |transport| transport.retained_bytes());
        let decoded = self.requests.as_ref().map_or(0, |requests| requests.load.decoded());
        self.session.retained_bytes() + transport + decoded
    }

    /// The peer for which most is kept.
    #[cold]
    fn largest(&self) -> Option<(Route, String)> {
        let transport = self.transport.as_ref()?;
        let retained = self.session.retained_by_route().chain(transport.retained_by_route());
        MemoryBounds::largest(retained)
    }

    /// Ends all that is open with a peer, and its connection. It is told as far as it listens.
    #[cold]
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
