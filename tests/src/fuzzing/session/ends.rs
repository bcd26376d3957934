//! The end: whatever happened before, everything comes to an end and nothing is left over.

use std::time::Duration;

use zerorpc_proto::RemoteError;

use super::{
    app::App,
    world::{SESSIONS, World},
};

/// More than any sequence of steps leaves to do.
const ALL: usize = usize::MAX - 1;

impl World {
    /// Every connection is there again, and every request is answered. Where nobody broke the protocol, every
    /// call that counts silence must then end.
    pub(super) fn complete(&mut self) {
        for (at, to) in pairs() {
            self.congest(at, to, false);
            self.come_up(at, to);
        }
        let mut rounds = 0;
        let waits = |app: &App| app.counts_silence && !app.calls.is_empty();
        while !self.spoiled && !self.stopped && self.apps.iter().any(waits) {
            for at in 0..SESSIONS {
                self.wake(at);
                self.fail_requests(at);
                self.read_all(at);
                self.transmit(at, ALL);
            }
            for (from, to) in pairs() {
                self.carry(from, to, ALL);
            }
            self.check();
            self.pass(Duration::from_millis(100));
            rounds += 1;
            assert!(rounds < 5000, "calls wait for ever");
        }
    }

    /// Everybody ends what is open and hears nothing more. Then time alone must empty the sessions.
    pub(super) fn end(mut self) {
        for at in 0..SESSIONS {
            self.fail_requests(at);
            let app = &mut self.apps[at];
            for (id, _) in std::mem::take(&mut app.calls) {
                app.session.call(id).expect("its last answer was not read").cancel();
            }
        }
        let mut rounds = 0;
        loop {
            for at in 0..SESSIONS {
                self.wake(at);
                self.transmit(at, ALL);
                self.check();
            }
            let due = self.apps.iter().filter_map(|app| app.session.poll_timeout()).min();
            let Some(due) = due else { break };
            self.now = self.now.max(due);
            rounds += 1;
            assert!(rounds < 100_000, "something is due for ever");
        }
        for app in &mut self.apps {
            assert_eq!(app.session.open_channels(), 0, "channels are left over");
            assert_eq!(app.session.buffered_bytes(), 0, "bytes are left over");
            assert_eq!(app.session.poll_timeout(), None, "nothing is due any more");
            assert_eq!(app.session.poll_transmit(), None, "nothing is to be sent any more");
        }
    }

    fn fail_requests(&mut self, at: usize) {
        self.look(at);
        let app = &mut self.apps[at];
        for (id, _) in std::mem::take(&mut app.requests) {
            let request = app.session.request(id).expect("it was neither answered nor lost");
            request.fail(RemoteError::new("E", "the end"));
        }
    }
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..SESSIONS).flat_map(|at| (0..SESSIONS).map(move |to| (at, to)))
}
