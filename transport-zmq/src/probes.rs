//! Has the system ask whether the other end of a tcp connection is still there.
//!
//! libzmq has options for it, but comes built without them, and its binding has none for how long data may go
//! unacknowledged. Its monitor tells the descriptors of connections, though, of which the system makes a duplicate.

use std::{io, net::SocketAddr};

use rustix::{
    net::{getpeername, getsockname, sockopt},
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};
use zerorpc_proto::transport::Probes;

/// Asks for probes on a connection with this descriptor, which was made to `endpoint`, or accepted there.
pub(crate) fn ask(probes: &Probes, descriptor: u32, endpoint: &str) -> io::Result<()> {
    let Some(Ok(address)) = endpoint.strip_prefix("tcp://").map(str::parse::<SocketAddr>) else {
        return Ok(());
    };
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let socket = pidfd_getfd(this, descriptor, PidfdGetfdFlags::empty())?;
    // The connection may have ended already, and its number may stand for another one.
    let ends = [getsockname(&socket)?, getpeername(&socket)?.ok_or(io::ErrorKind::NotConnected)?];
    if !ends.into_iter().any(|end| SocketAddr::try_from(end).is_ok_and(|end| end == address)) {
        return Ok(());
    }
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, probes.idle)?;
    sockopt::set_tcp_keepintvl(&socket, probes.interval)?;
    sockopt::set_tcp_keepcnt(&socket, probes.retries)?;
    if let Some(time) = probes.unacknowledged {
        let milliseconds =
            u32::try_from(time.as_millis()).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs());
        sockopt::set_tcp_user_timeout(&socket, milliseconds)?;
    }
    Ok(())
}
