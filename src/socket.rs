//! Opening sockets: which transport, which links.

use std::fmt;

use zerorpc_proto::{
    EndpointError, SocketKind, SocketOptions, Transport, TransportError, Waiter, Waker,
};

use crate::error::Error;

/// A transport in the three parts that a driver needs.
pub(crate) struct Parts {
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) waiter: Box<dyn Waiter>,
    pub(crate) waker: Box<dyn Waker>,
}

/// What a socket is linked to, in the order in which the links are made. Any number of each, mixed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links(Vec<Link>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    Bind(String),
    Connect(String),
}

impl Links {
    /// No links.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts peers at an endpoint such as `tcp://*:4242` or `ipc:///tmp/service`; port `*` lets the system
    /// choose one.
    #[must_use]
    pub fn bind(mut self, endpoint: &str) -> Self {
        self.0.push(Link::Bind(endpoint.to_owned()));
        self
    }

    /// Connects to an endpoint such as `tcp://127.0.0.1:4242`, now and whenever the connection is lost. The
    /// peer need not be there yet.
    #[must_use]
    pub fn connect(mut self, endpoint: &str) -> Self {
        self.0.push(Link::Connect(endpoint.to_owned()));
        self
    }

    /// Opens a socket and makes the links; returns the endpoints, those that are bound as they were bound.
    pub(crate) fn open(
        &self,
        kind: SocketKind,
        options: &SocketOptions,
    ) -> Result<(Parts, Endpoints), Error> {
        if self.0.is_empty() {
            return Err(Error::NoEndpoint);
        }
        let mut parts = open(kind, options).map_err(Error::Socket)?;
        let mut endpoints = Endpoints::default();
        for link in &self.0 {
            endpoints.add(parts.transport.as_mut(), link)?;
        }
        Ok((parts, endpoints))
    }
}

/// The endpoints that a socket is linked to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoints {
    pub(crate) bound: Vec<String>,
    pub(crate) connected: Vec<String>,
}

impl Endpoints {
    fn add(&mut self, transport: &mut dyn Transport, link: &Link) -> Result<(), EndpointError> {
        match link {
            Link::Bind(endpoint) => self.bound.push(transport.bind(endpoint)?),
            Link::Connect(endpoint) => {
                transport.connect(endpoint)?;
                self.connected.push(endpoint.clone());
            }
        }
        Ok(())
    }
}

impl fmt::Display for Endpoints {
    /// The endpoints for people, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<&str> = self.bound.iter().chain(&self.connected).map(String::as_str).collect();
        f.write_str(&all.join(", "))
    }
}

fn open(kind: SocketKind, options: &SocketOptions) -> Result<Parts, TransportError> {
    let zerorpc_zmq::Parts { transport, waiter, waker } = zerorpc_zmq::open(kind, options)?;
    Ok(Parts { transport: Box::new(transport), waiter: Box::new(waiter), waker: Box::new(waker) })
}

/// Random bits for message ids and hash tables.
pub(crate) fn seed() -> Result<u128, Error> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|error| Error::Socket(TransportError(error.to_string())))?;
    Ok(u128::from_ne_bytes(seed))
}
