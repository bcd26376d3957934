//! Waits that look again before they sleep, since the peer answers at once: nothing is missed for all that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use bytes::Bytes;
use zerorpc_mio::{MioWaker, Parts};
use zerorpc_proto::transport::SocketKind::{Dealer, Router};
use zerorpc_proto::{
    PeerEvent, PeerId,
    transport::{Transport, Waiter, Waker},
};

use crate::support::{Node, Outcome, PATIENCE, meet, plainly, until};

/// Answers whatever comes, in a thread of its own.
struct Echo {
    over: Arc<AtomicBool>,
    waker: MioWaker,
    thread: JoinHandle<Vec<PeerEvent>>,
}

impl Echo {
    fn start(server: Node) -> Self {
        let Parts { mut transport, mut waiter, waker, .. } = server.parts;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut events = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                while let Some((from, message)) = transport.receive().expect("the socket works") {
                    let answer = plainly(from, message.payload);
                    transport.send(answer).expect("the socket works");
                }
                transport.flush().expect("the socket works");
                events.extend(std::iter::from_fn(|| transport.poll_peer()));
                waiter.wait_until(None).expect("the transport lives");
            }
            events
        });
        Self { over, waker, thread }
    }

    /// A wake is enough to end it; what happened to its peers.
    fn end(self) -> Vec<PeerEvent> {
        self.over.store(true, Ordering::SeqCst);
        self.waker.wake();
        self.thread.join().expect("no panic")
    }
}

/// Sends a message and waits for the answer.
fn call(client: &mut Node, to: PeerId, payload: &Bytes) {
    client.send(to, payload.clone());
    let start = Instant::now();
    let answer = loop {
        if let Some((_, answer)) = client.message() {
            break answer;
        }
        assert!(start.elapsed() < PATIENCE, "no answer");
        client.parts.waiter.wait_until(Some(Instant::now() + PATIENCE)).expect("the socket works");
        client.drain();
    };
    assert_eq!(answer.payload, payload);
}

#[test]
fn messages_of_all_sizes_come_and_go() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = Node::connected(Dealer, &endpoint);
    let (_, called) = meet(&mut server, &mut client);
    let echo = Echo::start(server);
    for size in [1, 1, 1, 200, 64 << 10, (64 << 10) - 9, 1, 100_000, 1 << 20, 5, 3 << 20, 5] {
        for round in 0..20_u8 {
            call(&mut client, called, &vec![round; size].into());
        }
    }
    drop(client);
    let ups = echo.end();
    assert!(matches!(ups[..], [] | [PeerEvent::Down(..)]), "{ups:?}");
    Ok(())
}

/// Whoever comes while another one talks without end is heard, and so is who goes.
#[test]
fn a_newcomer_is_heard() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let mut talker = Node::connected(Dealer, &endpoint);
    let (_, called) = meet(&mut server, &mut talker);
    let echo = Echo::start(server);
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let talk = thread::spawn(move || {
        let payload = Bytes::from_static(b"again and again");
        while !is_over.load(Ordering::SeqCst) {
            call(&mut talker, called, &payload);
        }
        talker
    });
    for _ in 0..20 {
        let mut newcomer = Node::connected(Dealer, &endpoint);
        let called = until("a connection", &mut [&mut newcomer], |nodes| nodes[0].up());
        call(&mut newcomer, called, &Bytes::from_static(b"hello"));
    }
    over.store(true, Ordering::SeqCst);
    let mut talker = talk.join().expect("no panic");
    // And when they have gone, it goes on.
    call(&mut talker, called, &Bytes::from_static(b"still there"));
    let events = echo.end();
    let ups = events.iter().filter(|event| matches!(event, PeerEvent::Up(_))).count();
    assert_eq!(ups, 20, "{events:?}");
    Ok(())
}

/// A server that answers, and a client that has had so many answers at once that it looks for the next one before it sleeps.
fn quick_echo() -> (Echo, Node) {
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = Node::connected(Dealer, &endpoint);
    let (_, called) = meet(&mut server, &mut client);
    let echo = Echo::start(server);
    for _ in 0..1000 {
        call(&mut client, called, &Bytes::from_static(b"quick"));
    }
    (echo, client)
}

/// While its owner looks for the next answer, the other side goes.
#[test]
fn the_end_of_the_only_connection_is_heard() -> Outcome {
    let (echo, mut client) = quick_echo();
    echo.end();
    let start = Instant::now();
    while client.down().is_none() {
        assert!(start.elapsed() < PATIENCE, "the loss was not heard");
        client.parts.waiter.wait_until(Some(Instant::now() + PATIENCE))?;
        client.drain();
    }
    Ok(())
}

/// The transport is dropped while somebody waits for its connection.
#[test]
fn the_end_of_the_transport_ends_the_wait() -> Outcome {
    let (echo, client) = quick_echo();
    let Parts { transport, mut waiter, waker: _, .. } = client.parts;
    let thread = thread::spawn(move || while waiter.wait_until(None).is_ok() {});
    drop(transport);
    thread.join().expect("no panic");
    echo.end();
    Ok(())
}
