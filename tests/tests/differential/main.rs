//! What our server does beside the reference's, and our sockets beside libzmq's, given the same random input. Every difference
//! stands, with its reason, in `docs/differences.md`, and no other is allowed.
//!
//! `ZERORPC_SCRIPTS` says how many scripts are played, and `ZERORPC_CONNECTIONS` how many connections each kind of socket
//! hears; `ZERORPC_SEED` gives one of them again (`ZERORPC_SEEDS`: so many from there on). With `ZERORPC_SURVEY=1`
//! differences without a row are only told, with 2 all of them.

mod beats;
mod caller;
mod ends;
mod frames;
mod random;
mod script;
mod search;
mod servers;
mod service;
mod shown;
mod speech;
mod speeches;
mod table;
mod words;
