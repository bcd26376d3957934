//! Names of peers on a ROUTER: two connections cannot have the same.

use std::time::{Duration, Instant};

use bytes::Bytes;
use zerorpc_proto::Handover;

use super::MioTransport;
use crate::connection::Ending;

/// How long the holder of a name may take to show that it is still there,
const ANSWER: Duration = Duration::from_secs(2);

/// and how long where more waits for it than that it could read the question at once; and how long one that cannot be
/// asked may be silent.
const SILENCE: Duration = Duration::from_secs(15);

impl MioTransport {
    /// Whether a connection may have this name. If another has it, that one is asked whether it is still there, and ended
    /// when it is not; the newcomer is refused meanwhile, and comes again by itself.
    pub(super) fn claim(&mut self, slot: usize, name: &Bytes) -> Result<(), Ending> {
        let Some(holder) = self.holder(name) else { return Ok(()) };
        let (handover, now) = (self.options.handover == Handover::Allowed, Instant::now());
        if handover {
            // Its end may be there to be read.
            self.run(holder, now);
        }
        if self.holder(name) != Some(holder) {
            return Ok(());
        }
        let Some(connection) = self.connection(holder) else { return Ok(()) };
        let remote = connection.stream.to_string();
        let quiet = now.saturating_duration_since(connection.heard_at);
        let within = if connection.engine.has_output() { SILENCE } else { ANSWER };
        let what_then = if !handover {
            "it keeps it until it goes"
        } else if connection.engine.probe(now, within) {
            let timeout = connection.engine.poll_timeout();
            self.flush(holder);
            self.schedule(holder, timeout);
            "it keeps it if it is still there, which it is being asked"
        } else if quiet < SILENCE {
            "it keeps it until it goes or is silent for 15 s"
        } else {
            let reason = "it was silent, and another connection has come with its name";
            self.end_connection(holder, reason, "another connection has come with this name");
            return Ok(());
        };
        let words = format!("another connection has the same identity; {what_then}");
        if let Some(connection) = self.connection(slot) {
            connection.engine.part(&words);
        }
        Err(Ending::Name { name: name.clone(), holder: remote, what_then })
    }

    fn holder(&self, name: &Bytes) -> Option<usize> {
        self.peers.get(self.identities.get(name)?).copied()
    }
}
