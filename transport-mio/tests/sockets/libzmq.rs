//! Each pattern between this transport and that over libzmq, either way round.

use std::time::{Duration, Instant};

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{self, Dealer, Pub, Pull, Push, Router, Sub};
use zerorpc_proto::{
    Envelope, Multipart, PeerId,
    transport::{PlainCredentials, Security, Transport, Waiter},
};

use crate::support::{ANY_PORT, Node, Outcome, PATIENCE, hasty, message, plainly, until};

fn foreign(kind: SocketKind) -> zerorpc_zmq::Parts {
    zerorpc_zmq::open(kind, &zerorpc_proto::transport::SocketOptions::default()).expect("a socket")
}

/// The next message at a libzmq socket, while ours goes on.
fn next_foreign(node: &mut Node, parts: &mut zerorpc_zmq::Parts) -> Multipart {
    let start = Instant::now();
    loop {
        node.turn();
        if let Some((_, message)) = parts.transport.receive().expect("it works") {
            return message;
        }
        parts.waiter.wait_until(Some(Instant::now() + Duration::from_millis(1))).expect("it works");
        assert!(start.elapsed() < PATIENCE, "no message came");
    }
}

/// The next message at ours, while the libzmq socket goes on.
fn next_ours(node: &mut Node, parts: &mut zerorpc_zmq::Parts) -> (PeerId, Multipart) {
    until("a message comes", &mut [node], |nodes| {
        assert!(parts.transport.receive().expect("it works").is_none());
        nodes[0].message()
    })
}

/// A pair of which either side binds, in both ways, at each sort of endpoint.
fn pairs(
    ours: SocketKind,
    theirs: SocketKind,
) -> Vec<(Node, zerorpc_zmq::Parts, tempfile::TempDir)> {
    let mut all = Vec::new();
    for binds in [true, false] {
        for ipc in [true, false] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = format!("ipc://{}", folder.path().join("socket").display());
            let given = if ipc { &path } else { ANY_PORT };
            let (mut node, mut parts) = (Node::new(ours), foreign(theirs));
            if binds {
                let endpoint = node.parts.transport.bind(given).expect(given);
                parts.transport.connect(&endpoint).expect(given);
            } else {
                let endpoint = parts.transport.bind(given).expect(given);
                node.parts.transport.connect(&endpoint).expect(given);
            }
            all.push((node, parts, folder));
        }
    }
    all
}

#[test]
fn our_client_and_their_server() -> Outcome {
    for (mut client, mut server, _folder) in pairs(Dealer, Router) {
        let called = until("a connection", &mut [&mut client], |nodes| nodes[0].up());
        for size in [0, 1, 255, 256, 100_000, 3_000_000] {
            let content = Bytes::from(vec![7; size]);
            client.send(called, content.clone());
            let request = next_foreign(&mut client, &mut server);
            assert_eq!(request.payload, content);
            server.transport.send(message(PeerId::NAMELESS, request.envelope, content.clone()))?;
            assert_eq!(next_ours(&mut client, &mut server).1.payload, content);
        }
    }
    Ok(())
}

#[test]
fn our_server_and_their_client() -> Outcome {
    for (mut server, mut client, _folder) in pairs(Router, Dealer) {
        until("a connection", &mut [&mut server], |nodes| nodes[0].up());
        let envelope: Envelope = [Bytes::from_static(b"a proxy")].into_iter().collect();
        for size in [0, 1, 255, 256, 100_000, 3_000_000] {
            let content = Bytes::from(vec![7; size]);
            let request = message(PeerId::NAMELESS, envelope.clone(), content.clone());
            client.transport.send(request)?;
            let (from, request) = next_ours(&mut server, &mut client);
            assert_eq!((&request.envelope, &request.payload), (&envelope, &content));
            server.parts.transport.send(message(from, request.envelope, content.clone()))?;
            let reply = next_foreign(&mut server, &mut client);
            assert_eq!((reply.envelope, reply.payload), (envelope.clone(), content));
        }
    }
    Ok(())
}

#[test]
fn pushed_and_pulled() -> Outcome {
    for (mut pusher, mut puller, _folder) in pairs(Push, Pull) {
        for number in 0..200_u8 {
            pusher.send(PeerId::NAMELESS, vec![number; 1000]);
        }
        for number in 0..200_u8 {
            assert_eq!(next_foreign(&mut pusher, &mut puller).payload[..], [number; 1000]);
        }
    }
    for (mut puller, mut pusher, _folder) in pairs(Pull, Push) {
        for number in 0..200_u8 {
            pusher.transport.send(plainly(PeerId::NAMELESS, vec![number; 1000]))?;
        }
        for number in 0..200_u8 {
            assert_eq!(next_ours(&mut puller, &mut pusher).1.payload[..], [number; 1000]);
        }
    }
    Ok(())
}

#[test]
fn published_and_subscribed() -> Outcome {
    for (mut publisher, mut subscriber, _folder) in pairs(Pub, Sub) {
        let start = Instant::now();
        while subscriber.transport.receive()?.is_none() {
            publisher.send(PeerId::NAMELESS, "news");
            publisher.turn();
            subscriber.waiter.wait_until(Some(Instant::now() + Duration::from_millis(1)))?;
            assert!(start.elapsed() < PATIENCE, "nothing is heard");
        }
        publisher.send(PeerId::NAMELESS, "last");
        while next_foreign(&mut publisher, &mut subscriber).payload != "last" {}
    }
    for (mut subscriber, mut publisher, _folder) in pairs(Sub, Pub) {
        until("news", &mut [&mut subscriber], |nodes| {
            publisher.transport.send(plainly(PeerId::NAMELESS, "news")).expect("it works");
            publisher.transport.receive().expect("it works");
            nodes[0].message()
        });
        publisher.transport.send(plainly(PeerId::NAMELESS, "last"))?;
        while next_ours(&mut subscriber, &mut publisher).1.payload != "last" {}
    }
    Ok(())
}

/// libzmq hangs up on who does not fit, and mostly before it has said why: twice, and it is a denial.
#[test]
fn whom_libzmq_does_not_let_in_is_told() -> Outcome {
    let password = || {
        let credentials = PlainCredentials::new("ada", "lovelace").expect("short");
        hasty().security(Security::PlainClient(credentials))
    };
    for (is_plain, ours, words) in [
        (true, hasty(), "NULL"),
        (false, password(), "PLAIN"),
        // Nobody says which users it lets in.
        (true, password(), "when it was shown a password: so libzmq does"),
    ] {
        let foreign = zmq::Context::new().socket(zmq::ROUTER)?;
        foreign.set_plain_server(is_plain)?;
        foreign.bind(ANY_PORT)?;
        let endpoint = foreign.get_last_endpoint()?.map_err(|_| "no text")?;
        let mut node = Node::with(Dealer, &ours);
        node.parts.transport.connect(&endpoint)?;
        let told = until("it is told", &mut [&mut node], |nodes| nodes[0].parts.transport.denial());
        assert!(told.starts_with(&endpoint) && told.contains(words), "{told}");
    }
    Ok(())
}
