//! The beats of one side on one channel.

use std::{collections::VecDeque, time::Duration};

/// More than this many in a second are too many.
const MOST: usize = 10;

/// When they came.
#[derive(Debug, Default)]
pub(super) struct Beats {
    pub(super) count: u64,
    pub(super) last: Option<Duration>,
    /// The longest time to the first one and between two.
    pub(super) longest: Duration,
    latest: VecDeque<Duration>,
}

impl Beats {
    /// Notes one, on a channel that was opened at that time; how much time it is since the one before.
    pub(super) fn note(&mut self, opened: Duration, at: Duration) -> Duration {
        let gap = at.saturating_sub(self.last.unwrap_or(opened));
        self.longest = self.longest.max(gap);
        self.count += 1;
        self.last = Some(at);
        self.latest.push_back(at);
        if self.latest.len() > MOST + 1 {
            self.latest.pop_front();
        }
        gap
    }

    /// Whether more have come within a second than anybody needs.
    pub(super) fn are_too_many(&self) -> bool {
        let (Some(first), Some(last)) = (self.latest.front(), self.latest.back()) else {
            return false;
        };
        self.latest.len() > MOST && last.saturating_sub(*first) < Duration::from_secs(1)
    }
}
