//! Options of a socket, as libzmq has them.
//!
//! They hold for endpoints that are bound or connected after they were set, so that both kinds can differ.

use std::time::Duration;

use zerorpc_proto::transport::{AcceptLimits, Handover, Keepalive, SocketKind, SocketOptions};
use zmq::{Error, Socket};

use crate::{lingering::Lingering, security};

/// How many connections may wait to be accepted; the system may have a lower limit. Beyond it clients try again, tcp
/// not before a second has passed. Not measured: what Linux allows by default (`somaxconn`), as `zerorpc-mio` has it.
const BACKLOG: i32 = 4096;

/// What is asked for and libzmq does not have, where to go without it would leave a door open.
pub(crate) fn lacking(options: &SocketOptions) -> Result<(), &'static str> {
    if options.accept_limits != AcceptLimits::default() {
        return Err(
            "libzmq cannot limit how many connections are accepted; leave the limits (`accept_limits`) as they \
                    are, or use the transport mio",
        );
    }
    if !options.networks.is_open() {
        return Err(
            "libzmq cannot tell which networks may connect; leave `networks` out and have a firewall do it, or \
                    use the transport mio",
        );
    }
    Ok(())
}

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
    socket.set_connect_timeout(milliseconds(options.dial_timeout))?;
    socket.set_reconnect_ivl(milliseconds(options.reconnect).max(1))?;
    socket.set_reconnect_ivl_max(milliseconds(options.reconnect_longest))?;
    if let Some(keepalive) = &options.keepalive {
        probe(socket, keepalive)?;
    }
    match kind {
        SocketKind::Router => {
            // Answers go to routing ids. Where it matters who a peer is, nobody takes one over from another who is there.
            let is_handed_over = options.handover == Handover::Allowed && !security::asks(options);
            socket.set_router_handover(is_handed_over)?;
            socket.set_router_mandatory(true)
        }
        SocketKind::Sub => socket.set_subscribe(b""),
        _ => Ok(()),
    }
}

/// Has libzmq have the system ask whether the machine at the other end of an idle connection is still there. That which
/// comes with the binding was built without it; on Linux, this crate asks the system itself.
fn probe(socket: &Socket, keepalive: &Keepalive) -> Result<(), Error> {
    /// Not measured: two of them may be lost on the way.
    const PROBES: i32 = 3;
    socket.set_tcp_keepalive(1)?;
    socket.set_tcp_keepalive_idle(seconds(keepalive.interval))?;
    socket.set_tcp_keepalive_intvl(seconds(keepalive.timeout / PROBES.unsigned_abs()))?;
    socket.set_tcp_keepalive_cnt(PROBES)
}

/// What holds for connections that are accepted.
///
/// They are sent no PING: whoever comes may speak a version of ZMTP that has none, which libzmq does not look at.
pub(crate) fn for_accepting(socket: &Socket, options: &SocketOptions) -> Result<(), Error> {
    socket.set_handshake_ivl(milliseconds(options.handshake_timeout))?;
    socket.set_heartbeat_ivl(0)
}

/// What holds for connections that are made, over a network or within this machine.
pub(crate) fn for_connecting(
    socket: &Socket,
    kind: SocketKind,
    options: &SocketOptions,
    is_remote: bool,
) -> Result<(), Error> {
    socket.set_handshake_ivl(milliseconds(options.dial_timeout))?;
    match options.keepalive {
        Some(keepalive) if is_remote && reads_always(kind) => {
            /// What the wire has room for.
            const LONGEST_TTL: i32 = 6_553_500;
            socket.set_heartbeat_ivl(milliseconds(keepalive.interval).max(1))?;
            socket.set_heartbeat_timeout(milliseconds(keepalive.timeout).max(1))?;
            socket.set_heartbeat_ttl(milliseconds(keepalive.ttl()).min(LONGEST_TTL))
        }
        _ => socket.set_heartbeat_ivl(0),
    }
}

/// Whether nobody keeps a socket of this kind from reading for long. A puller at work on something long would not see that
/// its pusher has answered, and lose what is on its way to it; and its pusher would wait for it in vain.
fn reads_always(kind: SocketKind) -> bool {
    matches!(kind, SocketKind::Dealer | SocketKind::Router)
}

/// As libzmq counts time.
fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

/// As the system counts time: whole seconds, one at least, as many as it takes (nine hours).
fn seconds(time: Duration) -> i32 {
    const LONGEST: u64 = 32_767;
    i32::try_from(time.as_secs().clamp(1, LONGEST)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use zerorpc_proto::transport::Networks;

    use super::*;

    fn configured(kind: SocketKind, options: &SocketOptions) -> (Socket, Lingering) {
        let lingering = Lingering::new(options.linger_of(kind));
        let socket = lingering.socket(zmq::DEALER).expect("a socket can be opened");
        configure(&socket, kind, options, &lingering).expect("good options");
        (socket, lingering)
    }

    #[test]
    fn silence_is_looked_after_by_the_system_and_by_pings() -> Result<(), Error> {
        let keepalive =
            Keepalive::every(Duration::from_millis(30_500)).timeout(Duration::from_millis(1_200));
        let options = SocketOptions::default().keepalive(keepalive);
        let (socket, _context) = configured(SocketKind::Dealer, &options);
        let system = [
            socket.get_tcp_keepalive()?,
            socket.get_tcp_keepalive_idle()?,
            socket.get_tcp_keepalive_intvl()?,
            socket.get_tcp_keepalive_cnt()?,
        ];
        assert_eq!(system, [1, 30, 1, 3]);
        let pings = |socket: &Socket| -> Result<[i32; 3], Error> {
            Ok([
                socket.get_heartbeat_ivl()?,
                socket.get_heartbeat_timeout()?,
                socket.get_heartbeat_ttl()?,
            ])
        };
        for_connecting(&socket, SocketKind::Dealer, &options, true)?;
        assert_eq!(pings(&socket)?, [30_500, 1_200, 63_400]);
        for_accepting(&socket, &options)?;
        assert_eq!(pings(&socket)?[0], 0, "whoever comes is sent no PING");
        for (kind, is_remote) in [(SocketKind::Dealer, false), (SocketKind::Pull, true)] {
            for_connecting(&socket, SocketKind::Dealer, &options, true)?;
            for_connecting(&socket, kind, &options, is_remote)?;
            assert_eq!(pings(&socket)?[0], 0, "{kind:?}, {is_remote}");
        }
        Ok(())
    }

    #[test]
    fn keepalive_can_be_left_to_the_system() -> Result<(), Error> {
        let options = SocketOptions::default().keepalive(None);
        let (socket, _context) = configured(SocketKind::Dealer, &options);
        for_connecting(&socket, SocketKind::Dealer, &options, true)?;
        assert_eq!((socket.get_tcp_keepalive()?, socket.get_heartbeat_ivl()?), (-1, 0));
        Ok(())
    }

    #[test]
    fn no_limit_is_passed_over_in_silence() {
        let deny = |text: &str| Networks::new().deny(text.parse().expect("a network"));
        let per_address = AcceptLimits::new().connections_per_address(10);
        for (options, refused) in [
            (SocketOptions::new(), None),
            (SocketOptions::new().accept_limits(per_address), Some("accept_limits")),
            (SocketOptions::new().networks(deny("10.0.0.0/8")), Some("networks")),
        ] {
            for kind in [SocketKind::Router, SocketKind::Dealer] {
                let opened = crate::open(kind, &options).map(drop);
                let reason = opened.err().map(|error| error.to_string()).unwrap_or_default();
                assert_eq!(reason.is_empty(), refused.is_none(), "{reason}");
                assert!(reason.contains(refused.unwrap_or_default()), "{reason}");
            }
        }
    }

    #[test]
    fn no_time_is_too_long_or_too_short() -> Result<(), Error> {
        for time in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            let options = SocketOptions::default()
                .keepalive(Keepalive::every(time))
                .handshake_timeout(time)
                .dial_timeout(time)
                .reconnect(time)
                .reconnect_longest(time);
            let (socket, _context) = configured(SocketKind::Dealer, &options);
            for_accepting(&socket, &options)?;
            for_connecting(&socket, SocketKind::Dealer, &options, true)?;
            assert!(socket.get_heartbeat_ivl()? > 0, "{time:?}");
            assert!(socket.get_reconnect_ivl()? > 0, "{time:?}");
        }
        Ok(())
    }
}
