//! Several connections with one name.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketKind::{Dealer, Router};
use zerorpc_proto::{
    PeerId,
    transport::{Handover, MonitorEvent, Transport},
};
use zerorpc_zmtp::{EngineConfig, Identity};

use crate::support::{ANY_PORT, Node, Outcome, hasty, meet, pass, until};

/// A socket of ours with a name, connected.
fn named(endpoint: &str) -> Node {
    let mut config = EngineConfig::new(Dealer);
    config.identity = Identity::new("name").expect("a good name");
    let mut node = Node::new(Dealer);
    node.parts = zerorpc_mio::open_with(Dealer, &hasty(), config).expect("a socket");
    node.parts.transport.connect(endpoint).expect(endpoint);
    node
}

/// A peer with that name which says no more than its handshake.
fn mute(endpoint: &str, handshake: &[u8]) -> TcpStream {
    let address = endpoint.trim_start_matches("tcp://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(handshake).expect("there is room");
    stream
}

fn modern() -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    bytes.resize(64, 0);
    bytes.extend_from_slice(
        b"\x04\x2d\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x04name",
    );
    bytes
}

/// As ZMTP 2.0 has it: peers that know no PING.
const OLD: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\x04name";

fn refusals(node: &Node) -> Vec<&str> {
    let reasons = node.told.iter().filter_map(|event| match event {
        MonitorEvent::HandshakeFailed { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    reasons.filter(|reason| reason.contains("same identity")).collect()
}

fn server(handover: Handover) -> (Node, String) {
    let mut server = Node::with(Router, &hasty().handover(handover));
    let endpoint = server.parts.transport.bind(ANY_PORT).expect("a free port");
    (server, endpoint)
}

/// Sends to the owner of the name, as the server knows it.
fn reaches(server: &mut Node, to: PeerId, node: &mut Node) {
    server.send(to, "yours");
    assert_eq!(pass(server, node).1.payload, "yours");
}

#[test]
fn a_silent_holder_loses_its_name() -> Outcome {
    let (mut server, endpoint) = server(Handover::Allowed);
    let _holder = mute(&endpoint, &modern());
    let held = until("the holder", &mut [&mut server], |nodes| nodes[0].up());
    let start = Instant::now();
    let mut newcomer = named(&endpoint);
    let heir = until("the newcomer", &mut [&mut server, &mut newcomer], |nodes| nodes[0].up());
    assert!(heir != held && start.elapsed() >= Duration::from_secs(1), "the holder was asked");
    let (gone, told) = server.down().expect("the holder's end");
    assert!(gone == held && told.contains("PING"), "{told}");
    let refusals = refusals(&server);
    assert!(!refusals.is_empty() && refusals[0].contains("it is being asked"), "{refusals:?}");
    assert!(refusals[0].contains("\"name\" at tcp://127.0.0.1:"), "{refusals:?}");
    let told = newcomer.told.iter().any(|event| {
        matches!(event, MonitorEvent::Disconnected { reason, .. } if reason.contains("same identity"))
    });
    assert!(told, "the newcomer knows why: {:?}", newcomer.told);
    newcomer.drain();
    reaches(&mut server, heir, &mut newcomer);
    Ok(())
}

#[test]
fn a_dead_holder_loses_its_name_at_once() -> Outcome {
    for handshake in [&modern()[..], OLD] {
        let (mut server, endpoint) = server(Handover::Allowed);
        let holder = mute(&endpoint, handshake);
        let held = until("the holder", &mut [&mut server], |nodes| nodes[0].up());
        // The end of it is there, but so is the newcomer, whichever is looked at first.
        let heir = mute(&endpoint, &modern());
        drop(holder);
        until("the end of one and the other", &mut [&mut server], |nodes| nodes[0].up());
        assert_eq!(server.down().map(|(gone, _)| gone), Some(held));
        assert_eq!(refusals(&server), [""; 0]);
        drop(heir);
    }
    Ok(())
}

#[test]
fn a_live_holder_keeps_its_name() -> Outcome {
    let (mut server, endpoint) = server(Handover::Allowed);
    let mut holder = named(&endpoint);
    let (held, _) = meet(&mut server, &mut holder);
    let mut newcomer = named(&endpoint);
    let start = Instant::now();
    until(
        "refusals for longer than an answer may take",
        &mut [&mut server, &mut holder, &mut newcomer],
        |nodes| {
            (refusals(nodes[0]).len() > 3 && start.elapsed() > Duration::from_secs(3)).then_some(())
        },
    );
    assert_eq!(server.down(), None);
    holder.drain();
    reaches(&mut server, held, &mut holder);
    Ok(())
}

#[test]
fn who_cannot_be_asked_or_need_not_answer_keeps_its_name() -> Outcome {
    for (handover, handshake, words) in [
        (Handover::Allowed, OLD.to_vec(), "silent for 15 s"),
        (Handover::Refused, modern(), "until it goes"),
    ] {
        let (mut server, endpoint) = server(handover);
        let holder = mute(&endpoint, &handshake);
        until("the holder", &mut [&mut server], |nodes| nodes[0].up());
        let mut newcomer = named(&endpoint);
        let start = Instant::now();
        until("refusals", &mut [&mut server, &mut newcomer], |nodes| {
            (refusals(nodes[0]).len() > 3 && start.elapsed() > Duration::from_secs(3)).then_some(())
        });
        assert_eq!(server.down(), None);
        assert!(refusals(&server).iter().all(|reason| reason.contains(words)), "{words}");
        drop(holder);
        until("the newcomer", &mut [&mut server, &mut newcomer], |nodes| nodes[0].up());
    }
    Ok(())
}
