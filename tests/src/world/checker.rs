//! What must hold of a session between any two method calls.

use zerorpc_proto::Session;

/// So many channels are looked at after every step; of sessions with more, a step in so many more is.
const CHANNELS: usize = 8;

/// Checks the invariants of one session again and again, at a cost that does not grow with it.
#[derive(Debug, Default)]
pub struct Checker {
    skipped: usize,
}

impl Checker {
    /// A step was made.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn check(&mut self, session: &Session) {
        self.skipped += CHANNELS;
        if self.skipped >= session.open_channels() {
            self.skipped = 0;
            session.check_invariants();
        }
    }
}
