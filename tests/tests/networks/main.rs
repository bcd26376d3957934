//! Networks as they are: connections that die without a word, servers that freeze, stop and come back, and balancers
//! between them and their clients.

#![cfg(target_os = "linux")]

mod balanced;
mod balancer;
mod dropped;
mod idle;
mod named;
mod resolver;
mod silence;
mod stopping;
mod support;
mod unreachable;
mod vanished;
