//! Sending messages together that are made one after the other: a system call for each of them would take longer than all
//! else that is done for them.

use std::time::{Duration, Instant};

/// Messages that wait in the session for those that follow. They leave when there are many, when it takes longer to make
/// them, and before anybody waits for anything.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    /// How many wait.
    queued: u32,
    /// When the first of them was begun to be made.
    since: Option<Instant>,
    /// How many calls have answers that nobody has taken yet: whoever does is likely to make another request.
    unread: usize,
}

/// What is to be done about one more message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// It waits alone: see to it that it leaves in time.
    First,
    /// It waits with others.
    Behind,
    /// All of them are to be sent.
    Full,
}

impl Coalescer {
    /// How many are sent together at most. From docs/speed.md: 64 calls in flight, 3.4 times as many as one by one.
    const MOST: u32 = 32;
    /// They are sent with the first that is ready so long after the first of them was begun. From the same measurement:
    /// several times what it takes to make one that takes next to nothing.
    const LONGEST: Duration = Duration::from_micros(50);
    /// They leave by then, whatever whoever made them is doing. As long as the watchdog takes to see that he is busy.
    const LATEST: Duration = Duration::from_millis(1);

    /// One more message waits. It was begun to be made at `begun`.
    pub(super) fn add(&mut self, begun: Instant, now: Instant) -> Added {
        let since = *self.since.get_or_insert(begun);
        self.queued += 1;
        match self.queued {
            _ if self.queued >= Self::MOST || now >= since + Self::LONGEST => Added::Full,
            1 => Added::First,
            _ => Added::Behind,
        }
    }

    /// Nothing waits any more.
    pub(super) fn clear(&mut self) {
        (self.queued, self.since) = (0, None);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// When what waits has to leave.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + Self::LATEST)
    }

    /// Whether further requests are to be expected.
    pub(super) fn expects_requests(&self) -> bool {
        self.unread > 0
    }

    /// A call has answers, and nobody waits for them.
    pub(super) fn note_unread(&mut self) {
        self.unread += 1;
    }

    /// Such answers were taken, or nobody wants them any more.
    pub(super) fn note_read(&mut self) {
        // Of a stream, all that came together counts once.
        self.unread = self.unread.saturating_sub(1);
    }

    /// No call is open.
    pub(super) fn forget_unread(&mut self) {
        self.unread = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_leave_together_and_slow_ones_early() {
        let start = Instant::now();
        let mut coalescer = Coalescer::default();
        assert_eq!(coalescer.add(start, start), Added::First);
        for _ in 2..Coalescer::MOST {
            assert_eq!(coalescer.add(start, start), Added::Behind);
        }
        assert_eq!(coalescer.add(start, start), Added::Full);
        assert_eq!(coalescer.due(), Some(start + Coalescer::LATEST));
        coalescer.clear();
        assert!(coalescer.is_empty());
        assert_eq!(coalescer.due(), None);

        let later = start + Coalescer::LONGEST;
        assert_eq!(coalescer.add(start, later), Added::Full, "it took long");
        coalescer.clear();
        assert_eq!(coalescer.add(start, start), Added::First);
        assert_eq!(coalescer.add(later, later), Added::Full, "the second came late");
    }

    #[test]
    fn requests_are_expected_of_readers() {
        let mut coalescer = Coalescer::default();
        assert!(!coalescer.expects_requests());
        coalescer.note_unread();
        assert!(coalescer.expects_requests());
        coalescer.note_read();
        coalescer.note_read();
        assert!(!coalescer.expects_requests());
        coalescer.note_unread();
        assert!(coalescer.expects_requests());
    }
}
