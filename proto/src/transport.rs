//! Transports: for those who write one, or drive a [`Session`](crate::Session) by one.
//!
//! Whoever moves messages in a way of their own needs nothing of it: a session takes messages and
//! [`PeerEvent`]s, and gives messages. This is the contract that the transports of the project fulfil (`zerorpc-mio`,
//! `zerorpc-zmq`) and that the driver of `zerorpc` stands on, with what they have in common: kinds and options of sockets,
//! what endpoints mean, errors, and what monitors are told.
//!
//! A transport moves whole multipart messages to and from peers and reports peers that come and go. It
//! knows nothing of events. **Waiting and moving are separate**: moving bytes ([`Transport`]) never
//! blocks, and waiting for readiness ([`Waiter`]) needs no access to what moves them. So any thread may
//! wait, and the thread that has something to say writes it to the socket itself.

mod accept;
mod bounds;
mod endpoint;
mod error;
mod monitor;
mod networks;
mod options;
mod security;

use std::{io, sync::Arc};

use web_time::Instant;

use crate::{
    multipart::Multipart,
    peer::{PeerId, Route},
    peer_event::PeerEvent,
    transmit::Transmit,
};
pub use accept::{
    AcceptLimits, AcceptRate, AcceptStats, FailedHandshakes, PeerAddress, RefusedConnections,
};
pub use bounds::MemoryBounds;
pub(crate) use bounds::readable;
pub use endpoint::{Endpoint, Host, TcpAddress};
pub use error::{Cause, EndpointAction, EndpointError, TransportError};
pub use monitor::MonitorEvent;
pub use networks::{InvalidNetwork, Network, Networks};
pub use options::{Handover, Keepalive, Probes, SocketOptions};
pub use security::{
    AuthRequest, Authenticator, Credential, Denied, InvalidKey, KeyPair, MechanismName,
    PlainCredentials, Principal, ProcessCredentials, PublicKey, Secret, SecretKey, Security, admit,
};

/// The ZeroMQ socket patterns that zerorpc uses (protocol section 2).
//
// All of them: a transport that passed one over would be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketKind {
    /// The client's side of calls.
    Dealer,
    /// The server's side of calls.
    Router,
    /// Sends each event to one puller.
    Push,
    /// Receives what pushers send.
    Pull,
    /// Sends each event to every subscriber.
    Pub,
    /// Receives everything that publishers send.
    Sub,
}

impl SocketKind {
    /// Whether an empty delimiter frame stands before the payload on this kind of socket.
    #[must_use]
    pub fn has_delimiter(self) -> bool {
        matches!(self, Self::Dealer | Self::Router)
    }
}

/// Moves messages; never blocks.
///
/// After any call of [`receive`](Self::receive), it must be called until it returns `None` before anybody waits:
/// readiness is reported once, at the edge. The same after [`flush`](Self::flush) where
/// [`sending_hides_arrivals`](Self::sending_hides_arrivals).
pub trait Transport: Send {
    /// Accepts connections at `endpoint`; returns the endpoint as bound, with a wildcard port resolved.
    ///
    /// # Errors
    /// When the endpoint cannot be parsed or cannot be bound.
    fn bind(&mut self, endpoint: &str) -> Result<String, EndpointError>;

    /// Connects to `endpoint`, now and again whenever the connection is lost; to all addresses of a name, where that
    /// makes sense.
    ///
    /// # Errors
    /// When the endpoint cannot be parsed. A peer that is not there yet is no error.
    fn connect(&mut self, endpoint: &str) -> Result<(), EndpointError>;

    /// Stops accepting at `endpoint`, as returned by [`bind`](Self::bind).
    ///
    /// # Errors
    /// When nothing is bound there.
    fn unbind(&mut self, endpoint: &str) -> Result<(), EndpointError>;

    /// Ends all connections to `endpoint`, as given to [`connect`](Self::connect), and looks its name up no more.
    ///
    /// # Errors
    /// When nothing is connected there.
    fn disconnect(&mut self, endpoint: &str) -> Result<(), EndpointError>;

    /// Whether a message handed to [`send`](Self::send) now would find a peer with room.
    ///
    /// As long as this is false, leave requests in the session: what was not transmitted can still be
    /// withdrawn. Whoever waits hears that it has become true, whoever else has asked meanwhile.
    fn can_send(&mut self) -> bool;

    /// Takes one message, to be written by [`flush`](Self::flush) at the latest, or once its peer has room.
    ///
    /// A message to a peer that is gone is dropped without an error, as ROUTER sockets do.
    ///
    /// # Errors
    /// Only when the socket itself is unusable.
    fn send(&mut self, message: Transmit) -> Result<Flow, TransportError>;

    /// Writes what [`send`](Self::send) has taken, as far as there is room: several messages for one peer by one
    /// system call.
    ///
    /// # Errors
    /// Only when the socket itself is unusable.
    fn flush(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    /// Whether sending may use up the announcement of messages that have arrived: then look for them after it.
    fn sending_hides_arrivals(&self) -> bool {
        false
    }

    /// The next whole message that has arrived, and who sent it.
    ///
    /// # Errors
    /// Only when the socket itself is unusable.
    fn receive(&mut self) -> Result<Option<(PeerId, Multipart)>, TransportError>;

    /// The next peer that came, went or has room again. A transport that cannot tell its peers apart reports
    /// only the last. Ask after every round of receiving.
    fn poll_peer(&mut self) -> Option<PeerEvent>;

    /// Whether connections have names: then calls may be open to [`Target::Any`](crate::Target::Any), and each stays with its peer.
    fn knows_peers(&self) -> bool {
        false
    }

    /// Where a connection leads to, as long as it stands.
    fn remote(&self, peer: PeerId) -> Option<String> {
        let _nameless = peer;
        None
    }

    /// Ends a connection for a reason, and makes it anew if this side has made it. What the peer had sent before, and the
    /// end of the connection, are told as always. Nothing to do where connections have no names.
    fn reset(&mut self, peer: PeerId, reason: &str) {
        let _nameless = (peer, reason);
    }

    /// Ends the connection of a peer for which too much is kept, for this reason, of which the peer is told if it reads. What
    /// waits to be sent is dropped. Nothing to do where connections have no names.
    fn cut_off(&mut self, peer: PeerId, reason: &str) {
        let _nameless = (peer, reason);
    }

    /// Drops what waits to be sent on a route, but for a message that has begun.
    fn discard(&mut self, route: &Route) {
        let _has_nothing = route;
    }

    /// How many bytes are kept for all peers: messages that wait to be written, and parts of messages that are to come.
    /// Costs nothing to ask.
    fn retained_bytes(&self) -> usize {
        0
    }

    /// How many bytes are kept for each peer, or for each route where peers have no names.
    fn retained_by_route(&self) -> Vec<(Route, usize)> {
        Vec::new()
    }

    /// Who a peer is, as far as this transport made sure of it. Where connections have names, it is told of each peer that is
    /// up: requests of others are not run. `None` when it is gone, or where connections have no names.
    fn principal(&self, peer: PeerId) -> Option<Arc<Principal>> {
        let _nameless = peer;
        None
    }

    /// Who is at the other end of a route: that of a request ([`Route::of`] its peer and its envelope). It is who has sent it, also
    /// where connections have no names.
    fn principal_of(&self, route: &Route) -> Option<Arc<Principal>> {
        self.principal(route.peer)
    }

    /// Why nobody can be there, and what to do: everybody that this side connects to has not let it in when it was tried last,
    /// or wants another security mechanism. They are tried again all the same, since their settings may change.
    fn denial(&self) -> Option<Arc<str>> {
        None
    }

    /// A number that changes whenever a peer takes anything of what is sent to it; `None` where that cannot be seen.
    fn progress_of(&self, peer: PeerId) -> Option<u64> {
        let _unseen = peer;
        None
    }

    /// Stops to accept and to make connections, and tells peers that new requests are not welcome, as far as they
    /// understand it; they hear of it as [`PeerEvent::GoingAway`]. Connections that stand go on. Where that cannot be had
    /// without ending connections, nothing happens, and requests that come have to be refused.
    fn drain(&mut self) {}

    /// Everything that was received has been answered. As its last word, each peer is told so when the transport is
    /// dropped, if everything else that waits for it could be sent; it hears of it as [`PeerEvent::Gone`].
    fn finish(&mut self) {}

    /// What became of the connections that peers have made to this side; `None` where that cannot be seen.
    fn accept_stats(&self) -> Option<AcceptStats> {
        None
    }

    /// What happened to connections and endpoints, for people and for monitoring. A transport may have nothing to
    /// tell. What nobody takes is dropped, oldest first.
    fn poll_monitor(&mut self) -> Option<MonitorEvent> {
        None
    }
}

/// The earliest of some times; `None` among them is never.
#[must_use]
#[inline]
pub fn earliest<const N: usize>(times: [Option<Instant>; N]) -> Option<Instant> {
    // A plain loop: transports ask several times for each message, and iterators that flatten take three times as long.
    let mut earliest = None;
    for time in times {
        earliest = match (earliest, time) {
            (Some(earliest), Some(time)) => Some(time.min(earliest)),
            (earliest, time) => earliest.or(time),
        };
    }
    earliest
}

/// Waits for a transport; owned by one thread at a time.
pub trait Waiter: Send {
    /// Returns when the transport may have something to move, or to do: a connection is to be tried again, or has taken too
    /// long. Also when it was woken, and at the time `until` (`None`: never on its own account). May return early without a
    /// reason. What the transport has to do may have come up during the wait, by what another thread did with it.
    ///
    /// # Errors
    /// Only when waiting is impossible; being interrupted by a signal is a return without a reason.
    fn wait_until(&mut self, until: Option<Instant>) -> io::Result<()>;
}

/// Ends the wait of a [`Waiter`] from any thread; a wake before the wait begins ends it at once.
pub trait Waker: Send + Sync {
    /// Wakes whoever waits.
    fn wake(&self);
}

/// What a transport says to a message that it took.
//
// There is nothing between, and whoever sends has to know which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More may follow.
    Clear,
    /// The message waits for its peer to read, with others, so many bytes in all. Hold back what else goes the same way,
    /// until [`PeerEvent::Drained`] tells of it.
    Congested(usize),
}
