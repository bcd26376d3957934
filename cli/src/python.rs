//! Serving Python modules: the user's `python3` runs as a child process, and this side supervises it.
//!
//! ```text
//! Server ── Service ── service ── conversation ── process ══ two pipes ══ worker.py ── the served module
//!                          └───────── supervisor ────┘
//! ```
//!
//! - `launch` starts the interpreter and hands it the bridge (`python/` beside `src/`) through its stdin;
//! - `frames` is the private protocol spoken over the pipes, `wire.py` its other half;
//! - `process` is one running child: its calls and its end;
//! - `conversation` is one call or stream;
//! - `supervisor` keeps a child alive, and is the one thread of all this;
//! - `catalogue` is what the child tells of its methods;
//! - `service` is the adapter to [`zerorpc::Service`].
//!
//! What has come together is passed on together, in both directions: the child answers all quick calls of one
//! read by one write (`keeper.py`), and whoever waits for it here is woken once for all that one read brings.
//!
//! Running away is impossible in either direction: each stream has a window of credit, and each call blocks
//! one thread of the server, which bounds them. The child ends when its stdin closes, so it never outlives
//! this process, however that ends.

mod catalogue;
mod conversation;
mod error;
mod frames;
mod launch;
#[allow(dead_code)] // until `process` hands it its frames
mod outgoing;
#[allow(dead_code)] // until `launch` unpacks it
mod package;
mod process;
mod service;
mod supervisor;

pub use conversation::{Abandon, Answer, Conversation, Items};
pub use error::PythonError;
pub use launch::PythonOptions;
pub use service::PythonService;
