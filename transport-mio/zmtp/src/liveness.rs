//! Whether the peer is still there: the TTL it promised, and our own PINGs.

use web_time::{Duration, Instant};
use zerorpc_proto::transport::earliest;

use super::{Heartbeat, Violation};

/// The timers of a connection after its handshake.
#[derive(Debug)]
pub(super) struct Liveness {
    /// Set by a PING with a TTL, cleared by whatever comes next.
    promise: Option<(Instant, Duration)>,
    beat: Option<Box<Beat>>,
    /// Set when the peer is asked whether it is still there, cleared by whatever comes next.
    probe: Option<Box<(Instant, Duration)>>,
}

/// Our own PINGs. Traffic moves no timer: what it has changed is seen when the next PING would be due.
#[derive(Debug)]
struct Beat {
    heartbeat: Heartbeat,
    /// When to look whether a PING is due; `None` is never.
    next: Option<Instant>,
    /// By when something must be heard; set by a PING, cleared by whatever comes.
    answer_by: Option<Instant>,
    /// When something came last.
    heard: Instant,
    /// Whether anything was written since the last look.
    spoke: bool,
    /// Whether a peer that does not answer is given up.
    judges: bool,
}

impl Liveness {
    pub(super) fn new(heartbeat: Option<&Heartbeat>, judges: bool, now: Instant) -> Self {
        let beat = heartbeat.map(|heartbeat| {
            Box::new(Beat {
                heartbeat: heartbeat.clone(),
                next: after(now, heartbeat.interval),
                answer_by: None,
                heard: now,
                spoke: false,
                judges,
            })
        });
        Self { promise: None, beat, probe: None }
    }

    /// Something came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.promise = None;
        self.probe = None;
        if let Some(beat) = &mut self.beat {
            beat.heard = now;
            beat.answer_by = None;
        }
    }

    /// A frame came with what was [heard](Self::heard) last, behind others.
    pub(super) fn kept_promise(&mut self) {
        self.promise = None;
    }

    /// Something was written.
    pub(super) fn spoke(&mut self) {
        if let Some(beat) = &mut self.beat {
            beat.spoke = true;
        }
    }

    /// The peer promised to be heard again within `ttl`; zero promises nothing.
    pub(super) fn promised(&mut self, now: Instant, ttl: Duration) {
        if !ttl.is_zero() {
            self.promise = now.checked_add(ttl).map(|until| (until, ttl));
        }
    }

    /// The peer is asked now, and has to be heard `within` that time.
    pub(super) fn probe(&mut self, now: Instant, within: Duration) {
        if self.probe.is_none() {
            self.probe = now.checked_add(within).map(|until| Box::new((until, within)));
        }
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let beat = self.beat.as_ref();
        earliest([
            self.promise.map(|(until, _)| until),
            self.probe.as_ref().map(|probe| probe.0),
            beat.and_then(|beat| beat.next),
            beat.and_then(|beat| beat.answer_by),
        ])
    }

    /// Whether a PING is due, and its TTL in tenths of a second. `has_output` tells whether something waits to be written.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        has_output: bool,
    ) -> Result<Option<u16>, Violation> {
        if let Some((until, ttl)) = self.promise
            && until <= now
        {
            return Err(Violation::TtlExpired(ttl));
        }
        if let Some(probe) = &self.probe
            && probe.0 <= now
        {
            return Err(Violation::HeartbeatTimeout(probe.1));
        }
        match &mut self.beat {
            Some(beat) => beat.expire(now, has_output),
            None => Ok(None),
        }
    }
}

impl Beat {
    fn expire(&mut self, now: Instant, has_output: bool) -> Result<Option<u16>, Violation> {
        let Heartbeat { interval, timeout, ttl } = self.heartbeat;
        if self.answer_by.is_some_and(|by| by <= now) {
            if !(has_output && self.spoke) {
                return Err(Violation::HeartbeatTimeout(timeout));
            }
            // The PING is behind much else, of which the peer has taken some.
            self.answer_by = after(now, timeout);
            self.spoke = false;
        }
        if self.next.is_none_or(|next| next > now) {
            return Ok(None);
        }
        let due = after(self.heard, interval);
        if std::mem::take(&mut self.spoke) && due.is_none_or(|due| due > now) {
            self.next = due;
            return Ok(None);
        }
        self.next = after(now, interval);
        if self.judges {
            self.answer_by = self.answer_by.or_else(|| after(now, timeout));
        }
        Ok(Some(u16::try_from(ttl.as_millis() / 100).unwrap_or(u16::MAX)))
    }
}

/// `None` is never, where clocks do not run that long.
fn after(now: Instant, time: Duration) -> Option<Instant> {
    now.checked_add(time.max(Duration::from_millis(1)))
}
