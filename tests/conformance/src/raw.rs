//! Raw connections: ZMTP spoken byte by byte, judged by nobody but the case.
//!
//! - [`Bytes`] is a TCP stream of which everything is in the case's hands.
//! - [`Peer`] is one behind its handshake, which sends and receives messages and events.

mod bytes;
mod peer;

pub use bytes::Bytes;
pub use peer::Peer;
