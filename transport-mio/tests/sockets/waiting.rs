//! Waiting and waking: nothing that happens is missed, and nothing wakes without a reason.

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use zerorpc_mio::{MioTransport, Parts, open};
use zerorpc_proto::transport::SocketKind::{Dealer, Router};
use zerorpc_proto::{
    PeerEvent,
    transport::{SocketOptions, Transport, Waiter, Waker},
};

use crate::support::{ANY_PORT, Node, Outcome, PATIENCE, hasty, meet, plainly, until};

#[test]
fn a_wake_ends_a_wait_in_another_thread() -> Outcome {
    let Parts { transport: _transport, mut waiter, waker, .. } =
        open(Dealer, &SocketOptions::default())?;
    let (woken, was_woken) = mpsc::channel();
    let thread = thread::spawn(move || -> std::io::Result<()> {
        for _ in 0..1000 {
            let start = Instant::now();
            waiter.wait_until(Some(Instant::now() + PATIENCE))?;
            assert!(start.elapsed() < PATIENCE, "the wake was lost");
            woken.send(()).expect("the test listens");
        }
        Ok(())
    });
    for _ in 0..1000 {
        waker.wake();
        was_woken.recv_timeout(PATIENCE)?;
    }
    thread.join().expect("no panic")?;
    Ok(())
}

#[test]
fn the_waiter_outlives_the_transport() -> Outcome {
    let Parts { transport, mut waiter, waker, .. } = open(Dealer, &SocketOptions::default())?;
    let (started, has_started) = mpsc::channel();
    let thread = thread::spawn(move || {
        started.send(()).expect("the test listens");
        while waiter.wait_until(None).is_ok() {}
        waiter
    });
    has_started.recv_timeout(PATIENCE)?;
    drop(transport);
    let mut waiter = thread.join().expect("no panic");
    waker.wake();
    assert!(waiter.wait_until(None).is_err(), "nothing is left to wait for");
    Ok(())
}

/// How often a wait ends within a while, though nothing happens.
fn wakes(node: &mut Node, during: Duration) -> u32 {
    let end = Instant::now() + during;
    let mut wakes = 0;
    while let left = end.saturating_duration_since(Instant::now())
        && !left.is_zero()
    {
        node.parts.waiter.wait_until(Some(Instant::now() + left)).expect("the socket works");
        node.drain();
        wakes += 1;
    }
    wakes - 1
}

#[test]
fn idle_sockets_sleep() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = Node::connected(Dealer, &endpoint);
    let (_, called) = meet(&mut server, &mut client);
    client.send(called, "a message");
    until("it comes", &mut [&mut client, &mut server], |nodes| nodes[1].message());
    for node in [&mut server, &mut client] {
        wakes(node, Duration::from_millis(20));
        assert_eq!(wakes(node, Duration::from_millis(300)), 0);
    }
    // Neither does one that waits to connect again do more than it must.
    let options = hasty().reconnect(Duration::from_secs(60));
    let mut alone = Node::with(Dealer, &options.reconnect_longest(Duration::from_secs(120)));
    drop(server);
    alone.parts.transport.connect(&endpoint)?;
    until("a failure", &mut [&mut alone], |nodes| nodes[0].told.pop());
    assert_eq!(wakes(&mut alone, Duration::from_millis(300)), 0);
    Ok(())
}

/// Somebody else moves while this thread waits: it must still come back when the transport has something to do.
#[test]
fn nobody_oversleeps_what_others_have_planned() -> Outcome {
    let (server, endpoint) = Node::bound(Router);
    let mut server = server;
    let mut client = Node::connected(Dealer, &endpoint);
    meet(&mut server, &mut client);
    client.told.clear();
    let Parts { mut transport, mut waiter, waker: _waker, .. } = client.parts;
    let (slept, has_slept) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Once for the loss at most; then for the attempt to connect again, which only the transport knows of.
        for _ in 0..2 {
            waiter.wait_until(None).expect("the transport lives");
            slept.send(()).expect("the test listens");
        }
    });
    drop(server);
    let start = Instant::now();
    let mut wakes = 0;
    while wakes < 2 {
        assert!(start.elapsed() < PATIENCE, "the attempt was overslept");
        // This thread finds the loss by writing; the other may or may not have heard of it.
        transport.send(plainly(zerorpc_proto::PeerId::new(1), "is anybody there?"))?;
        while transport.receive()?.is_some() {}
        while transport.poll_peer().is_some() {}
        wakes += has_slept.try_iter().count();
        thread::yield_now();
    }
    thread.join().expect("no panic");
    Ok(())
}

/// One round of work ends however much comes, so that others are heard of.
#[test]
fn a_flood_of_nothing_does_not_keep_a_thread() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(endpoint.trim_start_matches("tcp://"))
                .expect("somebody listens");
            let over = Arc::clone(&over);
            let mut ready = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
            ready.resize(64, 0);
            ready.extend_from_slice(b"\x04\x06\x05READY");
            thread::spawn(move || {
                stream.write_all(&ready).expect("a new connection has room");
                // Commands that mean nothing.
                let nothing = b"\x04\x05\x04WHAT".repeat(100_000);
                while !over.load(Ordering::Relaxed) && stream.write_all(&nothing).is_ok() {}
            })
        })
        .collect();
    for _ in 0..2 {
        until("a flood", &mut [&mut server], |nodes| nodes[0].up());
    }
    let mut client = Node::connected(Dealer, &endpoint);
    let (_, called) = meet(&mut server, &mut client);
    for _ in 0..50 {
        client.send(called, "hello");
        let (from, _) =
            until("it comes", &mut [&mut client, &mut server], |nodes| nodes[1].message());
        server.send(from, "hello");
        until("it comes", &mut [&mut server, &mut client], |nodes| nodes[1].message());
    }
    over.store(true, Ordering::Relaxed);
    drop(server);
    floods.into_iter().for_each(|flood| flood.join().expect("no panic"));
    Ok(())
}

/// News of one peer are not held up by what others send without end.
#[test]
fn news_are_told_in_the_middle_of_a_flood() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = Node::connected(Dealer, &endpoint);
    let (_, called) = meet(&mut server, &mut client);
    for _ in 0..2000 {
        client.parts.transport.send(plainly(called, vec![0; 1000]))?;
    }
    client.drain();
    let mut other = Node::connected(Dealer, &endpoint);
    let start = Instant::now();
    let mut before = 0;
    loop {
        assert!(start.elapsed() < PATIENCE, "nothing was told");
        client.turn();
        other.turn();
        server.parts.waiter.wait_until(Some(Instant::now() + Duration::from_millis(1)))?;
        // One message at a time, with the question for news behind it.
        let Some(_) = server.parts.transport.receive()? else { continue };
        before += 1;
        match server.parts.transport.poll_peer() {
            Some(PeerEvent::Up(_)) => break,
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }
    assert!(before < 2000, "{before} messages came first");
    Ok(())
}

const CALLS: u32 = 5000;
const IN_FLIGHT: u32 = 50;

/// Receives all there is; answers on a server, calls anew on a client.
fn move_messages(transport: &mut MioTransport, answer: bool, moved: &AtomicU32) {
    while let Some((from, received)) = transport.receive().expect("the socket works") {
        let number = moved.fetch_add(1, Ordering::SeqCst);
        if answer || number + IN_FLIGHT < CALLS {
            transport.send(plainly(from, received.payload)).expect("the socket works");
        }
    }
}

/// On both sides, one thread waits and moves; a third one only moves. If one edge is lost, everybody sleeps
/// until the test gives up.
#[test]
fn no_edge_is_lost_between_threads() -> Outcome {
    let (mut server, mut client) = (Node::new(Router), Node::new(Dealer));
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    client.parts.transport.connect(&endpoint)?;
    let (_, called) = meet(&mut server, &mut client);
    for _ in 0..IN_FLIGHT {
        client.parts.transport.send(plainly(called, "a call"))?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let (done, is_done) = mpsc::channel();
    let (mut threads, mut sides) = (Vec::new(), Vec::new());
    for (answer, parts) in [(true, server.parts), (false, client.parts)] {
        let Parts { transport, mut waiter, waker, .. } = parts;
        let transport = Arc::new(Mutex::new(transport));
        let moved = Arc::new(AtomicU32::new(0));
        sides.push((waker, Arc::clone(&transport), answer, Arc::clone(&moved)));
        let (over, done) = (Arc::clone(&over), done.clone());
        threads.push(thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                move_messages(&mut transport.lock().expect("no panic"), answer, &moved);
                if !answer && moved.load(Ordering::SeqCst) >= CALLS {
                    // The receiver is gone when the test has seen it already.
                    let _ = done.send(());
                }
                waiter.wait_until(None).expect("the transport lives");
            }
        }));
    }
    let start = Instant::now();
    let finished = loop {
        if is_done.try_recv().is_ok() {
            break true;
        }
        if start.elapsed() > PATIENCE {
            break false;
        }
        for (_, transport, answer, moved) in &sides {
            if moved.load(Ordering::SeqCst) < CALLS / 2 {
                move_messages(&mut transport.lock().expect("no panic"), *answer, moved);
            }
        }
        thread::yield_now();
    };
    over.store(true, Ordering::SeqCst);
    while threads.iter().any(|thread| !thread.is_finished()) {
        sides.iter().for_each(|(waker, ..)| waker.wake());
        thread::yield_now();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let counts: Vec<u32> = sides.iter().map(|(.., moved)| moved.load(Ordering::SeqCst)).collect();
    assert!(finished, "messages moved: {counts:?}");
    assert_eq!(counts, [CALLS, CALLS]);
    Ok(())
}
