//! What libzmq does not do itself with endpoints, and better did.
//!
//! libzmq takes ports modulo 65536, deletes files that stand in the way of a socket, looks for hosts in
//! the background without ever telling that there is none, and names its reasons in two words. So it sees
//! an endpoint only when [`Endpoint`] has read it, and hosts have been found.

use std::{
    fs::File,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::{Cause, Endpoint, Host, TcpAddress};
use zmq::Error;

/// How long libzmq may take to let go of a port. Not measured: a bound for a machine that is busy.
const RELEASE: Duration = Duration::from_secs(1);

/// Refuses what libzmq cannot do: between processes, or only within a context that nobody else has, or twice.
pub(crate) fn supported(endpoint: Endpoint) -> Result<Endpoint, String> {
    match endpoint {
        Endpoint::Tcp { connections: 2.., .. } => {
            Err("libzmq makes one connection to an endpoint; use the transport mio for more, \
                 or leave `?connections=` out"
                .into())
        }
        Endpoint::Inproc(_) => {
            Err("inproc:// is not supported; use ipc:// within one machine".into())
        }
        endpoint => Ok(endpoint),
    }
}

/// Whether the host is an IPv6 literal. libzmq needs to be told, and must not be told otherwise: it would
/// prefer IPv6 for names of both kinds, where most peers listen on IPv4 alone.
pub(crate) fn is_ipv6(host: &Host) -> bool {
    matches!(host, Host::V6 { .. })
}

/// Whether only IPv6 leads to the address. Asks the resolver for names, which may take its time.
///
/// # Errors
/// When there is no such host.
pub(crate) fn needs_ipv6(address: &TcpAddress) -> Result<bool, String> {
    match &address.host {
        Host::Name(name) => resolve(name, address.port).map(|address| address.is_ipv6()),
        host => Ok(is_ipv6(host)),
    }
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
pub(crate) fn explain(error: Error) -> Cause {
    told(error, words(error))
}

/// The error in words for people, with the system's behind it if it is one of those.
pub(crate) fn told(error: Error, words: String) -> Cause {
    /// Where libzmq's own numbers begin; those below are the system's.
    const OWN: i32 = 156_384_712;
    match error.to_raw() {
        raw @ 1..OWN => Cause::explained(io::Error::from_raw_os_error(raw), |_| words),
        _ => Cause::from(words),
    }
}

pub(crate) fn words(error: Error) -> String {
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
        Error::ENAMETOOLONG => "the path is too long for a socket; choose a shorter one".into(),
        Error::EINVAL => "not an endpoint; write tcp://host:port or ipc://path".into(),
        Error::EMFILE => "this process has too many open files; raise the limit (ulimit -n)".into(),
        error => error.to_string(),
    }
}

/// Makes sure that the process may open so many more files.
///
/// # Errors
/// The reason why not, for people.
pub(crate) fn rehearse(descriptors: usize) -> Result<(), String> {
    let opened: io::Result<Vec<File>> = (0..descriptors).map(|_| File::open("/dev/null")).collect();
    // Whatever else stands in the way of that file will show.
    let errno = opened.err().and_then(|error| error.raw_os_error());
    errno.and_then(explain_exhaustion).map_or(Ok(()), Err)
}

/// That there are too many open files, and what to do about it; `None` for every other reason.
pub(crate) fn explain_exhaustion(errno: i32) -> Option<String> {
    /// The same number on every system that there is; the binding has no name for it.
    const ENFILE: i32 = 23;
    match errno {
        ENFILE => Some("this system has too many open files".into()),
        errno if errno == Error::EMFILE.to_raw() => Some(words(Error::EMFILE)),
        _ => None,
    }
}

/// Whether sockets can be bound to addresses of IPv6.
pub(crate) fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

/// Waits until libzmq's background thread has closed the listener at `endpoint`, as bound, so that the
/// port can be used again when [`unbind`](zerorpc_proto::transport::Transport::unbind) returns.
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
    fn ipv6_is_used_only_where_it_must_be() {
        let table = [("[::1]", true), ("127.0.0.1", false), ("0", false), ("localhost", false)];
        for (host, expected) in table {
            let endpoint = Endpoint::parse_connect(&format!("tcp://{host}:80"));
            let Ok(Endpoint::Tcp { address, .. }) = endpoint else { panic!("{host}") };
            assert_eq!(needs_ipv6(&address), Ok(expected), "{host}");
        }
    }

    #[test]
    fn inproc_is_refused() {
        let endpoint =
            Endpoint::parse_connect("tcp://host:1?connections=2").expect("a good endpoint");
        assert!(supported(endpoint).expect_err("not over libzmq").contains("connections"));
        let endpoint = Endpoint::parse_bind("inproc://time").expect("a good endpoint");
        assert!(supported(endpoint).expect_err("inproc").contains("use ipc://"));
    }
}
