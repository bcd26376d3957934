//! Peers that vanish, or never quite come: noticed within bounds, and told.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use zerorpc_proto::transport::SocketKind::{Dealer, Router};
use zerorpc_proto::transport::{Keepalive, MonitorEvent, SocketKind, SocketOptions, Transport};
use zerorpc_zmq::{Parts, open};

use crate::support::{ANY_PORT, Outcome, PATIENCE, connect, socket, until};

/// How long a connection of these tests may be idle.
const INTERVAL: Duration = Duration::from_millis(50);

fn attentive(kind: SocketKind) -> Parts {
    let keepalive = Some(Keepalive::every(INTERVAL));
    let options = SocketOptions::default().keepalive(keepalive);
    open(kind, &options).expect("a socket can be opened")
}

/// The next connection, as far as ZMTP 3.1 needs it to be ready.
fn accept_ready(listener: &TcpListener, kind: &str) -> Result<TcpStream, std::io::Error> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut greeting = [0; 64];
    (greeting[0], greeting[9], greeting[10], greeting[11]) = (0xff, 0x7f, 3, 1);
    greeting[12..16].copy_from_slice(b"NULL");
    stream.write_all(&greeting)?;
    let mut ready = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    ready.push(u8::try_from(kind.len()).expect("a short name"));
    ready.extend(kind.as_bytes());
    stream.write_all(&[4, u8::try_from(ready.len()).expect("a short command")])?;
    stream.write_all(&ready)?;
    stream.read_exact(&mut greeting)?;
    read_command(&mut stream)?;
    Ok(stream)
}

/// The next short command.
fn read_command(stream: &mut TcpStream) -> Result<Vec<u8>, std::io::Error> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    assert_eq!(head[0], 4, "a short command");
    let mut command = vec![0; usize::from(head[1])];
    stream.read_exact(&mut command)?;
    Ok(command)
}

/// Waits until this socket tells of something like that.
fn told(
    parts: &mut Parts,
    wanted: impl Fn(&MonitorEvent) -> bool,
) -> Result<MonitorEvent, Box<dyn std::error::Error>> {
    let mut found = None;
    until(parts, |parts| {
        while parts.transport.receive().is_ok_and(|message| message.is_some()) {}
        found = std::iter::from_fn(|| parts.transport.poll_monitor()).find(|event| wanted(event));
        found.is_some()
    })?;
    found.ok_or_else(|| "it was never told".into())
}

#[test]
fn a_peer_that_says_nothing_any_more_is_given_up() -> Outcome {
    for (kind, peer) in [(Dealer, "ROUTER"), (Router, "DEALER")] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = format!("tcp://{}", listener.local_addr()?);
        let mut this = attentive(kind);
        this.transport.connect(&endpoint)?;
        let mut stream = accept_ready(&listener, peer)?;
        told(
            &mut this,
            |event| matches!(event, MonitorEvent::Connected { remote, .. } if *remote == endpoint),
        )?;
        // Four times the interval, in tenths of a second.
        assert_eq!(read_command(&mut stream)?, b"\x04PING\0\x02");
        // The stream stays open, and silent.
        told(
            &mut this,
            |event| matches!(event, MonitorEvent::Disconnected { remote, .. } if *remote == endpoint),
        )?;
        let _again = accept_ready(&listener, peer)?;
        told(&mut this, |event| matches!(event, MonitorEvent::Connected { .. }))?;
    }
    Ok(())
}

#[test]
fn a_peer_that_does_not_greet_is_given_up() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("tcp://{}", listener.local_addr()?);
    let options = SocketOptions::default().dial_timeout(INTERVAL);
    let mut client = open(Dealer, &options)?;
    client.transport.connect(&endpoint)?;
    let (_silent, _) = listener.accept()?;
    let event = told(&mut client, |event| matches!(event, MonitorEvent::HandshakeFailed { .. }))?;
    assert!(event.to_string().contains(&endpoint), "{event}");
    let (_again, _) = listener.accept()?;
    assert!(!client.transport.can_send());
    Ok(())
}

#[test]
fn who_comes_and_goes_is_told() -> Outcome {
    let mut server = socket(Router);
    let endpoint = server.transport.bind(ANY_PORT)?;
    let mut client = socket(Dealer);
    connect(&mut client, &endpoint)?;
    told(
        &mut client,
        |event| matches!(event, MonitorEvent::Connected { remote, .. } if *remote == endpoint),
    )?;
    let accepted = format!("{endpoint} (accepted)");
    told(
        &mut server,
        |event| matches!(event, MonitorEvent::Connected { remote, .. } if *remote == accepted),
    )?;

    let mut scanner = TcpStream::connect(endpoint.trim_start_matches("tcp://"))?;
    scanner.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    drop(scanner);
    told(
        &mut server,
        |event| matches!(event, MonitorEvent::HandshakeFailed { remote, .. } if *remote == accepted),
    )?;

    drop(client);
    told(
        &mut server,
        |event| matches!(event, MonitorEvent::Disconnected { remote, .. } if *remote == accepted),
    )?;

    let mut client = socket(Dealer);
    connect(&mut client, &endpoint)?;
    drop(server);
    told(
        &mut client,
        |event| matches!(event, MonitorEvent::Disconnected { remote, .. } if *remote == endpoint),
    )?;
    told(
        &mut client,
        |event| matches!(event, MonitorEvent::Retried { endpoint: to, .. } if *to == endpoint),
    )?;
    Ok(())
}

/// The timer that the system has for a connection between these ports, by its number in `/proc/net/tcp`.
#[cfg(target_os = "linux")]
fn timer(local: u16, remote: u16) -> Result<String, Box<dyn std::error::Error>> {
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let (local, remote) = (format!(":{local:04X}"), format!(":{remote:04X}"));
    let found = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&local) && fields.get(2)?.ends_with(&remote);
        is_it.then(|| fields.get(5).map(|timer| timer[..2].to_owned()))?
    });
    found.ok_or_else(|| format!("there is no connection from {local} to {remote}").into())
}

/// Whoever came and vanished is noticed by the system, though it is sent no PING.
#[test]
#[cfg(target_os = "linux")]
fn the_system_looks_after_who_has_come() -> Outcome {
    const NONE: &str = "00";
    const UNACKNOWLEDGED: &str = "01";
    const KEEPALIVE: &str = "02";
    for (keepalive, expected) in [(Some(Keepalive::default()), KEEPALIVE), (None, NONE)] {
        for kind in [Router, SocketKind::Pull, SocketKind::Push, SocketKind::Pub] {
            let options = SocketOptions::default().keepalive(keepalive);
            let mut server = open(kind, &options)?;
            let endpoint = server.transport.bind(ANY_PORT)?;
            let address: std::net::SocketAddr = endpoint.trim_start_matches("tcp://").parse()?;
            let peer = match kind {
                Router => Dealer,
                SocketKind::Pull => SocketKind::Push,
                SocketKind::Push => SocketKind::Pull,
                _ => SocketKind::Sub,
            };
            let _stranger = TcpStream::connect(address)?;
            let stranger = _stranger.local_addr()?.port();
            let mut client = socket(peer);
            client.transport.connect(&endpoint)?;
            told(&mut server, |event| matches!(event, MonitorEvent::Connected { .. }))?;
            let start = std::time::Instant::now();
            let mut found = timer(address.port(), stranger)?;
            // The greeting that this side has sent may still be on its way.
            while found == UNACKNOWLEDGED && start.elapsed() < PATIENCE {
                std::thread::yield_now();
                found = timer(address.port(), stranger)?;
            }
            assert_eq!(found, expected, "{kind:?}, {keepalive:?}");
        }
    }
    Ok(())
}
