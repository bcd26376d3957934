//! What our server does beside the reference's, given the same random input. Every difference stands, with its reason, in
//! `docs/differences.md`, and no other is allowed.
//!
//! `ZERORPC_SCRIPTS` says how many scripts are played; `ZERORPC_SEED` plays one of them again (`ZERORPC_SEEDS`: so
//! many from there on); with `ZERORPC_SURVEY=1` differences without a row are only told, with 2 all of them.

mod caller;
mod random;
mod script;
mod search;
mod servers;
mod service;
mod shown;
mod table;
mod words;
