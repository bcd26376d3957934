//! What there is to ask.

use std::sync::Arc;

use zerorpc_proto::{PeerId, Route, transport::Principal};

use super::{ConnectionId, Socket, route};

impl Socket {
    /// The open connections with a peer, in no particular order.
    pub fn ready_connections(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        let ready = self.connections.iter().filter(|(_, connection)| connection.peer.is_some());
        ready.map(|(_, connection)| connection.id)
    }

    /// How many peers there are.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// The connection of a peer, as long as it stands.
    #[must_use]
    pub fn connection_of(&self, peer: PeerId) -> Option<ConnectionId> {
        Some(self.connections.get(*self.peers.get(&peer)?)?.id)
    }

    /// The peer at the other end of a connection, once the handshake is over.
    #[must_use]
    pub fn peer_of(&self, connection: ConnectionId) -> Option<PeerId> {
        self.get(connection)?.peer
    }

    /// Who a peer is, as far as this side made sure of it, as long as its connection stands.
    #[must_use]
    pub fn principal(&self, peer: PeerId) -> Option<&Arc<Principal>> {
        self.connections.get(*self.peers.get(&peer)?)?.principal.as_ref()
    }

    /// Where a connection leads to.
    #[must_use]
    pub fn remote(&self, connection: ConnectionId) -> Option<&str> {
        Some(&self.get(connection)?.remote)
    }

    /// How many bytes are kept for all peers: messages that wait to be written, and parts of messages that are to come.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        self.retained
    }

    /// How many bytes are kept for each peer.
    #[must_use]
    pub fn retained_by_route(&self) -> Vec<(Route, usize)> {
        let connections = self.connections.iter().map(|(_, connection)| connection);
        connections.filter_map(|it| Some((route(it.peer?), it.retained))).collect()
    }

    /// A number that changes whenever a peer takes anything of what is sent to it.
    #[must_use]
    pub fn progress_of(&self, peer: PeerId) -> Option<u64> {
        Some(self.connections.get(*self.peers.get(&peer)?)?.written)
    }

    /// How many messages were not sent to a subscriber that does not keep up, on a PUB socket.
    #[must_use]
    pub fn dropped_messages(&self) -> u64 {
        self.dropped
    }
}
