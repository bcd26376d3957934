//! Credit arithmetic, alone (protocol section 6).

/// Permission to send counted events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credit {
    available: u32,
    most: u32,
}

impl Credit {
    /// Each side of a channel starts with permission for one.
    pub(crate) fn new(most: u32) -> Self {
        Self { available: 1, most }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.available == 0
    }

    /// Uses up one; false when there is none.
    pub(crate) fn take(&mut self) -> bool {
        let had = self.available > 0;
        self.available = self.available.saturating_sub(1);
        had
    }

    /// Grants add, and saturate at the configured maximum.
    pub(crate) fn grant(&mut self, more: u32) {
        self.available = self.available.saturating_add(more).min(self.most);
    }
}

/// Permission given to the other side, and when to give more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    size: u32,
    outstanding: u32,
    consumed_any: bool,
}

impl Window {
    pub(crate) fn new(size: u32) -> Self {
        Self { size: size.max(1), outstanding: 1, consumed_any: false }
    }

    /// The next event is asked for: what to grant now, if anything. Never before the first event was
    /// consumed, and only when less than half of the window is out.
    pub(crate) fn next_grant(&mut self) -> Option<u32> {
        if !self.is_grant_due() {
            return None;
        }
        let more = self.size - self.outstanding;
        self.outstanding = self.size;
        Some(more)
    }

    /// Whether asking for the next event grants anything.
    pub(crate) fn is_grant_due(self) -> bool {
        self.consumed_any && u64::from(self.outstanding) * 2 < u64::from(self.size)
    }

    /// An event was consumed.
    pub(crate) fn consume(&mut self) {
        self.consumed_any = true;
        self.outstanding = self.outstanding.saturating_sub(1);
    }

    /// How many events may wait unread before the peer has broken the rule for certain.
    pub(crate) fn size(self) -> u32 {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn grants_are_the_references() {
        let mut window = Window::new(100);
        let mut grants = Vec::new();
        for item in 0..300 {
            if let Some(more) = window.next_grant() {
                grants.push((item, more));
            }
            window.consume();
        }
        assert_eq!(grants[..4], [(1, 100), (52, 51), (103, 51), (154, 51)]);
    }

    #[test]
    fn a_window_of_one_moves() {
        let mut window = Window::new(1);
        assert_eq!(window.next_grant(), None);
        for _ in 0..3 {
            window.consume();
            assert_eq!(window.next_grant(), Some(1));
            assert_eq!(window.next_grant(), None);
        }
    }

    proptest! {
        /// A sender that obeys never is more than the window and one ahead, and never stalls for good.
        #[test]
        fn sender_and_receiver_agree(size in 1_u32..300, most in 300_u32..1000, reads in prop::collection::vec(any::<bool>(), 0..2000)) {
            let (mut credit, mut window) = (Credit::new(most), Window::new(size));
            let (mut sent, mut consumed) = (0_u32, 0_u32);
            for read in reads {
                if read {
                    if let Some(more) = window.next_grant() {
                        credit.grant(more);
                    }
                    if consumed < sent {
                        window.consume();
                        consumed += 1;
                    } else {
                        prop_assert!(!credit.is_empty(), "nothing to read and nothing may be sent");
                    }
                } else if credit.take() {
                    sent += 1;
                }
                prop_assert!(sent - consumed <= size + 1);
            }
        }

        #[test]
        fn credit_saturates(grants in prop::collection::vec(any::<u32>(), 0..50)) {
            let mut credit = Credit::new(1000);
            for more in grants {
                credit.grant(more);
                prop_assert!(credit.available <= 1000);
            }
        }
    }
}
