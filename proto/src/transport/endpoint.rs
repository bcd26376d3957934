//! Endpoints: what the text in front of and behind `://` means.
//!
//! Only reading happens here. Whoever opens sockets asks the system for names and interfaces, and refuses in
//! its own words what it cannot serve.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

/// The longest path or abstract name of a socket, in bytes: the room in the system's addresses, less one.
const LONGEST_PATH: usize =
    if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

/// How many connections an endpoint may ask for to each address.
const MOST_CONNECTIONS: u8 = 64;

/// The longest name of an inproc endpoint, in bytes; that of libzmq.
const LONGEST_NAME: usize = 256;

/// Where a socket listens or connects.
// Exhaustive: a transport has to say of each what it makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `tcp://host:port`, or to connect from a certain address `tcp://source:port;host:port`; with `?connections=2`
    /// behind it to connect twice.
    Tcp {
        /// The address of this side, where a connection is to come from a certain one.
        source: Option<TcpAddress>,
        /// The address to bind, or to connect to.
        address: TcpAddress,
        /// How many connections to make to each address, 1 to 64: a balancer may lead each to another server. One
        /// where nothing is said, and where it is bound.
        connections: u8,
    },
    /// `ipc://path`: a socket file. A `?` is a character of its name as any other.
    IpcPath(PathBuf),
    /// `ipc://@name`: a socket without a file (Linux); the name without its `@`.
    IpcAbstract(String),
    /// `ipc://*`: a socket file that the transport chooses. Can only be bound.
    IpcWildcard,
    /// `inproc://name`: a socket within this process.
    Inproc(String),
}

/// A host and a port. Displays as it is written in an endpoint.
// Exhaustive: an address has no third part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpAddress {
    /// The machine or one of its addresses.
    pub host: Host,
    /// The port; 0, also written `*`, is any free one and can only be bound.
    pub port: u16,
}

/// What stands before the port.
// Exhaustive, as endpoints are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// `*`: all addresses of this machine. Can only be bound.
    Any,
    /// An IPv4 address; `0` is short for `0.0.0.0`.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6 {
        /// The address itself.
        address: Ipv6Addr,
        /// The number or name of the interface behind `%`, which link-local addresses need.
        zone: Option<String>,
    },
    /// A name: of a host, or of a network interface of this machine where one is bound.
    Name(String),
}

impl Endpoint {
    /// Reads an endpoint to bind.
    ///
    /// # Errors
    /// What is wrong with the text and what to write instead, for people.
    pub fn parse_bind(text: &str) -> Result<Self, String> {
        match Self::read(text)? {
            Self::Tcp { source: Some(_), address, .. } => Err(format!(
                "an address to come from can only be given to connect; bind tcp://{address}"
            )),
            Self::Tcp { address, .. } if text.contains('?') => Err(format!(
                "a number of connections can only be given to connect; bind tcp://{address}"
            )),
            endpoint => Ok(endpoint),
        }
    }

    /// Reads an endpoint to connect to, which must be a definite one.
    ///
    /// # Errors
    /// What is wrong with the text and what to write instead, for people.
    pub fn parse_connect(text: &str) -> Result<Self, String> {
        match Self::read(text)? {
            Self::Tcp { address: TcpAddress { host: Host::Any, port }, .. } => Err(format!(
                "`*` stands for all addresses of this machine and can only be bound; \
                 to reach a server on this machine, connect to tcp://127.0.0.1:{port}"
            )),
            Self::Tcp { address: TcpAddress { port: 0, .. }, .. } => Err(
                "a wildcard port can only be bound; connect to the port that the peer was given"
                    .into(),
            ),
            Self::IpcWildcard => {
                Err("`*` can only be bound; connect to the path that the peer was given".into())
            }
            endpoint => Ok(endpoint),
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        if text.contains(char::is_control) {
            return Err("control characters have no place in an endpoint".into());
        }
        match text.split_once("://") {
            Some(("tcp", addresses)) => Self::read_tcp(addresses),
            Some(("ipc", path)) => Self::read_ipc(path),
            Some(("inproc", name)) => Self::read_inproc(name),
            Some((scheme, _)) => {
                Err(format!("`{scheme}://` is not supported; use tcp:// or ipc://"))
            }
            None => Err("the scheme is missing; write tcp://host:port or ipc://path".into()),
        }
    }

    fn read_tcp(text: &str) -> Result<Self, String> {
        let (addresses, connections) = match text.split_once('?') {
            Some((addresses, option)) => (addresses, read_connections(option)?),
            None => (text, 1),
        };
        let (source, address) = match addresses.split_once(';') {
            Some((_, address)) if address.contains(';') => {
                return Err("there is more than one `;`; write tcp://source:port;host:port".into());
            }
            Some((source, address)) => (Some(TcpAddress::read(source)?), address),
            None => (None, addresses),
        };
        let address = TcpAddress::read(address)?;
        // An address to come from that has its interface decides for both.
        let from_link = source
            .as_ref()
            .is_some_and(|source| matches!(source.host, Host::V6 { zone: Some(_), .. }));
        address.check(from_link)?;
        if let Some(source) = &source {
            source.check(false)?;
            if connections > 1 && source.port != 0 {
                return Err(format!(
                    "{connections} connections cannot all come from one port; write \
                     tcp://{}:*;{address}?connections={connections}",
                    source.host
                ));
            }
        }
        Ok(Self::Tcp { source, address, connections })
    }

    fn read_ipc(path: &str) -> Result<Self, String> {
        if path.is_empty() {
            return Err("the path is missing; write ipc:///path/to/socket".into());
        }
        if path.len() > LONGEST_PATH {
            return Err(format!(
                "the path is too long for a socket, which takes {LONGEST_PATH} bytes; \
                 choose a shorter one"
            ));
        }
        match path.strip_prefix('@') {
            Some("") => Err("the name is missing; write ipc://@name".into()),
            Some(name) => Ok(Self::IpcAbstract(name.into())),
            None if path == "*" => Ok(Self::IpcWildcard),
            None => Ok(Self::IpcPath(path.into())),
        }
    }

    fn read_inproc(name: &str) -> Result<Self, String> {
        match name.len() {
            0 => Err("the name is missing; write inproc://name".into()),
            1..=LONGEST_NAME => Ok(Self::Inproc(name.into())),
            length => Err(format!(
                "a name of {length} bytes is too long; choose one of up to {LONGEST_NAME}"
            )),
        }
    }
}

impl TcpAddress {
    fn read(text: &str) -> Result<Self, String> {
        let missing_port = || "the port is missing; write tcp://host:port".to_string();
        if text.ends_with(']') {
            return Err(missing_port());
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(missing_port)?;
        let port = read_port(port)?;
        if let Some(rest) = host.strip_prefix('[') {
            let host = rest.strip_suffix(']').and_then(read_ipv6);
            let host = host.ok_or_else(|| format!("[{rest} is not an IPv6 address"))?;
            return Ok(Self { host, port });
        }
        let host = match host {
            "" => {
                return Err("the host is missing; write tcp://host:port, \
                            or tcp://*:port to listen on all addresses"
                    .into());
            }
            "*" => Host::Any,
            "0" => Host::V4(Ipv4Addr::UNSPECIFIED),
            host if host.contains(':') => {
                return Err(format!("an IPv6 address stands in brackets: tcp://[{host}]:{port}"));
            }
            host => host.parse().map_or_else(|_| Host::Name(host.into()), Host::V4),
        };
        Ok(Self { host, port })
    }

    /// Refuses an address that is not of one machine, and a link-local one that does not say on which link.
    fn check(&self, has_link: bool) -> Result<(), String> {
        match self.host {
            Host::V4(address) if address.is_multicast() || address.is_broadcast() => Err(format!(
                "{address} stands for many machines, and a tcp connection leads to one"
            )),
            Host::V6 { address, .. } if address.is_multicast() => Err(format!(
                "[{address}] stands for many machines, and a tcp connection leads to one"
            )),
            Host::V6 { address, zone: None } if address.is_unicast_link_local() && !has_link => {
                Err(format!(
                    "[{address}] is a link-local address, which is another one on every network: say through which \
                 interface, as in tcp://[{address}%eth0]:{} (`ip link` lists them)",
                    self.port
                ))
            }
            _ => Ok(()),
        }
    }
}

/// What stands behind the `?` of a tcp endpoint.
fn read_connections(option: &str) -> Result<u8, String> {
    let Some(number) = option.strip_prefix("connections=") else {
        return Err(format!("`?{option}` means nothing here; write tcp://host:port?connections=2"));
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse() {
        Ok(connections @ 1..=MOST_CONNECTIONS) if is_number => Ok(connections),
        _ => Err(format!("`{number}` is no number of connections; write 1 to {MOST_CONNECTIONS}")),
    }
}

fn read_ipv6(text: &str) -> Option<Host> {
    let (address, zone) = match text.split_once('%') {
        Some((_, "")) => return None,
        Some((address, zone)) => (address, Some(zone.to_string())),
        None => (text, None),
    };
    Some(Host::V6 { address: address.parse().ok()?, zone })
}

fn read_port(text: &str) -> Result<u16, String> {
    match text {
        "*" => Ok(0),
        "" => Err("the port is missing; write tcp://host:port".into()),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| format!("{digits} is no port; ports go up to 65535"))
        }
        other => Err(format!("`{other}` is no port; ports are numbers up to 65535")),
    }
}

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::V4(address) => address.fmt(f),
            Self::V6 { address, zone: None } => write!(f, "[{address}]"),
            Self::V6 { address, zone: Some(zone) } => write!(f, "[{address}%{zone}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { source, address, connections } => {
                f.write_str("tcp://")?;
                if let Some(source) = source {
                    write!(f, "{source};")?;
                }
                address.fmt(f)?;
                if *connections != 1 {
                    write!(f, "?connections={connections}")?;
                }
                Ok(())
            }
            Self::IpcPath(path) => write!(f, "ipc://{}", path.display()),
            Self::IpcAbstract(name) => write!(f, "ipc://@{name}"),
            Self::IpcWildcard => f.write_str("ipc://*"),
            Self::Inproc(name) => write!(f, "inproc://{name}"),
        }
    }
}

#[cfg(test)]
mod tests;
