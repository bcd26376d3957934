//! Endpoints, read here before libzmq sees them.
//!
//! libzmq takes ports modulo 65536, deletes files that stand in the way of a socket, looks for hosts in
//! the background without ever telling that there is none, and names its reasons in two words.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
    os::unix::net,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use zmq::Error;

/// How long libzmq may take to let go of a port.
const RELEASE: Duration = Duration::from_secs(1);

/// Where a socket listens or connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    /// `tcp://host:port`; the host as written, with brackets; port 0 is any free one.
    Tcp { host: &'a str, port: u16 },
    /// `ipc://path`.
    File(&'a Path),
    /// An ipc endpoint without a file of its own: `ipc://@name` (Linux), or `ipc://*`, which libzmq names.
    Fileless,
}

impl<'a> Endpoint<'a> {
    /// Reads an endpoint to bind.
    pub(crate) fn to_bind(text: &'a str) -> Result<Self, String> {
        Self::read(text)
    }

    /// Reads an endpoint to connect to, which must be a definite one.
    pub(crate) fn to_connect(text: &'a str) -> Result<Self, String> {
        let endpoint = Self::read(text)?;
        match endpoint {
            Self::Tcp { host: "*", port } => Err(format!(
                "`*` stands for all addresses of this machine and can only be bound; \
                 to reach a server on this machine, connect to tcp://127.0.0.1:{port}"
            )),
            Self::Tcp { port: 0, .. } => Err(
                "a wildcard port can only be bound; connect to the port that the peer was given"
                    .into(),
            ),
            Self::Fileless if text == "ipc://*" => {
                Err("`*` can only be bound; connect to the path that the peer was given".into())
            }
            _ => Ok(endpoint),
        }
    }

    fn read(text: &'a str) -> Result<Self, String> {
        if text.contains(char::is_control) {
            return Err("control characters have no place in an endpoint".into());
        }
        match text.split_once("://") {
            Some(("tcp", address)) => Self::read_tcp(address),
            Some(("ipc", path)) => Self::read_ipc(path),
            Some(("inproc", _)) => {
                Err("inproc:// is not supported; use ipc:// within one machine".into())
            }
            Some((scheme, _)) => {
                Err(format!("`{scheme}://` is not supported; use tcp:// or ipc://"))
            }
            None => Err("the scheme is missing; write tcp://host:port or ipc://path".into()),
        }
    }

    fn read_tcp(address: &'a str) -> Result<Self, String> {
        let missing_port = || "the port is missing; write tcp://host:port".to_string();
        if address.ends_with(']') {
            return Err(missing_port());
        }
        let (host, port) = address.rsplit_once(':').ok_or_else(missing_port)?;
        let port = read_port(port)?;
        if host.is_empty() {
            return Err("the host is missing; write tcp://host:port, \
                        or tcp://*:port to listen on all addresses"
                .into());
        }
        match host.strip_prefix('[') {
            None if host.contains(':') => {
                Err(format!("an IPv6 address stands in brackets: tcp://[{host}]:{port}"))
            }
            None => Ok(Self::Tcp { host, port }),
            Some(rest) => {
                match rest.strip_suffix(']').map(without_zone).map(str::parse::<Ipv6Addr>) {
                    Some(Ok(_)) => Ok(Self::Tcp { host, port }),
                    _ => Err(format!("{host} is not an IPv6 address")),
                }
            }
        }
    }

    fn read_ipc(path: &'a str) -> Result<Self, String> {
        if path.is_empty() {
            return Err("the path is missing; write ipc:///path/to/socket".into());
        }
        if path == "*" || path.starts_with('@') {
            return Ok(Self::Fileless);
        }
        match net::SocketAddr::from_pathname(path) {
            Ok(_) => Ok(Self::File(Path::new(path))),
            Err(_) => Err(TOO_LONG.into()),
        }
    }
}

const TOO_LONG: &str =
    "the path is too long for a socket (most systems take about 100 bytes); choose a shorter one";

fn without_zone(address: &str) -> &str {
    address.split_once('%').map_or(address, |(address, _)| address)
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

/// Whether the host is an IPv6 literal. libzmq needs to be told, and must not be told otherwise: it would
/// prefer IPv6 for names of both kinds, where most peers listen on IPv4 alone.
pub(crate) fn is_ipv6(host: &str) -> bool {
    host.starts_with('[')
}

/// Whether only IPv6 leads to the host. Asks the resolver for names, which may take its time.
///
/// # Errors
/// When there is no such host.
pub(crate) fn needs_ipv6(host: &str, port: u16) -> Result<bool, String> {
    if is_ipv6(host) {
        return Ok(true);
    }
    if host.parse::<Ipv4Addr>().is_ok() {
        return Ok(false);
    }
    resolve(host, port).map(|address| address.is_ipv6())
}

/// The address of a host, IPv4 if it has one.
pub(crate) fn resolve(host: &str, port: u16) -> Result<IpAddr, String> {
    let unknown = |detail: &str| format!("unknown host `{host}` ({detail}); check the name");
    let addresses: Vec<SocketAddr> =
        (host, port).to_socket_addrs().map_err(|error| unknown(&error.to_string()))?.collect();
    let preferred = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    preferred.map(SocketAddr::ip).ok_or_else(|| unknown("it has no address"))
}

/// Why libzmq could not bind or connect, and what to do about it.
pub(crate) fn explain(error: Error) -> String {
    match error {
        Error::EADDRINUSE => {
            "another process already listens there; choose another port or stop it".into()
        }
        Error::EADDRNOTAVAIL => "this machine does not have that address; \
                                 bind tcp://*:port to listen on all of its addresses"
            .into(),
        Error::EACCES => {
            "permission denied; ports below 1024 are often reserved, choose a higher one".into()
        }
        Error::ENODEV => "this machine has no such address".into(),
        Error::ENAMETOOLONG => TOO_LONG.into(),
        Error::EINVAL => "not an endpoint; write tcp://host:port or ipc://path".into(),
        Error::EMFILE => "this process has too many open files; raise the limit (ulimit -n)".into(),
        error => error.to_string(),
    }
}

/// Waits until libzmq's background thread has closed the listener at `endpoint`, as bound, so that the
/// port can be used again when [`unbind`](zerorpc_proto::Transport::unbind) returns.
pub(crate) fn await_release(endpoint: &str) {
    let Some(Ok(address)) = endpoint.strip_prefix("tcp://").map(str::parse::<SocketAddr>) else {
        return;
    };
    let start = Instant::now();
    // libzmq does not tell when it is done; binding the port is the only way to know.
    while TcpListener::bind(address).is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
        if start.elapsed() > RELEASE {
            tracing::debug!(endpoint, "the port is still in use after unbinding");
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_endpoints() {
        let tcp = |host, port| Endpoint::Tcp { host, port };
        let table = [
            ("tcp://127.0.0.1:1234", tcp("127.0.0.1", 1234), true),
            ("tcp://0:1234", tcp("0", 1234), true),
            ("tcp://*:1234", tcp("*", 1234), false),
            ("tcp://127.0.0.1:*", tcp("127.0.0.1", 0), false),
            ("tcp://127.0.0.1:0", tcp("127.0.0.1", 0), false),
            ("tcp://[::1]:65535", tcp("[::1]", 65535), true),
            ("tcp://[fe80::1%eth0]:1", tcp("[fe80::1%eth0]", 1), true),
            ("tcp://host-1.example:80", tcp("host-1.example", 80), true),
            ("ipc:///tmp/time", Endpoint::File(Path::new("/tmp/time")), true),
            ("ipc://time", Endpoint::File(Path::new("time")), true),
            ("ipc://@time", Endpoint::Fileless, true),
            ("ipc://*", Endpoint::Fileless, false),
        ];
        for (text, expected, connectable) in table {
            assert_eq!(Endpoint::to_bind(text), Ok(expected), "{text}");
            assert_eq!(Endpoint::to_connect(text).is_ok(), connectable, "{text}");
        }
    }

    #[test]
    fn bad_endpoints_are_explained() {
        let long = format!("ipc:///{}", "x".repeat(200));
        let table = [
            ("", "scheme is missing"),
            ("127.0.0.1:1234", "scheme is missing"),
            ("http://host:80", "`http://` is not supported"),
            ("udp://host:80", "use tcp:// or ipc://"),
            ("inproc://time", "use ipc://"),
            ("tcp://", "port is missing"),
            ("tcp://host", "port is missing"),
            ("tcp://host:", "port is missing"),
            ("tcp://[::1]", "port is missing"),
            ("tcp://:1234", "host is missing"),
            ("tcp://host:65536", "up to 65535"),
            ("tcp://host:66770", "up to 65535"),
            ("tcp://host:99999999999999999999", "up to 65535"),
            ("tcp://host:-1", "`-1` is no port"),
            ("tcp://host:+1", "`+1` is no port"),
            ("tcp://host:http", "`http` is no port"),
            ("tcp://host:80/", "`80/` is no port"),
            ("tcp://::1:80", "tcp://[::1]:80"),
            ("tcp://[host]:80", "not an IPv6 address"),
            ("tcp://[::1:80", "not an IPv6 address"),
            ("tcp://ho\0st:80", "control characters"),
            ("ipc://", "path is missing"),
            (long.as_str(), "too long"),
        ];
        for (text, hint) in table {
            for result in [Endpoint::to_bind(text), Endpoint::to_connect(text)] {
                let reason = result.expect_err(text);
                assert!(reason.contains(hint), "{text}: {reason}");
            }
        }
    }

    #[test]
    fn ipv6_is_used_only_where_it_must_be() {
        let table = [("[::1]", true), ("127.0.0.1", false), ("0", false), ("localhost", false)];
        for (host, expected) in table {
            assert_eq!(needs_ipv6(host, 80), Ok(expected), "{host}");
        }
    }
}
