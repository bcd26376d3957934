//! What holds of deadlines, recomputed from nothing.

use web_time::Instant;

use super::{Deadlines, FAR, Store, WORDS, Wake};

impl Wake {
    /// When the channel is looked at.
    pub(in super::super) fn at(self) -> Instant {
        self.at
    }
}

impl Deadlines {
    pub(in super::super) fn check_invariants(&self, store: &Store) {
        let (mut count, mut occupied) = (0, [0; WORDS]);
        for (at, channel) in store.channels() {
            let Some(wake) = channel.wake else { continue };
            count += 1;
            if let Some(word) = occupied.get_mut(usize::from(wake.bucket / 64)) {
                *word |= 1 << (wake.bucket % 64);
            }
            let bucket = &self.buckets[usize::from(wake.bucket)];
            let entry = bucket.entries.get(wake.place as usize);
            assert_eq!(entry, Some(&(wake.at, at)), "where {channel:?} should stand");
            let is_there = wake.bucket == FAR || self.bucket_of(wake.at) == wake.bucket;
            assert!(is_there, "{channel:?} stands in the bucket of another time");
            let is_early = |first: Option<Instant>| first.is_some_and(|first| first <= wake.at);
            assert!(is_early(bucket.first), "{channel:?} is earlier than {:?}", bucket.first);
            assert!(is_early(self.first), "{channel:?} is earlier than {:?}", self.first);
        }
        assert_eq!(self.len, count, "how many channels stand among the deadlines");
        assert!(count > 0 || self.first.is_none(), "something is due, and nobody is there");
        assert_eq!(self.occupied, occupied, "buckets with something in them");
        let far = self.buckets.get(usize::from(FAR)).map_or(0, |bucket| bucket.entries.len());
        let mut entries = 0;
        for (place, mut word) in self.occupied.into_iter().enumerate() {
            while word != 0 {
                let bucket = place * 64 + word.trailing_zeros() as usize;
                entries += self.buckets[bucket].entries.len();
                word &= word - 1;
            }
        }
        assert_eq!(entries + far, count, "places of channels that are gone");
    }
}
