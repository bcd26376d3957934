//! Every byte of a peer by hand, against a real socket of ours, and the same against libzmq where it does the same.

mod commands;
mod connections;
mod frames;
mod greeting;
mod identities;
mod plain;
mod ready;
mod sockets;
mod target;
