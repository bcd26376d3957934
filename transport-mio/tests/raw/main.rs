//! Every byte of a peer by hand, against a real socket of ours, and the same against libzmq where it does the same.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the list is for the engine; these tests have clocks and sockets"
)]

mod commands;
mod connections;
mod frames;
mod greeting;
mod identities;
mod judge;
mod plain;
mod ready;
mod sockets;
