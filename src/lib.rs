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
//!     Err(Error::Remote { error, .. }) => assert_eq!(error.name, "ZeroDivisionError"),
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
//! # Event loops of your own
//!
//! The crate `zerorpc-proto` has all of the protocol and no IO, and shows every message. A [`Dispatcher`] answers the
//! requests of one of its sessions by a [`Service`], built-in methods included. For that alone, this crate is built
//! with `default-features = false`: without a transport there are no clients, servers and sockets, no threads, and no
//! dependency on mio or libzmq. `docs/embedding.md` of the repository leads through such programs, those in `examples/`.

#![forbid(unsafe_code)]

mod authorize;
mod dispatch;
mod failure;
mod methods;
mod request;
mod responder;
mod service;

#[cfg(any(feature = "mio", feature = "zmq"))]
mod client;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod driver;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod error;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod home;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod link_control;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod oneway;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod server;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod socket;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod sync;
#[cfg(any(feature = "mio", feature = "zmq"))]
mod thread;

pub use authorize::Authorizer;
pub use dispatch::Dispatcher;
pub use failure::Failure;
pub use methods::{Callable, Methods};
pub use request::Request;
pub use responder::Responder;
/// What [`Argument::default`] is made of.
pub use rmpv;
pub use service::{Argument, Items, Method, Reply, Service, Signature};
/// Sessions, which a [`Dispatcher`] answers the requests of.
pub use zerorpc_proto;
/// What [`Args`] are made of.
pub use zerorpc_proto::bytes;
pub use zerorpc_proto::{
    Args, Blocked, CallOptions, Context, DEFAULT_HEARTBEAT, DEFAULT_SLOTS, DEFAULT_TIMEOUT,
    DecodeError, EncodeError, HeartbeatMode, IntoArgs, Limits, Loss, RemoteError,
    transport::{
        AcceptLimits, AcceptRate, AcceptStats, AuthRequest, Authenticator, Credential, Denied,
        EndpointAction, EndpointError, FailedHandshakes, Handover, InvalidKey, InvalidNetwork,
        Keepalive, KeyPair, MechanismName, MonitorEvent, Network, Networks, PlainCredentials,
        Principal, ProcessCredentials, PublicKey, RefusedConnections, Secret, SecretKey, Security,
        SocketOptions, TransportError,
    },
};

#[cfg(any(feature = "mio", feature = "zmq"))]
pub use self::{
    client::{
        Answer, Client, ClientBuilder, FromAnswer, Pending, PendingStream, RawStream, Stream,
    },
    error::Error,
    link_control::LinkControl,
    oneway::{Publisher, Puller, Pusher, Subscriber},
    server::{DEFAULT_POOL_SIZE, Drained, Server, ServerBuilder, send_together},
    socket::{SocketConfig, TransportKind},
};

/// The program that the README shows is compiled and run.
#[cfg(all(doctest, any(feature = "mio", feature = "zmq")))]
#[doc = include_str!("../README.md")]
struct Readme;

/// And so is that of `docs/security.md`; the libzmq of the binding has no CURVE.
#[cfg(all(doctest, feature = "mio"))]
#[doc = include_str!("../docs/security.md")]
struct SecurityPage;
