//! What a subscriber wants to hear.

use std::{collections::BTreeSet, ops::Bound};

use bytes::Bytes;

/// How many subscriptions of one peer are kept; further ones count as one to everything. Not
/// measured: bounds, ten times what a subscriber with a topic for each thing has.
const MOST: usize = 10_000;

/// How many bytes of subscriptions are kept; likewise.
const MOST_BYTES: usize = 1 << 20;

/// The beginnings of messages that one peer subscribed to. A set: a topic that was subscribed to twice is
/// cancelled at once, as libzmq does it.
#[derive(Debug, Default)]
pub(super) struct Topics {
    prefixes: BTreeSet<Bytes>,
    /// Bytes of all prefixes.
    bytes: usize,
    everything: bool,
}

impl Topics {
    pub(super) fn subscribe(&mut self, topic: Bytes) {
        if self.prefixes.contains(&topic) {
            return;
        }
        if self.prefixes.len() == MOST || self.bytes + topic.len() > MOST_BYTES {
            self.everything = true;
            return;
        }
        self.bytes += topic.len();
        self.prefixes.insert(topic);
    }

    pub(super) fn cancel(&mut self, topic: &Bytes) {
        if self.prefixes.remove(topic) {
            self.bytes -= topic.len();
        }
    }

    /// Whether a message that begins with `head`, and goes on with `tail`, is wanted.
    pub(super) fn matches(&self, head: &[u8], tail: &[u8]) -> bool {
        self.everything || self.has_prefix_of(head) || self.has_prefix_beyond(head, tail)
    }

    /// Whether a prefix of `start` is there. All that lie between one and `start` begin with it: so it is looked
    /// for among what the nearest neighbour has in common with `start`.
    fn has_prefix_of(&self, mut start: &[u8]) -> bool {
        let up_to = |start: &[u8]| {
            let range = (Bound::Unbounded, Bound::Included(start));
            self.prefixes.range::<[u8], _>(range).next_back()
        };
        while let Some(nearest) = up_to(start) {
            if start.starts_with(nearest) {
                return true;
            }
            let shared = start.iter().zip(nearest).take_while(|(one, other)| one == other).count();
            start = &start[..shared];
        }
        false
    }

    /// Whether there is a prefix that is longer than `head`.
    fn has_prefix_beyond(&self, head: &[u8], tail: &[u8]) -> bool {
        if tail.is_empty() {
            return false;
        }
        let longer = self.prefixes.range::<[u8], _>((Bound::Excluded(head), Bound::Unbounded));
        longer
            .take_while(|prefix| prefix.starts_with(head))
            .any(|prefix| tail.starts_with(&prefix[head.len()..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_match() {
        let mut topics = Topics::default();
        assert!(!topics.matches(b"abc", b""));
        for topic in ["ab", "ab", "abcdx", "b", "bcd", "bce"] {
            topics.subscribe(Bytes::from_static(topic.as_bytes()));
        }
        let table = [
            ("ab", "", true),
            ("abc", "", true),
            ("abcd", "", true),
            ("a", "", false),
            ("a", "b", true),
            ("", "abc", true),
            ("c", "", false),
            ("bcf", "", true),
            ("", "", false),
            ("B", "cd", false),
        ];
        for (head, tail, wanted) in table {
            assert_eq!(topics.matches(head.as_bytes(), tail.as_bytes()), wanted, "{head} {tail}");
        }
        topics.cancel(&Bytes::from_static(b"ab"));
        assert!(!topics.matches(b"ab", b""));
        topics.subscribe(Bytes::new());
        assert!(topics.matches(b"", b"") && topics.matches(b"x", b""));
        topics.cancel(&Bytes::new());
        assert!(!topics.matches(b"x", b""));
    }

    #[test]
    fn too_much_to_keep_counts_as_everything() {
        let mut many = Topics::default();
        for number in 0..=MOST {
            assert!(!many.matches(b"x", b""), "after {number}");
            many.subscribe(Bytes::from(format!("topic {number}")));
        }
        let mut large = Topics::default();
        for number in 0..=16_u8 {
            assert!(!large.matches(b"x", b""), "after {number}");
            large.subscribe(Bytes::from(vec![number; 64 << 10]));
        }
        assert!(many.matches(b"x", b"") && large.matches(b"x", b""));
        assert!(large.bytes <= MOST_BYTES);
    }
}
