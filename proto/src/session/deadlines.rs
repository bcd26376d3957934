//! What is due when: beats, silence, and calls that nobody answers.
//!
//! A channel stands here once at most, and never later than its true deadline. Events that push a deadline
//! back leave it where it stands: it is looked at when its time comes, so traffic costs nothing here.

use std::{collections::BTreeSet, time::Instant};

use super::{Session, table::At};
use crate::{
    call::Loss,
    channel::{Channel, heartbeat::Due},
    config::Limits,
};

#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    queue: BTreeSet<(Instant, At)>,
}

impl Deadlines {
    pub(crate) fn first(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Moves a channel forward to its deadline; never backward.
    fn schedule(&mut self, at: At, channel: &mut Channel, limits: &Limits) {
        let Some(deadline) = channel.deadline(limits) else { return };
        match channel.wake {
            Some(wake) if wake <= deadline => return,
            Some(wake) => {
                self.queue.remove(&(wake, at));
            }
            None => {}
        }
        channel.wake = Some(deadline);
        self.queue.insert((deadline, at));
    }

    /// Takes a channel out.
    pub(crate) fn remove(&mut self, at: At, channel: &mut Channel) {
        if let Some(wake) = channel.wake.take() {
            self.queue.remove(&(wake, at));
        }
    }

    fn pop_due(&mut self, now: Instant) -> Option<At> {
        self.first().filter(|first| *first <= now)?;
        self.queue.pop_first().map(|(_, at)| at)
    }
}

impl Session {
    /// Lets time pass: sends beats, and ends what has been silent or unanswered for too long.
    ///
    /// Call it when [`poll_timeout`](Self::poll_timeout) has come; any other time does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        while let Some(at) = self.deadlines.pop_due(now) {
            self.handle_due(now, at);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, if nothing else happens. It may be earlier
    /// than anything that is really due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first()
    }

    fn handle_due(&mut self, now: Instant, at: At) {
        let Some(channel) = self.table.get_mut(at) else { return };
        channel.wake = None;
        if let Some(loss) = channel.expired(now, &self.config.limits) {
            return self.lose(at, loss);
        }
        match channel.heartbeat.poll(now) {
            Some(Due::Lost) => {
                let interval = self.config.heartbeat.unwrap_or_default();
                self.peers.set_aside(channel.peer);
                self.resume_unassigned();
                return self.lose(at, Loss::Silent { after: interval.saturating_mul(2) });
            }
            Some(Due::Beat) => {
                channel.beat = true;
                self.enqueue(at);
            }
            None => {}
        }
        self.reschedule(at);
    }

    /// Makes sure that a channel is looked at in time.
    pub(crate) fn reschedule(&mut self, at: At) {
        if let Some(channel) = self.table.get_mut(at) {
            self.deadlines.schedule(at, channel, &self.config.limits);
        }
    }
}
