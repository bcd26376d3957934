//! When something is due on a channel, and what has expired.

use web_time::{Duration, Instant};

use super::{Channel, RequestState, Role, Turn};
use crate::{answer::Loss, config::Config, transport::earliest};

/// So many intervals may a stream wait for credit whose caller has never beaten. It may have none to send, or may have
/// dropped the stream before its first beat, which nobody can tell: long enough for a slow reader, and not for ever.
const UNBEATEN: u32 = 20;

impl Channel {
    /// When something is due here, if nothing else happens.
    pub(crate) fn deadline(&self, config: &Config) -> Option<Instant> {
        let own = match &self.role {
            Role::Client(call) => earliest([call.timeout.map(|(at, _)| at), call.retry]),
            Role::Server(request) => {
                let postponed = match request.turn {
                    Turn::Postponed(due) => due,
                    Turn::Unasked | Turn::Next | Turn::Running => None,
                };
                let end = || self.stalled_since(request)?.checked_add(self.longest_stall(config)?);
                earliest([postponed, end()])
            }
        };
        earliest([own, self.heartbeat.deadline(config.interval())])
    }

    /// What has expired by now, heartbeats apart.
    pub(crate) fn expired(&self, now: Instant, config: &Config) -> Option<Loss> {
        match &self.role {
            Role::Client(call) => {
                call.timeout.filter(|(at, _)| *at <= now).map(|(_, after)| match call.is_sent {
                    true => Loss::TimedOut { after },
                    false => Loss::NotSent { after },
                })
            }
            Role::Server(request) => {
                let (since, after) = (self.stalled_since(request)?, self.longest_stall(config)?);
                let over = since.checked_add(after).is_some_and(|end| end <= now);
                over.then_some(Loss::Stalled { after })
            }
        }
    }

    /// Since when the channel has waited for credit, or when its caller beat meanwhile.
    fn stalled_since(&self, request: &RequestState) -> Option<Instant> {
        let since = request.blocked_since?;
        Some(self.heartbeat.heard_at().map_or(since, |heard| heard.max(since)))
    }

    /// How long the channel may wait for credit, where silence does not end it.
    fn longest_stall(&self, config: &Config) -> Option<Duration> {
        let longest = config.limits.stalled;
        if self.heartbeat.counts_silence() {
            return None;
        }
        let unbeaten = config.interval().saturating_mul(UNBEATEN);
        Some(if self.heartbeat.beats() { longest.min(unbeaten) } else { longest })
    }
}
