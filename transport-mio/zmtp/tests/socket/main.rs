//! Sockets in memory: whole conversations without any IO.

#![allow(
    clippy::disallowed_methods,
    reason = "the list is for the crate; its tests have to begin at some instant"
)]

mod congestion;
mod connections;
mod draining;
mod identities;
mod patterns;
mod support;
