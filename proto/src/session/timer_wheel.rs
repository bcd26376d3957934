//! What is due when: beats, silence, and calls that nobody answers.
//!
//! A channel stands here once at most, and never later than its true deadline. Events that push a deadline
//! back leave it where it stands: it is looked at when its time comes, so traffic costs nothing here.
//!
//! The timer wheel has a bucket for each tick of the next eight seconds, and one more for whatever is due later. To insert a
//! channel and to remove one takes the same short time however many there are.

#[cfg(feature = "invariants")]
mod invariants;
#[cfg(test)]
mod tests;

use web_time::{Duration, Instant};

use super::{Session, channel_key::ChannelKey, store::Store};
use crate::{
    answer::Loss,
    channel::{RequestState, Role, Turn, heartbeat::Due, timer_entry::TimerEntry},
    config::HeartbeatMode,
    faults::{self, Fault},
};

/// How long a tick is, the time that one bucket is for: so many bits of nanoseconds, about 8 ms.
const TICK_BITS: u32 = 23;
/// How many buckets there are, and how many ticks they reach.
const BUCKETS: u64 = 1024;
/// The number of one bucket more, for whatever is due later than the others reach.
const OVERFLOW: u16 = BUCKETS as u16;

#[derive(Debug, Default)]
pub(crate) struct TimerWheel {
    /// Where time begins.
    epoch: Option<Instant>,
    /// The tick, counted from the epoch, in which or after which everything in the buckets is due.
    current: u64,
    /// One for each tick from the current one on, by the tick's number modulo [`BUCKETS`], and the one for the overflow.
    buckets: Vec<Bucket>,
    /// A bit for each bucket with something in it.
    occupied: [u64; WORDS],
    /// Nothing in the whole wheel is due before this.
    first: Option<Instant>,
    /// How many channels stand here.
    len: usize,
}

/// How many words hold a bit for each bucket.
const WORDS: usize = BUCKETS as usize / 64;

#[derive(Debug, Default)]
struct Bucket {
    /// Nothing in here is due before this.
    first: Option<Instant>,
    /// Deadlines and whose they are, in no order.
    entries: Vec<(Instant, ChannelKey)>,
}

impl TimerWheel {
    /// When something may be due, at the earliest.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.first
    }

    /// The same, from what is there now.
    fn find_first(&self) -> Option<Instant> {
        let near = self.next_bucket().and_then(|bucket| self.buckets[bucket].first);
        let overflow = self.buckets.get(usize::from(OVERFLOW)).and_then(|bucket| bucket.first);
        match (near, overflow) {
            (Some(near), Some(overflow)) => Some(near.min(overflow)),
            (near, overflow) => near.or(overflow),
        }
    }

    /// The first bucket with something in it, from the current one on.
    fn next_bucket(&self) -> Option<usize> {
        let start = self.current % BUCKETS;
        let (word, ahead) = ((start / 64) as usize, u64::MAX << (start % 64));
        // The word in which it begins is looked at twice: first from there on, at last up to there.
        (0..=WORDS).find_map(|step| {
            let word_index = (word + step) % WORDS;
            let mask = match step {
                0 => ahead,
                WORDS => !ahead,
                _ => u64::MAX,
            };
            let found = self.occupied[word_index] & mask;
            (found != 0).then(|| word_index * 64 + found.trailing_zeros() as usize)
        })
    }

    fn tick_of(&self, at: Instant) -> u64 {
        let since = self.epoch.map_or(Duration::ZERO, |epoch| at.saturating_duration_since(epoch));
        u64::try_from(since.as_nanos() >> TICK_BITS).unwrap_or(u64::MAX)
    }

    fn bucket_of(&self, at: Instant) -> u16 {
        let tick = self.tick_of(at).max(self.current);
        if tick - self.current < BUCKETS { (tick % BUCKETS) as u16 } else { OVERFLOW }
    }

    /// Where a channel with this deadline will stand, once it is [inserted](Self::insert) there.
    fn entry_at(&mut self, deadline: Instant) -> TimerEntry {
        if self.buckets.is_empty() {
            self.buckets.resize_with(usize::from(OVERFLOW) + 1, Bucket::default);
        }
        let bucket = self.bucket_of(deadline);
        let index = self.buckets[usize::from(bucket)].entries.len();
        TimerEntry { deadline, bucket, index: u32::try_from(index).unwrap_or(u32::MAX) }
    }

    fn insert(&mut self, at: ChannelKey, timer: TimerEntry) {
        let earlier = |first: Option<Instant>| {
            first.map_or(timer.deadline, |first| first.min(timer.deadline))
        };
        self.first = Some(earlier(self.first));
        self.len += 1;
        let bucket = &mut self.buckets[usize::from(timer.bucket)];
        bucket.first = Some(earlier(bucket.first));
        bucket.entries.push((timer.deadline, at));
        if let Some(word) = self.occupied.get_mut(usize::from(timer.bucket / 64)) {
            *word |= 1 << (timer.bucket % 64);
        }
    }

    /// Takes out whatever stands at this place.
    fn take(&mut self, timer: TimerEntry, store: &mut Store) {
        let bucket = &mut self.buckets[usize::from(timer.bucket)];
        bucket.entries.swap_remove(timer.index as usize);
        self.len -= 1;
        if self.len == 0 {
            self.first = None;
        }
        if let Some((_, moved)) = bucket.entries.get(timer.index as usize)
            && let Some(moved) = store.get_mut(*moved).and_then(|moved| moved.timer.as_mut())
        {
            moved.index = timer.index;
        }
        if bucket.entries.is_empty() {
            bucket.first = None;
            if bucket.entries.capacity() > 64 {
                bucket.entries = Vec::new();
            }
            if let Some(word) = self.occupied.get_mut(usize::from(timer.bucket / 64)) {
                *word &= !(1 << (timer.bucket % 64));
            }
        }
    }

    /// Takes a channel out.
    pub(crate) fn remove(&mut self, at: ChannelKey, store: &mut Store) {
        if let Some(timer) = store.get_mut(at).and_then(|channel| channel.timer.take()) {
            self.take(timer, store);
        }
    }

    /// Makes sure that a channel is looked at by its deadline; it never moves backward.
    fn schedule(&mut self, at: ChannelKey, deadline: Instant, store: &mut Store) {
        let Some(channel) = store.get_mut(at) else { return };
        if let Some(timer) = channel.timer {
            if timer.deadline <= deadline {
                return;
            }
            self.take(timer, store);
        }
        let timer = self.entry_at(deadline);
        if let Some(channel) = store.get_mut(at) {
            channel.timer = Some(timer);
            self.insert(at, timer);
        }
    }

    /// The next channel that is due, taken out.
    fn pop_due(&mut self, now: Instant, store: &mut Store) -> Option<ChannelKey> {
        loop {
            if let Some(bucket) = self.next_bucket()
                && self.buckets[bucket].first.is_some_and(|first| first <= now)
            {
                match self.pop_from(bucket, now, store) {
                    Some(at) => return Some(at),
                    // What was due first has been taken out meanwhile.
                    None => continue,
                }
            }
            // Nothing is due in buckets: the current one is now, unless something stands in an earlier one.
            let next = self.next_bucket().map(|bucket| {
                self.current + (bucket as u64 + BUCKETS - self.current % BUCKETS) % BUCKETS
            });
            let now_tick = self.tick_of(now);
            self.current = self.current.max(next.map_or(now_tick, |next| next.min(now_tick)));
            let overflow = self.buckets.get(usize::from(OVERFLOW))?.first?;
            if self.bucket_of(overflow) == OVERFLOW {
                return None;
            }
            self.cascade(store);
        }
    }

    fn pop_from(&mut self, bucket: usize, now: Instant, store: &mut Store) -> Option<ChannelKey> {
        let entries = &self.buckets[bucket].entries;
        let found = entries.iter().rposition(|(at, _)| *at <= now);
        let Some(index) = found else {
            let first = entries.iter().map(|(at, _)| *at).min();
            self.buckets[bucket].first = first;
            return None;
        };
        let (_, at) = entries[index];
        self.remove(at, store);
        Some(at)
    }

    /// Moves what has come within reach from the overflow to the bucket of its tick.
    fn cascade(&mut self, store: &mut Store) {
        let overflow = std::mem::take(&mut self.buckets[usize::from(OVERFLOW)]);
        self.len -= overflow.entries.len();
        for (deadline, at) in overflow.entries {
            let timer = self.entry_at(deadline);
            if let Some(channel) = store.get_mut(at) {
                channel.timer = Some(timer).filter(|_| !faults::has(Fault::TimerDropped));
                if channel.timer.is_some() {
                    self.insert(at, timer);
                }
            }
        }
    }
}

impl Session {
    /// Lets time pass: sends beats, and ends what has been silent or unanswered for too long.
    ///
    /// Call it when [`poll_timeout`](Self::poll_timeout) has come; any other time does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.timers.first().is_none_or(|first| first > now) {
            return;
        }
        while let Some(at) = self.timers.pop_due(now, &mut self.store) {
            self.handle_due(now, at);
        }
        self.timers.first = self.timers.find_first();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, if nothing else happens. It may be earlier
    /// than anything that is really due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().and_then(|due| due.checked_add(self.slept))
    }

    fn handle_due(&mut self, now: Instant, at: ChannelKey) {
        let Some(channel) = self.store.get_mut(at) else { return };
        let (peer, is_call) = (channel.peer, matches!(channel.role, Role::Client(_)));
        if let Some(loss) = channel.expired(now, &self.config) {
            if let Some(peer) = peer.filter(|_| is_call) {
                let longest = self.config.interval().saturating_mul(2);
                let is_passive = self.config.heartbeat_mode == HeartbeatMode::Passive;
                let may_be_mute = is_passive && !self.store.is_alone(peer);
                self.peers.lost_by_timeout(peer, now, longest, may_be_mute);
            }
            return self.lose(at, loss);
        }
        if let Role::Client(call) = &mut channel.role
            && call.retry.is_some_and(|at| at <= now)
        {
            call.retry = None;
            self.enqueue(at);
            return self.reschedule(at);
        }
        if let Role::Server(RequestState { turn: Turn::Postponed(Some(due)), .. }) = &channel.role
            && *due <= now
        {
            self.judge_postponed(now, at);
        }
        let Some(channel) = self.store.get_mut(at) else { return };
        match channel.heartbeat.poll(now, self.config.interval()) {
            Some(Due::Lost(after)) => {
                if let Some(peer) = peer.filter(|_| is_call) {
                    self.peers.lost_by_silence(peer, now, after);
                    self.resume_unassigned();
                }
                return self.lose(at, Loss::Silent { after });
            }
            Some(Due::Beat) => {
                channel.heartbeat_pending = true;
                self.enqueue(at);
            }
            None => {}
        }
        self.reschedule(at);
    }

    /// Makes sure that a channel is looked at in time.
    pub(crate) fn reschedule(&mut self, at: ChannelKey) {
        let deadline = self.store.get(at).and_then(|channel| channel.deadline(&self.config));
        self.look_by(at, deadline);
    }

    /// Makes sure that a channel is looked at by this time, if there is one.
    pub(crate) fn look_by(&mut self, at: ChannelKey, deadline: Option<Instant>) {
        if let (Some(deadline), Some(channel)) = (deadline, self.store.get(at))
            // Mostly there is nothing to do: it stands early enough.
            && channel.timer.is_none_or(|timer| timer.deadline > deadline)
        {
            self.timers.begin(self.now);
            self.timers.schedule(at, deadline, &mut self.store);
        }
    }
}

impl TimerWheel {
    /// Time begins when something is due for the first time.
    fn begin(&mut self, now: Option<Instant>) {
        if self.epoch.is_none() {
            self.epoch = now;
        }
    }
}
