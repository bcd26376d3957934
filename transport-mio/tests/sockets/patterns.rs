//! Messages of every kind of socket, whole and in order.

use std::collections::BTreeMap;

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{Dealer, Pub, Pull, Push, Router, Sub};
use zerorpc_proto::{
    Envelope, PeerId,
    transport::{Flow, MonitorEvent, Transport},
};
use zerorpc_zmtp::{EngineConfig, Identity};

use crate::support::{ANY_PORT, Node, Outcome, hasty, meet, message, pass, until};

/// An endpoint of each sort, and the folder that the path is in.
fn endpoints(test: &str) -> (tempfile::TempDir, [String; 4]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("socket").display().to_string();
    let name = format!("zerorpc-{test}-{}", std::process::id());
    let all = [
        ANY_PORT.to_string(),
        format!("ipc://{path}"),
        format!("ipc://@{name}"),
        format!("inproc://{name}"),
    ];
    (folder, all)
}

#[test]
fn requests_and_replies() -> Outcome {
    let (_folder, endpoints) = endpoints("requests");
    for endpoint in endpoints {
        let (mut server, mut client) = (Node::new(Router), Node::new(Dealer));
        let actual = server.parts.transport.bind(&endpoint)?;
        client.parts.transport.connect(&actual)?;
        let (caller, called) = meet(&mut server, &mut client);
        for size in [0, 1, 30, 255, 256, 8192, 65_535, 65_536, 100_000, 5_000_000] {
            let content: Vec<u8> = (0..=255).cycle().take(size).collect();
            client.send(called, content.clone());
            let (from, request) = pass(&mut client, &mut server);
            assert_eq!((from, request.envelope.frames().len()), (caller, 0));
            assert_eq!(request.payload, content);
            server.send(caller, content.clone());
            let (from, reply) = pass(&mut server, &mut client);
            assert_eq!(from, called);
            assert_eq!(reply.payload, content);
        }
    }
    Ok(())
}

#[test]
fn envelopes_come_and_go_unchanged() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = Node::connected(Dealer, &endpoint);
    let (caller, called) = meet(&mut server, &mut client);
    for length in [0, 1, 2, 500] {
        let envelope: Envelope =
            (0..length).map(|number| Bytes::from(format!("proxy {number}"))).collect();
        client.parts.transport.send(message(called, envelope.clone(), "request"))?;
        let (_, request) = pass(&mut client, &mut server);
        assert_eq!(request.envelope, envelope);
        server.parts.transport.send(message(caller, request.envelope, "reply"))?;
        assert_eq!(pass(&mut server, &mut client).1.envelope, envelope);
    }
    Ok(())
}

#[test]
fn whoever_connects_first_or_listens_first_is_found() -> Outcome {
    let (_folder, mut endpoints) = endpoints("late");
    endpoints[0] = Node::bound(Router).1;
    endpoints[0] = endpoints[0].replace("127.0.0.1", "localhost");
    for endpoint in endpoints {
        let mut client = Node::connected(Dealer, &endpoint);
        for _ in 0..5 {
            client.turn();
        }
        assert_eq!(client.send(PeerId::NAMELESS, "early"), Flow::Congested(0));
        let mut server = Node::new(Router);
        server.parts.transport.bind(&endpoint.replace("localhost", "127.0.0.1"))?;
        assert_eq!(pass(&mut client, &mut server).1.payload, "early", "{endpoint}");
        until("the news that it left", &mut [&mut client], |nodes| {
            nodes[0].drained().filter(|peer| *peer == PeerId::NAMELESS)
        });
    }
    Ok(())
}

#[test]
fn pushed_messages_take_turns_and_wait_for_a_peer() -> Outcome {
    let (mut pusher, endpoint) = Node::bound(Push);
    assert!(!pusher.parts.transport.can_send());
    for number in 0..10_u8 {
        assert_eq!(pusher.send(PeerId::NAMELESS, vec![number]), Flow::Congested(0));
    }
    let mut first = Node::connected(Pull, &endpoint);
    for number in 0..10_u8 {
        assert_eq!(pass(&mut pusher, &mut first).1.payload[..], [number]);
    }
    assert_eq!(pusher.drained(), Some(PeerId::NAMELESS));
    assert!(pusher.parts.transport.can_send());
    pusher.up();

    let mut second = Node::connected(Pull, &endpoint);
    meet(&mut pusher, &mut second);
    for number in 0..10_u8 {
        assert_eq!(pusher.send(PeerId::NAMELESS, vec![number]), Flow::Clear);
    }
    for pair in 0..5_u8 {
        let one = pass(&mut pusher, &mut first).1.payload[0];
        let other = pass(&mut pusher, &mut second).1.payload[0];
        assert_eq!([one.min(other), one.max(other)], [2 * pair, 2 * pair + 1]);
    }
    assert!(
        first.parts.transport.send(message(PeerId::NAMELESS, Envelope::default(), "no")).is_err()
    );
    Ok(())
}

#[test]
fn published_messages_reach_all_subscribers_once() -> Outcome {
    let (_folder, endpoints) = endpoints("published");
    for endpoint in endpoints {
        let mut publisher = Node::new(Pub);
        let actual = publisher.parts.transport.bind(&endpoint)?;
        let mut subscribers = [Node::new(Sub), Node::new(Sub)];
        for subscriber in &mut subscribers {
            // The second time makes no difference.
            subscriber.parts.transport.connect(&actual)?;
            subscriber.parts.transport.connect(&actual)?;
            until("a first message", &mut [&mut publisher, subscriber], |nodes| {
                nodes[0].send(PeerId::NAMELESS, "early");
                nodes[1].message()
            });
        }
        for number in 0..50_u8 {
            publisher.send(PeerId::NAMELESS, vec![number]);
        }
        for subscriber in &mut subscribers {
            let mut expected = 0..50_u8;
            while !expected.is_empty() {
                let received = pass(&mut publisher, subscriber).1.payload;
                if received != "early" {
                    assert_eq!(received[..], [expected.next().expect("some are left")]);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn names_are_taken_once() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let named = |name: &'static str| {
        let mut config = EngineConfig::new(Dealer);
        config.identity = Identity::new(name).expect("a good name");
        let parts = zerorpc_mio::open_with(Dealer, &hasty(), config).expect("a socket");
        let mut node = Node::new(Dealer);
        node.parts = parts;
        node
    };
    let mut holder = named("name");
    holder.parts.transport.connect(&endpoint)?;
    let (held, _) = meet(&mut server, &mut holder);
    let mut newcomer = named("name");
    newcomer.parts.transport.connect(&endpoint)?;
    until("a refusal", &mut [&mut server, &mut newcomer], |nodes| {
        nodes[0].told.iter().find_map(|told| match told {
            MonitorEvent::HandshakeFailed { reason, .. } => {
                Some(reason.contains("same identity")).filter(|is_that| *is_that)
            }
            _ => None,
        })
    });
    server.send(held, "still yours");
    assert_eq!(pass(&mut server, &mut holder).1.payload, "still yours");
    drop(holder);
    // The name is free again, and the newcomer has not given up.
    let heir = until("the newcomer", &mut [&mut server, &mut newcomer], |nodes| nodes[0].up());
    assert_ne!(heir, held);
    newcomer.drain();
    server.send(heir, "now yours");
    assert_eq!(pass(&mut server, &mut newcomer).1.payload, "now yours");
    Ok(())
}

#[test]
fn a_bound_client_and_several_workers() -> Outcome {
    let (mut client, endpoint) = Node::bound(Dealer);
    let mut workers: Vec<Node> = (0..3).map(|_| Node::connected(Router, &endpoint)).collect();
    let mut called = BTreeMap::new();
    for (number, worker) in workers.iter_mut().enumerate() {
        let (peer, _) = meet(&mut client, worker);
        called.insert(peer, number);
    }
    for (peer, number) in &called {
        client.send(*peer, vec![u8::try_from(*number)?]);
    }
    for (number, worker) in workers.iter_mut().enumerate() {
        let (from, request) = pass(&mut client, worker);
        assert_eq!(request.payload[..], [u8::try_from(number)?]);
        worker.send(from, request.payload);
    }
    for _ in 0..3 {
        let mut all: Vec<&mut Node> = workers.iter_mut().collect();
        all.insert(0, &mut client);
        let (from, reply) = until("an answer", &mut all, |nodes| nodes[0].message());
        assert_eq!(reply.payload[..], [u8::try_from(called[&from])?]);
    }
    Ok(())
}

#[test]
fn frames_over_the_limit_cost_their_sender_the_connection() -> Outcome {
    let options = hasty().max_frame(1 << 20);
    let mut server = Node::with(Router, &options);
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let (mut good, mut bad) = (Node::connected(Dealer, &endpoint), Node::new(Dealer));
    let (_, called) = meet(&mut server, &mut good);
    bad.parts.transport.connect(&endpoint)?;
    let (sender, mistaken) = meet(&mut server, &mut bad);
    bad.send(mistaken, vec![0; (1 << 20) + 1]);
    let (gone, reason) =
        until("the end of it", &mut [&mut server, &mut bad], |nodes| nodes[0].down());
    assert_eq!(gone, sender);
    assert!(reason.contains("limit is 1048576"), "{reason}");
    good.send(called, vec![0; 1 << 20]);
    assert_eq!(pass(&mut good, &mut server).1.payload.len(), 1 << 20);
    Ok(())
}
