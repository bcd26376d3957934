use std::{
    net::{TcpListener, TcpStream},
    time::Duration,
};

use super::*;
use crate::link::{
    Pace,
    testing::{DIAL, PATIENCE, World},
};

/// Options that lose no time.
fn hasty() -> LinkOptions {
    let pace = Pace { first: Duration::from_millis(5), longest: Duration::from_millis(50) };
    LinkOptions { pace, ..LinkOptions::default() }
}

/// A port that nobody listens at, and nobody else is given soon.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn failures_have_reasons_and_are_retried() {
    let mut world = World::new();
    let port = closed_port();
    let table = [
        (format!("tcp://127.0.0.1:{port}"), "nobody listens there"),
        (format!("tcp://localhost:{port}"), "tcp://127.0.0.1:"),
        ("tcp://no-such-host.invalid:80".into(), "unknown host `no-such-host.invalid`"),
        ("tcp://[fe80::1%nonesuch0]:80".into(), "no network interface `nonesuch0`"),
        (format!("tcp://192.0.2.77:0;127.0.0.1:{port}"), "cannot come from 192.0.2.77:0"),
        (format!("tcp://[::1]:0;127.0.0.1:{port}"), "of the other family"),
        ("ipc:///nonesuch/socket".into(), "no such socket file"),
        ("ipc://@zerorpc-nonesuch".into(), "nobody listens there"),
    ];
    for (endpoint, hint) in table {
        let mut dialer = world.dialer(&endpoint, &hasty());
        for _ in 0..3 {
            let reason = world.failure(&mut dialer);
            assert!(reason.contains(hint), "{endpoint}: {reason}");
        }
    }
}

#[test]
fn the_waits_grow_until_a_connection_is_established() {
    let world = World::new();
    let mut dialer = world.dialer("ipc:///nonesuch/socket", &LinkOptions::default());
    let mut now = Instant::now();
    let mut wait = |dialer: &mut Dialer| match dialer.poll(now, world.poll.registry(), DIAL) {
        Dial::Failed { retry, .. } => {
            let wait = retry - now;
            let early = dialer.poll(now, world.poll.registry(), DIAL);
            assert!(matches!(early, Dial::Waiting(Some(until)) if until == retry), "{early:?}");
            now = retry;
            wait.as_millis()
        }
        other => panic!("{other:?}"),
    };
    for bounds in [100..=200, 200..=400, 400..=800, 800..=1600] {
        let wait = wait(&mut dialer);
        assert!(bounds.contains(&wait), "{wait} ms, not {bounds:?}");
    }
    dialer.established();
    let now = Instant::now();
    let wait = dialer.lost(now) - now;
    assert!((100..=200).contains(&wait.as_millis()), "{wait:?}");
    for bounds in [200..=400, 400..=800, 800..=1600] {
        dialer.established();
        let wait = (dialer.refused(now) - now).as_millis();
        assert!(
            bounds.contains(&wait),
            "who is not wanted waits longer: {wait} ms, not {bounds:?}"
        );
    }
}

#[test]
fn a_server_may_come_later_and_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let endpoints = [
        format!("tcp://127.0.0.1:{}", closed_port()),
        format!("ipc://{}/socket", folder.path().display()),
        format!("ipc://@zerorpc-later-{}", std::process::id()),
    ];
    for endpoint in endpoints {
        let mut world = World::new();
        let mut dialer = world.dialer(&endpoint, &hasty());
        world.failure(&mut dialer);
        for _ in 0..2 {
            let mut listener = world.listener(&endpoint);
            let client = world.connected(&mut dialer);
            dialer.established();
            let server = world.accepted(&mut listener);
            world.converse(&client, &server);
            drop((listener, server, client));
            dialer.lost(Instant::now());
            world.failure(&mut dialer);
        }
    }
}

#[test]
fn inproc_waits_without_retrying() {
    let mut world = World::new();
    let mut dialer = world.dialer("inproc://later", &LinkOptions::default());
    for _ in 0..2 {
        let registry = world.poll.registry();
        let waiting = dialer.poll(Instant::now(), registry, DIAL);
        assert!(matches!(waiting, Dial::Waiting(None)), "{waiting:?}");
    }
    let mut listener = world.listener("inproc://later");
    world.wait(None);
    let client = world.connected(&mut dialer);
    let server = world.accepted(&mut listener);
    assert_eq!(client.to_string(), "inproc://later");
    world.converse(&client, &server);

    drop((listener, server));
    assert_eq!(client.read(&mut Vec::with_capacity(1)).expect("the end"), 0);
    let retry = dialer.lost(Instant::now());
    let waiting = dialer.poll(retry, world.poll.registry(), DIAL);
    assert!(matches!(waiting, Dial::Waiting(None)), "{waiting:?}");
}

#[test]
fn the_source_is_what_was_asked_for() {
    let mut world = World::new();
    let mut listener = world.listener("tcp://127.0.0.1:*");
    let target = listener.endpoint().strip_prefix("tcp://").expect("tcp").to_string();
    let port = closed_port();
    let table = [
        (format!("127.0.0.2:{port}"), format!("tcp://127.0.0.2:{port}")),
        ("127.0.0.3:*".into(), "tcp://127.0.0.3:".to_string()),
        ("*:0".into(), "tcp://127.0.0.1:".into()),
        ("lo:0".into(), "tcp://127.0.0.1:".into()),
    ];
    for (source, seen) in table {
        let mut dialer = world.dialer(&format!("tcp://{source};{target}"), &hasty());
        let _client = world.connected(&mut dialer);
        let server = world.accepted(&mut listener).to_string();
        assert!(server.starts_with(&seen), "{source}: {server}");
    }
}

#[test]
fn no_answer_in_time_is_a_failure() {
    // A listener whose queue is full lets connections wait.
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&address.into()).expect("a free port");
    socket.listen(0).expect("a listener");
    let address = socket.local_addr().ok().and_then(|a| a.as_socket()).expect("an address");
    let mut fillers = Vec::new();
    while let Ok(filler) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        fillers.push(filler);
    }
    let mut world = World::new();
    let limit = Some(Duration::from_millis(50));
    let options = LinkOptions { connect_timeout: limit, ..hasty() };
    let mut dialer = world.dialer(&format!("tcp://{address}"), &options);
    for _ in 0..2 {
        assert_eq!(world.failure(&mut dialer), "no answer");
    }
}

#[test]
fn the_next_address_is_tried_when_one_is_no_good() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let good = listener.local_addr().expect("an address");
    let bad = SocketAddr::from(([127, 0, 0, 1], closed_port()));
    let mut dialer = world.dialer("tcp://127.0.0.1:1", &hasty());
    let addresses = Addresses { from: None, to: vec![bad, good, bad, good] };
    dialer.state = State::Trying(Round::new(addresses));

    let first = world.connected(&mut dialer);
    assert_eq!(first.to_string(), format!("tcp://{good}"));
    let now = Instant::now();
    assert_eq!(dialer.lost(now), now, "nothing was established, so the next is tried");
    world.connected(&mut dialer);
    assert!(dialer.lost(now) > now, "there are no more addresses");
}

#[test]
fn nobody_talks_to_himself() {
    // A closed port in the range of source ports is, sooner or later, given to who connects to it.
    let port = closed_port();
    let mut world = World::new();
    let endpoint = format!("tcp://127.0.0.1:{port};127.0.0.1:{port}");
    let mut dialer = world.dialer(&endpoint, &hasty());
    let patience = Instant::now() + PATIENCE;
    for _ in 0..3 {
        assert!(world.failure(&mut dialer).contains("nobody listens"));
        assert!(Instant::now() < patience);
    }
}
