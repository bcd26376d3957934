//! zerorpc: flexible RPC over ZeroMQ and MessagePack.
mod client;
mod driver;
mod error;
mod failure;
mod methods;
mod plain;
mod request;
mod server;
mod service;
mod socket;

pub use client::{Answer, CallOptions, Client, ClientBuilder, RawStream, Stream};
pub use error::{Error, RemoteError};
pub use failure::Failure;
pub use methods::{Callable, Methods};
pub use plain::{Publisher, Puller, Pusher, Subscriber};
pub use request::Request;
pub use server::{DEFAULT_POOL_SIZE, Server, ServerBuilder};
pub use service::{Argument, Items, Method, Reply, Service, Signature};
pub use socket::Links;
pub use zerorpc_proto::{
    Args, Context, DEFAULT_HEARTBEAT, DEFAULT_SLOTS, DEFAULT_TIMEOUT, DecodeError, EncodeError,
    EndpointError, Limits, Loss, SocketOptions, TransportError,
};
