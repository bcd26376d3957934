//! Judges zerorpc implementations. It plays the raw peer of a server or a client under test, at the levels of ZMTP, of
//! events, of channels and of calls, and says which rules of `docs/protocol.md` are broken, with the exchange that shows it.
//!
//! What is expected stands in [`cases`], written by hand from the rules; no state machine of this project decides anything.
//! Traffic of others is judged by a bystander ([`watch`]), in a [`proxy`] or from captures ([`decode`]).

pub mod case;
pub mod cases;
pub mod cli;
pub mod contract;
pub mod decode;
pub mod event;
pub mod failure;
pub mod memory;
pub mod peers;
pub mod plan;
pub mod proxy;
pub mod raw;
pub mod report;
pub mod run;
pub mod subject;
pub mod transcript;
pub mod trial;
pub mod verdict;
pub mod watch;

pub use case::{Case, Level, Sharing};
pub use event::Event;
pub use failure::Failure;
pub use subject::Role;
pub use trial::Trial;
