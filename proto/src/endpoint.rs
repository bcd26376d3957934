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

/// The longest name of an inproc endpoint, in bytes; that of libzmq.
const LONGEST_NAME: usize = 256;

/// Where a socket listens or connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `tcp://host:port`, or to connect from a certain address `tcp://source:port;host:port`.
    Tcp {
        /// The address of this side, where a connection is to come from a certain one.
        source: Option<TcpAddress>,
        /// The address to bind, or to connect to.
        address: TcpAddress,
    },
    /// `ipc://path`: a socket file.
    IpcPath(PathBuf),
    /// `ipc://@name`: a socket without a file (Linux); the name without its `@`.
    IpcAbstract(String),
    /// `ipc://*`: a socket file that the transport chooses. Can only be bound.
    IpcWildcard,
    /// `inproc://name`: a socket within this process.
    Inproc(String),
}

/// A host and a port. Displays as it is written in an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpAddress {
    /// The machine or one of its addresses.
    pub host: Host,
    /// The port; 0, also written `*`, is any free one and can only be bound.
    pub port: u16,
}

/// What stands before the port.
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
            Self::Tcp { source: Some(_), address } => Err(format!(
                "an address to come from can only be given to connect; bind tcp://{address}"
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

    fn read_tcp(addresses: &str) -> Result<Self, String> {
        let (source, address) = match addresses.split_once(';') {
            Some((_, address)) if address.contains(';') => {
                return Err("there is more than one `;`; write tcp://source:port;host:port".into());
            }
            Some((source, address)) => (Some(TcpAddress::read(source)?), address),
            None => (None, addresses),
        };
        Ok(Self::Tcp { source, address: TcpAddress::read(address)? })
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
            Self::Tcp { source: None, address } => write!(f, "tcp://{address}"),
            Self::Tcp { source: Some(source), address } => write!(f, "tcp://{source};{address}"),
            Self::IpcPath(path) => write!(f, "ipc://{}", path.display()),
            Self::IpcAbstract(name) => write!(f, "ipc://@{name}"),
            Self::IpcWildcard => f.write_str("ipc://*"),
            Self::Inproc(name) => write!(f, "inproc://{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: Host, port: u16) -> Endpoint {
        Endpoint::Tcp { source: None, address: TcpAddress { host, port } }
    }

    #[test]
    fn good_endpoints() {
        let local = || Host::V4(Ipv4Addr::LOCALHOST);
        let v6 = |address, zone: Option<&str>| Host::V6 { address, zone: zone.map(Into::into) };
        let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let name = |name: &str| Host::Name(name.into());
        let table = [
            ("tcp://127.0.0.1:1234", tcp(local(), 1234), true),
            ("tcp://127.0.0.1:01234", tcp(local(), 1234), true),
            ("tcp://0:1234", tcp(Host::V4(Ipv4Addr::UNSPECIFIED), 1234), true),
            ("tcp://*:1234", tcp(Host::Any, 1234), false),
            ("tcp://*:*", tcp(Host::Any, 0), false),
            ("tcp://127.0.0.1:*", tcp(local(), 0), false),
            ("tcp://127.0.0.1:0", tcp(local(), 0), false),
            ("tcp://[::1]:65535", tcp(v6(Ipv6Addr::LOCALHOST, None), 65535), true),
            ("tcp://[::]:1", tcp(v6(Ipv6Addr::UNSPECIFIED, None), 1), true),
            ("tcp://[fe80::1%eth0]:1", tcp(v6(link_local, Some("eth0")), 1), true),
            ("tcp://host-1.example:80", tcp(name("host-1.example"), 80), true),
            ("tcp://eth0:80", tcp(name("eth0"), 80), true),
            ("ipc:///tmp/time", Endpoint::IpcPath("/tmp/time".into()), true),
            ("ipc://time", Endpoint::IpcPath("time".into()), true),
            ("ipc://@time", Endpoint::IpcAbstract("time".into()), true),
            ("ipc://*", Endpoint::IpcWildcard, false),
            ("inproc://time", Endpoint::Inproc("time".into()), true),
        ];
        for (text, expected, connectable) in table {
            assert_eq!(Endpoint::parse_bind(text), Ok(expected.clone()), "{text}");
            assert_eq!(Endpoint::parse_connect(text).is_ok(), connectable, "{text}");
            assert_eq!(Endpoint::parse_bind(&expected.to_string()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_source_is_only_for_connecting() {
        for (text, source) in [
            ("tcp://127.0.0.2:99;host:80", "127.0.0.2:99"),
            ("tcp://*:0;host:80", "*:0"),
            ("tcp://[::1]:*;host:80", "[::1]:0"),
        ] {
            let endpoint = Endpoint::parse_connect(text).expect(text);
            let Endpoint::Tcp { source: Some(read), address } = &endpoint else {
                panic!("{text}: no source in {endpoint:?}");
            };
            assert_eq!(
                (read.to_string().as_str(), address.to_string().as_str()),
                (source, "host:80")
            );
            assert_eq!(Endpoint::parse_connect(&endpoint.to_string()), Ok(endpoint), "{text}");
            let reason = Endpoint::parse_bind(text).expect_err(text);
            assert!(reason.contains("bind tcp://host:80"), "{text}: {reason}");
        }
        for text in ["tcp://127.0.0.1:1;*:80", "tcp://127.0.0.1:1;host:0"] {
            Endpoint::parse_connect(text).expect_err(text);
        }
    }

    #[test]
    fn bad_endpoints_are_explained() {
        let long = format!("ipc:///{}", "x".repeat(200));
        let long_name = format!("inproc://{}", "x".repeat(257));
        let table = [
            ("", "scheme is missing"),
            ("127.0.0.1:1234", "scheme is missing"),
            ("http://host:80", "`http://` is not supported"),
            ("TCP://host:80", "`TCP://` is not supported"),
            ("udp://host:80", "use tcp:// or ipc://"),
            ("tcp://", "port is missing"),
            ("tcp://host", "port is missing"),
            ("tcp://host:", "port is missing"),
            ("tcp://[::1]", "port is missing"),
            ("tcp://:1234", "host is missing"),
            ("tcp://;host:1234", "port is missing"),
            ("tcp://host:1234;", "port is missing"),
            ("tcp://a:1;b:2;c:3", "more than one `;`"),
            ("tcp://host:65536", "up to 65535"),
            ("tcp://host:66770", "up to 65535"),
            ("tcp://host:99999999999999999999", "up to 65535"),
            ("tcp://host:-1", "`-1` is no port"),
            ("tcp://host:+1", "`+1` is no port"),
            ("tcp://host:http", "`http` is no port"),
            ("tcp://host:80/", "`80/` is no port"),
            ("tcp://::1:80", "tcp://[::1]:80"),
            ("tcp://[host]:80", "[host] is not an IPv6 address"),
            ("tcp://[::1:80", "not an IPv6 address"),
            ("tcp://[]:80", "not an IPv6 address"),
            ("tcp://[fe80::1%]:80", "not an IPv6 address"),
            ("tcp://[127.0.0.1]:80", "not an IPv6 address"),
            ("tcp://ho\0st:80", "control characters"),
            ("ipc://", "path is missing"),
            ("ipc://@", "name is missing"),
            ("inproc://", "name is missing"),
            (long.as_str(), "too long"),
            (long_name.as_str(), "too long"),
        ];
        for (text, hint) in table {
            for result in [Endpoint::parse_bind(text), Endpoint::parse_connect(text)] {
                let reason = result.expect_err(text);
                assert!(reason.contains(hint), "{text}: {reason}");
            }
        }
    }
}
