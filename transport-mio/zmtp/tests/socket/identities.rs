//! Two peers with one name.

use std::time::Duration;

use zerorpc_proto::{
    PeerEvent,
    transport::{
        Handover,
        SocketKind::{Dealer, Router},
        SocketOptions,
    },
};
use zerorpc_zmtp::{CloseReason, Socket, Violation};

use crate::support::{Net, named, socket};

#[test]
fn who_is_alive_keeps_its_name() {
    let mut net = Net::new([named(Dealer, "one"), named(Dealer, "one"), socket(Router)]);
    net.connect(0, 2);
    net.run();
    let second = net.connect(1, 2);
    net.run();
    let [closed] = &net.nodes[2].closed[..] else { panic!("the newcomer is refused") };
    assert_eq!(closed.connection, net.id(second, 1));
    let CloseReason::IdentityTaken { identity, holder, .. } = &closed.reason else {
        panic!("{closed:?}")
    };
    assert_eq!((&identity[..], &**holder), (&b"one"[..], "tcp://192.0.2.0:2"));
    let words = &net.nodes[1].closed[0].words;
    assert!(words.contains("same identity"), "{words}");
    net.now += Duration::from_secs(10);
    net.run();
    assert_eq!((net.nodes[2].socket.peer_count(), net.nodes[2].closed.len()), (1, 1));
}

#[test]
fn who_is_gone_hands_its_name_over() {
    let mut net = Net::new([named(Dealer, "one"), named(Dealer, "one"), socket(Router)]);
    let first = net.connect(0, 2);
    net.run();
    net.cut(first, 0);
    net.connect(1, 2);
    net.run();
    assert_eq!(net.nodes[2].closed.len(), 1, "it may be alive");
    net.now += Duration::from_secs(3);
    net.run();
    let silent = CloseReason::Violation(Violation::HeartbeatTimeout(Duration::from_secs(2)));
    assert_eq!(net.nodes[2].closed[1].reason, silent);
    net.connect(1, 2);
    net.run();
    assert_eq!(net.nodes[2].socket.peer_count(), 1);
    assert!(matches!(net.nodes[2].peers.last(), Some(PeerEvent::Up(_))));
}

#[test]
fn whose_end_is_there_to_be_read_is_gone() {
    let mut net = Net::new([named(Dealer, "one"), named(Dealer, "one"), socket(Router)]);
    let first = net.connect(0, 2);
    net.run();
    net.cut(first, 0);
    let second = net.connect(1, 2);
    // Until the newcomer has said who it is.
    let holder = net.id(first, 1);
    while !net.nodes[2].socket.due(net.now).contains(&holder) {
        net.step(second);
    }
    net.nodes[2].socket.handle_eof(net.now, holder);
    net.run();
    assert_eq!((net.nodes[2].socket.peer_count(), net.nodes[2].closed.len()), (1, 1));
}

#[test]
fn without_handover_nobody_is_asked() {
    let options = SocketOptions::new().handover(Handover::Refused);
    let router = Socket::new(Router, &options);
    let mut net = Net::new([named(Dealer, "one"), named(Dealer, "one"), router]);
    let first = net.connect(0, 2);
    net.run();
    net.cut(first, 0);
    net.connect(1, 2);
    net.run();
    net.now += Duration::from_secs(10);
    net.run();
    assert_eq!(net.nodes[2].closed.len(), 1);
    let id = net.id(first, 1);
    net.nodes[2].socket.handle_io_error(net.now, id, &"reset");
    net.connect(1, 2);
    net.run();
    assert_eq!(net.nodes[2].socket.peer_count(), 1);
}
