//! Opening tcp sockets.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use mio::net::{TcpListener, TcpStream};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use zerorpc_proto::transport::{Cause, Host, Probes, TcpAddress};

use super::{BACKLOG, LinkOptions, Stream, explain, resolve};

/// Listens at `address`; returns the endpoint as bound. Blocks to look up names.
pub(super) fn listen(address: &TcpAddress) -> Result<(TcpListener, String), Cause> {
    let explain = |error: io::Error| Cause::explained(error, explain_bind);
    let listener = match address.host {
        Host::Any => listen_at_all(address.port),
        _ => listen_at_first(&resolve::local(address)?),
    }
    .map_err(explain)?;
    let bound = listener.local_addr().map_err(explain)?;
    // The address that reaches it through peers that know nothing but IPv4 as well.
    let endpoint = match address.host {
        Host::Any => format!("tcp://0.0.0.0:{}", bound.port()),
        _ => format!("tcp://{bound}"),
    };
    Ok((listener, endpoint))
}

/// All addresses of both families, or of IPv4 where the system has no other, or not in one socket.
fn listen_at_all(port: u16) -> io::Result<TcpListener> {
    match listen_at((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error)
            if !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) =>
        {
            listen_at((Ipv4Addr::UNSPECIFIED, port).into())
        }
        result => result,
    }
}

/// The first address that this machine has.
fn listen_at_first(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut last = Err(ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        last = listen_at(*address);
        // A taken port is not answered by an address that the caller does not expect.
        if !last.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable) {
            return last;
        }
    }
    last
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    // Connections of the last run that have not quite ended stand in nobody's way. A free port, though, is
    // asked for without the option, with which the system may choose one that somebody else has, but does
    // not listen at yet.
    socket.set_reuse_address(address.port() != 0)?;
    socket.bind(&address.into())?;
    // The connections inherit it, for the next run.
    socket.set_reuse_address(true)?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Begins to connect to `target`, from `source` if there is one.
pub(super) fn connect(
    target: SocketAddr,
    source: Option<SocketAddr>,
    options: &LinkOptions,
) -> io::Result<Stream> {
    let socket = open(target)?;
    set_keepalive(&socket, options.keepalive)?;
    if let Some(source) = source {
        socket.set_reuse_address(source.port() != 0)?;
        socket.bind(&source.into()).map_err(|error| {
            let reason = explain_source(&error);
            io::Error::new(error.kind(), format!("cannot come from {source}: {reason}"))
        })?;
    }
    match socket.connect(&target.into()) {
        Err(error) if !is_under_way(&error) => return Err(error),
        _ => {}
    }
    Stream::tcp(TcpStream::from_std(socket.into()), target)
}

/// Asks for probes on a connection that was accepted or is being made.
pub(super) fn set_keepalive(socket: &Socket, probes: Option<Probes>) -> io::Result<()> {
    let Some(Probes { idle, interval, retries, unacknowledged, .. }) = probes else {
        return Ok(());
    };
    let wanted = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(retries);
    socket.set_tcp_keepalive(&wanted)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(unacknowledged)?;
    #[cfg(not(target_os = "linux"))]
    let _not_here = unacknowledged;
    Ok(())
}

/// Whether a connection that did not stand at once is being made. A signal does not stop it.
pub(super) fn is_under_way(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INPROGRESS | Errno::INTR))
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Why a connection could not be made, and what to do about it.
pub(super) fn explain_connect(error: &io::Error, target: Option<SocketAddr>) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => return "nobody listens there (connection refused)".into(),
        ErrorKind::TimedOut => return "no answer".into(),
        _ => {}
    }
    let is_v6 = target.is_some_and(|target| target.is_ipv6());
    let Some(errno) = Errno::from_io_error(error) else { return error.to_string() };
    match errno {
        Errno::ADDRNOTAVAIL if is_v6 => "this machine has no IPv6 address to come from, or no port of it is left".into(),
        Errno::ADDRNOTAVAIL => "this machine has no port left to come from: all of `sysctl \
                                net.ipv4.ip_local_port_range` are used by connections there, or by such that have \
                                just ended; make fewer, keep them, or come from another address, as in \
                                tcp://source:*;host:port"
            .into(),
        Errno::INVAL if target.is_some_and(needs_zone) => "a link-local address is another one on every network: \
                                                           say through which interface, as in \
                                                           tcp://[fe80::1%eth0]:port"
            .into(),
        Errno::NETUNREACH => "this machine has no route to that network (network is unreachable)".into(),
        Errno::HOSTUNREACH => "that machine cannot be reached (no route to host)".into(),
        Errno::ACCESS | Errno::PERM => "this machine forbids it: by a firewall, or because it is no address of one \
                                        machine (permission denied)"
            .into(),
        Errno::AFNOSUPPORT => "this machine does not speak that kind of address".into(),
        _ => explain(error),
    }
}

/// Whether an address means nothing without an interface, and has none.
fn needs_zone(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

/// Why a connection cannot come from an address.
fn explain_source(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrNotAvailable => "this machine does not have that address".into(),
        ErrorKind::AddrInUse => "that port is used already; leave it to the system with `*`".into(),
        ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 are often reserved, choose a higher one".into()
        }
        _ => error.to_string(),
    }
}

fn explain_bind(error: &io::Error) -> String {
    if Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT) {
        return "this machine does not speak that kind of address".into();
    }
    match error.kind() {
        ErrorKind::AddrInUse => {
            "another process already listens there; choose another port or stop it".into()
        }
        ErrorKind::AddrNotAvailable => "this machine does not have that address; \
                                        bind tcp://*:port to listen on all of its addresses"
            .into(),
        ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 are often reserved, choose a higher one".into()
        }
        _ => explain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_words() {
        let (v4, v6) = (SocketAddr::from(([127, 0, 0, 1], 80)), "[::1]:80");
        let v6: SocketAddr = v6.parse().expect("an address");
        let link_local = "[fe80::1]:80".parse().expect("an address");
        let table = [
            (Errno::CONNREFUSED, v4, "nobody listens there"),
            (Errno::TIMEDOUT, v4, "no answer"),
            (Errno::ADDRNOTAVAIL, v4, "no port left"),
            (Errno::ADDRNOTAVAIL, v6, "no IPv6 address to come from"),
            (Errno::INVAL, link_local, "through which interface"),
            (Errno::INVAL, v6, "os error 22"),
            (Errno::NETUNREACH, v4, "no route to that network"),
            (Errno::HOSTUNREACH, v4, "no route to host"),
            (Errno::ACCESS, v4, "forbids it"),
            (Errno::PERM, v4, "firewall"),
            (Errno::AFNOSUPPORT, v6, "that kind of address"),
            (Errno::MFILE, v4, "ulimit -n"),
            (Errno::NFILE, v4, "too many open files"),
        ];
        for (errno, target, hint) in table {
            let reason = explain_connect(&errno.into(), Some(target));
            assert!(reason.contains(hint), "{errno:?}: {reason}");
        }
        let table = [
            (Errno::ADDRINUSE, "already listens"),
            (Errno::ADDRNOTAVAIL, "does not have that address"),
            (Errno::ACCESS, "below 1024"),
            (Errno::AFNOSUPPORT, "that kind of address"),
            (Errno::MFILE, "ulimit -n"),
        ];
        for (errno, hint) in table {
            let reason = explain_bind(&errno.into());
            assert!(reason.contains(hint), "{errno:?}: {reason}");
        }
    }
}
