//! Our client and server with zerorpc-python and zerorpc-node, in both roles, over real sockets.
//!
//! Faults of the peers that these tests stay clear of are listed in [`zerorpc_tests::peers`].

mod calls;
mod context;
mod errors;
mod heartbeats;
mod introspection;
mod links;
mod plain;
mod same_ids;
mod security;
mod streams;
mod support;
mod values;
