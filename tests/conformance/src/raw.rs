//! Raw connections: ZMTP spoken byte by byte, judged by nobody but the case.
//!
//! - [`Bytes`] is a TCP stream of which everything is in the case's hands.
//! - [`Handshake`] is what this side says of itself, in any version of ZMTP.
//! - [`Peer`] is a connection behind its handshake, which sends and receives frames, commands, messages and events.

mod bytes;
mod events;
pub mod frame;
mod handshake;
mod peer;
#[cfg(test)]
mod tests;

pub use bytes::{Arrival, Bytes};
pub use frame::{Command, Frame, Framing};
pub use handshake::{Handshake, Version, find_property, signature};
pub use peer::Peer;
