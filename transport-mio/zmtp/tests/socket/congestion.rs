//! Peers that do not read: senders are held back, then the peer is given up.

use zerorpc_proto::{
    PeerEvent, PeerId, Route,
    transport::{
        Flow,
        SocketKind::{Dealer, Pub, Router, Sub},
    },
};
use zerorpc_zmtp::CloseReason;

use crate::support::{Net, message, narrow, socket};

/// A dealer whose router does not read, and the number of the router.
fn stuck() -> (Net, PeerId) {
    let mut net = Net::pair(narrow(Dealer), socket(Router));
    net.set_room(0, 0, 3);
    let peer = net.nodes[0].socket.peer_of(net.id(0, 0)).expect("it is a peer");
    (net, peer)
}

#[test]
fn senders_are_held_back_until_half_has_left() {
    // How large the messages are, and how many of them fit.
    for (size, fit) in [(10, 9), (2000, 4), (20_000, 0)] {
        let (mut net, peer) = stuck();
        let mut sent = 0;
        while net.nodes[0].socket.send(message(peer, vec![0; size])) == Ok(Flow::Clear) {
            sent += 1;
            net.run();
        }
        assert_eq!(sent, fit, "of {size} bytes");
        net.run();
        assert_eq!(net.nodes[0].peers, []);
        assert!(net.nodes[0].socket.retained_bytes() >= size * sent);
        net.set_room(0, 0, usize::MAX);
        net.run();
        assert_eq!(net.nodes[0].peers, [PeerEvent::Drained(Route { peer, identity: None })]);
        assert_eq!(net.nodes[1].messages.len(), sent + 1, "all have arrived");
        assert_eq!(net.nodes[0].socket.retained_bytes(), 0);
        assert_eq!(net.nodes[0].socket.send(message(peer, "more")), Ok(Flow::Clear));
    }
}

#[test]
fn what_waits_for_nothing_but_this_thread_is_written_first() {
    let mut net = Net::pair(narrow(Dealer), socket(Router));
    let peer = net.nodes[0].socket.peer_of(net.id(0, 0)).expect("it is a peer");
    let mut written = 0;
    for _ in 0..100 {
        let flow = net.nodes[0].socket.send_with(message(peer, "x"), &mut |socket, id| {
            let mut slices = [std::io::IoSlice::new(&[]); 4];
            let filled = socket.output(id, &mut slices);
            let bytes = slices[..filled].iter().map(|slice| slice.len()).sum();
            socket.advance(id, bytes);
            written += 1;
        });
        assert_eq!(flow, Ok(Flow::Clear));
    }
    assert_eq!(written, 10, "only where it matters");
}

#[test]
fn who_never_reads_is_given_up() {
    for size in [10, 5000] {
        let (mut net, peer) = stuck();
        for _ in 0..100 {
            net.nodes[0].socket.send(message(peer, vec![0; size])).expect("it can");
            net.run();
        }
        let [closed] = &net.nodes[0].closed[..] else { panic!("it is given up") };
        assert!(closed.must_abort && closed.is_notable && closed.peer == Some(peer));
        assert_eq!(closed.reason, CloseReason::Dropped("it does not read what it asks for".into()));
        let events = &net.nodes[0].peers;
        let returned = events.iter().filter(|event| matches!(event, PeerEvent::Returned(_)));
        assert!((8..=40).contains(&returned.count()), "of {size} bytes");
        let Some(PeerEvent::Down(down, words)) = events.last() else { panic!("{events:?}") };
        assert!(*down == peer && words.contains("does not read"), "{words}");
        assert_eq!(net.nodes[0].socket.retained_bytes(), 0);
    }
}

#[test]
fn who_is_cut_off_or_discarded_keeps_nothing() {
    let (mut net, peer) = stuck();
    for _ in 0..10 {
        net.nodes[0].socket.send(message(peer, "x")).expect("it can");
        net.run();
    }
    net.nodes[0].socket.discard(peer);
    net.run();
    assert_eq!(net.nodes[0].peers, [PeerEvent::Drained(Route { peer, identity: None })]);
    assert!(net.nodes[0].socket.retained_bytes() <= 200, "but for a message that has begun");
    net.nodes[0].socket.cut_off(peer, "too much is kept for it");
    net.run();
    let closed = &net.nodes[0].closed[0];
    assert!(closed.must_abort && closed.last_words.is_none(), "nobody would read them");
    assert!(closed.words.contains("too much"), "{}", closed.words);

    let mut net = Net::pair(socket(Router), socket(Dealer));
    let peer = net.nodes[0].socket.peer_of(net.id(0, 0)).expect("it is a peer");
    net.nodes[0].socket.cut_off(peer, "too much is kept for it");
    net.run();
    assert!(!net.nodes[0].closed[0].must_abort);
    let expected = CloseReason::CutOff("too much is kept for it".into());
    assert_eq!(
        (&net.nodes[1].closed[0].reason, net.nodes[1].closed[0].is_refusal),
        (&expected, true)
    );
}

#[test]
fn subscribers_that_do_not_keep_up_miss_messages() {
    let mut net = Net::pair(narrow(Pub), socket(Sub));
    net.set_room(0, 0, 0);
    for _ in 0..30 {
        let sent = net.nodes[0].socket.send(message(PeerId::NAMELESS, "news"));
        assert_eq!(sent, Ok(Flow::Clear));
        net.run();
    }
    assert_eq!(net.nodes[0].socket.dropped_messages(), 20);
    net.set_room(0, 0, usize::MAX);
    net.run();
    assert_eq!(net.payloads(1), [b"news"; 10]);
}
