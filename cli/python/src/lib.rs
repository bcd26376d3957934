//! Python modules as services of [zerorpc], for Rust programs that serve them: a `python3` runs the module as a child
//! process, and [`PythonService`] is the [`zerorpc::Service`] in front of it.
//!
//! ```
//! use std::sync::Arc;
//! use zerorpc::{Client, Server};
//! use zerorpc_python::{PythonOptions, PythonService};
//!
//! // Any module that Python can import; here one of its own.
//! let service = PythonService::start_with("textwrap", PythonOptions::new().quiet())?;
//! let service = Arc::new(service);
//!
//! let server = Server::builder()
//!     .service(Arc::clone(&service))
//!     // Its calls hold no thread, and one thread hands them on in the order in which they come.
//!     .pool_size(Some(1))
//!     .bind("tcp://127.0.0.1:*")
//!     .build()?;
//!
//! let client = Client::connect(&server.endpoints()[0])?;
//! let lines: Vec<String> = client.call("wrap", ("one two three", 7))?;
//! assert_eq!(lines, ["one two", "three"]);
//!
//! // At the end: what waits is given back, what runs has its time, then the process ends.
//! service.withdraw();
//! server.shutdown(std::time::Duration::from_secs(5));
//! service.close();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The module needs to know nothing of this. What it can rely on (which names can be served, how its calls run, what
//! happens to its processes, threads and signals, which values can be sent) is written down for the command
//! `zerorpc --server`, in `docs/python.md`: it serves modules with this crate. Modules may `import zerorpc` for
//! decorators, clients and servers; the package need not be installed.
//!
//! # What is needed, and what is done
//!
//! - A Unix, and Python 3.8 or newer: `python3`, or what [`PythonOptions::python`] names.
//! - The child leads a process group. All of that group ends with the service, and with this process, however that ends.
//! - What the module prints to standard output appears on standard error.
//! - Tracebacks of methods that raise go to `tracing` as warnings with the target `zerorpc::python`, and to the caller.
//!
//! The features `mio` (on by default) and `zmq` choose the transports of the sockets that a module opens, as they do for
//! `zerorpc` itself.

// From a request to the module and back:
//
//     Server ── service ── delivery ── call ── supervisor ── process ══ two pipes ══ worker.py ── the module
//                                       queue ─┘└─ pipes
//
// - `launch` starts the interpreter and hands it the bridge (`sources`: what lies beside `src/`) through its stdin;
// - `frames` is the private protocol spoken over the pipes, `wire.py` its other half;
// - `process` is one running child and its end, `guard` what ends it when this process cannot;
// - `queue` holds the calls that wait, and knows which the child has begun; `notice` tells who waits for long;
// - `slow_import` says that a module takes long to be imported, and where that stands;
// - `supervisor` keeps a child alive, and has the one thread of all this, which `pipes` moves frames on;
// - `call` is one call or stream, `mailbox` what was answered to it, `delivery` passes that on to its caller;
// - `window` is how far a stream may be ahead of its caller;
// - `service_info` is what the child tells of its methods;
// - `outgoing` holds the sockets that the module opens, and makes its calls;
// - `service` is the adapter to `zerorpc::Service`.
//
// A call is written to the child by whoever received it, and answered by the thread that reads from the child: no
// thread waits for a call. Calls wait here and not in the child; the few that it is given ahead it has not begun, and
// they are taken back when it dies.
//
// Running away is impossible in either direction: each stream has a window of credit, and the server bounds the
// requests that wait.

mod call;
mod delivery;
mod error;
mod frames;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod launch;
mod mailbox;
mod notice;
mod options;
mod outgoing;
mod peer;
mod pipes;
mod process;
mod queue;
mod service;
mod service_info;
mod shared;
mod slow_import;
mod sources;
mod supervisor;
mod window;

#[doc(no_inline)]
pub use bytes::Bytes;
pub use call::{CancelHandle, PythonAnswer, PythonCall, PythonItems};
pub use error::PythonError;
pub use options::{Concurrency, PythonOptions};
pub use service::PythonService;
/// A [`Server`](zerorpc::Server) takes a [`PythonService`].
pub use zerorpc;
