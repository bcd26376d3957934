//! Endpoints that cannot be reached, or only with patience.

use std::{
    ffi::OsStr,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketKind::{Dealer, Router};
use zerorpc_proto::transport::{MonitorEvent, SocketOptions, Transport};

use crate::{
    namespaces::within,
    support::{ANY_PORT, Node, Outcome, hasty, until},
};

/// Options with which a dialler soon has enough, and a listener does not.
fn impatient() -> SocketOptions {
    hasty().dial_timeout(Duration::from_millis(50))
}

/// How many of the things that were told have this in their words.
fn told(node: &Node, what: &str) -> usize {
    node.told.iter().filter(|event| event.to_string().contains(what)).count()
}

/// An address whose packets are dropped: the queue of its listener is full. With what fills it.
fn unanswering() -> (SocketAddr, socket2::Socket, Vec<TcpStream>) {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("a free port");
    socket.listen(0).expect("a listener");
    let address = socket.local_addr().ok().and_then(|a| a.as_socket()).expect("an address");
    let mut fillers = Vec::new();
    while let Ok(filler) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        fillers.push(filler);
    }
    (address, socket, fillers)
}

#[test]
fn whoever_connects_waits_three_seconds_and_whoever_accepts_thirty() {
    let options = SocketOptions::default();
    assert_eq!(options.dial_timeout, Duration::from_secs(3));
    assert_eq!(options.handshake_timeout, Duration::from_secs(30));
}

#[test]
fn a_listener_that_says_nothing_is_left_for_another_attempt() -> Outcome {
    let mute = TcpListener::bind("127.0.0.1:0")?;
    let remote = format!("tcp://{}", mute.local_addr()?);
    let mut client = Node::with(Dealer, &impatient());
    client.parts.transport.connect(&remote)?;
    until("three attempts", &mut [&mut client], |nodes| {
        let why = format!("no connection with {remote}: the peer said nothing within 50 ms");
        (told(nodes[0], &why) >= 3).then_some(())
    });
    assert!(told(&client, &format!("cannot connect to {remote} (the peer said nothing")) >= 3);
    Ok(())
}

#[test]
fn bytes_that_drip_do_not_make_a_dialler_wait() -> Outcome {
    let slow = TcpListener::bind("127.0.0.1:0")?;
    let mut client = Node::with(Dealer, &impatient());
    client.parts.transport.connect(&format!("tcp://{}", slow.local_addr()?))?;
    slow.set_nonblocking(true)?;
    let mut accepted: Vec<(TcpStream, usize)> = Vec::new();
    until("three attempts", &mut [&mut client], |nodes| {
        // A greeting, a byte at a time.
        let greeting = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL"[..], &[0; 48]].concat();
        accepted.extend(slow.accept().ok().map(|(stream, _)| (stream, 0)));
        for (stream, sent) in &mut accepted {
            // Those that were given up do not take it any more.
            if *sent < greeting.len() && stream.write_all(&greeting[*sent..=*sent]).is_ok() {
                *sent += 1;
            }
        }
        (told(nodes[0], "did not complete the handshake within 50 ms") >= 3).then_some(())
    });
    Ok(())
}

#[test]
fn packets_that_are_dropped_cost_no_more_than_the_dial_timeout() -> Outcome {
    let (address, _listener, _fillers) = unanswering();
    let mut client = Node::with(Dealer, &impatient());
    client.parts.transport.connect(&format!("tcp://{address}"))?;
    until("three attempts", &mut [&mut client], |nodes| {
        let why = format!("cannot connect to tcp://{address} (no answer)");
        (told(nodes[0], &why) >= 3).then_some(())
    });
    Ok(())
}

#[test]
fn who_is_accepted_has_the_time_that_listeners_give() -> Outcome {
    let mut server = Node::with(Router, &impatient());
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let mut slow = TcpStream::connect(endpoint.trim_start_matches("tcp://"))?;
    slow.write_all(&[0xff])?;
    let due = until("a time-out", &mut [&mut server], |nodes| {
        nodes[0].parts.transport.poll_timeout().filter(|due| *due > Instant::now())
    });
    assert!(due > Instant::now() + Duration::from_secs(10), "it is not that of diallers");
    assert!(!server.told.iter().any(|told| matches!(told, MonitorEvent::HandshakeFailed { .. })));
    Ok(())
}

#[test]
fn ports_that_are_used_up_are_told() -> Outcome {
    let script = r#"
ip link set lo up && echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range || exit 77
exec "$@"
"#;
    let test = "dialing::ports_that_are_used_up_are_told";
    if !within(test, &["--net"], script, ("LANG", OsStr::new("C"))) {
        return Ok(());
    }
    let listener = TcpListener::bind("127.0.0.1:4242")?;
    let address = listener.local_addr()?;
    let mut all = Vec::new();
    while let Ok(stream) = TcpStream::connect(address) {
        all.push(stream);
    }
    let mut client = Node::with(Dealer, &hasty());
    client.parts.transport.connect(&format!("tcp://{address}"))?;
    let why = format!("cannot connect to tcp://{address} (this machine has no port left to come");
    until("why", &mut [&mut client], |nodes| (told(nodes[0], &why) > 0).then_some(()));
    drop(all);
    Ok(())
}
