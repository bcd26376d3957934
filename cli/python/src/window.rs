//! How far a stream may be ahead of its caller. What the child makes before it is asked for counts for no peer, so all streams
//! share what there may be of it.

/// So much may be made ahead for all streams of a module together, and at least one item of each whose caller takes more. Not
/// measured: as much as a peer may add to the memory of a server beside what is counted (`docs/limits.md`).
const TOGETHER: Credit = Credit { items: 4096, bytes: 4 << 20 };

/// So much for one of them. Not measured: items of a stream are in docs/performance.md.
const MOST: Credit = Credit { items: 64, bytes: 1 << 20 };

/// Items and bytes that the child may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Credit {
    pub(super) items: i64,
    /// Below zero when the latest item was larger.
    pub(super) bytes: i64,
}

/// The credit of one stream.
#[derive(Debug)]
pub(super) struct Window {
    /// What was left when it was granted last, and what was granted then.
    size: Credit,
    /// What is left of it.
    left: Credit,
}

impl Window {
    /// As the child begins (`calls.py`).
    pub(super) fn new() -> Self {
        let first = Credit { items: 1, bytes: 1 };
        Self { size: first, left: first }
    }

    /// So much has left for the caller.
    pub(super) fn take(&mut self, items: usize, bytes: usize) {
        self.left.items -= items as i64;
        self.left.bytes -= bytes as i64;
    }

    /// Whether more is to be granted, if the caller takes more: in batches, so that one who keeps up never stops the stream.
    pub(super) fn is_low(&self) -> bool {
        self.left.items <= self.size.items / 2 || self.left.bytes <= self.size.bytes / 2
    }

    /// Grants more, with so many streams open: twice as many items as before, up to what is its part.
    pub(super) fn refill(&mut self, streams: usize) -> Credit {
        let streams = i64::try_from(streams).unwrap_or(i64::MAX).max(1);
        let part = |together: i64, most: i64| (together / streams).clamp(1, most);
        self.size = Credit {
            items: part(TOGETHER.items, MOST.items).min(2 * self.size.items),
            bytes: part(TOGETHER.bytes, MOST.bytes),
        };
        let granted = Credit {
            items: (self.size.items - self.left.items).max(0),
            bytes: (self.size.bytes - self.left.bytes).max(0),
        };
        self.left.items += granted.items;
        self.left.bytes += granted.bytes;
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all that was granted, one by one, whenever there is more.
    fn sizes(window: &mut Window, streams: usize, size: usize, items: usize) -> Vec<i64> {
        let mut sizes = Vec::new();
        for _ in 0..items {
            assert!(window.left.items > 0 && window.left.bytes > 0, "{window:?}");
            window.take(1, size);
            if window.is_low() {
                window.refill(streams);
                sizes.push(window.size.items);
            }
        }
        sizes
    }

    #[test]
    fn it_opens_as_items_are_taken() {
        let mut window = Window::new();
        assert!(!window.is_low(), "the first item has to leave first");
        assert_eq!(sizes(&mut window, 1, 10, 70), [2, 4, 8, 16, 32, 64, 64]);
    }

    #[test]
    fn streams_share_it() {
        for (streams, items, bytes) in [
            (0, 64, 1 << 20),
            (4, 64, 1 << 20),
            (64, 64, 1 << 16),
            (1000, 4, (4 << 20) / 1000),
            (50_000, 1, (4 << 20) / 50_000),
            (usize::MAX, 1, 1),
        ] {
            let mut window = Window::new();
            sizes(&mut window, streams, 1, 200);
            assert_eq!(window.size, Credit { items, bytes }, "{streams}");
        }
    }

    #[test]
    fn large_items_are_made_one_at_a_time() {
        let mut window = Window::new();
        for _ in 0..10 {
            window.take(1, 5 << 20);
            assert!(window.is_low());
            window.refill(1);
            assert_eq!(window.left.bytes, 1 << 20);
        }
    }

    #[test]
    fn nothing_is_taken_back_when_others_come() {
        let mut window = Window::new();
        sizes(&mut window, 1, 1, 200);
        let left = window.left;
        let granted = window.refill(50_000);
        assert_eq!((granted.items, window.left.items), (0, left.items));
    }
}
