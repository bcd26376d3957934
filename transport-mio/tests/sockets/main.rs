//! The transport over real sockets: loopback, temporary paths and names of this process only.

mod authenticator;
mod closing;
mod congestion;
mod connections;
mod curve;
mod dialing;
mod handover;
mod hosts;
mod libzmq;
mod names;
mod namespaces;
mod patterns;
mod spinning;
mod strangers;
mod support;
mod waiting;
mod words;
