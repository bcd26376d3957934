//! The real peers: zerorpc-python 0.6.3 and zerorpc-node 0.9.8, as processes that a test drives.
//!
//! ```no_run
//! use serde_json::json;
//! use zerorpc_tests::peers::{self, DialOptions, Peer, ServeOptions};
//!
//! let Some(python) = peers::python() else { return };
//! let server = python.serve(ServeOptions::default());
//! let client = python.client(DialOptions::to(server.endpoint()));
//!
//! assert_eq!(client.call("add", json!([1, 2])), Ok(json!(3)));
//! let numbers = client.stream("numbers", json!([3]));
//! assert_eq!(numbers.items, [json!(0), json!(1), json!(2)]);
//! let error = client.call("fail", json!(["value"])).expect_err("it raises");
//! assert_eq!((error.name.as_deref(), error.message.as_str()), (Some("ValueError"), "bad value"));
//! ```
//!
//! Servers offer the methods of `tests/peers/python/service.py`; clients, pushers, publishers,
//! pullers and subscribers do what the test says. Both languages obey the same harness through
//! [`Peer`], so an interop test can be one function run with each.
//!
//! Values are tagged JSON where plain JSON is too poor: `{"$bin": hex}`, `{"$float": "nan"}`,
//! `{"$int": "18446744073709551615"}`, `{"$ext": [code, hex]}`, `{"$timestamp": [s, ns]}`,
//! `{"$map": [[key, value]]}`. Tag integers beyond 2^53 that are meant for Node.
//!
//! The environments are made once, in the workspace's `target/peers`, by pip and npm. Where that
//! cannot be done the test is skipped with a note on stderr, except under `CI=true`: there it fails.
//!
//! # What the peers get wrong
//!
//! Tests must stay clear of these faults, which are theirs:
//!
//! - A Node client that streams more than 50 items from a Python server may leave that server deaf
//!   for good (seen with 120 items in some runs, with 260 in all). A Python client that
//!   ends a stream early ([`Stream::limit`]) may do the same to itself. Use a fresh process after
//!   either.
//! - A Node server never answers an unknown method: the caller times out.
//! - Node takes a millisecond per received event, and keeps a whole stream in memory while it
//!   serves it (100,000 items: 450 MiB).
//! - A Node client grants far more than it can take. A Node server then sends past its ROUTER's
//!   high-water mark, and items in the middle of the stream are lost without an error (seen from
//!   5,000 items on).
//! - Node rounds integers beyond 2^53 and sends those beyond 32 bits as floats. Its timeouts are
//!   whole seconds.
//! - A Python handler that burns CPU starves its heartbeats, and a full pool stops the reading of
//!   those of others.
//! - Python drops every message that has a map with keys other than text and bytes.

use std::fmt;
use std::process::Command;

use crate::needed::available;

mod answer;
mod client;
mod driver;
pub mod endpoints;
mod environment;
mod interpreter;
mod node;
mod options;
mod process;
mod python;
mod security;
mod sockets;

pub use answer::PeerError;
pub use client::{Call, Message, PeerClient, PeerReceiver, PeerSender, Stream, Streamed};
pub use driver::Pending;
pub use interpreter::{Interpreter, Packages, interpreters};
pub use node::NodePeer;
pub use options::{DialOptions, ServeOptions};
pub use process::PeerProcess;
pub use python::PythonPeer;
pub use security::PeerSecurity;
pub use sockets::{PeerSocket, PeerSockets};

/// An implementation of zerorpc that tests can run, in both roles.
pub trait Peer: fmt::Debug {
    /// What messages call this peer: its name and version.
    fn name(&self) -> &'static str;

    /// A command that runs the peer program `stem` (`server` or `client`) without arguments.
    fn program(&self, stem: &str) -> Command;

    /// Starts a server with the tests' service and waits until its links are made.
    ///
    /// # Panics
    ///
    /// When the server does not come up, with what it wrote to stderr.
    fn serve(&self, options: ServeOptions) -> PeerProcess {
        PeerProcess::start(self.name(), self.program("server"), &options.to_json()).0
    }

    /// Starts a client and waits until its links are made (not until anybody is at their other end).
    ///
    /// # Panics
    ///
    /// When the client does not come up, with what it wrote to stderr.
    fn client(&self, options: DialOptions) -> PeerClient {
        PeerClient::start(self.name(), self.program("client"), &options.to_json("client"))
    }
}

/// The Python peer, or `None` where it cannot be had.
///
/// # Panics
///
/// Under `CI=true`, where a peer that cannot be had is a failure.
#[must_use]
pub fn python() -> Option<PythonPeer> {
    available("a peer", PythonPeer::prepare())
}

/// The Node peer, or `None` where it cannot be had.
///
/// # Panics
///
/// Under `CI=true`, where a peer that cannot be had is a failure.
#[must_use]
pub fn node() -> Option<NodePeer> {
    available("a peer", NodePeer::prepare())
}

/// An interpreter in an environment with packages from PyPI, or `None` where they cannot be had.
///
/// # Panics
///
/// Under `CI=true`, where an environment that cannot be had is a failure.
#[must_use]
pub fn python_environment(interpreter: &Interpreter, packages: Packages) -> Option<Interpreter> {
    available("a peer", interpreter.with_packages(packages))
}
