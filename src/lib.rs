//! zerorpc: flexible RPC over ZeroMQ and MessagePack.
//!
//! A [`Server`] exposes a [`Service`]: usually closures, collected in [`Methods`]. A [`Client`] calls its methods,
//! from any number of threads at once. Both understand zerorpc-python and zerorpc-node, in either role.
//!
//! ```
//! use zerorpc::{Client, Error, Failure, Methods, Server};
//!
//! let service = Methods::new("calculator")
//!     .method("divide", |a: f64, b: f64| match b {
//!         0.0 => Err(Failure::new("ZeroDivisionError", "division by zero")),
//!         b => Ok(a / b),
//!     })
//!     .stream("count", |n: u64| Ok(0..n));
//! let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
//!
//! let client = Client::connect(&server.endpoints()[0])?;
//! assert_eq!(client.call::<f64>("divide", (1, 4))?, 0.25);
//! for (expected, number) in client.stream::<u64>("count", (1000,))?.enumerate() {
//!     assert_eq!(number?, expected as u64);
//! }
//! match client.call::<f64>("divide", (1, 0)) {
//!     Err(Error::Remote(error)) => assert_eq!(error.name, "ZeroDivisionError"),
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), zerorpc::Error>(())
//! ```
//!
//! # What to expect
//!
//! - **Heartbeats** travel on every open channel. They depend on nothing that methods or callers do: a method may
//!   compute for minutes. Two intervals of silence end a call with [`Error::LostRemote`].
//! - **Streams** run at the pace of their reader: items are granted, [100](DEFAULT_SLOTS) at first, and more as long as
//!   the reader has to wait for them.
//! - **Time limits** are for the first answer only, [30 s](DEFAULT_TIMEOUT) by default.
//! - **Limits** bound what peers can make this side remember; see [`Limits`].
//! - **Threads**: a client has one of its own that sleeps while a call waits; a server has that one and its workers.
//!   libzmq adds two to each socket.
//!
//! For event loops of your own, or to see every message, use the crate `zerorpc-proto`, which has all of the
//! protocol and no IO.

#![forbid(unsafe_code)]

#[cfg(not(any(feature = "mio", feature = "zmq")))]
compile_error!("zerorpc needs a transport: enable the feature `mio` (the default) or `zmq`");

mod client;
mod driver;
mod error;
mod failure;
mod home;
mod link_control;
mod methods;
mod oneway;
mod request;
mod server;
mod service;
mod socket;
mod sync;
mod thread;

pub use client::{
    Answer, Client, ClientBuilder, FromAnswer, Pending, PendingStream, RawStream, Stream,
};
pub use error::{Error, RemoteError};
pub use failure::Failure;
pub use link_control::LinkControl;
pub use methods::{Callable, Methods};
pub use oneway::{Publisher, Puller, Pusher, Subscriber};
pub use request::Request;
pub use server::{DEFAULT_POOL_SIZE, Responder, Server, ServerBuilder, send_together};
pub use service::{Argument, Items, Method, Reply, Service, Signature};
pub use socket::{SocketConfig, TransportKind};
pub use zerorpc_proto::{
    Args, Blocked, CallOptions, Context, DEFAULT_HEARTBEAT, DEFAULT_SLOTS, DEFAULT_TIMEOUT,
    DecodeError, EncodeError, EndpointAction, EndpointError, Handover, HeartbeatMode, IntoArgs,
    Keepalive, Limits, Loss, MonitorEvent, SocketOptions, TransportError,
};

/// The program that the README shows is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
