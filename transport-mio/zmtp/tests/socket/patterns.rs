//! Which peer gets a message.

use bytes::Bytes;
use zerorpc_proto::{
    Envelope, Payload, PeerEvent, PeerId, Transmit,
    transport::{
        Flow, SocketKind,
        SocketKind::{Dealer, Pub, Pull, Push, Router, Sub},
    },
};
use zerorpc_zmtp::{Engine, EngineConfig, Origin, ZmtpEvent};

use crate::support::{Net, message, narrow, socket};

#[test]
fn messages_arrive_with_their_envelopes() {
    let envelope: Envelope = [Bytes::from("id"), Bytes::from("more")].into_iter().collect();
    let table: [(SocketKind, SocketKind, Envelope); 5] = [
        (Dealer, Router, Envelope::default()),
        (Dealer, Router, envelope.clone()),
        (Router, Dealer, envelope),
        (Push, Pull, Envelope::default()),
        (Pub, Sub, Envelope::default()),
    ];
    for (from, to, envelope) in table {
        let mut net = Net::pair(socket(from), socket(to));
        let peer = net.nodes[0].socket.peer_of(net.id(0, 0)).expect("it is a peer");
        let payload = Payload { head: "head, ".into(), body: vec![b'x'; 100_000].into() };
        let transmit = Transmit::new(peer, envelope.clone(), payload);
        assert_eq!(net.nodes[0].socket.send(transmit.clone()), Ok(Flow::Clear));
        net.run();
        let [(sender, message)] = &net.nodes[1].messages[..] else { panic!("one message") };
        assert_eq!(Some(*sender), net.nodes[1].socket.peer_of(net.id(0, 1)));
        let expected = (&envelope, transmit.payload.to_bytes());
        assert_eq!((&message.envelope, message.payload.clone()), expected, "{from:?} to {to:?}");
    }
    for kind in [Pull, Sub] {
        let error = socket(kind).send(message(PeerId::NAMELESS, "x")).expect_err("it cannot");
        assert!(error.to_string().contains("only receives"), "{error}");
    }
}

#[test]
fn peers_take_turns_and_messages_wait_for_the_first() {
    for (from, to) in [(Push, Pull), (Dealer, Router)] {
        let mut net = Net::new([socket(from), socket(to), socket(to)]);
        let send = |net: &mut Net, text: &'static str| {
            net.nodes[0].socket.send(message(PeerId::NAMELESS, text)).expect("it can")
        };
        assert_eq!(send(&mut net, "0"), Flow::Congested(0), "nobody is there");
        assert_eq!(net.nodes[0].socket.can_send(), from == Dealer);
        net.connect(0, 1);
        net.run();
        assert!(matches!(net.nodes[0].peers[..], [PeerEvent::Up(_), PeerEvent::Drained(_)]));
        net.connect(0, 2);
        net.run();
        for text in ["1", "2", "3", "4"] {
            assert_eq!(send(&mut net, text), Flow::Clear);
        }
        net.run();
        assert_eq!([net.payloads(1).len(), net.payloads(2).len()], [3, 2], "{from:?}");
        assert!(net.nodes[0].socket.can_send());
    }
}

#[test]
fn what_a_puller_did_not_get_goes_to_another() {
    let mut net = Net::new([narrow(Push), socket(Pull), socket(Pull)]);
    let first = net.connect(0, 1);
    net.run();
    net.set_room(first, 0, 3);
    for number in 0..12 {
        let text = format!("message {number:02}");
        net.nodes[0].socket.send(message(PeerId::NAMELESS, text)).expect("it can");
        net.run();
    }
    let second = net.connect(0, 2);
    net.run();
    assert_eq!(net.payloads(2), [b"message 10", b"message 11"], "these had waited");
    let id = net.id(first, 0);
    net.nodes[0].socket.handle_eof(net.now, id);
    net.run();
    let expected: Vec<String> = [10, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        .into_iter()
        .map(|number| format!("message {number:02}"))
        .collect();
    assert_eq!(net.payloads(2), expected.iter().map(String::as_bytes).collect::<Vec<_>>());
    assert!(net.nodes[0].socket.has_output(net.id(second, 0)) || net.payloads(2).len() == 11);
}

#[test]
fn subscribers_get_what_they_want() {
    let now = std::time::Instant::now();
    let mut publisher = socket(Pub);
    let id = publisher.open_connection(now, Origin::Accepted, "tcp://192.0.2.1:1");
    let mut subscriber = Engine::new(EngineConfig::new(Sub).into(), now);
    subscriber.subscribe(b"a");
    subscriber.subscribe(b"bc");
    let exchange = |publisher: &mut zerorpc_zmtp::Socket, subscriber: &mut Engine| {
        for _ in 0..10 {
            let mut slices = [std::io::IoSlice::new(&[]); 8];
            let filled = publisher.output(id, &mut slices);
            let bytes: Vec<u8> = slices[..filled].iter().flat_map(|it| it.to_vec()).collect();
            publisher.advance(id, bytes.len());
            subscriber.handle_chunk(now, bytes.into()).expect("sound");
            let mut slices = [std::io::IoSlice::new(&[]); 8];
            let filled = subscriber.output(&mut slices);
            let bytes: Vec<u8> = slices[..filled].iter().flat_map(|it| it.to_vec()).collect();
            subscriber.advance(bytes.len());
            publisher.handle_chunk(now, id, bytes.into());
        }
    };
    exchange(&mut publisher, &mut subscriber);
    let publish = |publisher: &mut zerorpc_zmtp::Socket, text: &'static str| {
        let (head, body) = text.split_at(1);
        let payload = Payload { head: head.into(), body: body.into() };
        let to = PeerId::NAMELESS;
        publisher.send(Transmit::new(to, Envelope::default(), payload)).expect("it can");
    };
    for text in ["abc", "bcd", "bdc", "cab"] {
        publish(&mut publisher, text);
    }
    exchange(&mut publisher, &mut subscriber);
    subscriber.cancel(b"a");
    exchange(&mut publisher, &mut subscriber);
    publish(&mut publisher, "abc again");
    exchange(&mut publisher, &mut subscriber);
    let events: Vec<_> = std::iter::from_fn(|| subscriber.poll_event()).collect();
    let messages = events.iter().filter_map(|event| match event {
        ZmtpEvent::Message(frames) => Some(&frames[0][..]),
        _ => None,
    });
    assert_eq!(messages.collect::<Vec<_>>(), [b"abc", b"bcd"]);
}
