//! The transport over real sockets: loopback, temporary paths and names of this process only.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the list is for the engine; these tests have clocks and sockets"
)]

mod closing;
mod congestion;
mod connections;
mod dialing;
mod handover;
mod hosts;
mod libzmq;
mod names;
mod namespaces;
mod patterns;
mod support;
mod undisturbed;
mod waiting;
mod words;
