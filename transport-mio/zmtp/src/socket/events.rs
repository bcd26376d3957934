//! What happens to connections.

use std::{io::IoSlice, sync::Arc};

use zerorpc_proto::PeerId;

use super::{close_reason::CloseReason, connection::ConnectionId};
use crate::Engine;

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

/// A connection that is over.
#[derive(Debug)]
#[non_exhaustive]
pub struct Closed {
    /// The connection, which the socket has forgotten.
    pub connection: ConnectionId,
    /// Whom it led to, if the handshake was over.
    pub peer: Option<PeerId>,
    /// Where it led to.
    pub remote: Arc<str>,
    /// Why it ended.
    pub reason: CloseReason,
    /// The same for people, with what may be behind it.
    pub words: String,
    /// There is something to be mended, at one of the ends or in between.
    pub is_notable: bool,
    /// The peer said why it ends the connection: it will do so again.
    pub is_refusal: bool,
    /// One side did not let the other in, or wants another mechanism: trying again leads nowhere until settings change.
    pub is_denial: bool,
    /// It may be such a denial, and is one if it happens again: so libzmq hangs up where mechanisms differ.
    pub may_be_denial: bool,
    /// The peer takes nothing: have the system give it up at once (`SO_LINGER` of 0), instead of going on trying for
    /// minutes.
    pub must_abort: bool,
    /// What can still be told to the peer before the stream is closed, if anything. Write it, end the writing half of the
    /// stream, and read and drop what comes for a moment: to close a stream on which something was not read would throw
    /// away what is on its way.
    pub last_words: Option<LastWords>,
}

/// What is left to be written to a connection that is over.
#[derive(Debug)]
pub struct LastWords(pub(super) Engine);

impl LastWords {
    /// As [`Socket::output`](super::Socket::output).
    pub fn output<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.0.output(slices)
    }

    /// As [`Socket::advance`](super::Socket::advance).
    pub fn advance(&mut self, written: usize) {
        self.0.advance(written);
    }

    /// Whether anything is left.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.0.has_output()
    }

    /// Whether they say why this side ends the connection, which makes them worth some patience.
    #[must_use]
    pub fn say_why(&self) -> bool {
        self.0.has_parted()
    }
}
