//! Where a channel stands in the timer wheel of its session.

use web_time::Instant;

#[derive(Debug, Clone, Copy)]
pub(crate) struct TimerEntry {
    /// When the channel is looked at.
    pub(crate) deadline: Instant,
    /// The bucket in which it stands.
    pub(crate) bucket: u16,
    /// Its index among the entries of that bucket.
    pub(crate) index: u32,
}
