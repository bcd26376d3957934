//! What happens to peers.

use std::sync::Arc;

use crate::{
    peer::{PeerId, Route},
    transmit::Token,
};

/// What happens to peers; [`Session::handle_peer_event`](crate::Session::handle_peer_event) takes it.
///
/// The order of events of one connection does not matter, as long as nothing else is asked of the session between them: what
/// a peer did not get may come back before or after the end of its connection is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A connection is ready to carry messages.
    Up(PeerId),
    /// The peer holds back what this side does not take, and nothing between the two drops messages: the servers of streams
    /// may be let send far ahead ([`Limits::stream_items`](field@crate::Limits::stream_items)).
    Lossless(PeerId),
    /// No byte of the message with this token was written before its connection ended. A request that was open to any
    /// peer goes to another one.
    Returned(Token),
    /// The peer is about to stop, or its address is not one of the endpoint any more: it is to get no new requests. Those
    /// that are open there go on.
    GoingAway(PeerId),
    /// The peer has answered every request that it has looked at, and looks at no other. What is still open there to any
    /// peer and was not heard of goes to another one.
    Gone(PeerId),
    /// A connection ended, and why; nothing more will come from it. Everything that is open with its peer ends.
    Down(PeerId, Arc<str>),
    /// No peer lets this side in, or all want another security mechanism; why, and what to do. Requests that wait for any
    /// peer end, and so do those that wait for a transport whose peers have no names; it is nothing where a peer is up.
    Denied(Arc<str>),
    /// So much waits on a route that only beats and grants go there for now ([`Flow::Congested`](crate::transport::Flow::Congested)): items and results wait
    /// in the session, where their number is bounded. How many bytes wait there: until it has room, they count as what waits
    /// here does.
    Congested(Route, usize),
    /// Nothing waits any more on a route that was [`Congested`](Self::Congested).
    Drained(Route),
}
