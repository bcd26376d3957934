//! The ZMTP engine from outside: byte scripts, engines against each other, attacks, and libzmq.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the list is for the engine; its tests have clocks, threads and sockets"
)]

mod attacks;
mod authenticator;
mod commands;
mod curve;
mod frames;
mod greeting;
mod handshake;
mod libzmq;
mod outbox;
mod pairs;
mod plain;
mod resumed;
mod subscriptions;
mod support;
