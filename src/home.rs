//! Which process a socket belongs to.
//!
//! A forked child has a copy of every socket, and none of the threads that look after it: locks may be held for ever by
//! threads that are gone, and whatever is written to a descriptor, or waited for on it, is the parent's. So in a child
//! nothing is done with a socket that the parent has made. Its memory is left where it is, and its descriptors stay open
//! until the child ends or becomes another program, which ends no connection of the parent.

use std::{
    cell::Cell,
    process,
    time::{Duration, Instant},
};

/// Nobody forks in less time: the system has the tables of all memory to copy.
const LESS_THAN_A_FORK: Duration = Duration::from_micros(10);

thread_local! {
    /// When this thread was known to be in which process last.
    static ASKED: Cell<Option<(Instant, u32)>> = const { Cell::new(None) };
}

/// The process that has made a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home(u32);

impl Home {
    pub(crate) fn here() -> Self {
        Self(process::id())
    }

    /// Whether this is a fork of that process.
    pub(crate) fn is_elsewhere(self) -> bool {
        process::id() != self.0
    }

    /// As [`is_elsewhere`](Self::is_elsewhere), for what is done very often: a thread that has just asked the system
    /// which process it is in does not ask again. Only the thread that forks goes on in the child.
    pub(crate) fn is_elsewhere_at(self, now: Instant) -> bool {
        ASKED.with(|asked| match asked.get() {
            Some((at, id)) if now < at + LESS_THAN_A_FORK => id != self.0,
            _ => {
                let id = process::id();
                asked.set(Some((now, id)));
                id != self.0
            }
        })
    }

    /// This thread is at work for the socket at this time, so it is in that process.
    pub(crate) fn note_here(self, now: Instant) {
        ASKED.set(Some((now, self.0)));
    }

    /// Whether the code that ran for so long on this thread may have forked, and this is the child.
    pub(crate) fn was_left_in(self, time: Duration) -> bool {
        time >= LESS_THAN_A_FORK && self.is_elsewhere()
    }
}
