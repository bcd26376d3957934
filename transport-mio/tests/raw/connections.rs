//! What happens to connections, on the side that connects.

use std::{net::TcpListener, time::Instant};

use zerorpc_proto::transport::SocketKind::{Dealer, Push, Router, Sub};
use zerorpc_proto::{
    PeerEvent,
    transport::{MonitorEvent, Transport},
};

use crate::target::{
    Of, PATIENCE, Raw, Target, command, frame, greeting, handshake, hears, is_closed, peer,
    property, shake, stands, until,
};

/// The next connection of a socket that connects.
pub(crate) fn accept(target: &mut Target, listener: &TcpListener) -> Raw {
    listener.set_nonblocking(true).expect("an option");
    let start = Instant::now();
    loop {
        target.turn();
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).expect("an option");
            return Raw::new(stream);
        }
        assert!(start.elapsed() < PATIENCE, "{} does not come (again)", target.name());
    }
}

#[test]
fn a_lost_connection_is_made_again() {
    for mut target in [Target::ours(Dealer), Target::libzmq(Dealer)] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        target.connect(&listener.local_addr().expect("bound").to_string());
        // At all stages: nothing, a part of a greeting, a handshake, half of a message.
        let whole = handshake(1, "ROUTER");
        for said in
            [&b""[..], &whole[..5], &whole[..64], &whole, &[&whole[..], b"\0\x09hel"].concat()]
        {
            let mut raw = accept(&mut target, &listener);
            raw.say(said);
            target.turn();
        }
        let mut raw = accept(&mut target, &listener);
        raw.say(&whole);
        shake("a handshake", &mut target, &mut raw);
        raw.say(b"\x01\0\0\x05hello");
        until("a message", &mut target, &mut raw, |target, _| target.payloads() == [b"hello"]);
    }
}

#[test]
fn what_was_queued_before_the_handshake_waits_for_the_next() {
    for kind in [Dealer, Push] {
        let theirs = if kind == Dealer { "ROUTER" } else { "PULL" };
        for mut target in [Target::ours(kind), Target::libzmq(kind)] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            target.connect(&listener.local_addr().expect("bound").to_string());
            target.send("queued");
            let mut raw = accept(&mut target, &listener);
            raw.say(&greeting([3, 1], "NULL"));
            until("its READY", &mut target, &mut raw, |_, raw| raw.heard.len() > 64 + 20);
            drop(raw);
            let mut raw = accept(&mut target, &listener);
            raw.say(&handshake(1, theirs));
            until("the message", &mut target, &mut raw, |_, raw| {
                raw.heard.ends_with(&frame(0, b"queued"))
            });
        }
    }
}

#[test]
fn a_peer_that_breaks_the_rules_is_reported_and_tried_again() {
    let table = [
        (Of::Both, "another mechanism", greeting([3, 1], "PLAIN"), "mechanism is PLAIN"),
        (Of::Both, "a type that does not fit", handshake(1, "PUSH"), "socket is a PUSH"),
        (
            // libzmq leaves the connection as it is.
            Of::Ours,
            "an error",
            [greeting([3, 1], "NULL"), command("ERROR", b"\x0bI know you!")].concat(),
            "I know you!",
        ),
        (
            Of::Both,
            "an endless frame",
            [&handshake(1, "ROUTER")[..], b"\x02\x40\0\0\0\0\0\0\0"].concat(),
            "the limit is",
        ),
        (Of::Both, "no ZMTP at all", vec![0], "length"),
    ];
    for (of, what, said, reason) in table {
        let mut targets = vec![Target::ours(Dealer)];
        if of == Of::Both {
            targets.push(Target::libzmq(Dealer));
        }
        for mut target in targets {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            target.connect(&listener.local_addr().expect("bound").to_string());
            let mut raw = accept(&mut target, &listener);
            raw.say(&said);
            is_closed(what, &mut target, &mut raw);
            // libzmq tells nobody and does not come back, so the rest is asked of ours alone.
            if matches!(target, Target::Ours { .. }) {
                let _again = accept(&mut target, &listener);
                is_reported_and_retried(what, reason, &mut target);
            }
        }
    }
}

/// That our socket tells the reason, and that it tries again.
pub(crate) fn is_reported_and_retried(what: &str, reason: &str, target: &mut Target) {
    let Target::Ours { parts, .. } = target else { panic!("it is ours") };
    let told: Vec<_> = std::iter::from_fn(|| parts.transport.poll_monitor()).collect();
    let is_told = |event: &MonitorEvent| match event {
        MonitorEvent::HandshakeFailed { reason: told, .. }
        | MonitorEvent::Disconnected { reason: told, .. } => told.contains(reason),
        _ => false,
    };
    assert!(told.iter().any(is_told), "{what}: {told:?}");
    let is_retry = |event: &MonitorEvent| matches!(event, MonitorEvent::Retried { .. });
    assert!(told.iter().any(is_retry), "{what}: {told:?}");
}

#[test]
fn subscriptions_are_sent_again() {
    for mut target in [Target::ours(Sub), Target::libzmq(Sub)] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        target.connect(&listener.local_addr().expect("bound").to_string());
        for _ in 0..3 {
            let mut raw = accept(&mut target, &listener);
            raw.say(&handshake(1, "PUB"));
            until("a subscription", &mut target, &mut raw, |_, raw| {
                raw.heard.ends_with(&command("SUBSCRIBE", b""))
            });
        }
    }
}

#[test]
fn a_half_closed_connection_is_closed() {
    for (mut target, address) in [Target::ours(Router).bound(), Target::libzmq(Router).bound()] {
        let mut raw = peer(&mut target, &address, 1, "DEALER");
        raw.say(b"\x01\0\0\x05hello");
        raw.close_half();
        is_closed("half closed", &mut target, &mut raw);
        until("what came before", &mut target, &mut raw, |target, _| {
            target.payloads() == [b"hello"]
        });
        if let Target::Ours { events, .. } = &target {
            assert!(matches!(events[..], [PeerEvent::Up(_), PeerEvent::Down(..)]), "{events:?}");
        }
    }
}

#[test]
fn a_reset_is_as_good_as_an_end() {
    let (mut target, address) = Target::ours(Router).bound();
    let mut raw = peer(&mut target, &address, 1, "DEALER");
    raw.say(b"\x01\0\0\x05hel");
    raw.reset();
    let start = Instant::now();
    loop {
        target.turn();
        let Target::Ours { events, .. } = &target else { panic!("it is ours") };
        if matches!(events[..], [PeerEvent::Up(_), PeerEvent::Down(..)]) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{events:?}");
    }
    let mut raw = peer(&mut target, &address, 1, "DEALER");
    hears("nothing", &mut target, &mut raw, b"");
}

#[test]
fn libzmq_forgets_a_peer_after_a_reset_too() {
    let (mut target, address) = Target::libzmq(Router).bound();
    let mut raw = Raw::connect(&address);
    let properties = [property("Socket-Type", b"DEALER"), property("Identity", b"me")].concat();
    raw.say(&[greeting([3, 1], "NULL"), command("READY", &properties)].concat());
    shake("a handshake", &mut target, &mut raw);
    // It reports no peers, but says whether there is one by this name.
    let knows_me = |target: &Target| {
        let Target::Libzmq { socket, .. } = target else { panic!("it is libzmq") };
        socket.set_router_mandatory(true).expect("an option");
        socket.send_multipart(["me", "", "hello"], zmq::DONTWAIT) != Err(zmq::Error::EHOSTUNREACH)
    };
    until("the peer is known", &mut target, &mut raw, |target, _| knows_me(target));
    raw.say(b"\x01\0\0\x05hel");
    raw.reset();
    let mut next = peer(&mut target, &address, 1, "DEALER");
    until("the peer is forgotten", &mut target, &mut next, |target, _| !knows_me(target));
    assert_eq!(stands("the next", &mut target, &mut next), [b""; 0]);
}
