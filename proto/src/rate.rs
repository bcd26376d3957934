//! Which of many lines that say the same go to a log.

use web_time::{Duration, Instant};

/// Lets one line a minute through for each reason, and counts those that it keeps back.
///
/// What peers do wrong is worth a line, but a peer decides how often it does it. Reasons are whatever can be compared: a
/// kind of mistake, a name that a peer has chosen. So many reasons are told apart; when there are more within a minute,
/// they share a line, and so does what is held.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use zerorpc_proto::RateLimited;
///
/// let (mut lines, now) = (RateLimited::default(), Instant::now());
/// assert_eq!(lines.admit(now, "too large"), Some(0), "the first is told");
/// assert_eq!(lines.admit(now, "too large"), None);
/// assert_eq!(lines.admit(now, "broken"), Some(0), "something else");
/// let later = now + Duration::from_secs(60);
/// assert_eq!(lines.admit(later, "too large"), Some(1), "one was kept back");
/// ```
#[derive(Debug)]
pub struct RateLimited<K> {
    every: Duration,
    most: usize,
    lines: Vec<(K, Line)>,
    /// For the reasons beyond those that are told apart.
    others: Option<Line>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    told_at: Instant,
    kept_back: u64,
}

impl<K> Default for RateLimited<K> {
    /// A line a minute for each of 64 reasons.
    fn default() -> Self {
        Self::new(Duration::from_secs(60), 64)
    }
}

impl<K> RateLimited<K> {
    /// A line `every` so often, for each of `most` reasons.
    #[must_use]
    pub fn new(every: Duration, most: usize) -> Self {
        Self { every, most, lines: Vec::new(), others: None }
    }
}

impl<K: PartialEq> RateLimited<K> {
    /// Whether a line with this reason is to be told now: if so, how many alike were kept back since the last one.
    pub fn admit(&mut self, now: Instant, reason: K) -> Option<u64> {
        let every = self.every;
        if let Some((_, line)) = self.lines.iter_mut().find(|(known, _)| *known == reason) {
            return line.admit(now, every);
        }
        if self.lines.len() >= self.most {
            // Those of which nothing is to be told any more make room.
            self.lines.retain(|(_, line)| line.kept_back > 0 || !line.is_due(now, every));
        }
        if self.lines.len() >= self.most {
            self.lines.retain(|(_, line)| !line.is_due(now, every));
        }
        if self.lines.len() < self.most {
            self.lines.push((reason, Line { told_at: now, kept_back: 0 }));
            return Some(0);
        }
        match &mut self.others {
            Some(line) => line.admit(now, every),
            others => {
                *others = Some(Line { told_at: now, kept_back: 0 });
                Some(0)
            }
        }
    }
}

impl Line {
    fn is_due(&self, now: Instant, every: Duration) -> bool {
        now.saturating_duration_since(self.told_at) >= every
    }

    fn admit(&mut self, now: Instant, every: Duration) -> Option<u64> {
        if self.is_due(now, every) {
            self.told_at = now;
            return Some(std::mem::take(&mut self.kept_back));
        }
        self.kept_back = self.kept_back.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only clock reading of these tests: a base for arithmetic.
    #[expect(clippy::disallowed_methods, reason = "tests need some instant to start from")]
    fn epoch() -> Instant {
        Instant::now()
    }

    #[test]
    fn each_reason_has_its_own_line_once_in_a_while() {
        let (mut lines, start) = (RateLimited::new(Duration::from_secs(60), 4), epoch());
        // Seconds, the reason, and what comes of it.
        let table = [
            (0, "a", Some(0)),
            (0, "a", None),
            (1, "b", Some(0)),
            (59, "a", None),
            (60, "b", None),
            (60, "a", Some(2)),
            (61, "b", Some(1)),
            (119, "a", None),
            (1000, "a", Some(1)),
            (2000, "a", Some(0)),
        ];
        for (row, (seconds, reason, expected)) in table.into_iter().enumerate() {
            let told = lines.admit(start + Duration::from_secs(seconds), reason);
            assert_eq!(told, expected, "row {row}");
        }
        assert_eq!(lines.admit(start, "a"), None, "a clock that is behind is no reason");
    }

    #[test]
    fn reasons_without_end_cost_little_and_share_a_line() {
        let (mut lines, start) = (RateLimited::new(Duration::from_secs(60), 4), epoch());
        let told = (0..1000).filter(|reason| lines.admit(start, *reason).is_some()).count();
        assert_eq!((told, lines.lines.len()), (5, 4), "four of their own, one of the others");
        let later = start + Duration::from_secs(60);
        assert_eq!(lines.admit(later, 2000), Some(0), "the old ones made room");
        let told: Vec<_> = (3000..3005).filter_map(|reason| lines.admit(later, reason)).collect();
        assert_eq!(
            told,
            [0, 0, 0, 995],
            "three of their own, and what was kept back of the others"
        );
    }
}
