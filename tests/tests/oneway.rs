//! Sockets that only send, while their links change and when they are closed.

use std::{sync::mpsc::channel, thread, time::Duration};

use zerorpc::{Error, Methods, Publisher, Puller, Pusher, SocketConfig, Subscriber, TransportKind};

zerorpc_tests::over_each_transport![
    links_change_while_a_pusher_waits,
    closing_ends_the_waiting,
    publishers_bind_later,
];

/// How long anything may take; machines that run tests are slow and busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn links(kind: TransportKind) -> SocketConfig {
    SocketConfig::new().transport(kind).bind("tcp://127.0.0.1:*")
}

fn links_change_while_a_pusher_waits(kind: TransportKind) {
    let (seen, events) = channel();
    let service = Methods::new("log").method("note", move |n: u64| Ok(seen.send(n)?));
    let puller = Puller::open(&links(kind), service).expect("a puller");
    let pusher = Pusher::open(&links(kind)).expect("a pusher");
    thread::scope(|scope| {
        // Nobody is there to take it yet.
        let push = scope.spawn(|| pusher.push("note", (7,)));
        pusher.links().connect(&puller.endpoints()[0]).expect("a link");
        push.join().expect("no panic").expect("it is taken");
    });
    assert_eq!(events.recv_timeout(PATIENCE), Ok(7));
    assert!(pusher.links().connect("nowhere").is_err());
    let bound = pusher.links().bind("tcp://127.0.0.1:*").expect("a link");
    assert!(!bound.ends_with('*'), "{bound}");
    pusher.links().unbind(&bound).expect("a link");
}

fn closing_ends_the_waiting(kind: TransportKind) {
    let pusher = Pusher::open(&links(kind)).expect("a pusher");
    thread::scope(|scope| {
        let push = scope.spawn(|| pusher.push("note", (7,)));
        pusher.close();
        let outcome = push.join().expect("no panic");
        assert!(matches!(outcome, Err(Error::Closed { .. })), "{outcome:?}");
    });
    assert!(matches!(pusher.push("note", ()), Err(Error::Closed { .. })));
    assert!(matches!(pusher.links().connect("tcp://127.0.0.1:1"), Err(Error::Closed { .. })));
    pusher.close();
}

fn publishers_bind_later(kind: TransportKind) {
    let (seen, events) = channel();
    let service = Methods::new("log").method("note", move |n: u64| Ok(seen.send(n)?));
    let subscriber = Subscriber::open(&links(kind), service).expect("a subscriber");
    let publisher = Publisher::open(&links(kind)).expect("a publisher");
    publisher.links().connect(&subscriber.endpoints()[0]).expect("a link");
    // What is published before the subscriber is there is lost.
    let heard = (0..600).any(|n| {
        publisher.publish("note", (n,)).expect("it is sent");
        events.recv_timeout(Duration::from_millis(50)).is_ok()
    });
    assert!(heard);
}
