//! What happens to connections.

use std::sync::Arc;

use zerorpc_proto::PeerId;

use super::{Closed, ConnectionId};

/// What happened to a connection, for its embedder.
#[derive(Debug)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The handshake is over: it carries messages.
    Ready {
        /// The connection.
        connection: ConnectionId,
        /// Whom it leads to.
        peer: PeerId,
        /// Where it leads to.
        remote: Arc<str>,
    },
    /// The peer is about to stop, and gets no new requests. What is open goes on; whoever dialed makes another connection,
    /// as there may be somebody else at the endpoint.
    GoingAway {
        /// The connection.
        connection: ConnectionId,
        /// Whom it leads to.
        peer: PeerId,
        /// Where it leads to.
        remote: Arc<str>,
    },
    /// Everything was written over a connection that gets nothing new: end the writing half of the stream, so that the peer
    /// closes it when it has read all. Only on PUSH sockets, where nothing comes that would have to be waited for.
    AllWritten {
        /// The connection.
        connection: ConnectionId,
    },
    /// The connection is over: the stream is to be closed. The socket has forgotten it.
    Closed(Box<Closed>),
}
