//! Going away in good order: GOAWAY, from either end.
//!
//! Who is about to stop says so to all peers that understand it: new requests go elsewhere, and what is open goes on. Its
//! last word, behind everything else, says that it has answered all requests that it has looked at. Both are commands of
//! our own, named after HTTP/2's (RFC 9113, section 6.8), and are sent to peers alone that announce that they know them.

use zerorpc_proto::{PeerEvent, transport::SocketKind};

use super::{ConnectionId, Socket, SocketEvent};

/// What is said of a peer that is about to stop.
const STOPPING: &str = "the peer is stopping";

impl Socket {
    /// Tells peers that new requests are not welcome, as far as they understand it, and those that come from now on.
    pub fn drain(&mut self) {
        self.is_draining = true;
        let peers: Vec<usize> = self.connections.iter().map(|(index, _)| index).collect();
        for index in peers {
            self.say_goaway(index);
        }
    }

    /// As the last word, tells a peer that everything that was received from it has been answered; not while something
    /// else waits for it. False where that was not said.
    pub fn say_last_word(&mut self, connection: ConnectionId) -> bool {
        let Some(index) = self.index_of(connection) else { return false };
        let is_said = self.connections[index].engine.say_last_word();
        self.mark_unwritten(index);
        is_said
    }

    /// Sends nothing new over a connection, for a reason that goes with its end. What is open on it goes on, and it is
    /// ended when nothing is; of a PUSH socket, others get what waits for it.
    pub fn retire(&mut self, connection: ConnectionId, reason: &'static str) {
        let Some(index) = self.index_of(connection) else { return };
        let connection = &mut self.connections[index];
        if connection.retired.replace(reason).is_some() {
            return;
        }
        let Some(peer) = connection.peer else { return };
        self.rotation.remove(peer);
        match self.kind {
            SocketKind::Dealer => self.inbox.add_event(PeerEvent::GoingAway(peer)),
            SocketKind::Push => {
                // What has begun to leave does so.
                let unsent = connection.engine.take_unsent();
                self.recount(index);
                self.give_back(unsent);
                self.finish_retired(index);
            }
            _ => {}
        }
    }

    /// Tells a peer that this side is about to stop.
    pub(super) fn say_goaway(&mut self, index: usize) {
        if self
            .connections
            .get_mut(index)
            .is_some_and(|it| it.peer.is_some() && it.engine.go_away())
        {
            self.mark_unwritten(index);
        }
    }

    /// A peer is about to stop, or has.
    #[cold]
    pub(super) fn on_goaway(&mut self, index: usize, is_last: bool) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        let Some(peer) = connection.peer else { return };
        let is_news = connection.retired.replace(STOPPING).is_none();
        connection.is_finished |= is_last;
        let (connection, remote) = (connection.id, connection.remote.clone());
        if is_news {
            self.rotation.remove(peer);
            self.inbox.add_event(PeerEvent::GoingAway(peer));
            self.events.push_back(SocketEvent::GoingAway { connection, peer, remote });
        }
        if is_last {
            self.inbox.add_event(PeerEvent::Gone(peer));
        }
    }

    /// Has the stream of a retired connection of a PUSH socket ended once all is written. Nothing comes that would have to
    /// be waited for.
    pub(super) fn finish_retired(&mut self, index: usize) {
        if self.kind == SocketKind::Push
            && let Some(connection) = self.connections.get_mut(index)
            && connection.retired.is_some()
            && !connection.is_mute
            && !connection.engine.has_output()
        {
            connection.is_mute = true;
            let connection = connection.id;
            self.reschedule(index);
            self.events.push_back(SocketEvent::AllWritten { connection });
        }
    }
}
