//! Credit arithmetic, alone (protocol section 6).
//!
//! A [`Window`] is how far a sender may be ahead of its reader. It starts as the reference's and follows its reader from
//! there, as the receive windows of TCP do: it grows when credit was what the reader waited for, and shrinks by what
//! always waited for the reader. No round trip has to be measured for that. A sender without credit stops at an item that
//! is known here, the last one that was granted; a reader who finds nothing right behind it, and for a noticeable part of
//! the time, would have been served better by a larger window.
//!
//! Senders either add what is granted to what they have (zerorpc-python, and we) or set what they have to it
//! (zerorpc-node). The latter lose what they had not used. What is out is counted as for the former, which is never less
//! than what may come. So that the latter never wait for ever, another grant must be due even if all of what has not come
//! is lost: no window becomes smaller than twice that. Where they stop is before the edge by what they have lost, which
//! shows when they stop there again.

use web_time::{Duration, Instant};

use crate::faults::{self, Fault};

/// A wait that took this part of the time between two grants is worth a larger window. A window that is large enough for
/// fifteen sixteenths of what the path carries stays.
const NOTICEABLE: u32 = 16;

/// Permission to send counted events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credit {
    available: u64,
}

impl Credit {
    /// Each side of a channel starts with permission for one.
    pub(crate) fn new() -> Self {
        Self { available: 1 }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.available == 0
    }

    /// Uses up one; false when there is none.
    pub(crate) fn take(&mut self) -> bool {
        let had = self.available > 0;
        self.available = self.available.saturating_sub(1);
        had
    }

    /// Grants add. None is lost, however large: whoever has granted it counts it as given.
    pub(crate) fn grant(&mut self, more: u32) {
        let more = more.saturating_add(u32::from(faults::has(Fault::CreditOffByOne)));
        if self.available > 0 && faults::has(Fault::GrantNotCounted) {
            return;
        }
        self.available = self.available.saturating_add(more.into());
    }
}

/// What a window may grow to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The most items.
    pub(crate) items: u32,
    /// The most bytes of items.
    pub(crate) bytes: usize,
    /// How many bytes are left that windows may have grown by, of all streams together.
    pub(crate) room: usize,
}

/// Permission given to the other side, and when to give more.
#[derive(Debug)]
pub(crate) struct Window {
    /// How many may be out.
    size: u32,
    /// How many are: granted, and not consumed.
    outstanding: u32,
    consumed_any: bool,
    is_fixed: bool,
    /// From the second grant on.
    growth: Option<Box<Growth>>,
}

/// What was seen since the latest grant.
#[derive(Debug)]
struct Growth {
    /// What the window was before it grew.
    start: u32,
    /// How many were granted.
    latest: u32,
    granted_at: Instant,
    /// How many events were consumed.
    items: u32,
    /// How many bytes those had.
    bytes: usize,
    /// The fewest that waited when the reader asked.
    least: u32,
    /// Since when the reader waits.
    waiting_since: Option<Instant>,
    /// The longest wait at the edge of what was granted before.
    longest_wait: Duration,
    /// The longest of all other waits,
    longest_other: Duration,
    /// and how much of what was granted before had not come then.
    missing: u32,
    /// How much that was at the last of those waits that was long: it may be lost, and the edge be there.
    lost: u32,
    /// By how many bytes the window has grown.
    reserved: usize,
}

impl Window {
    /// A window that stays as it is.
    pub(crate) fn fixed(size: u32) -> Self {
        Self {
            size: size.max(1),
            outstanding: 1,
            consumed_any: false,
            is_fixed: true,
            growth: None,
        }
    }

    /// A window that follows its reader.
    pub(crate) fn growing(start: u32) -> Self {
        Self { is_fixed: false, ..Self::fixed(start) }
    }

    /// Whether asking for the next event grants anything. Never before the first event was consumed, and only when less
    /// than half of the window is out.
    #[inline]
    pub(crate) fn is_grant_due(&self) -> bool {
        self.consumed_any && u64::from(self.outstanding) * 2 < u64::from(self.size)
    }

    /// The next event is asked for while so many wait.
    #[inline]
    pub(crate) fn ask(&mut self, waiting: usize, now: Option<Instant>) {
        if let Some(growth) = &mut self.growth {
            growth.least = growth.least.min(count(waiting));
            if waiting == 0 && growth.waiting_since.is_none() {
                growth.waiting_since = now;
            }
        }
    }

    /// An event has come.
    #[inline]
    pub(crate) fn arrived(&mut self, now: Option<Instant>) {
        if let Some(growth) = &mut self.growth
            && let Some(since) = growth.waiting_since.take()
            && let Some(now) = now
            && now != since
        {
            let missing = self.outstanding.saturating_sub(growth.latest);
            growth.note_wait(now.saturating_duration_since(since), missing);
        }
    }

    /// What is granted to whoever asks while a [grant is due](Self::is_grant_due): nothing if the window is to be smaller
    /// from now on.
    pub(crate) fn next_grant(
        &mut self,
        waiting: usize,
        now: Option<Instant>,
        bounds: Bounds,
    ) -> Option<u32> {
        self.adapt(count(waiting), now, bounds);
        if !self.is_grant_due() {
            return None;
        }
        let more = self.size - self.outstanding;
        self.outstanding = self.size;
        match (&mut self.growth, now) {
            (Some(growth), Some(now)) => growth.begin(more, now),
            // The first grant tells nothing: with the credit for one, every sender stops.
            (None, Some(now)) if !self.is_fixed && more < self.size => {
                self.growth = Some(Box::new(Growth::new(self.size, more, now)));
            }
            _ => {}
        }
        Some(more)
    }

    /// Finds the size that was right since the latest grant.
    fn adapt(&mut self, waiting: u32, now: Option<Instant>, bounds: Bounds) {
        let (Some(growth), Some(now)) = (&mut self.growth, now) else { return };
        let weight = (growth.bytes / growth.items.max(1) as usize).max(1);
        let time = now.saturating_duration_since(growth.granted_at);
        let is_long = |wait: Duration| !wait.is_zero() && wait * NOTICEABLE >= time;
        let right = match is_long(growth.longest_wait) {
            true => self.size.saturating_mul(2),
            false => self.size.saturating_sub(growth.least.min(waiting)),
        };
        if is_long(growth.longest_other) {
            growth.lost = growth.missing;
        }
        let by_total = count(bounds.room.saturating_add(growth.reserved) / weight);
        let most = bounds.items.min(count(bounds.bytes / weight));
        let most = most.min(by_total.saturating_add(growth.start)).max(growth.start);
        let missing = self.outstanding.saturating_sub(waiting);
        let least = missing.saturating_mul(2).saturating_add(1).min(self.size);
        let least = if faults::has(Fault::WindowTooSmall) { 0 } else { least };
        self.size = right.clamp(growth.start, most).max(least);
        growth.reserved = ((self.size - growth.start) as usize).saturating_mul(weight);
        // Nothing more is seen before the next grant.
        growth.least = 0;
        (growth.longest_wait, growth.longest_other) = Default::default();
    }

    /// An event of so many bytes was consumed.
    #[inline]
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.consumed_any = true;
        self.outstanding = self.outstanding.saturating_sub(1);
        if let Some(growth) = &mut self.growth {
            growth.items += 1;
            growth.bytes = growth.bytes.saturating_add(bytes);
        }
    }

    /// How many may be out.
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// How many events may wait unread before the peer has broken the rule for certain.
    pub(crate) fn most_unread(&self) -> u32 {
        self.size.max(self.outstanding)
    }

    /// By how many bytes the window has grown.
    pub(crate) fn reserved(&self) -> usize {
        self.growth.as_ref().map_or(0, |growth| growth.reserved)
    }

    /// Grants nothing any more. By how many bytes the window had grown.
    pub(crate) fn close(&mut self) -> usize {
        self.growth.take().map_or(0, |growth| growth.reserved)
    }
}

impl Growth {
    fn new(start: u32, latest: u32, now: Instant) -> Self {
        Self {
            start,
            latest,
            granted_at: now,
            items: 0,
            bytes: 0,
            least: u32::MAX,
            waiting_since: None,
            longest_wait: Duration::ZERO,
            longest_other: Duration::ZERO,
            missing: 0,
            lost: 0,
            reserved: 0,
        }
    }

    /// The reader has waited so long, when so much of what was granted before the latest grant had not come.
    #[cold]
    fn note_wait(&mut self, wait: Duration, missing: u32) {
        if missing == 0 || missing == self.lost {
            self.longest_wait = self.longest_wait.max(wait);
        } else if wait > self.longest_other {
            (self.longest_other, self.missing) = (wait, missing);
        }
    }

    /// Credit is granted.
    fn begin(&mut self, more: u32, now: Instant) {
        let Self { start, lost, reserved, .. } = *self;
        *self = Self { lost, reserved, ..Self::new(start, more, now) };
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
