//! Connections that come, go, and come again.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketKind::{Dealer, Pull, Push, Router};
use zerorpc_proto::{
    PeerEvent, PeerId,
    transport::{Flow, Keepalive, MonitorEvent, Transport},
};

use crate::support::{ANY_PORT, Node, Outcome, Seen, hasty, meet, pass, token_of, until};

fn address(endpoint: &str) -> &str {
    endpoint.trim_start_matches("tcp://")
}

#[test]
fn what_a_peer_sent_comes_before_the_news_that_it_went() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    for round in 0..20 {
        let mut client = Node::connected(Dealer, &endpoint);
        let (peer, called) = meet(&mut server, &mut client);
        for number in 0..100_u8 {
            client.send(called, vec![number; 1 + 1000 * (round % 3)]);
        }
        drop(client);
        until("its end", &mut [&mut server], |nodes| {
            matches!(nodes[0].seen.back(), Some(Seen::Event(PeerEvent::Down(..)))).then_some(())
        });
        for number in 0..100_u8 {
            match server.seen.pop_front() {
                Some(Seen::Message(from, message)) => {
                    assert_eq!((from, message.payload[0]), (peer, number));
                }
                other => panic!("{other:?} in the place of {number}"),
            }
        }
        assert_eq!(server.down().map(|(gone, _)| gone), Some(peer));
        assert!(server.seen.is_empty());
    }
    Ok(())
}

/// Whoever has made it makes it anew, whichever side it is that gives it up.
#[test]
fn a_connection_that_is_reset_is_made_anew() -> Outcome {
    for by_server in [false, true] {
        let (mut server, endpoint) = Node::bound(Router);
        let mut client = Node::connected(Dealer, &endpoint);
        let (caller, called) = meet(&mut server, &mut client);
        let (given_up, node) =
            if by_server { (caller, &mut server) } else { (called, &mut client) };
        node.parts.transport.reset(given_up, "it was silent for too long");
        node.parts.transport.reset(given_up, "it was silent for too long");
        node.drain();
        let (gone, reason) = node.down().ok_or("it is told at once")?;
        assert_eq!(gone, given_up);
        assert!(reason.contains("silent for too long"), "{reason}");
        until("the other end hears of it", &mut [&mut server, &mut client], |nodes| {
            let [server, client] = nodes else { return None };
            if by_server { client.down() } else { server.down() }
        });
        let (new_caller, new_called) = meet(&mut server, &mut client);
        assert!(new_caller != caller && new_called != called);
        client.send(new_called, "again");
        until("a message", &mut [&mut server, &mut client], |nodes| nodes[0].message());
    }
    Ok(())
}

#[test]
fn what_was_not_written_comes_back_before_the_news_of_the_end() -> Outcome {
    let (server, endpoint) = Node::bound(Router);
    let mut server = server;
    let mut client = Node::connected(Dealer, &endpoint);
    let (_, called) = meet(&mut server, &mut client);
    client.seen.retain(|seen| !matches!(seen, Seen::Event(PeerEvent::Lossless(_))));
    // The first is begun and fills the connection; the others wait.
    client.send(called, vec![0; 16 << 20]);
    for number in 0..5_u8 {
        assert!(matches!(client.send(called, vec![number]), Flow::Congested(1..)));
    }
    drop(server);
    until("the end", &mut [&mut client], |nodes| {
        let is_end = |seen: &Seen| matches!(seen, Seen::Event(PeerEvent::Down(..)));
        nodes[0].seen.iter().any(is_end).then_some(())
    });
    for number in 0..5_u8 {
        match client.seen.pop_front() {
            Some(Seen::Event(PeerEvent::Returned(token))) => assert_eq!(token, token_of(&[number])),
            other => panic!("{other:?} in the place of {number}"),
        }
    }
    assert_eq!(client.down().map(|(gone, _)| gone), Some(called));
    // Sending to what is gone is no error and goes nowhere.
    assert_eq!(client.send(called, "too late"), Flow::Clear);
    Ok(())
}

#[test]
fn a_restarted_server_is_found_again_and_all_is_told() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = Node::connected(Dealer, &endpoint);
    let mut last = None;
    for _ in 0..5 {
        let (caller, called) = meet(&mut server, &mut client);
        assert_ne!(last.replace(called), Some(called), "numbers are used once");
        server.send(caller, "hello");
        assert_eq!(pass(&mut server, &mut client).1.payload, "hello");
        drop(server);
        let gone = until("the loss", &mut [&mut client], |nodes| nodes[0].down());
        assert_eq!(gone.0, called);
        until("an attempt", &mut [&mut client], |nodes| {
            let failed = |told: &MonitorEvent| matches!(told, MonitorEvent::Retried { reason, .. } if reason.contains("nobody"));
            nodes[0].told.iter().any(failed).then_some(())
        });
        client.told.clear();
        server = Node::new(Router);
        server.parts.transport.bind(&endpoint)?;
    }
    meet(&mut server, &mut client);
    assert!(matches!(client.told.last(), Some(MonitorEvent::Connected { remote, .. })
        if *remote == endpoint));
    Ok(())
}

#[test]
fn endpoints_come_and_go_at_run_time() -> Outcome {
    let mut server = Node::new(Router);
    let first = server.parts.transport.bind(ANY_PORT)?;
    let mut client = Node::connected(Dealer, &first);
    let (caller, called) = meet(&mut server, &mut client);
    for _ in 0..20 {
        server.parts.transport.unbind(&first)?;
        assert!(server.parts.transport.unbind(&first).is_err(), "it is unbound already");
        assert!(TcpStream::connect(address(&first)).is_err(), "nobody listens");
        assert_eq!(server.parts.transport.bind(&first)?, first);
    }
    // What stood before stands.
    server.send(caller, "still there");
    assert_eq!(pass(&mut server, &mut client).1.payload, "still there");

    client.told.clear();
    client.parts.transport.disconnect(&first)?;
    assert!(client.parts.transport.disconnect(&first).is_err(), "it is disconnected already");
    client.drain();
    assert_eq!(client.down().map(|(gone, _)| gone), Some(called));
    assert!(matches!(client.told[..], [MonitorEvent::Disconnected { .. }]), "{:?}", client.told);
    assert_eq!(client.parts.transport.poll_timeout(), None, "nothing is tried again");
    until("the loss", &mut [&mut server], |nodes| nodes[0].down());

    let second = server.parts.transport.bind(ANY_PORT)?;
    client.parts.transport.connect(&second)?;
    let (_, called) = meet(&mut server, &mut client);
    client.send(called, "elsewhere");
    assert_eq!(pass(&mut client, &mut server).1.payload, "elsewhere");
    Ok(())
}

#[test]
fn what_was_begun_after_a_disconnect_is_no_concern_of_the_next() -> Outcome {
    // Slots are used again: what is late for the old one must not hurt the new one.
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = Node::new(Dealer);
    for _ in 0..100 {
        client.parts.transport.connect(&endpoint)?;
        client.turn();
        server.turn();
        client.parts.transport.disconnect(&endpoint)?;
    }
    client.seen.clear();
    client.parts.transport.connect(&endpoint)?;
    let called = until("a connection", &mut [&mut server, &mut client], |nodes| nodes[1].up());
    client.send(called, "at last");
    assert_eq!(pass(&mut client, &mut server).1.payload, "at last");
    Ok(())
}

#[test]
fn a_handshake_that_takes_too_long_ends() -> Outcome {
    let limit = Duration::from_millis(50);
    let options = hasty().handshake_timeout(limit).dial_timeout(limit);
    let mut server = Node::with(Router, &options);
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let mut silent = TcpStream::connect(address(&endpoint))?;
    let mut slow = TcpStream::connect(address(&endpoint))?;
    let ended = |nodes: &[&mut Node]| {
        let failed = |told: &&MonitorEvent| {
            matches!(told, MonitorEvent::HandshakeFailed { reason, .. }
            if reason.contains("50 ms"))
        };
        nodes[0].told.iter().filter(failed).count()
    };
    let mut dripped = 0;
    until("both ends", &mut [&mut server], |nodes| {
        if dripped < 20 && slow.write_all(&[0xff]).is_ok() {
            dripped += 1;
        }
        (ended(nodes) == 2).then_some(())
    });
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest)?;
    assert_eq!(rest, b"\xff\0\0\0\0\0\0\0\x01\x7f");
    assert_eq!(server.parts.transport.poll_timeout(), None);

    // And on the side that connects: it tries again.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = Node::with(Dealer, &options);
    client.parts.transport.connect(&format!("tcp://{}", listener.local_addr()?))?;
    until("two attempts", &mut [&mut client], |nodes| (ended(nodes) == 2).then_some(()));
    Ok(())
}

#[test]
fn idle_connections_cost_no_timer_but_for_their_pings() -> Outcome {
    let interval = Duration::from_secs(15);
    let asking = Some(Keepalive::every(interval));
    for (endpoint, keepalive, asks) in [
        ("tcp://127.0.0.1:*", asking, true),
        ("tcp://127.0.0.1:*", None, false),
        ("ipc://*", asking, false),
    ] {
        let options = hasty().keepalive(keepalive);
        let mut server = Node::with(Router, &options);
        let endpoint = server.parts.transport.bind(endpoint)?;
        let mut client = Node::with(Dealer, &options);
        let start = Instant::now();
        client.parts.transport.connect(&endpoint)?;
        meet(&mut server, &mut client);
        for node in [&server, &client] {
            let due = node.parts.transport.poll_timeout();
            assert_eq!(due.is_some_and(|due| due >= start + interval), asks, "{endpoint}");
            assert_eq!(due.is_some(), asks, "{endpoint}");
        }
    }
    Ok(())
}

/// A connection that lost its way without a word, as a firewall makes them: what is sent vanishes.
#[test]
fn a_peer_that_says_nothing_is_given_up_and_dialled_anew() -> Outcome {
    let keepalive = Some(Keepalive::every(Duration::from_millis(200)));
    let options = hasty().keepalive(keepalive);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = Node::with(Dealer, &options);
    listener.set_nonblocking(true)?;
    client.parts.transport.connect(&format!("tcp://{}", listener.local_addr()?))?;
    for _ in 0..2 {
        // It shakes hands, and goes mute.
        let (mut peer, _) = until("a connection", &mut [&mut client], |_| listener.accept().ok());
        peer.set_nonblocking(false)?;
        let ready = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06ROUTER";
        let mut hello = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
        hello.resize(64, 0);
        peer.write_all(&[&hello[..], ready].concat())?;
        let reason = until("the loss", &mut [&mut client], |nodes| {
            nodes[0].told.iter().find_map(|event| match event {
                MonitorEvent::Disconnected { reason, .. } => Some(reason.clone()),
                _ => None,
            })
        });
        assert_eq!(reason, "the peer did not answer a PING within 200 ms");
        client.told.clear();
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard)?;
        let ping = b"\x04\x07\x04PING\0\x08";
        assert!(heard.windows(ping.len()).any(|part| part == ping), "{}", heard.escape_ascii());
    }
    Ok(())
}

#[test]
fn pushed_messages_survive_the_loss_of_their_peer() -> Outcome {
    let (mut puller, endpoint) = Node::bound(Pull);
    let mut pusher = Node::connected(Push, &endpoint);
    meet(&mut puller, &mut pusher);
    pusher.send(PeerId::NAMELESS, vec![0; 16 << 20]);
    for number in 0..10_u8 {
        pusher.send(PeerId::NAMELESS, vec![number]);
    }
    drop(puller);
    until("the loss", &mut [&mut pusher], |nodes| nodes[0].down());
    let mut puller = Node::new(Pull);
    puller.parts.transport.bind(&endpoint)?;
    for number in 0..10_u8 {
        let (_, message) = pass(&mut pusher, &mut puller);
        assert_eq!(message.payload[..], [number]);
    }
    Ok(())
}
