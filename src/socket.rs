//! Opening sockets: which transport, which links.

use std::{fmt, sync::mpsc::Sender};

use zerorpc_proto::transport::{
    Endpoint, EndpointError, Host, MechanismName, MonitorEvent, SocketKind, SocketOptions,
    TcpAddress, Transport, TransportError, Waiter, Waker,
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

/// Where a socket is linked to, in the order in which the links are made, and how it works. Any number of links, mixed.
///
/// ```
/// use zerorpc::{SocketConfig, SocketOptions};
///
/// let config = SocketConfig::new()
///     .bind("tcp://127.0.0.1:*")
///     .connect("tcp://127.0.0.1:4242")
///     .socket_options(SocketOptions::new().max_frame(1 << 20));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct SocketConfig {
    links: Vec<Link>,
    transport: TransportKind,
    monitor: Option<Sender<MonitorEvent>>,
    options: SocketOptions,
}

#[derive(Debug, Clone)]
pub(crate) enum Link {
    Bind(String),
    Connect(String),
}

impl Link {
    /// Whether others than this machine may see what goes over it.
    fn leaves_this_machine(&self) -> bool {
        let endpoint = match self {
            Self::Bind(endpoint) => Endpoint::parse_bind(endpoint),
            Self::Connect(endpoint) => Endpoint::parse_connect(endpoint),
        };
        match endpoint {
            Ok(Endpoint::Tcp { address: TcpAddress { host, .. }, .. }) => match host {
                Host::V4(address) => !address.is_loopback(),
                Host::V6 { address, .. } => !address.to_canonical().is_loopback(),
                Host::Name(name) => name != "localhost" && name != "lo",
                Host::Any => true,
            },
            _ => false,
        }
    }
}

/// The setters of everything that is built on a socket, which it gives by its method `socket`.
macro_rules! socket_setters {
    () => {
        /// What moves the messages; see [`TransportKind::default`](crate::TransportKind::default).
        pub fn transport(mut self, transport: crate::TransportKind) -> Self {
            self.socket().set_transport(transport);
            self
        }

        /// Tells `events` what happens to connections: made, lost, refused, tried again. libzmq tells no reasons.
        pub fn monitor(mut self, events: std::sync::mpsc::Sender<crate::MonitorEvent>) -> Self {
            self.socket().set_monitor(events);
            self
        }

        /// Options of the socket, such as its high-water marks and [how it finds out](crate::Keepalive) that a peer has
        /// vanished without a word. They stand for all that were given before; what is not set among them is as by
        /// default for this kind of socket.
        pub fn socket_options(mut self, options: crate::SocketOptions) -> Self {
            self.socket().set_options(options);
            self
        }
    };
}
pub(crate) use socket_setters;

impl SocketConfig {
    /// No links.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts peers at an endpoint such as `tcp://*:4242` or `ipc:///tmp/service`; port `*` lets the system
    /// choose one.
    pub fn bind(mut self, endpoint: &str) -> Self {
        self.add_bound(endpoint);
        self
    }

    /// Connects to an endpoint such as `tcp://127.0.0.1:4242`, now and whenever the connection is lost. The
    /// peer need not be there yet.
    ///
    /// Clients and pushers connect to all addresses of a name, others to one of them. With `?connections=2` behind a tcp
    /// endpoint there are two connections to each (64 at most); publishers and subscribers refuse that, since each event
    /// would come twice. (Not over libzmq, which has one connection to an endpoint.)
    pub fn connect(mut self, endpoint: &str) -> Self {
        self.add_connected(endpoint);
        self
    }

    socket_setters!();

    fn socket(&mut self) -> &mut Self {
        self
    }

    pub(crate) fn add_bound(&mut self, endpoint: &str) {
        self.links.push(Link::Bind(endpoint.to_owned()));
    }

    pub(crate) fn add_connected(&mut self, endpoint: &str) {
        self.links.push(Link::Connect(endpoint.to_owned()));
    }

    pub(crate) fn set_transport(&mut self, transport: TransportKind) {
        self.transport = transport;
    }

    pub(crate) fn set_monitor(&mut self, events: Sender<MonitorEvent>) {
        self.monitor = Some(events);
    }

    pub(crate) fn set_options(&mut self, options: SocketOptions) {
        self.options = options;
    }

    /// Opens a socket and makes the links; returns the endpoints, those that are bound as they were bound.
    pub(crate) fn open(&self, kind: SocketKind) -> Result<(Parts, Endpoints), Error> {
        if self.links.is_empty() {
            return Err(Error::NoEndpoint);
        }
        let mut parts = self.transport.open(kind, &self.options).map_err(Error::Socket)?;
        parts.monitor = self.monitor.clone();
        let shows_passwords = self.options.security.mechanism() == MechanismName::Plain;
        let mut endpoints = Endpoints { shows_passwords, ..Endpoints::default() };
        for link in &self.links {
            endpoints.add(parts.transport.as_mut(), link)?;
        }
        // One line is enough for all of them.
        if let Some(exposed) = self.links.iter().find(|link| link.leaves_this_machine()) {
            endpoints.warn_of_passwords(exposed);
        }
        Ok((parts, endpoints))
    }
}

/// The endpoints that a socket is linked to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoints {
    pub(crate) bound: Vec<String>,
    pub(crate) connected: Vec<String>,
    /// The socket's mechanism is PLAIN.
    shows_passwords: bool,
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

    /// PLAIN is for links that nobody else can listen to.
    pub(crate) fn warn_of_passwords(&self, link: &Link) {
        if self.shows_passwords && link.leaves_this_machine() {
            let (Link::Bind(endpoint) | Link::Connect(endpoint)) = link;
            tracing::warn!(
                "passwords and everything else go over the network unencrypted at {endpoint}: whoever is on the way reads \
                 them; use CURVE there, or a tunnel that ends at 127.0.0.1"
            );
        }
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
                let zerorpc_mio::Parts { transport, waiter, waker, .. } =
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
                let zerorpc_zmq::Parts { transport, waiter, waker, .. } =
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
    /// Mio where it is built in.
    fn default() -> Self {
        Self::ALL[0]
    }
}

/// Random bits for message ids and hash tables.
pub(crate) fn seed() -> Result<u128, Error> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed)
        .map_err(|error| Error::Socket(TransportError::new(error.to_string())))?;
    Ok(u128::from_ne_bytes(seed))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Client, Methods, Server};

    #[test]
    fn what_leaves_the_machine_is_known() {
        for (endpoint, leaves) in [
            ("tcp://127.0.0.1:4242", false),
            ("tcp://127.9.9.9:4242", false),
            ("tcp://[::1]:4242", false),
            ("tcp://localhost:4242", false),
            ("ipc:///tmp/socket", false),
            ("inproc://name", false),
            ("tcp://0.0.0.0:4242", true),
            ("tcp://[::]:4242", true),
            ("tcp://192.0.2.7:4242", true),
            ("tcp://example.org:4242", true),
        ] {
            for link in [Link::Bind(endpoint.to_owned()), Link::Connect(endpoint.to_owned())] {
                assert_eq!(link.leaves_this_machine(), leaves, "{endpoint}");
            }
        }
        assert!(Link::Bind("tcp://*:4242".to_owned()).leaves_this_machine());
    }

    /// What a socket lingers for, as it is built and with options that say nothing of it.
    fn lingers(mut config: SocketConfig, kind: SocketKind) -> [Option<Duration>; 2] {
        let own = config.options.linger_of(kind);
        config.set_options(SocketOptions::new().max_frame(1000));
        [own, config.options.linger_of(kind)]
    }

    #[test]
    fn options_undo_no_default_that_they_do_not_mention() {
        let second = Some(Duration::from_secs(1));
        let client = Client::builder().connect("inproc://a").socket().clone();
        assert_eq!(lingers(client, SocketKind::Dealer), [Some(Duration::ZERO); 2]);
        let service = Methods::new("nothing");
        let server = Server::builder().service(service).bind("inproc://a").socket().clone();
        assert_eq!(lingers(server, SocketKind::Router), [second; 2]);
        for kind in [SocketKind::Push, SocketKind::Pull, SocketKind::Pub, SocketKind::Sub] {
            assert_eq!(lingers(SocketConfig::new(), kind), [second; 2]);
        }
    }

    #[test]
    fn what_is_said_of_the_linger_holds_for_every_kind() {
        for linger in [None, Some(Duration::ZERO), Some(Duration::from_secs(60))] {
            for kind in [SocketKind::Dealer, SocketKind::Router, SocketKind::Push] {
                assert_eq!(SocketOptions::new().linger(linger).linger_of(kind), linger);
            }
        }
    }
}
