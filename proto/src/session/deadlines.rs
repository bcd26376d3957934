//! What is due when: beats, silence, and calls that nobody answers.
//!
//! A channel stands here once at most, and never later than its true deadline. Events that push a deadline
//! back leave it where it stands: it is looked at when its time comes, so traffic costs nothing here.
//!
//! Channels stand in buckets by time. To put one in and to take one out takes the same short time however many there
//! are.

#[cfg(feature = "invariants")]
mod invariants;

use web_time::{Duration, Instant};

use super::{
    Session,
    store::{ChannelKey, Store},
};
use crate::{
    call::Loss,
    channel::{Side, heartbeat::Due},
    config::HeartbeatMode,
};

/// How much time a bucket is for: so many bits of nanoseconds, about 8 ms.
const SPAN_BITS: u32 = 23;
/// How many buckets there are; whatever is due later than they reach waits in one more.
const BUCKETS: u64 = 1024;
/// The number of that one.
const FAR: u16 = BUCKETS as u16;

/// Where a channel stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wake {
    at: Instant,
    bucket: u16,
    place: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    /// Where time begins.
    epoch: Option<Instant>,
    /// Everything that stands in buckets is due in this span or later,
    current: u64,
    /// and so many spans later at most.
    buckets: Vec<Bucket>,
    /// A bit for each bucket with something in it.
    occupied: [u64; WORDS],
    /// Nothing is due before this.
    first: Option<Instant>,
    /// How many channels stand here.
    len: usize,
}

const WORDS: usize = BUCKETS as usize / 64;

#[derive(Debug, Default)]
struct Bucket {
    /// Nothing in here is due before this.
    first: Option<Instant>,
    entries: Vec<(Instant, ChannelKey)>,
}

impl Deadlines {
    /// When something may be due, at the earliest.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.first
    }

    /// The same, from what is there now.
    fn find_first(&self) -> Option<Instant> {
        let near = self.next_bucket().and_then(|bucket| self.buckets[bucket].first);
        let far = self.buckets.get(usize::from(FAR)).and_then(|bucket| bucket.first);
        match (near, far) {
            (Some(near), Some(far)) => Some(near.min(far)),
            (near, far) => near.or(far),
        }
    }

    /// The first bucket with something in it, from the current one on.
    fn next_bucket(&self) -> Option<usize> {
        let start = self.current % BUCKETS;
        let (word, ahead) = ((start / 64) as usize, u64::MAX << (start % 64));
        // The word in which it begins is looked at twice: first from there on, at last up to there.
        (0..=WORDS).find_map(|step| {
            let place = (word + step) % WORDS;
            let mask = match step {
                0 => ahead,
                WORDS => !ahead,
                _ => u64::MAX,
            };
            let found = self.occupied[place] & mask;
            (found != 0).then(|| place * 64 + found.trailing_zeros() as usize)
        })
    }

    fn span_of(&self, at: Instant) -> u64 {
        let since = self.epoch.map_or(Duration::ZERO, |epoch| at.saturating_duration_since(epoch));
        u64::try_from(since.as_nanos() >> SPAN_BITS).unwrap_or(u64::MAX)
    }

    fn bucket_of(&self, at: Instant) -> u16 {
        let span = self.span_of(at).max(self.current);
        if span - self.current < BUCKETS { (span % BUCKETS) as u16 } else { FAR }
    }

    /// Where a channel with this deadline will stand, once it is [put](Self::put) there.
    fn place(&mut self, deadline: Instant) -> Wake {
        if self.buckets.is_empty() {
            self.buckets.resize_with(usize::from(FAR) + 1, Bucket::default);
        }
        let bucket = self.bucket_of(deadline);
        let place = self.buckets[usize::from(bucket)].entries.len();
        Wake { at: deadline, bucket, place: u32::try_from(place).unwrap_or(u32::MAX) }
    }

    fn put(&mut self, at: ChannelKey, wake: Wake) {
        let earlier = |first: Option<Instant>| first.map_or(wake.at, |first| first.min(wake.at));
        self.first = Some(earlier(self.first));
        self.len += 1;
        let bucket = &mut self.buckets[usize::from(wake.bucket)];
        bucket.first = Some(earlier(bucket.first));
        bucket.entries.push((wake.at, at));
        if let Some(word) = self.occupied.get_mut(usize::from(wake.bucket / 64)) {
            *word |= 1 << (wake.bucket % 64);
        }
    }

    /// Takes out whatever stands at this place.
    fn take(&mut self, wake: Wake, store: &mut Store) {
        let bucket = &mut self.buckets[usize::from(wake.bucket)];
        bucket.entries.swap_remove(wake.place as usize);
        self.len -= 1;
        if self.len == 0 {
            self.first = None;
        }
        if let Some((_, moved)) = bucket.entries.get(wake.place as usize)
            && let Some(moved) = store.get_mut(*moved).and_then(|moved| moved.wake.as_mut())
        {
            moved.place = wake.place;
        }
        if bucket.entries.is_empty() {
            bucket.first = None;
            if bucket.entries.capacity() > 64 {
                bucket.entries = Vec::new();
            }
            if let Some(word) = self.occupied.get_mut(usize::from(wake.bucket / 64)) {
                *word &= !(1 << (wake.bucket % 64));
            }
        }
    }

    /// Takes a channel out.
    pub(crate) fn remove(&mut self, at: ChannelKey, store: &mut Store) {
        if let Some(wake) = store.get_mut(at).and_then(|channel| channel.wake.take()) {
            self.take(wake, store);
        }
    }

    /// Makes sure that a channel is looked at by its deadline; it never moves backward.
    fn schedule(&mut self, at: ChannelKey, deadline: Instant, store: &mut Store) {
        let Some(channel) = store.get_mut(at) else { return };
        if let Some(wake) = channel.wake {
            if wake.at <= deadline {
                return;
            }
            self.take(wake, store);
        }
        let wake = self.place(deadline);
        if let Some(channel) = store.get_mut(at) {
            channel.wake = Some(wake);
            self.put(at, wake);
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
            let now_span = self.span_of(now);
            self.current = self.current.max(next.map_or(now_span, |next| next.min(now_span)));
            let far = self.buckets.get(usize::from(FAR))?.first?;
            if self.bucket_of(far) == FAR {
                return None;
            }
            self.bring_near(store);
        }
    }

    fn pop_from(&mut self, bucket: usize, now: Instant, store: &mut Store) -> Option<ChannelKey> {
        let entries = &self.buckets[bucket].entries;
        let found = entries.iter().rposition(|(at, _)| *at <= now);
        let Some(place) = found else {
            let first = entries.iter().map(|(at, _)| *at).min();
            self.buckets[bucket].first = first;
            return None;
        };
        let (_, at) = entries[place];
        self.remove(at, store);
        Some(at)
    }

    /// Puts what has come within reach into its bucket.
    fn bring_near(&mut self, store: &mut Store) {
        let far = std::mem::take(&mut self.buckets[usize::from(FAR)]);
        self.len -= far.entries.len();
        for (deadline, at) in far.entries {
            let wake = self.place(deadline);
            if let Some(channel) = store.get_mut(at) {
                channel.wake = Some(wake);
                self.put(at, wake);
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
        if self.deadlines.first().is_none_or(|first| first > now) {
            return;
        }
        while let Some(at) = self.deadlines.pop_due(now, &mut self.store) {
            self.handle_due(now, at);
        }
        self.deadlines.first = self.deadlines.find_first();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, if nothing else happens. It may be earlier
    /// than anything that is really due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().and_then(|due| due.checked_add(self.slept))
    }

    fn handle_due(&mut self, now: Instant, at: ChannelKey) {
        let Some(channel) = self.store.get_mut(at) else { return };
        let (peer, is_call) = (channel.peer, matches!(channel.side, Side::Caller(_)));
        if let Some(loss) = channel.expired(now, &self.config) {
            if let Some(peer) = peer.filter(|_| is_call) {
                let longest = self.config.interval().saturating_mul(2);
                let counts_silence = self.config.heartbeat_mode == HeartbeatMode::Active;
                self.peers.lost_by_timeout(peer, now, longest, counts_silence);
            }
            return self.lose(at, loss);
        }
        if let Side::Caller(caller) = &mut channel.side
            && caller.retry.is_some_and(|at| at <= now)
        {
            caller.retry = None;
            self.enqueue(at);
            return self.reschedule(at);
        }
        match channel.heartbeat.poll(now, self.config.interval()) {
            Some(Due::Lost(after)) => {
                if let Some(peer) = peer.filter(|_| is_call) {
                    self.peers.lost_by_silence(peer, now, after);
                    self.resume_unassigned();
                }
                return self.lose(at, Loss::Silent { after });
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
    pub(crate) fn reschedule(&mut self, at: ChannelKey) {
        let deadline = self.store.get(at).and_then(|channel| {
            let deadline = channel.deadline(&self.config)?;
            // Mostly there is nothing to do: it stands early enough.
            channel.wake.is_none_or(|wake| wake.at > deadline).then_some(deadline)
        });
        if let Some(deadline) = deadline {
            self.deadlines.begin(self.now);
            self.deadlines.schedule(at, deadline, &mut self.store);
        }
    }
}

impl Deadlines {
    /// Time begins when something is due for the first time.
    fn begin(&mut self, now: Option<Instant>) {
        if self.epoch.is_none() {
            self.epoch = now;
        }
    }
}
