//! Whether the peer is still there: the TTL it promised, and our own PINGs.

use std::time::{Duration, Instant};

use super::{Heartbeat, Violation};

/// The timers of a connection after its handshake.
#[derive(Debug)]
pub(super) struct Liveness {
    /// Set by a PING with a TTL, cleared by whatever comes next.
    promise: Option<(Instant, Duration)>,
    beat: Option<Beat>,
}

#[derive(Debug)]
struct Beat {
    heartbeat: Heartbeat,
    /// When the next PING is due; `None` is never.
    next: Option<Instant>,
    /// By when something must be heard; set by a PING, cleared by whatever comes.
    answer_by: Option<Instant>,
}

impl Liveness {
    pub(super) fn new(heartbeat: Option<&Heartbeat>, now: Instant) -> Self {
        let beat = heartbeat.map(|heartbeat| Beat {
            heartbeat: heartbeat.clone(),
            next: next_beat(heartbeat, now),
            answer_by: None,
        });
        Self { promise: None, beat }
    }

    /// Something came.
    pub(super) fn heard(&mut self) {
        self.promise = None;
        if let Some(beat) = &mut self.beat {
            beat.answer_by = None;
        }
    }

    /// The peer promised to be heard again within `ttl`; zero promises nothing.
    pub(super) fn promised(&mut self, now: Instant, ttl: Duration) {
        if !ttl.is_zero() {
            self.promise = now.checked_add(ttl).map(|until| (until, ttl));
        }
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let beat = self.beat.as_ref();
        [
            self.promise.map(|(until, _)| until),
            beat.and_then(|beat| beat.next),
            beat.and_then(|beat| beat.answer_by),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether a PING is due, and its TTL in tenths of a second.
    pub(super) fn expire(&mut self, now: Instant) -> Result<Option<u16>, Violation> {
        if let Some((until, ttl)) = self.promise
            && until <= now
        {
            return Err(Violation::TtlExpired(ttl));
        }
        let Some(beat) = &mut self.beat else { return Ok(None) };
        if beat.answer_by.is_some_and(|by| by <= now) {
            return Err(Violation::HeartbeatTimeout(beat.heartbeat.timeout));
        }
        if beat.next.is_none_or(|next| next > now) {
            return Ok(None);
        }
        beat.next = next_beat(&beat.heartbeat, now);
        beat.answer_by = beat.answer_by.or_else(|| now.checked_add(beat.heartbeat.timeout));
        let tenths = beat.heartbeat.ttl.as_millis() / 100;
        Ok(Some(u16::try_from(tenths).unwrap_or(u16::MAX)))
    }
}

fn next_beat(heartbeat: &Heartbeat, now: Instant) -> Option<Instant> {
    now.checked_add(heartbeat.interval.max(Duration::from_millis(1)))
}
