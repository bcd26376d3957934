//! What holds of the timer wheel, recomputed from nothing.

use web_time::Instant;

use super::{OVERFLOW, Store, TimerWheel, WORDS};

impl TimerWheel {
    pub(in super::super) fn check_invariants(&self, store: &Store) {
        let (mut count, mut occupied) = (0, [0; WORDS]);
        for (at, channel) in store.channels() {
            let Some(timer) = channel.timer else { continue };
            count += 1;
            if let Some(word) = occupied.get_mut(usize::from(timer.bucket / 64)) {
                *word |= 1 << (timer.bucket % 64);
            }
            let bucket = &self.buckets[usize::from(timer.bucket)];
            let entry = bucket.entries.get(timer.index as usize);
            assert_eq!(entry, Some(&(timer.deadline, at)), "where {channel:?} should stand");
            let is_there =
                timer.bucket == OVERFLOW || self.bucket_of(timer.deadline) == timer.bucket;
            assert!(is_there, "{channel:?} stands in the bucket of another time");
            let is_early =
                |first: Option<Instant>| first.is_some_and(|first| first <= timer.deadline);
            assert!(is_early(bucket.first), "{channel:?} is earlier than {:?}", bucket.first);
            assert!(is_early(self.first), "{channel:?} is earlier than {:?}", self.first);
        }
        assert_eq!(self.len, count, "how many channels stand in the timer wheel");
        assert!(count > 0 || self.first.is_none(), "something is due, and nobody is there");
        assert_eq!(self.occupied, occupied, "buckets with something in them");
        let overflow =
            self.buckets.get(usize::from(OVERFLOW)).map_or(0, |bucket| bucket.entries.len());
        let mut entries = 0;
        for (word_index, mut word) in self.occupied.into_iter().enumerate() {
            while word != 0 {
                let bucket = word_index * 64 + word.trailing_zeros() as usize;
                entries += self.buckets[bucket].entries.len();
                word &= word - 1;
            }
        }
        assert_eq!(entries + overflow, count, "places of channels that are gone");
    }
}
