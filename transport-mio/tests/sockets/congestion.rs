//! Peers that do not read.

use zerorpc_proto::transport::SocketKind::{Dealer, Pub, Pull, Push, Router, Sub};
use zerorpc_proto::{
    PeerId,
    transport::{Flow, SocketOptions, Transport},
};

use crate::support::{ANY_PORT, Node, Outcome, hasty, meet, pass, plain, until};

/// Larger than what the sockets of the system hold.
const LARGE: usize = 8 << 20;

fn narrow(high_water_mark: u32, high_water_bytes: usize) -> SocketOptions {
    hasty().high_water_mark(high_water_mark).high_water_bytes(high_water_bytes)
}

#[test]
fn a_peer_that_does_not_read_is_told_of_and_delays_nobody() -> Outcome {
    for (messages, bytes) in [(1, 1 << 30), (2, 1 << 30), (0, 1 << 20), (1000, 16 << 20)] {
        let mut server = Node::with(Router, &narrow(messages, bytes));
        let endpoint = server.parts.transport.bind(ANY_PORT)?;
        let mut sleeper = Node::connected(Dealer, &endpoint);
        let (asleep, _) = meet(&mut server, &mut sleeper);
        let mut sent = 1;
        while server.send(asleep, vec![0; LARGE]) == Flow::Clear {
            sent += 1;
            assert!(sent < 10, "{messages}, {bytes}: nothing stops it");
        }
        assert_eq!(server.drained(), None, "{messages}, {bytes}");

        let mut client = Node::connected(Dealer, &endpoint);
        let (awake, called) = meet(&mut server, &mut client);
        for _ in 0..100 {
            client.send(called, "now");
            pass(&mut client, &mut server);
            assert_eq!(server.send(awake, "at once"), Flow::Clear);
            assert_eq!(pass(&mut server, &mut client).1.payload, "at once");
        }
        for _ in 0..sent {
            assert_eq!(pass(&mut server, &mut sleeper).1.payload.len(), LARGE);
        }
        let drained =
            until("the news", &mut [&mut server, &mut sleeper], |nodes| nodes[0].drained());
        assert_eq!(drained, asleep);
        assert_eq!(server.send(asleep, "again"), Flow::Clear);
        assert_eq!(pass(&mut server, &mut sleeper).1.payload, "again");
    }
    Ok(())
}

#[test]
fn a_message_beyond_all_marks_passes_with_beats_behind_it() -> Outcome {
    let mut server = Node::with(Router, &narrow(1000, 64 << 10));
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let mut client = Node::connected(Dealer, &endpoint);
    let (caller, _) = meet(&mut server, &mut client);
    assert!(matches!(server.send(caller, vec![0; 4 * LARGE]), Flow::Congested(1..)));
    for _ in 0..10 {
        server.send(caller, "a beat");
    }
    assert_eq!(pass(&mut server, &mut client).1.payload.len(), 4 * LARGE);
    for _ in 0..10 {
        assert_eq!(pass(&mut server, &mut client).1.payload, "a beat");
    }
    assert_eq!(server.drained(), Some(caller));
    Ok(())
}

#[test]
fn a_peer_that_makes_us_answer_and_never_reads_is_given_up() -> Outcome {
    let mut server = Node::with(Router, &narrow(10, 1 << 30));
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let mut deaf = Node::connected(Dealer, &endpoint);
    let (peer, _) = meet(&mut server, &mut deaf);
    server.send(peer, vec![0; LARGE]);
    for number in 0.. {
        server.send(peer, "one more");
        if let Some((gone, reason)) = server.down() {
            assert_eq!(gone, peer);
            assert!(reason.contains("does not read"), "{reason}");
            assert!(number > 20, "{number}");
            break;
        }
        assert!(number < 50, "it goes on for ever");
    }
    Ok(())
}

#[test]
fn pushed_messages_avoid_a_puller_that_does_not_read() -> Outcome {
    let mut pusher = Node::with(Push, &narrow(2, 1 << 30));
    let endpoint = pusher.parts.transport.bind(ANY_PORT)?;
    let mut asleep = Node::connected(Pull, &endpoint);
    meet(&mut pusher, &mut asleep);
    let mut sent = 0_u32;
    while pusher.parts.transport.can_send() {
        pusher.send(PeerId::NAMELESS, vec![0; LARGE]);
        sent += 1;
        assert!(sent < 10);
    }
    let mut awake = Node::connected(Pull, &endpoint);
    meet(&mut pusher, &mut awake);
    for number in 0..100_u8 {
        assert!(pusher.parts.transport.can_send());
        pusher.send(PeerId::NAMELESS, vec![number]);
        assert_eq!(pass(&mut pusher, &mut awake).1.payload[..], [number]);
    }
    // What waits for the one goes to the other when it has gone, but for what has begun.
    drop(asleep);
    for _ in 1..sent {
        assert_eq!(pass(&mut pusher, &mut awake).1.payload.len(), LARGE);
    }
    Ok(())
}

#[test]
fn a_slow_subscriber_misses_messages_and_nobody_else_does() -> Outcome {
    let mut publisher = Node::with(Pub, &narrow(4, 1 << 30));
    let endpoint = publisher.parts.transport.bind(ANY_PORT)?;
    let mut slow = Node::connected(Sub, &endpoint);
    let mut quick = Node::connected(Sub, &endpoint);
    for subscriber in [&mut slow, &mut quick] {
        until("a first message", &mut [&mut publisher, subscriber], |nodes| {
            nodes[0].send(PeerId::NAMELESS, "early");
            nodes[1].message()
        });
    }
    for number in 0..20_u8 {
        let flow = publisher.send(PeerId::NAMELESS, vec![number; LARGE]);
        assert_eq!(flow, Flow::Clear);
        while pass(&mut publisher, &mut quick).1.payload[..2] != [number; 2] {}
    }
    publisher.send(PeerId::NAMELESS, "late");
    let mut got = Vec::new();
    for _ in 0..200 {
        slow.turn();
        publisher.turn();
        got.extend(slow.message().map(|(_, message)| message.payload[0]));
    }
    assert!(got.len() < 19, "{got:?}");
    until("it hears again", &mut [&mut publisher, &mut slow], |nodes| {
        nodes[0].send(PeerId::NAMELESS, "again");
        nodes[1].message().filter(|(_, message)| message.payload == "again")
    });
    Ok(())
}

#[test]
fn topics_are_for_those_who_asked() -> Outcome {
    let (mut publisher, endpoint) = Node::bound(Pub);
    let one = plain(zmq::SUB);
    one.set_subscribe(b"one")?;
    one.connect(&endpoint)?;
    let all = plain(zmq::SUB);
    all.set_subscribe(b"")?;
    all.connect(&endpoint)?;
    until("both subscribers", &mut [&mut publisher], |nodes| {
        nodes[0].send(PeerId::NAMELESS, "one: early");
        let heard = |socket: &zmq::Socket| socket.poll(zmq::POLLIN, 0).expect("it works") > 0;
        (heard(&one) && heard(&all)).then_some(())
    });
    for text in ["two", "on", "one: late", "other"] {
        publisher.send(PeerId::NAMELESS, text);
    }
    let late = |socket: &zmq::Socket| loop {
        let text = socket.recv_string(0).expect("it comes").expect("text");
        if text != "one: early" {
            break text;
        }
    };
    assert_eq!(late(&one), "one: late");
    for text in ["two", "on", "one: late", "other"] {
        assert_eq!(late(&all), text);
    }
    one.set_unsubscribe(b"one")?;
    one.set_subscribe(b"two")?;
    until("the change", &mut [&mut publisher], |nodes| {
        nodes[0].send(PeerId::NAMELESS, "one");
        nodes[0].send(PeerId::NAMELESS, "two");
        let mut heard = None;
        while one.poll(zmq::POLLIN, 0).expect("it works") > 0 {
            heard = Some(late(&one));
        }
        heard.filter(|text| text == "two").map(drop)
    });
    Ok(())
}
