//! Serving Python modules: the user's `python3` runs as a child process, and this side supervises it.
//!
//! A Rust program serves a module as it serves anything else:
//!
//! ```
//! use zerorpc::{Client, Server};
//! use zerorpc_python::PythonService;
//!
//! let service = PythonService::start("time")?;
//! let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
//! let client = Client::connect(&server.endpoints()[0])?;
//! let year: String = client.call("strftime", ("%Y",))?;
//! assert_eq!(year.len(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```text
//! Server ── Service ── service ── delivery ── call ── supervisor ── process ══ two pipes ══ worker.py ── the module
//!                                                 queue ─┘└─ pipes
//! ```
//!
//! - `launch` starts the interpreter and hands it the bridge (`sources`: what lies beside `src/`) through its stdin;
//! - `frames` is the private protocol spoken over the pipes, `wire.py` its other half;
//! - `process` is one running child and its end, `guard` what ends it when this process cannot;
//! - `queue` holds the calls that wait, and knows which the child has begun; `notice` tells who waits for long;
//! - `supervisor` keeps a child alive, and has the one thread of all this, which `pipes` moves frames on;
//! - `call` is one call or stream, `mailbox` what was answered to it, `delivery` passes that on to its caller;
//! - `catalogue` is what the child tells of its methods;
//! - `outgoing` holds the sockets that the module opens, and makes its calls;
//! - `service` is the adapter to [`zerorpc::Service`].
//!
//! A call is written to the child by whoever received it, and answered by the thread that reads from the child: no
//! thread waits for a call. Calls wait here and not in the child; the few that it is given ahead it has not begun, and
//! they are taken back when it dies.
//!
//! Running away is impossible in either direction: each stream has a window of credit, and the server bounds the
//! requests that wait. The child leads a process group, which ends with it, and it never outlives this process,
//! however that ends.

mod call;
mod catalogue;
mod delivery;
mod error;
mod frames;
mod guard;
mod launch;
mod mailbox;
mod notice;
mod outgoing;
mod pipes;
mod process;
mod queue;
mod service;
mod sources;
mod supervisor;

pub use call::{Answer, CancelHandle, Items, PythonCall};
pub use error::PythonError;
pub use launch::PythonOptions;
pub use service::PythonService;
