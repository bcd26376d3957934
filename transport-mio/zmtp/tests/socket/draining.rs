//! Going away in good order.

use zerorpc_proto::{
    PeerEvent, PeerId,
    transport::SocketKind::{Dealer, Pull, Push, Router},
};
use zerorpc_zmtp::CloseReason;

use crate::support::{Net, message, narrow, socket};

#[test]
fn who_stops_says_so_and_says_a_last_word() {
    let mut net = Net::pair(socket(Dealer), socket(Router));
    let (dealer, router) = (net.id(0, 0), net.id(0, 1));
    let peer = net.nodes[0].socket.peer_of(dealer).expect("it is a peer");
    net.nodes[1].socket.drain();
    net.run();
    assert_eq!(net.nodes[0].peers, [PeerEvent::GoingAway(peer)]);
    assert_eq!(net.nodes[0].events, ["ready", "going away"]);
    let caller = net.nodes[1].socket.peer_of(router).expect("it is a peer");
    net.nodes[1].socket.send(message(caller, "the rest")).expect("it can");
    assert!(!net.nodes[1].socket.say_last_word(router), "something else waits");
    net.run();
    assert!(net.nodes[1].socket.say_last_word(router));
    net.run();
    assert_eq!(net.payloads(0), [b"the rest"]);
    let [_, PeerEvent::Gone(_), PeerEvent::Down(_, words)] = &net.nodes[0].peers[..] else {
        panic!("{:?}", net.nodes[0].peers)
    };
    assert!(words.contains("stopping"), "{words}");
    assert_eq!(net.nodes[0].closed[0].reason, CloseReason::Left("the peer is stopping"));

    // Who comes later hears it as well.
    net.connect(0, 1);
    net.run();
    assert!(matches!(net.nodes[0].peers[3..], [PeerEvent::Up(_), PeerEvent::GoingAway(_)]));
}

#[test]
fn a_retired_connection_gets_nothing_new() {
    let mut net = Net::new([socket(Dealer), socket(Router), socket(Router)]);
    let first = net.connect(0, 1);
    net.connect(0, 2);
    net.run();
    let id = net.id(first, 0);
    let peer = net.nodes[0].socket.peer_of(id).expect("it is a peer");
    net.nodes[0].socket.retire(id, "moved");
    net.run();
    assert_eq!(net.nodes[0].peers.last(), Some(&PeerEvent::GoingAway(peer)));
    for _ in 0..3 {
        net.nodes[0].socket.send(message(PeerId::NAMELESS, "x")).expect("it can");
    }
    net.run();
    assert_eq!([net.payloads(1).len(), net.payloads(2).len()], [0, 3]);
    net.nodes[0].socket.reset(peer, "silent");
    net.run();
    assert_eq!(net.nodes[0].closed[0].reason, CloseReason::Left("moved"));
}

#[test]
fn a_retired_puller_gets_what_has_begun() {
    let mut net = Net::new([narrow(Push), socket(Pull), socket(Pull)]);
    let first = net.connect(0, 1);
    net.run();
    net.set_room(first, 0, 5);
    for text in ["begun", "waits"] {
        net.nodes[0].socket.send(message(PeerId::NAMELESS, text)).expect("it can");
        net.run();
    }
    let second = net.connect(0, 2);
    net.run();
    let id = net.id(first, 0);
    net.nodes[0].socket.retire(id, "moved");
    net.run();
    assert_eq!(net.payloads(2), [b"waits"]);
    net.set_room(first, 0, usize::MAX);
    net.run();
    assert_eq!(net.payloads(1), [b"begun"]);
    assert_eq!(net.nodes[0].events, ["ready", "ready", "all written"]);
    assert_ne!(net.id(second, 0), id);
}
