//! Names of peers on a ROUTER: two connections cannot have the same.

use std::time::Duration;

use bytes::Bytes;
use zerorpc_proto::transport::Handover;

use super::{CloseReason, Socket};

/// How long the holder of a name may take to show that it is still there. Not measured: round trips of any
/// path, with a packet lost.
const ANSWER: Duration = Duration::from_secs(2);

/// How long it may take where more waits for it than that it could read the question at once; and how long a holder that
/// cannot be asked may be silent.
const SILENCE: Duration = Duration::from_secs(15);

impl Socket {
    /// Lets newcomers in whose names have become free, and refuses the others.
    pub(super) fn settle_contested(&mut self) {
        for newcomer in std::mem::take(&mut self.contested) {
            let Some(index) = self.index_of(newcomer) else { continue };
            let Some(info) = self.connections[index].newcomer.take() else { continue };
            match self.claim(index, &info.identity) {
                Ok(()) => {
                    self.on_admitted(index, &info);
                    // What it said behind its handshake has waited.
                    self.after_read(index, Ok(()));
                }
                Err(reason) => self.end(index, reason),
            }
        }
    }

    /// Whether a connection may have this name. If another has it, that one is asked whether it is still there, and ended
    /// when it is not; the newcomer is refused meanwhile, and comes again by itself.
    fn claim(&mut self, index: usize, name: &Bytes) -> Result<(), CloseReason> {
        let Some(holder) = self.holder(name) else { return Ok(()) };
        let (handover, now) = (self.hands_over(), self.now);
        let Some(connection) = self.connections.get_mut(holder) else { return Ok(()) };
        let now = now.unwrap_or(connection.heard_at);
        let quiet = now.saturating_duration_since(connection.heard_at);
        let within = if connection.engine.has_output() { SILENCE } else { ANSWER };
        let what_then = if !handover {
            "it keeps it until it goes"
        } else if connection.engine.probe(now, within) {
            "it keeps it if it is still there, which it is being asked"
        } else if quiet < SILENCE {
            "it keeps it until it goes or is silent for 15 s"
        } else {
            let reason = "it was silent, and another connection has come with its name";
            self.drop_peer(holder, reason, "another connection has come with this name");
            return Ok(());
        };
        let remote = connection.remote.clone();
        self.mark_unwritten(holder);
        self.reschedule(holder);
        let words = format!("another connection has the same identity; {what_then}");
        if let Some(connection) = self.connections.get_mut(index) {
            connection.engine.part(&words);
        }
        Err(CloseReason::IdentityTaken { identity: name.clone(), holder: remote, what_then })
    }

    /// Whether a name may go from a connection to another.
    pub(super) fn hands_over(&self) -> bool {
        self.options.handover == Handover::Allowed
    }

    /// The connection that has a name.
    pub(super) fn holder(&self, name: &Bytes) -> Option<usize> {
        self.peers.get(self.identities.get(name)?).copied()
    }
}
