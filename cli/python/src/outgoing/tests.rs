//! Sockets of a child against real servers.

mod child;
mod fixture;
mod package;

use std::{
    collections::BTreeMap,
    sync::{atomic::Ordering, mpsc::channel},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rmpv::Value;
use zerorpc::{Args, Methods, Puller, Reply, SocketConfig, Subscriber};

use super::{
    answers::{END, ERROR, ITEM, LINKED, STREAM, VALUE},
    orders::{CLOSE, DROP, EMIT, GRANT, LINK, REQUEST},
};
use child::Child;
use fixture::{bound, serve};

/// How long anything may take; machines that run tests are slow and busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "in vain waited for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn values_and_errors() {
    let (_fixture, endpoint) = bound();
    let mut child = Child::new();
    let options = vec![
        ("timeout".into(), 20.5.into()),
        ("heartbeat".into(), Value::Nil),
        ("passive".into(), true.into()),
        ("slots".into(), 10.into()),
    ];
    for options in [vec![], options] {
        let client = child.client(&endpoint, options);
        assert_eq!(child.call(client, "add", vec![1.into(), 2.into()]), (VALUE, 3.into()));
        let failing = child.request(client, "fail", vec!["no".into()]);
        assert_eq!(child.error(failing), ["Remote", "ValueError", "no", "where"]);
        let header = vec![("trace".into(), 9.into())];
        let traced = child.request_with(client, "trace", vec![], vec![], header);
        assert_eq!(child.next(traced), (VALUE, 9.into()));
    }
}

#[test]
fn many_calls_at_once() {
    let (_fixture, endpoint) = bound();
    let mut child = Child::new();
    let client = child.client(&endpoint, vec![]);
    let mut expected: BTreeMap<u64, i64> =
        (0..500).map(|n| (child.request(client, "add", vec![n.into(), n.into()]), 2 * n)).collect();
    while !expected.is_empty() {
        let (kind, number, body) = child.frames.recv_timeout(PATIENCE).expect("a frame");
        let value: i64 = Args::from_bytes(body).expect("msgpack").decode().expect("a number");
        assert_eq!((kind, Some(value)), (VALUE, expected.remove(&number)));
    }
}

#[test]
fn streams_keep_to_their_window() {
    let (_fixture, endpoint) = bound();
    let mut child = Child::new();
    let client = child.client(&endpoint, vec![]);
    for count in [0, 1, 63, 64] {
        let stream = child.request(client, "count", vec![count.into()]);
        assert_eq!(child.next(stream), (STREAM, Value::Nil));
        for number in 0..count {
            assert_eq!(child.next(stream), (ITEM, number.into()));
        }
        if count == 64 {
            // Whether there are more is not looked at before they may be sent.
            child.outgoing.handle(GRANT, stream, vec![0x91, 1].into());
        }
        assert_eq!(child.next(stream), (END, Value::Nil));
    }
    let stream = child.request(client, "count", vec![1000.into()]);
    assert_eq!(child.next(stream), (STREAM, Value::Nil));
    for number in 0..64 {
        assert_eq!(child.next(stream), (ITEM, number.into()));
    }
    // Nothing more comes of it, whatever else does.
    for _ in 0..20 {
        assert_eq!(child.call(client, "add", vec![1.into(), 2.into()]), (VALUE, 3.into()));
    }
    let mut next = 64;
    for granted in [1, 31, 32, 127, 127, 127, 127, 127, 127, 127] {
        child.outgoing.handle(GRANT, stream, vec![0x91, granted].into());
        for number in (next..1000).take(granted.into()) {
            assert_eq!(child.next(stream), (ITEM, number.into()));
            next = number + 1;
        }
    }
    assert_eq!(child.next(stream), (END, Value::Nil));
}

#[test]
fn what_is_dropped_ends_at_the_server() {
    let beat = Duration::from_millis(200);
    let fixture = serve(|builder| builder.heartbeat(beat).bind("tcp://127.0.0.1:*"));
    let mut child = Child::new();
    let options = vec![("heartbeat".into(), 0.2.into())];
    let client = child.client(&fixture.server.endpoints()[0], options);
    let stream = child.request(client, "watched", vec![]);
    assert_eq!(child.next(stream), (STREAM, Value::Nil));
    for number in 0..64 {
        assert_eq!(child.next(stream), (ITEM, number.into()));
    }
    assert_eq!(fixture.alive.load(Ordering::SeqCst), 1);
    child.outgoing.handle(DROP, stream, Bytes::new());
    until("the iterator is dropped", || fixture.alive.load(Ordering::SeqCst) == 0);
    assert_eq!(child.call(client, "add", vec![1.into(), 2.into()]), (VALUE, 3.into()));
    // Grants cross with the end of their stream.
    child.outgoing.handle(GRANT, stream, vec![0x91, 9].into());
    child.outgoing.handle(DROP, stream, Bytes::new());
    assert_eq!(child.call(client, "add", vec![2.into(), 2.into()]), (VALUE, 4.into()));
}

#[test]
fn time_runs_out() {
    let (_fixture, endpoint) = bound();
    let mut child = Child::new();
    let patient = child.client(&endpoint, vec![("timeout".into(), Value::Nil)]);
    let options = vec![("timeout".into(), 0.2.into())];
    let waiting = child.request_with(patient, "wait", vec![], options, vec![]);
    let [kind, _, message, _] = child.error(waiting);
    let expected = format!("timeout after 0.2s, when calling remote method wait at {endpoint}: ");
    assert_eq!(kind, "Timeout");
    assert!(message.starts_with(&expected), "{message}");

    let nowhere = "tcp://127.0.0.1:1";
    let client = child.client(nowhere, vec![("timeout".into(), 0.5.into())]);
    let lonely = child.request(client, "m", vec![]);
    let [kind, _, message, _] = child.error(lonely);
    assert_eq!(kind, "Timeout");
    assert!(message.starts_with("timeout after 0.5s, when calling remote method m: "), "{message}");
    assert!(message.contains(nowhere), "{message}");
}

#[test]
fn servers_are_lost() {
    let (fixture, endpoint) = bound();
    let mut child = Child::new();
    let client = child.client(&endpoint, vec![]);
    let waiting = child.request(client, "wait", vec![]);
    let stream = child.request(client, "watched", vec![]);
    assert_eq!(child.next(stream), (STREAM, Value::Nil));
    for number in 0..64 {
        assert_eq!(child.next(stream), (ITEM, number.into()));
    }
    child.outgoing.handle(GRANT, stream, vec![0x91, 1].into());
    assert_eq!(child.next(stream).0, ITEM);
    drop(fixture);
    let [kind, _, message, _] = child.error(waiting);
    assert_eq!(kind, "LostRemote");
    assert!(message.contains(&endpoint), "{message}");
    // Items that have come are still good.
    child.outgoing.handle(GRANT, stream, vec![0x91, 0xcd, 0x03, 0xe8].into());
    loop {
        let (kind, body) = child.next(stream);
        if kind == ERROR {
            assert_eq!(body.as_array().and_then(|parts| parts[0].as_str()), Some("LostRemote"));
            break;
        }
        assert_eq!(kind, ITEM);
    }
}

#[test]
fn workers_connect_to_what_is_bound() {
    let mut child = Child::new();
    let client = child.socket("client", vec![]);
    let (kind, endpoint) = child.link(client, "bind", "tcp://127.0.0.1:*");
    let endpoint = endpoint.as_str().expect("an endpoint").to_owned();
    assert_eq!(kind, LINKED);
    let _fixture = serve(|builder| builder.connect(&endpoint));
    assert_eq!(child.call(client, "add", vec![1.into(), 2.into()]), (VALUE, 3.into()));
    let (_other, other) = bound();
    assert_eq!(child.link(client, "connect", &other), (LINKED, other.as_str().into()));
    assert_eq!(child.link(client, "disconnect", &other), (LINKED, Value::Nil));
    assert_eq!(child.link(client, "unbind", &endpoint), (LINKED, Value::Nil));
    assert_eq!(child.link(client, "unbind", &endpoint).0, ERROR);
}

#[test]
fn closing_ends_what_is_open() {
    let (_fixture, endpoint) = bound();
    let mut child = Child::new();
    let [closed, other] = [(); 2].map(|()| child.client(&endpoint, vec![]));
    let waiting = child.request(closed, "wait", vec![]);
    let stays = child.request(other, "wait", vec![]);
    child.outgoing.handle(CLOSE, closed, Bytes::new());
    assert_eq!(child.error(waiting)[0], "Closed");
    let late = child.request(closed, "add", vec![1.into(), 2.into()]);
    assert_eq!(child.error(late)[0], "Closed");
    let link = Value::Array(vec![closed.into(), "connect".into(), endpoint.into()]);
    let link = child.send(LINK, &link);
    assert_eq!(child.error(link)[0], "Closed");
    assert_eq!(child.call(other, "add", vec![1.into(), 2.into()]), (VALUE, 3.into()));
    child.outgoing.close_all();
    child.outgoing.handle(DROP, stays, Bytes::new());
    child.outgoing.close_all();
    assert!(child.frames.try_recv().is_err(), "nothing is said any more");
}

#[test]
fn events_reach_pullers_and_subscribers() {
    let (seen, events) = channel();
    let service = || {
        let seen = seen.clone();
        Methods::new("log").raw("note", move |request| {
            let (number,): (u64,) = request.args().decode()?;
            seen.send((number, request.context().get::<u8>("trace")?))?;
            Ok(Reply::Value(Args::NIL))
        })
    };
    let links = SocketConfig::new().bind("tcp://127.0.0.1:*");
    let puller = Puller::open(&links, service()).expect("a puller");
    let mut child = Child::new();
    let pusher = child.socket("pusher", vec![]);
    let lonely = child.emit(pusher, "note", vec![1.into()]);
    assert_eq!(child.error(lonely)[0], "Local", "it is linked to nothing");
    child.link(pusher, "bind", "tcp://127.0.0.1:*");
    // Nobody is there to take it yet.
    let emitted = child.emit(pusher, "note", vec![2.into()]);
    let endpoint = puller.endpoints()[0].clone();
    let link = Value::Array(vec![pusher.into(), "connect".into(), endpoint.into()]);
    let link = child.send(LINK, &link);
    assert_eq!(child.next(link).0, LINKED);
    assert_eq!(child.next(emitted), (LINKED, Value::Nil));
    assert_eq!(events.recv_timeout(PATIENCE), Ok((2, Some(7))));

    let subscriber = Subscriber::open(&links, service()).expect("a subscriber");
    let publisher = child.socket("publisher", vec![]);
    child.link(publisher, "connect", &subscriber.endpoints()[0]);
    let heard = (3..600).any(|n: u64| {
        let emitted = child.emit(publisher, "note", vec![n.into()]);
        assert_eq!(child.next(emitted), (LINKED, Value::Nil));
        events.recv_timeout(Duration::from_millis(100)).is_ok()
    });
    assert!(heard);
}

#[test]
fn a_pusher_that_waits_can_be_closed() {
    let mut child = Child::new();
    let [first, second] = [(); 2].map(|()| {
        let pusher = child.socket("pusher", vec![]);
        assert_eq!(child.link(pusher, "bind", "tcp://127.0.0.1:*").0, LINKED);
        pusher
    });
    let waiting = child.emit(first, "note", vec![]);
    child.outgoing.handle(CLOSE, first, Bytes::new());
    assert_eq!(child.error(waiting)[0], "Closed");
    child.emit(second, "note", vec![]);
    drop(child);
}

#[test]
fn nonsense_is_answered() {
    let (_fixture, endpoint) = bound();
    let mut child = Child::new();
    let client = child.client(&endpoint, vec![]);
    for (change, endpoint) in
        [("connect", "nowhere"), ("bind", "tcp://"), ("disconnect", "tcp://127.0.0.1:1")]
    {
        let (kind, body) = child.link(client, change, endpoint);
        assert_eq!(kind, ERROR, "{change} {endpoint}");
        assert_eq!(body.as_array().and_then(|parts| parts[0].as_str()), Some("Local"));
    }
    let unlinked = child.socket("client", vec![]);
    let early = child.request(unlinked, "add", vec![]);
    let [kind, _, message, _] = child.error(early);
    assert_eq!(kind, "Local");
    assert!(message.contains("endpoint"), "{message}");
    let own = vec![("v".into(), 3.into())];
    let own = child.request_with(client, "add", vec![], vec![], own);
    assert!(child.error(own)[2].contains("belongs to the protocol"));
    for timeout in [Value::from(-1), "1".into(), f64::NAN.into()] {
        let options = vec![("timeout".into(), timeout)];
        let wrong = child.request_with(client, "add", vec![], options, vec![]);
        assert!(child.error(wrong)[2].contains("timeout"));
    }
    let ever = vec![("timeout".into(), 1e300.into())];
    let ever = child.request_with(client, "add", vec![1.into(), 2.into()], ever, vec![]);
    assert_eq!(child.next(ever), (VALUE, 3.into()));
    for kind in [LINK, REQUEST, EMIT, GRANT] {
        for body in [Value::Nil, Value::Array(vec![]), Value::Array(vec![Value::Nil; 5])] {
            let number = child.send(kind, &body);
            assert_eq!(child.error(number)[0], "Local");
        }
    }
    child.socket("server", vec![]);
    child.outgoing.handle(REQUEST, 9999, Bytes::new());
    assert_eq!(child.error(9999)[0], "Local");
}
