//! Peers that do not read, are not there, or go away.

use std::{
    io::Read,
    net::TcpListener,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketKind::{Dealer, Pull, Push, Router};
use zerorpc_proto::{
    Envelope,
    transport::{Transport, Waiter},
};

use crate::support::{
    ANY_PORT, Outcome, PATIENCE, connect, message, narrow, next, plain, plainly, socket, until,
};

/// Larger than what the sockets of the system hold, so that few messages fill a connection.
const LARGE: usize = 1 << 20;

/// Messages that do not fit into the connection, nor into queues of a few messages.
const MANY: u32 = 40;

fn numbered(envelope: &Envelope, number: u32) -> zerorpc_proto::Transmit {
    let mut payload = vec![0; LARGE];
    payload[..4].copy_from_slice(&number.to_be_bytes());
    message(envelope.clone(), payload)
}

#[test]
fn one_peer_that_does_not_read_delays_nobody() -> Outcome {
    let mut server = narrow(Router, 2);
    let endpoint = server.transport.bind(ANY_PORT)?;
    let sleeper = plain(zmq::DEALER)?;
    sleeper.set_rcvhwm(2)?;
    sleeper.connect(&endpoint)?;
    sleeper.send("for later", 0)?;
    let asleep = next(&mut server)?.envelope;
    for number in 0..MANY {
        server.transport.send(numbered(&asleep, number))?;
        assert!(server.transport.receive()?.is_none());
        assert!(server.transport.can_send());
    }

    let mut client = socket(Dealer);
    connect(&mut client, &endpoint)?;
    for _ in 0..100 {
        client.transport.send(plainly("now"))?;
        let request = next(&mut server)?;
        server.transport.send(message(request.envelope, "at once"))?;
        assert!(server.transport.receive()?.is_none());
        assert_eq!(next(&mut client)?.payload, "at once");
    }

    // The sleeper wakes up and finds everything, in order.
    let reader = std::thread::spawn(move || -> zmq::Result<()> {
        for number in 0..MANY {
            let frames = sleeper.recv_multipart(0)?;
            assert_eq!(frames.len(), 2);
            assert_eq!((frames[1].len(), &frames[1][..4]), (LARGE, &number.to_be_bytes()[..]));
        }
        sleeper.send("thanks", 0)
    });
    assert_eq!(next(&mut server)?.payload, "thanks");
    reader.join().expect("no panic")?;
    Ok(())
}

#[test]
fn what_waits_for_a_peer_that_goes_is_dropped() -> Outcome {
    let mut server = narrow(Router, 2);
    let endpoint = server.transport.bind(ANY_PORT)?;
    let sleeper = plain(zmq::DEALER)?;
    sleeper.set_rcvhwm(2)?;
    sleeper.connect(&endpoint)?;
    sleeper.send("bye", 0)?;
    let asleep = next(&mut server)?.envelope;
    for number in 0..MANY {
        server.transport.send(numbered(&asleep, number))?;
    }
    drop(sleeper);

    let mut client = socket(Dealer);
    connect(&mut client, &endpoint)?;
    client.transport.send(plainly("hello"))?;
    let envelope = next(&mut server)?.envelope;
    for _ in 0..100 {
        server.transport.send(numbered(&asleep, 0))?;
        server.transport.send(message(envelope.clone(), "hello"))?;
        assert!(server.transport.receive()?.is_none());
        assert_eq!(next(&mut client)?.payload, "hello");
    }
    drop(client);
    let start = std::time::Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(10), "closing waited for a peer that is gone");
    Ok(())
}

#[test]
fn a_dealer_keeps_messages_until_a_peer_comes() -> Outcome {
    for kind in [Dealer, Push] {
        let mut early = socket(kind);
        let endpoint = early.transport.bind(ANY_PORT)?;
        assert!(!early.transport.can_send());
        for number in 0..10_u8 {
            early.transport.send(plainly(vec![number]))?;
            assert!(early.transport.receive()?.is_none());
        }
        assert!(!early.transport.can_send());
        let mut late = socket(if kind == Dealer { Router } else { Pull });
        late.transport.connect(&endpoint)?;
        until(&mut early, |early| early.transport.receive().is_ok() && early.transport.can_send())?;
        for number in 0..10_u8 {
            assert_eq!(next(&mut late)?.payload[..], [number]);
        }
    }
    Ok(())
}

#[test]
fn a_connection_makes_room_and_is_announced() -> Outcome {
    let mut server = socket(Router);
    let endpoint = server.transport.bind(ANY_PORT)?;
    server.transport.unbind(&endpoint)?;
    let mut client = socket(Dealer);
    client.transport.connect(&endpoint)?;
    assert!(!client.transport.can_send(), "nobody is there");
    client.transport.send(plainly("before the connection"))?;
    server.transport.bind(&endpoint)?;
    until(&mut client, |client| client.transport.receive().is_ok() && client.transport.can_send())?;
    assert_eq!(next(&mut server)?.payload, "before the connection");

    // Gone and back.
    drop(server);
    until(&mut client, |client| !client.transport.can_send())?;
    client.transport.send(plainly("in between"))?;
    let mut server = socket(Router);
    server.transport.bind(&endpoint)?;
    until(&mut client, |client| client.transport.receive().is_ok() && client.transport.can_send())?;
    assert_eq!(next(&mut server)?.payload, "in between");
    Ok(())
}

#[test]
fn who_accepts_but_does_not_speak_gets_nothing() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = socket(Dealer);
    client.transport.connect(&format!("tcp://{}", listener.local_addr()?))?;
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.read_exact(&mut [0; 10])?;
    for _ in 0..10 {
        client.waiter.wait_until(Some(Instant::now() + Duration::from_millis(5)))?;
        assert!(client.transport.receive()?.is_none());
        assert!(!client.transport.can_send());
    }
    Ok(())
}

#[test]
fn an_endpoint_that_was_given_up_counts_no_more() -> Outcome {
    for kind in [Dealer, Push] {
        let mut server = socket(if kind == Dealer { Router } else { Pull });
        let endpoint = server.transport.bind(ANY_PORT)?;
        let mut client = socket(kind);
        connect(&mut client, &endpoint)?;
        client.transport.connect("tcp://127.0.0.1:9")?;
        assert!(client.transport.can_send());
        client.transport.disconnect(&endpoint)?;
        assert!(!client.transport.can_send(), "only the missing one is left");

        let endpoint = client.transport.bind(ANY_PORT)?;
        server.transport.connect(&endpoint)?;
        until(&mut client, |client| {
            client.transport.receive().is_ok() && client.transport.can_send()
        })?;
        client.transport.unbind(&endpoint)?;
        assert!(!client.transport.can_send(), "only the missing one is left");
    }
    Ok(())
}

#[test]
fn a_full_pusher_holds_back_and_goes_on() -> Outcome {
    let (mut pusher, mut puller) = (narrow(Push, 2), narrow(Pull, 2));
    connect(&mut pusher, &puller.transport.bind(ANY_PORT)?)?;
    let mut sent = 0;
    while pusher.transport.can_send() || sent < MANY {
        pusher.transport.send(numbered(&Envelope::default(), sent))?;
        assert!(pusher.transport.receive()?.is_none());
        sent += 1;
    }
    let reader = std::thread::spawn(move || {
        for number in 0..sent {
            let received = next(&mut puller).expect("everything comes");
            assert_eq!(received.payload[..4], number.to_be_bytes());
        }
        puller
    });
    until(&mut pusher, |pusher| pusher.transport.receive().is_ok() && pusher.transport.can_send())?;
    reader.join().expect("no panic");
    Ok(())
}

#[test]
fn a_restarted_server_is_found_again() -> Outcome {
    let mut client = socket(Dealer);
    let mut server = socket(Router);
    let endpoint = server.transport.bind(ANY_PORT)?;
    client.transport.connect(&endpoint)?;
    for _ in 0..3 {
        // A request may be lost with the old connection, so it is repeated.
        let mut answered = false;
        while !answered {
            client.transport.send(plainly("request"))?;
            client.transport.receive()?;
            server.waiter.wait_until(Some(Instant::now() + Duration::from_millis(20)))?;
            while let Some((_, request)) = server.transport.receive()? {
                server.transport.send(message(request.envelope, "reply"))?;
            }
            answered = client.transport.receive()?.is_some();
        }
        drop(server);
        server = socket(Router);
        server.transport.bind(&endpoint)?;
    }
    Ok(())
}
