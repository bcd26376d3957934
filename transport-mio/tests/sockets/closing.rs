//! Closing: what was sent arrives, and nobody waits longer than the linger.

use std::{
    thread,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketKind::{Dealer, Pull, Push, Router};
use zerorpc_proto::{PeerId, transport::Transport};

use crate::support::{Node, Outcome, PATIENCE, hasty, meet, pass, until};

/// More than a connection holds while nobody reads.
const LARGE: usize = 16 << 20;

#[test]
fn messages_leave_while_the_socket_closes() -> Outcome {
    for linger in [None, Some(PATIENCE), Some(Duration::MAX)] {
        let (mut puller, endpoint) = Node::bound(Pull);
        let mut pusher = Node::with(Push, &hasty().linger(linger));
        pusher.parts.transport.connect(&endpoint)?;
        meet(&mut puller, &mut pusher);
        for number in 0..500_u32 {
            let mut payload = vec![0; 20_000];
            payload[..4].copy_from_slice(&number.to_be_bytes());
            pusher.send(PeerId::NAMELESS, payload);
        }
        let reader = thread::spawn(move || {
            for number in 0..500_u32 {
                assert_eq!(puller.next().1.payload[..4], number.to_be_bytes());
            }
        });
        drop(pusher);
        reader.join().expect("everything comes");
    }
    Ok(())
}

#[test]
fn closing_ends_with_the_linger() -> Outcome {
    for linger in [Duration::ZERO, Duration::from_millis(200)] {
        let (mut server, endpoint) = Node::bound(Router);
        let mut client = Node::with(Dealer, &hasty().linger(linger));
        client.parts.transport.connect(&endpoint)?;
        let (_, called) = meet(&mut server, &mut client);
        client.send(called, vec![0; LARGE]);
        let start = Instant::now();
        drop(client);
        let elapsed = start.elapsed();
        assert!(elapsed >= linger && elapsed < PATIENCE / 2, "{linger:?}: {elapsed:?}");
    }
    Ok(())
}

#[test]
fn closing_waits_for_nobody_who_is_gone() -> Outcome {
    let options = hasty().linger(None);
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = Node::with(Dealer, &options);
    client.parts.transport.connect(&endpoint)?;
    let (_, called) = meet(&mut server, &mut client);
    client.send(called, vec![0; LARGE]);
    // Nobody tells the client before it closes.
    drop(server);
    let start = Instant::now();
    drop(client);
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());

    for kind in [Dealer, Router, Push] {
        let mut idle = Node::with(kind, &options);
        idle.parts.transport.connect(&endpoint)?;
        idle.turn();
        let start = Instant::now();
        drop(idle);
        assert!(start.elapsed() < PATIENCE / 2, "{kind:?}: {:?}", start.elapsed());
    }
    Ok(())
}

#[test]
fn answers_outlive_the_server_that_gave_them() -> Outcome {
    for _ in 0..30 {
        let (mut server, endpoint) = Node::bound(Router);
        let mut client = Node::connected(Dealer, &endpoint);
        let (_, called) = meet(&mut server, &mut client);
        for number in 0..20_u8 {
            client.send(called, vec![number]);
        }
        for _ in 0..20 {
            let (from, request) = pass(&mut client, &mut server);
            server.send(from, request.payload);
        }
        drop(server);
        // Messages first, then the news.
        until("the loss", &mut [&mut client], |nodes| nodes[0].down());
        for number in 0..20_u8 {
            let (_, answer) = client.message().expect("it came before the loss");
            assert_eq!(answer.payload[..], [number]);
        }
    }
    Ok(())
}
