//! Messages of every kind of socket, whole and in order.

use std::time::{Duration, Instant};

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{Dealer, Pub, Pull, Push, Router, Sub};
use zerorpc_proto::{
    Envelope,
    transport::{SocketOptions, Transport, Waiter},
};
use zerorpc_zmq::{MAX_ENVELOPE_FRAMES, open};

use crate::support::{ANY_PORT, Outcome, connect, message, next, plain, plainly, socket, until};

/// An endpoint of each sort, and the folder that the path is in.
fn endpoints() -> (tempfile::TempDir, [String; 2]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("socket").display().to_string();
    (folder, [ANY_PORT.to_string(), format!("ipc://{path}")])
}

#[test]
fn requests_and_replies() -> Outcome {
    let (_folder, endpoints) = endpoints();
    for endpoint in endpoints {
        let (mut server, mut client) = (socket(Router), socket(Dealer));
        connect(&mut client, &server.transport.bind(&endpoint)?)?;
        for size in [0, 1, 30, 40, 1024, 1025, 8192, 100_000, 5_000_000] {
            let content: Vec<u8> = (0..=255).cycle().take(size).collect();
            client.transport.send(plainly(content.clone()))?;
            let request = next(&mut server)?;
            assert_eq!(request.payload, content);
            assert_eq!(request.envelope.frames().len(), 1, "the routing id");

            server.transport.send(message(request.envelope, content.clone()))?;
            let reply = next(&mut client)?;
            assert_eq!(reply.payload, content);
            assert_eq!(reply.envelope, Envelope::default());
        }
        assert!(server.transport.poll_peer().is_none());
    }
    Ok(())
}

#[test]
fn a_server_that_binds_twice_and_works_for_a_queue() -> Outcome {
    let (_folder, endpoints) = endpoints();
    let mut server = socket(Router);
    let mut queue = socket(Dealer);
    server.transport.connect(&queue.transport.bind(ANY_PORT)?)?;
    server.transport.connect("tcp://127.0.0.1:9")?;
    until(&mut queue, |queue| queue.transport.receive().is_ok() && queue.transport.can_send())?;
    queue.transport.send(plainly("from the queue"))?;
    let mut clients = Vec::new();
    for endpoint in endpoints {
        let mut client = socket(Dealer);
        connect(&mut client, &server.transport.bind(&endpoint)?)?;
        client.transport.send(plainly(endpoint))?;
        clients.push(client);
    }
    clients.push(queue);
    for _ in &clients {
        let request = next(&mut server)?;
        server.transport.send(message(request.envelope, request.payload))?;
    }
    for client in &mut clients {
        next(client)?;
    }
    Ok(())
}

#[test]
fn pushed_messages_keep_their_order() -> Outcome {
    let (_folder, endpoints) = endpoints();
    for endpoint in endpoints {
        let (mut pusher, mut puller) = (socket(Push), socket(Pull));
        connect(&mut pusher, &puller.transport.bind(&endpoint)?)?;
        for number in 0..5000_u32 {
            pusher.transport.send(plainly(number.to_be_bytes().to_vec()))?;
            assert!(pusher.transport.receive()?.is_none());
        }
        for number in 0..5000_u32 {
            let received = loop {
                // The pusher holds some back, and sends them when the puller has taken others.
                pusher.transport.receive()?;
                if let Some((_, received)) = puller.transport.receive()? {
                    break received;
                }
                puller.waiter.wait_until(Some(Instant::now() + Duration::from_millis(5)))?;
            };
            assert_eq!(received.payload[..], number.to_be_bytes());
            assert_eq!(received.envelope, Envelope::default());
        }
        assert!(puller.transport.send(plainly("no")).is_err());
        assert!(!puller.transport.can_send());
    }
    Ok(())
}

#[test]
fn published_messages_reach_all_subscribers() -> Outcome {
    let (_folder, endpoints) = endpoints();
    for endpoint in endpoints {
        let mut publisher = socket(Pub);
        let actual = publisher.transport.bind(&endpoint)?;
        let mut subscribers = [socket(Sub), socket(Sub)];
        for subscriber in &mut subscribers {
            subscriber.transport.connect(&actual)?;
            // What is published before the subscription has come is for nobody.
            while subscriber.transport.receive()?.is_none() {
                publisher.transport.send(plainly("early"))?;
                publisher.transport.receive()?;
                subscriber.waiter.wait_until(Some(Instant::now() + Duration::from_millis(5)))?;
            }
        }
        assert!(publisher.transport.can_send());
        publisher.transport.send(plainly("late"))?;
        for subscriber in &mut subscribers {
            while next(subscriber)?.payload != "late" {}
        }
    }
    Ok(())
}

#[test]
fn envelopes_of_a_chain_of_proxies() -> Outcome {
    let (mut server, mut client) = (socket(Router), socket(Dealer));
    connect(&mut client, &server.transport.bind(ANY_PORT)?)?;
    for length in [0, 1, 2, 500, MAX_ENVELOPE_FRAMES] {
        let envelope: Envelope =
            (0..length).map(|number| Bytes::from(format!("proxy {number}"))).collect();
        client.transport.send(message(envelope.clone(), "request"))?;
        let request = next(&mut server)?;
        assert_eq!(request.envelope.frames()[1..], *envelope.frames());
        server.transport.send(message(request.envelope, "reply"))?;
        let reply = next(&mut client)?;
        assert_eq!((reply.envelope, reply.payload), (envelope, Bytes::from("reply")));
    }
    Ok(())
}

#[test]
fn odd_messages_do_not_disturb_the_others() -> Outcome {
    let options = SocketOptions::default().max_frame(1 << 20);
    let mut server = open(Router, &options)?;
    let endpoint = server.transport.bind(ANY_PORT)?;
    let peer = plain(zmq::DEALER)?;
    peer.connect(&endpoint)?;
    peer.send_multipart(vec![""; 100_000], 0)?;
    peer.send_multipart([vec![0; 512 << 10], vec![], b"large envelope".to_vec()], 0)?;
    peer.send("no delimiter", 0)?;
    peer.send_multipart(["not empty", "wrong delimiter"], 0)?;
    peer.send_multipart([""; 3], 0)?;
    for (payload, frames) in [("no delimiter", 1), ("wrong delimiter", 1), ("", 2)] {
        let received = next(&mut server)?;
        assert_eq!(received.payload, payload);
        assert_eq!(received.envelope.frames().len(), frames);
    }
    server.transport.send(plainly("to nobody"))?;

    // A frame over the limit costs its sender the connection, and nobody else.
    peer.send(vec![0; 2 << 20], 0)?;
    let other = plain(zmq::DEALER)?;
    other.connect(&endpoint)?;
    other.send("still served", 0)?;
    assert_eq!(next(&mut server)?.payload, "still served");
    Ok(())
}
