//! The transport over real sockets: loopback and temporary paths only.

mod closing;
mod crowds;
mod endpoints;
mod handover;
mod patterns;
mod security;
mod stalled;
mod support;
mod vanished;
mod waiting;
