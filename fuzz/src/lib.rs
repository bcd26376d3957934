//! What the fuzz targets do: the bodies, which lie beside the code that they are about, in one place.
//!
//! The tests of this crate replay the corpora on stable Rust.

pub use zerorpc_cli::fuzzing::{inspect, json};
pub use zerorpc_proto::fuzzing::{endpoint, msgpack};
pub use zerorpc_python::fuzzing::bridge;
pub use zerorpc_tests::fuzzing::{event, session};
pub use zerorpc_zmtp::fuzzing::{curve, handshake, rpc, socket, zmtp};

#[cfg(test)]
mod replay;
