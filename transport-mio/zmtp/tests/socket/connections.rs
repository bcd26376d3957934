//! Connections that come, go and fail.

use std::{io::IoSlice, time::Duration};

use bytes::Bytes;
use zerorpc_proto::{
    PeerEvent, PeerId,
    transport::{
        SocketKind::{Dealer, Router},
        SocketOptions,
    },
};
use zerorpc_zmtp::{CloseReason, ForeignKind, Origin, SocketEvent, Violation, Want};

use crate::support::{Net, message, narrow, socket};

#[test]
fn what_was_not_written_comes_back_before_the_end() {
    let mut net = Net::pair(narrow(Dealer), socket(Router));
    let id = net.id(0, 0);
    let peer = net.nodes[0].socket.peer_of(id).expect("it is a peer");
    net.set_room(0, 0, 3);
    let sent = ["begun", "second", "third"].map(|text| message(peer, text));
    for one in &sent {
        net.nodes[0].socket.send(one.clone()).expect("it can");
        net.run();
    }
    net.nodes[0].socket.handle_io_error(net.now, id, &"Broken pipe");
    net.run();
    let [PeerEvent::Returned(one), PeerEvent::Returned(two), PeerEvent::Down(down, words)] =
        &net.nodes[0].peers[..]
    else {
        panic!("{:?}", net.nodes[0].peers)
    };
    assert_eq!(([Some(*one), Some(*two)], *down), ([sent[1].token, sent[2].token], peer));
    assert_eq!(&**words, "tcp://192.0.2.1:1: Broken pipe");
}

#[test]
fn the_earliest_deadline_counts() {
    let mut net = Net::new([socket(Router)]);
    let node = &mut net.nodes[0].socket;
    assert_eq!(node.poll_timeout(), None);
    let start = net.now;
    for after in [5, 1, 3] {
        let now = start + Duration::from_secs(after);
        // An older `now` counts as the latest one seen.
        node.open_connection(now, Origin::Accepted, "tcp://192.0.2.1:1");
    }
    let timeout = SocketOptions::default().handshake_timeout;
    let due = start + Duration::from_secs(5) + timeout;
    assert_eq!(node.poll_timeout(), Some(due));
    node.handle_timeout(due - Duration::from_millis(1));
    assert!(node.poll_event().is_none());
    assert_eq!(node.due(due).len(), 3);
    node.handle_timeout(due);
    for _ in 0..3 {
        let Some(SocketEvent::Closed(closed)) = node.poll_event() else { panic!("it is late") };
        assert_eq!((closed.reason, closed.is_notable), (CloseReason::Mute(timeout), false));
    }
    assert_eq!(node.poll_timeout(), None);
}

#[test]
fn peers_that_do_not_fit_are_told_apart() {
    let foreign = |kind| move |reason: &CloseReason| matches!(reason, CloseReason::Foreign(foreign) if foreign.kind() == kind);
    type Fits = Box<dyn Fn(&CloseReason) -> bool>;
    let table: [(&[u8], Fits, bool); 4] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Box::new(foreign(ForeignKind::HttpRequest)), false),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Box::new(foreign(ForeignKind::Proxied)), true),
        (b"\x16\x03\x01\x02\0\x01\0\xfc", Box::new(foreign(ForeignKind::Tls)), false),
        (b"\0\0", Box::new(|reason| *reason == CloseReason::Violation(Violation::NoLength)), false),
    ];
    for (says, fits, is_told) in table {
        let mut net = Net::new([socket(Router)]);
        let node = &mut net.nodes[0].socket;
        let id = node.open_connection(net.now, Origin::Accepted, "tcp://192.0.2.1:1");
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = node.output(id, &mut slices);
        let greeting = slices[..filled].iter().map(|slice| slice.len()).sum();
        node.advance(id, greeting);
        node.handle_chunk(net.now, id, Bytes::from_static(says));
        let Some(SocketEvent::Closed(closed)) = node.poll_event() else { panic!("it is closed") };
        assert!(fits(&closed.reason) && closed.is_notable, "{closed:?}");
        let says_why = closed.last_words.as_ref().is_some_and(|words| words.say_why());
        assert_eq!(says_why, is_told, "{closed:?}");
        assert_eq!(node.poll_peer_event(), None);
    }
}

#[test]
fn what_is_closed_is_forgotten() {
    let mut net = Net::pair(socket(Dealer), socket(Router));
    let id = net.id(0, 0);
    let node = &mut net.nodes[0].socket;
    let peer = node.peer_of(id).expect("it is a peer");
    assert_eq!((node.connection_of(peer), node.remote(id)), (Some(id), Some("tcp://192.0.2.1:1")));
    node.close(id, "enough");
    let other = node.open_connection(net.now, Origin::Dialed, "tcp://192.0.2.1:1");
    assert_eq!(other.index(), id.index());
    assert_ne!(other, id);
    // None of these means the other connection.
    node.handle_chunk(net.now, id, Bytes::from_static(b"GET / HTTP/1.1"));
    node.handle_body(net.now, id, 1);
    node.handle_eof(net.now, id);
    node.close(id, "again");
    node.retire(id, "again");
    assert!(!node.say_last_word(id) && !node.has_output(id) && node.peer_of(id).is_none());
    assert!(matches!(node.want(id), Want::Chunk));
    assert_eq!((node.output(id, &mut [IoSlice::new(&[])]), node.remote(id)), (0, None));
    assert_eq!(node.remote(other), Some("tcp://192.0.2.1:1"));
    assert_eq!(node.connection_of(peer), None);
    node.send(message(peer, "to nobody")).expect("it can");
    assert_eq!(node.poll_flush(), Some(other));
    let Some(SocketEvent::Closed(closed)) = node.poll_event() else { panic!("it is closed") };
    assert_eq!((closed.connection, closed.reason), (id, CloseReason::Left("enough")));
}

#[test]
fn large_messages_are_read_where_they_stay() {
    let mut net = Net::pair(socket(Dealer), socket(Router));
    let (id, other) = (net.id(0, 0), net.id(0, 1));
    let body = vec![7; 1 << 20];
    net.nodes[0].socket.send(message(PeerId::NAMELESS, body.clone())).expect("it can");
    let mut slices = [IoSlice::new(&[]); 4];
    let filled = net.nodes[0].socket.output(id, &mut slices);
    let bytes: Vec<u8> = slices[..filled].iter().flat_map(|it| it.to_vec()).collect();
    let reader = &mut net.nodes[1].socket;
    let (start, mut rest) = bytes.split_at(1000);
    reader.handle_chunk(net.now, other, Bytes::copy_from_slice(start));
    while let Want::Body(missing) = reader.want(other) {
        let count = missing.len().min(rest.len());
        missing[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        reader.handle_body(net.now, other, count);
        let retained = reader.retained_bytes();
        assert!(retained <= 2 * (bytes.len() - rest.len()) + (64 << 10), "{retained} bytes");
    }
    reader.handle_chunk(net.now, other, Bytes::copy_from_slice(rest));
    assert_eq!(reader.receive().map(|(_, message)| message.payload), Some(body.into()));
    assert_eq!(reader.retained_bytes(), 0);
}

#[test]
fn a_dealer_hears_that_a_router_drops_nothing() {
    let mut net = Net::new([socket(Dealer), socket(Router)]);
    net.connect(0, 1);
    net.run();
    let [PeerEvent::Up(peer)] = net.nodes[0].peers[..] else { panic!("{:?}", net.nodes[0].peers) };
    assert_eq!(net.nodes[0].lossless, [peer]);
    assert_eq!(net.nodes[1].lossless, [], "dealers say nothing of it");
}
