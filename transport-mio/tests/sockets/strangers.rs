//! Connections that others make: how many, whence, and what becomes of them.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use zerorpc_proto::transport::{
    AcceptLimits, AcceptRate, AcceptStats, MonitorEvent, Networks, SocketKind, SocketOptions,
    Transport,
};

use crate::support::{ANY_PORT, Node, Outcome, hasty, meet, until};

fn bound(options: SocketOptions) -> (Node, SocketAddr) {
    let mut node = Node::with(SocketKind::Router, &options);
    let endpoint = node.parts.transport.bind("tcp://0.0.0.0:*").expect("a free port");
    let port = endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    (node, ([127, 0, 0, 1], port).into())
}

/// A connection from 127.0.0.`host`.
fn connect(host: u8, target: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, host], 0)).into()).expect("a loopback address");
    socket.connect(&target.into()).expect("the system accepts");
    socket.set_nonblocking(true).expect("an option");
    socket.into()
}

/// Whether the other side has ended a connection; what it said before is of no interest.
fn is_over(stream: &mut TcpStream) -> bool {
    let mut scratch = [0; 1024];
    loop {
        match stream.read(&mut scratch) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

fn stats(node: &Node) -> AcceptStats {
    node.parts.transport.accept_stats().expect("this transport counts")
}

fn refusals(node: &Node) -> Vec<(&str, &str)> {
    let told = node.told.iter().filter_map(|told| match told {
        MonitorEvent::Refused { remote, reason, .. } => Some((remote.as_str(), reason.as_str())),
        _ => None,
    });
    told.collect()
}

fn until_over(node: &mut Node, streams: &mut [TcpStream]) {
    until("their end", &mut [node], |_| streams.iter_mut().all(is_over).then_some(()));
}

#[test]
fn who_is_denied_hears_nothing() -> Outcome {
    let networks = Networks::new().allow("127.0.0.0/8".parse()?).deny("127.0.0.2".parse()?);
    let (mut server, target) = bound(hasty().networks(networks));
    let mut denied = connect(2, target);
    until("its end", &mut [&mut server], |nodes| (!refusals(nodes[0]).is_empty()).then_some(()));
    let error = denied.read(&mut [0; 64]).expect_err("it is reset, without a greeting");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let (remote, reason) = refusals(&server)[0];
    assert_eq!(remote, format!("tcp://{}", denied.local_addr()?));
    assert!(reason.contains("network"), "{reason}");

    let mut client = Node::connected(SocketKind::Dealer, &format!("tcp://{target}"));
    meet(&mut server, &mut client);
    let stats = stats(&server);
    assert_eq!((stats.refused.network, stats.accepted, stats.established), (1, 1, 1));
    Ok(())
}

#[test]
fn one_address_has_no_more_than_its_share() -> Outcome {
    let limits = AcceptLimits::new().connections_per_address(3);
    let (mut server, target) = bound(hasty().accept_limits(limits));
    let mut many: Vec<TcpStream> = (0..10).map(|_| connect(2, target)).collect();
    until("seven are refused", &mut [&mut server], |nodes| {
        (refusals(nodes[0]).len() == 7).then_some(())
    });
    until_over(&mut server, &mut many[3..]);
    assert!(!many[..3].iter_mut().any(is_over), "three are within the limit");
    assert!(refusals(&server).iter().all(|(_, reason)| reason.contains("its address has as many connections as it may (3)")));

    // Others are not concerned, and who goes makes room.
    let mut other = connect(3, target);
    let mut client = Node::connected(SocketKind::Dealer, &format!("tcp://{target}"));
    meet(&mut server, &mut client);
    many.clear();
    until("they are gone", &mut [&mut server], |nodes| {
        (stats(nodes[0]).connections == 2).then_some(())
    });
    let mut again = connect(2, target);
    until("it is greeted", &mut [&mut server], |_| again.peek(&mut [0]).is_ok().then_some(()));
    assert!(!is_over(&mut other) && !is_over(&mut again));
    assert_eq!(stats(&server).refused.per_address, 7);
    Ok(())
}

#[test]
fn those_in_their_handshake_make_room_and_the_crowd_first() -> Outcome {
    let limits = AcceptLimits::new().handshakes(8);
    let (mut server, target) = bound(hasty().accept_limits(limits));
    // The oldest of all, but alone from there.
    let mut lonely = connect(3, target);
    until("it is there", &mut [&mut server], |nodes| {
        (stats(nodes[0]).in_handshake == 1).then_some(())
    });
    let mut crowd: Vec<TcpStream> = (0..20).map(|_| connect(2, target)).collect();
    until("they are there", &mut [&mut server], |nodes| {
        (stats(nodes[0]).accepted == 21).then_some(())
    });
    until_over(&mut server, &mut crowd[..13]);
    assert!(!crowd[13..].iter_mut().any(is_over), "the latest are within the limit");
    assert!(!is_over(&mut lonely), "it is not one of the crowd");
    let counted = stats(&server);
    assert_eq!((counted.in_handshake, counted.failed.displaced), (8, 13));
    // A client comes in all the same.
    let mut client = Node::connected(SocketKind::Dealer, &format!("tcp://{target}"));
    meet(&mut server, &mut client);
    Ok(())
}

/// More at once than may be in their handshake, through several endpoints: all have said what there is to say, and none is
/// sent away before it was heard.
#[test]
fn a_crowd_that_speaks_gets_in() -> Outcome {
    const ENDPOINTS: usize = 8;
    const EACH: usize = 16;
    let limits = AcceptLimits::new().handshakes(8);
    let (mut server, first) = bound(hasty().accept_limits(limits));
    let mut targets = vec![first];
    while targets.len() < ENDPOINTS {
        let endpoint = server.parts.transport.bind(ANY_PORT)?;
        targets.push(endpoint.trim_start_matches("tcp://").parse()?);
    }
    let mut words = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    words.resize(64, 0);
    words.extend_from_slice(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
    let mut crowd = Vec::new();
    for target in targets.iter().cycle().take(ENDPOINTS * EACH) {
        let mut stream = connect(2, *target);
        stream.write_all(&words)?;
        crowd.push(stream);
    }
    until("all are through or gone", &mut [&mut server], |nodes| {
        let AcceptStats { accepted, in_handshake, .. } = stats(nodes[0]);
        (accepted == (ENDPOINTS * EACH) as u64 && in_handshake == 0).then_some(())
    });
    let counted = stats(&server);
    assert_eq!((counted.established, counted.failed.displaced), (128, 0));
    assert!(!crowd.iter_mut().any(is_over));
    Ok(())
}

#[test]
fn a_full_socket_keeps_its_peers_and_refuses_others() -> Outcome {
    let limits = AcceptLimits::new().connections(2);
    let (mut server, target) = bound(hasty().accept_limits(limits));
    let endpoint = format!("tcp://{target}");
    let mut first = Node::connected(SocketKind::Dealer, &endpoint);
    meet(&mut server, &mut first);
    // One that says nothing makes room.
    let mut silent = connect(2, target);
    until("it is there", &mut [&mut server], |nodes| {
        (stats(nodes[0]).connections == 2).then_some(())
    });
    let mut second = Node::connected(SocketKind::Dealer, &endpoint);
    meet(&mut server, &mut second);
    until_over(&mut server, std::slice::from_mut(&mut silent));
    // A peer does not.
    let mut refused = connect(2, target);
    until_over(&mut server, std::slice::from_mut(&mut refused));
    assert!(refusals(&server)[0].1.contains("there are as many connections as may be (2)"));
    let counted = stats(&server);
    assert_eq!((counted.connections, counted.refused.connections), (2, 1));
    assert_eq!(counted.failed.displaced, 1);
    assert!(first.down().is_none() && second.down().is_none());
    Ok(())
}

#[test]
fn who_comes_too_fast_waits_and_gets_in() -> Outcome {
    let limits = AcceptLimits::new().rate(AcceptRate::new(50).burst(5));
    let (mut server, target) = bound(hasty().accept_limits(limits));
    let start = std::time::Instant::now();
    let many: Vec<TcpStream> = (0..15).map(|_| connect(2, target)).collect();
    until("all are there", &mut [&mut server], |nodes| {
        (stats(nodes[0]).accepted == 15).then_some(())
    });
    assert!(start.elapsed() >= Duration::from_millis(180), "ten of them take 20 ms each");
    assert_eq!((stats(&server).refused.total(), stats(&server).failed.total()), (0, 0));
    drop(many);
    Ok(())
}

#[test]
fn what_ends_a_handshake_is_counted() -> Outcome {
    let options = hasty().handshake_timeout(Duration::from_millis(100));
    let (mut server, target) = bound(options);
    let say = |words: &[u8]| -> std::io::Result<TcpStream> {
        let mut stream = connect(2, target);
        stream.write_all(words)?;
        Ok(stream)
    };
    let mut plain = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01PLAIN".to_vec();
    plain.resize(64, 0);
    let mut null = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    null.resize(64, 0);
    let pull = [&null[..], b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL"].concat();
    let broken = [&null[..], b"\x04\x05WRONG"].concat();
    let _streams =
        [say(b"")?, say(b"GET / HTTP/1.1\r\n\r\n")?, say(&plain)?, say(&pull)?, say(&broken)?];
    drop(say(&null)?);
    until("the end of all", &mut [&mut server], |nodes| {
        (stats(nodes[0]).failed.total() == 6).then_some(())
    });
    let failed = stats(&server).failed;
    let counts = [failed.timed_out, failed.foreign, failed.unfit, failed.broken, failed.left];
    assert_eq!(counts, [1, 1, 2, 1, 1], "{failed}");
    Ok(())
}

#[test]
fn over_ipc_there_are_no_addresses() -> Outcome {
    let limits = AcceptLimits::new().connections_per_address(1);
    let options =
        hasty().accept_limits(limits).networks(Networks::new().allow("10.0.0.0/8".parse()?));
    let mut server = Node::with(SocketKind::Router, &options);
    let endpoint = server.parts.transport.bind("ipc://*")?;
    let path = endpoint.strip_prefix("ipc://").ok_or("a path")?;
    let _silent = [UnixStream::connect(path)?, UnixStream::connect(path)?];
    let mut client = Node::connected(SocketKind::Dealer, &endpoint);
    meet(&mut server, &mut client);
    assert_eq!((stats(&server).connections, stats(&server).refused.total()), (3, 0));
    assert!(server.parts.transport.bind(ANY_PORT).is_ok());
    Ok(())
}
