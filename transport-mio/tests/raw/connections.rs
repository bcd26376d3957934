//! What happens to connections, on the side that connects.

use std::{net::TcpListener, time::Instant};

use zerorpc_proto::SocketKind::{Dealer, Push, Router, Sub};
use zerorpc_proto::{MonitorEvent, PeerEvent, Transport};

use crate::judge::{
    Judge, Of, PATIENCE, Raw, command, frame, greeting, handshake, hears, is_closed, peer,
    property, shake, stands, until,
};

/// The next connection of a socket that connects.
pub(crate) fn accept(judge: &mut Judge, listener: &TcpListener) -> Raw {
    listener.set_nonblocking(true).expect("an option");
    let start = Instant::now();
    loop {
        judge.turn();
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).expect("an option");
            return Raw::new(stream);
        }
        assert!(start.elapsed() < PATIENCE, "{} does not come (again)", judge.name());
    }
}

#[test]
fn a_lost_connection_is_made_again() {
    for mut judge in [Judge::ours(Dealer), Judge::libzmq(Dealer)] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        judge.connect(&listener.local_addr().expect("bound").to_string());
        // At all stages: nothing, a part of a greeting, a handshake, half of a message.
        let whole = handshake(1, "ROUTER");
        for said in
            [&b""[..], &whole[..5], &whole[..64], &whole, &[&whole[..], b"\0\x09hel"].concat()]
        {
            let mut raw = accept(&mut judge, &listener);
            raw.say(said);
            judge.turn();
        }
        let mut raw = accept(&mut judge, &listener);
        raw.say(&whole);
        shake("a handshake", &mut judge, &mut raw);
        raw.say(b"\x01\0\0\x05hello");
        until("a message", &mut judge, &mut raw, |judge, _| judge.payloads() == [b"hello"]);
    }
}

#[test]
fn what_was_queued_before_the_handshake_waits_for_the_next() {
    for kind in [Dealer, Push] {
        let theirs = if kind == Dealer { "ROUTER" } else { "PULL" };
        for mut judge in [Judge::ours(kind), Judge::libzmq(kind)] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            judge.connect(&listener.local_addr().expect("bound").to_string());
            judge.send("queued");
            let mut raw = accept(&mut judge, &listener);
            raw.say(&greeting([3, 1], "NULL"));
            until("its READY", &mut judge, &mut raw, |_, raw| raw.heard.len() > 64 + 20);
            drop(raw);
            let mut raw = accept(&mut judge, &listener);
            raw.say(&handshake(1, theirs));
            until("the message", &mut judge, &mut raw, |_, raw| {
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
        let mut judges = vec![Judge::ours(Dealer)];
        if of == Of::Both {
            judges.push(Judge::libzmq(Dealer));
        }
        for mut judge in judges {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            judge.connect(&listener.local_addr().expect("bound").to_string());
            let mut raw = accept(&mut judge, &listener);
            raw.say(&said);
            is_closed(what, &mut judge, &mut raw);
            // libzmq tells nobody and does not come back, so the rest is asked of ours alone.
            if matches!(judge, Judge::Ours { .. }) {
                let _again = accept(&mut judge, &listener);
                is_reported_and_retried(what, reason, &mut judge);
            }
        }
    }
}

/// That our socket tells the reason, and that it tries again.
pub(crate) fn is_reported_and_retried(what: &str, reason: &str, judge: &mut Judge) {
    let Judge::Ours { parts, .. } = judge else { panic!("it is ours") };
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
    for mut judge in [Judge::ours(Sub), Judge::libzmq(Sub)] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        judge.connect(&listener.local_addr().expect("bound").to_string());
        for _ in 0..3 {
            let mut raw = accept(&mut judge, &listener);
            raw.say(&handshake(1, "PUB"));
            until("a subscription", &mut judge, &mut raw, |_, raw| {
                raw.heard.ends_with(&command("SUBSCRIBE", b""))
            });
        }
    }
}

#[test]
fn a_half_closed_connection_is_closed() {
    for (mut judge, address) in [Judge::ours(Router).bound(), Judge::libzmq(Router).bound()] {
        let mut raw = peer(&mut judge, &address, 1, "DEALER");
        raw.say(b"\x01\0\0\x05hello");
        raw.close_half();
        is_closed("half closed", &mut judge, &mut raw);
        until("what came before", &mut judge, &mut raw, |judge, _| judge.payloads() == [b"hello"]);
        if let Judge::Ours { events, .. } = &judge {
            assert!(matches!(events[..], [PeerEvent::Up(_), PeerEvent::Down(..)]), "{events:?}");
        }
    }
}

#[test]
fn a_reset_is_as_good_as_an_end() {
    let (mut judge, address) = Judge::ours(Router).bound();
    let mut raw = peer(&mut judge, &address, 1, "DEALER");
    raw.say(b"\x01\0\0\x05hel");
    raw.reset();
    let start = Instant::now();
    loop {
        judge.turn();
        let Judge::Ours { events, .. } = &judge else { panic!("it is ours") };
        if matches!(events[..], [PeerEvent::Up(_), PeerEvent::Down(..)]) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{events:?}");
    }
    let mut raw = peer(&mut judge, &address, 1, "DEALER");
    hears("nothing", &mut judge, &mut raw, b"");
}

#[test]
fn libzmq_forgets_a_peer_after_a_reset_too() {
    let (mut judge, address) = Judge::libzmq(Router).bound();
    let mut raw = Raw::connect(&address);
    let properties = [property("Socket-Type", b"DEALER"), property("Identity", b"me")].concat();
    raw.say(&[greeting([3, 1], "NULL"), command("READY", &properties)].concat());
    shake("a handshake", &mut judge, &mut raw);
    // It reports no peers, but says whether there is one by this name.
    let knows_me = |judge: &Judge| {
        let Judge::Libzmq { socket, .. } = judge else { panic!("it is libzmq") };
        socket.set_router_mandatory(true).expect("an option");
        socket.send_multipart(["me", "", "hello"], zmq::DONTWAIT) != Err(zmq::Error::EHOSTUNREACH)
    };
    until("the peer is known", &mut judge, &mut raw, |judge, _| knows_me(judge));
    raw.say(b"\x01\0\0\x05hel");
    raw.reset();
    let mut next = peer(&mut judge, &address, 1, "DEALER");
    until("the peer is forgotten", &mut judge, &mut next, |judge, _| !knows_me(judge));
    assert_eq!(stands("the next", &mut judge, &mut next), [b""; 0]);
}
