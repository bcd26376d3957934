//! Options of a socket, as libzmq has them.
//!
//! They hold for endpoints that are bound or connected after they were set, so that both kinds can differ.

use std::time::Duration;

use zerorpc_proto::{SocketKind, SocketOptions};
use zmq::{Error, Socket};

use crate::lingering::Lingering;

/// How many connections may wait to be accepted; the system may have a lower limit. Beyond it clients try again, tcp
/// not before a second has passed.
const BACKLOG: i32 = 4096;

/// How long a connection may be quiet before it is looked after.
const INTERVAL: Duration = Duration::from_secs(15);

/// How long connecting to one address may take, and how long a peer may then be silent before the handshake.
const DIALING: Duration = Duration::from_secs(3);

/// What holds for the whole socket.
pub(crate) fn configure(
    socket: &Socket,
    kind: SocketKind,
    options: &SocketOptions,
    lingering: &Lingering,
) -> Result<(), Error> {
    let high_water_mark = i32::try_from(options.high_water_mark).unwrap_or(i32::MAX);
    socket.set_linger(lingering.milliseconds())?;
    socket.set_sndhwm(high_water_mark)?;
    socket.set_rcvhwm(high_water_mark)?;
    socket.set_maxmsgsize(i64::try_from(options.max_frame).unwrap_or(i64::MAX))?;
    socket.set_backlog(BACKLOG)?;
    socket.set_connect_timeout(milliseconds(DIALING))?;
    socket.set_reconnect_ivl(milliseconds(options.reconnect).max(1))?;
    socket.set_reconnect_ivl_max(milliseconds(options.reconnect_longest))?;
    keep_alive(socket)?;
    match kind {
        SocketKind::Router => socket.set_router_mandatory(true),
        SocketKind::Sub => socket.set_subscribe(b""),
        _ => Ok(()),
    }
}

/// Has the system probe idle connections, so that the end of one that vanished is known in twice the interval.
fn keep_alive(socket: &Socket) -> Result<(), Error> {
    const PROBES: i32 = 3;
    let idle = i32::try_from(INTERVAL.as_secs()).unwrap_or(i32::MAX).max(1);
    socket.set_tcp_keepalive(1)?;
    socket.set_tcp_keepalive_idle(idle)?;
    socket.set_tcp_keepalive_intvl((idle / PROBES).max(1))?;
    socket.set_tcp_keepalive_cnt(PROBES)
}

/// What holds for connections that are accepted.
///
/// They are sent no PING: whoever comes may speak a version of ZMTP that has none, which libzmq does not look at.
pub(crate) fn for_accepting(socket: &Socket, options: &SocketOptions) -> Result<(), Error> {
    socket.set_handshake_ivl(milliseconds(options.handshake_timeout))?;
    socket.set_heartbeat_ivl(0)
}

/// What holds for connections that are made.
pub(crate) fn for_connecting(
    socket: &Socket,
    kind: SocketKind,
    options: &SocketOptions,
) -> Result<(), Error> {
    socket.set_handshake_ivl(milliseconds(options.handshake_timeout.min(DIALING)))?;
    // On the others, whoever reads slowly would not see the answers in time, and lose what is on its way to it. They send
    // nothing that could go unacknowledged, or nothing that they would not rather keep.
    if matches!(kind, SocketKind::Dealer | SocketKind::Router) {
        socket.set_heartbeat_ivl(milliseconds(INTERVAL))?;
        socket.set_heartbeat_timeout(milliseconds(INTERVAL))?;
        socket.set_heartbeat_ttl(milliseconds(4 * INTERVAL))?;
    }
    Ok(())
}

/// As libzmq counts time; 0 is no limit to it, so that nothing becomes 0 but nothing.
fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
