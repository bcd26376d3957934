//! Closing: what was sent arrives, and nobody waits longer than the linger.

use std::{
    thread,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketKind::{Dealer, Pull, Push, Router};
use zerorpc_proto::transport::{SocketOptions, Transport};
use zerorpc_zmq::open;

use crate::support::{
    ANY_PORT, Outcome, PATIENCE, connect, message, next, plain, plainly, socket, until,
};

#[test]
fn messages_leave_while_the_socket_closes() -> Outcome {
    for linger in [None, Some(PATIENCE), Some(Duration::MAX)] {
        let mut puller = socket(Pull);
        let endpoint = puller.transport.bind(ANY_PORT)?;
        let options = SocketOptions::default().linger(linger).high_water_mark(5);
        let mut pusher = open(Push, &options)?;
        // More than libzmq takes at once: the rest waits in the transport.
        let reader = thread::spawn(move || {
            for number in 0..500_u32 {
                let received = next(&mut puller).expect("everything comes");
                assert_eq!(received.payload[..4], number.to_be_bytes());
            }
        });
        pusher.transport.connect(&endpoint)?;
        for number in 0..500_u32 {
            let mut payload = vec![0; 10_000];
            payload[..4].copy_from_slice(&number.to_be_bytes());
            pusher.transport.send(plainly(payload))?;
        }
        drop(pusher);
        reader.join().expect("no panic");
    }
    Ok(())
}

#[test]
fn closing_ends_with_the_linger() -> Outcome {
    let table =
        [(Duration::ZERO, 1), (Duration::from_millis(300), 1), (Duration::from_millis(300), 5000)];
    for (linger, messages) in table {
        let options = SocketOptions::default().linger(linger);
        let mut client = open(Dealer, &options)?;
        client.transport.connect("tcp://127.0.0.1:9")?;
        for _ in 0..messages {
            client.transport.send(plainly("to nobody"))?;
        }
        let start = Instant::now();
        drop(client);
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(10), "{linger:?}, {messages}: {elapsed:?}");
        assert!(elapsed >= linger.mul_f64(0.9), "{linger:?}, {messages}: only {elapsed:?}");
    }
    Ok(())
}

#[test]
fn closing_without_anything_to_send_is_quick() -> Outcome {
    let peer = plain(zmq::ROUTER)?;
    peer.bind(ANY_PORT)?;
    let endpoint = peer.get_last_endpoint()?.expect("endpoints are text");
    for kind in [Dealer, Router] {
        let mut parts = open(kind, &SocketOptions::default().linger(None))?;
        parts.transport.connect(&endpoint)?;
        parts.transport.bind(ANY_PORT)?;
        let start = Instant::now();
        drop(parts);
        assert!(start.elapsed() < Duration::from_secs(10), "{kind:?}: {:?}", start.elapsed());
    }
    Ok(())
}

#[test]
fn answers_outlive_the_server_that_gave_them() -> Outcome {
    for _ in 0..30 {
        let (mut server, mut client) = (socket(Router), socket(Dealer));
        connect(&mut client, &server.transport.bind(ANY_PORT)?)?;
        for number in 0..20_u8 {
            client.transport.send(plainly(vec![number]))?;
        }
        for _ in 0..20 {
            let request = next(&mut server)?;
            server.transport.send(message(request.envelope, request.payload))?;
        }
        drop(server);
        // The answers are read only when it is known that the server has gone.
        until(&mut client, |client| !client.transport.can_send())?;
        for number in 0..20_u8 {
            assert_eq!(next(&mut client)?.payload[..], [number]);
        }
    }
    Ok(())
}
