//! Opening sockets: which transport, which links.

use std::{fmt, sync::mpsc::Sender};

use zerorpc_proto::{
    EndpointError, Keepalive, MonitorEvent, SocketKind, SocketOptions, Transport, TransportError,
    Waiter, Waker,
};

use crate::error::Error;

/// A transport in the three parts that a driver needs.
pub(crate) struct Parts {
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) waiter: Box<dyn Waiter>,
    pub(crate) waker: Box<dyn Waker>,
    /// Who wants to hear what happens to connections.
    pub(crate) monitor: Option<Sender<MonitorEvent>>,
}

/// What a socket is linked to, in the order in which the links are made. Any number of each, mixed.
#[derive(Debug, Clone, Default)]
pub struct Links {
    links: Vec<Link>,
    transport: TransportKind,
    monitor: Option<Sender<MonitorEvent>>,
    options: SocketOptions,
}

#[derive(Debug, Clone)]
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
        self.links.push(Link::Bind(endpoint.to_owned()));
        self
    }

    /// Connects to an endpoint such as `tcp://127.0.0.1:4242`, now and whenever the connection is lost. The
    /// peer need not be there yet.
    ///
    /// Clients and pushers connect to all addresses of a name, others to one of them. With `?connections=2` behind a tcp
    /// endpoint there are two connections to each (64 at most); publishers and subscribers refuse that, since each event
    /// would come twice. (Not over libzmq, which has one connection to an endpoint.)
    #[must_use]
    pub fn connect(mut self, endpoint: &str) -> Self {
        self.links.push(Link::Connect(endpoint.to_owned()));
        self
    }

    /// Chooses what moves the messages.
    #[must_use]
    pub fn transport(mut self, transport: TransportKind) -> Self {
        self.transport = transport;
        self
    }

    /// Tells `events` what happens to connections: made, lost, refused, tried again. libzmq tells no reasons.
    #[must_use]
    pub fn monitor(mut self, events: Sender<MonitorEvent>) -> Self {
        self.monitor = Some(events);
        self
    }

    /// How connections over TCP find out that their peer has vanished without a word; see [`Keepalive`]. `None` leaves
    /// it to the system.
    #[must_use]
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.options.keepalive = keepalive.into();
        self
    }

    /// Who may connect to the socket files of `ipc://` endpoints that are bound: a mode such as 0o660, and a group by its
    /// name or number; see [`SocketOptions`]. `None` for both is the owner alone.
    #[must_use]
    pub fn socket_files(mut self, mode: impl Into<Option<u32>>, group: Option<String>) -> Self {
        self.options.ipc_mode = mode.into();
        self.options.ipc_group = group;
        self
    }

    /// Options of the socket, such as its high-water marks and its linger.
    #[must_use]
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        self.options = options;
        self
    }

    /// Opens a socket and makes the links; returns the endpoints, those that are bound as they were bound.
    pub(crate) fn open(&self, kind: SocketKind) -> Result<(Parts, Endpoints), Error> {
        if self.links.is_empty() {
            return Err(Error::NoEndpoint);
        }
        let mut parts = self.transport.open(kind, &self.options).map_err(Error::Socket)?;
        parts.monitor = self.monitor.clone();
        let mut endpoints = Endpoints::default();
        for link in &self.links {
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

/// What moves the messages. Both kinds speak to each other, and to every other ZeroMQ socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportKind {
    /// ZMTP by hand, in Rust alone (feature `mio`). Knows its peers: one client can use many servers.
    #[cfg(feature = "mio")]
    Mio,
    /// libzmq (feature `zmq`).
    #[cfg(feature = "zmq")]
    Zmq,
}

impl TransportKind {
    /// The kinds that this build has, the default first.
    pub const ALL: &[Self] = &[
        #[cfg(feature = "mio")]
        Self::Mio,
        #[cfg(feature = "zmq")]
        Self::Zmq,
    ];

    /// Its name, as features and command lines have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "mio")]
            Self::Mio => "mio",
            #[cfg(feature = "zmq")]
            Self::Zmq => "zmq",
        }
    }

    fn open(self, kind: SocketKind, options: &SocketOptions) -> Result<Parts, TransportError> {
        match self {
            #[cfg(feature = "mio")]
            Self::Mio => {
                let zerorpc_mio::Parts { transport, waiter, waker } =
                    zerorpc_mio::open(kind, options)?;
                Ok(Parts {
                    transport: Box::new(transport),
                    waiter: Box::new(waiter),
                    waker: Box::new(waker),
                    monitor: None,
                })
            }
            #[cfg(feature = "zmq")]
            Self::Zmq => {
                let zerorpc_zmq::Parts { transport, waiter, waker } =
                    zerorpc_zmq::open(kind, options)?;
                Ok(Parts {
                    transport: Box::new(transport),
                    waiter: Box::new(waiter),
                    waker: Box::new(waker),
                    monitor: None,
                })
            }
        }
    }
}

impl std::str::FromStr for TransportKind {
    type Err = String;

    /// Finds a kind by its name.
    ///
    /// # Errors
    /// When this build has none of that name: which it has.
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|kind| kind.name() == name).copied().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("this build has {} only; others are features of it", names.join(" and "))
        })
    }
}

impl Default for TransportKind {
    /// Mio where it is built in. The environment variable `ZERORPC_TRANSPORT` (`mio` or `zmq`) chooses another one
    /// that is; a name that this build lacks is ignored.
    fn default() -> Self {
        let wanted = std::env::var("ZERORPC_TRANSPORT").unwrap_or_default();
        wanted.parse().unwrap_or(Self::ALL[0])
    }
}

/// Random bits for message ids and hash tables.
pub(crate) fn seed() -> Result<u128, Error> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|error| Error::Socket(TransportError(error.to_string())))?;
    Ok(u128::from_ne_bytes(seed))
}
