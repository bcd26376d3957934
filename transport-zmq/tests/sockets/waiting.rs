//! Waiting and waking: nothing that happens is missed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketKind::{Dealer, Router};
use zerorpc_proto::transport::{Transport, Waiter, Waker};
use zerorpc_zmq::{Parts, ZmqTransport};

use crate::support::{ANY_PORT, Outcome, PATIENCE, connect, message, next, plainly, socket};

#[test]
fn a_wake_ends_a_wait_in_another_thread() -> Outcome {
    let Parts { transport: _transport, mut waiter, waker, .. } = socket(Dealer);
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
        // Before or while the other waits, as it happens.
        waker.wake();
        was_woken.recv_timeout(PATIENCE)?;
    }
    thread.join().expect("no panic")?;
    Ok(())
}

#[test]
fn a_wait_ends_at_its_timeout() -> Outcome {
    let mut parts = socket(Router);
    parts.transport.bind(ANY_PORT)?;
    // Binding wakes the waiter.
    parts.waiter.wait_until(Some(Instant::now() + PATIENCE))?;
    assert!(parts.transport.receive()?.is_none());
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(50) {
        parts.waiter.wait_until(Some(Instant::now() + Duration::from_millis(50)))?;
        assert!(parts.transport.receive()?.is_none());
    }
    assert!(start.elapsed() < PATIENCE);
    Ok(())
}

#[test]
fn waiters_outlive_the_transport() -> Outcome {
    let Parts { transport, mut waiter, waker, .. } = socket(Dealer);
    let (started, has_started) = mpsc::channel();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (mut waiter, started) = (waiter.clone(), started.clone());
            thread::spawn(move || {
                started.send(()).expect("the test listens");
                while waiter.wait_until(None).is_ok() {}
            })
        })
        .collect();
    for _ in &threads {
        has_started.recv_timeout(PATIENCE)?;
    }
    drop(transport);
    for thread in threads {
        thread.join().expect("no panic");
    }
    waker.wake();
    assert!(waiter.wait_until(None).is_err(), "nothing is left to wait for");
    Ok(())
}

#[test]
fn asking_for_room_does_not_hide_arrivals() -> Outcome {
    let (mut server, mut client) = (socket(Router), socket(Dealer));
    connect(&mut client, &server.transport.bind(ANY_PORT)?)?;
    client.transport.send(plainly("hello"))?;
    let envelope = next(&mut server)?.envelope;
    for _ in 0..200 {
        server.transport.send(message(envelope.clone(), "news"))?;
        let start = Instant::now();
        loop {
            // The question may take note of the arrival in the waiter's place.
            client.transport.can_send();
            client.waiter.wait_until(Some(Instant::now() + PATIENCE))?;
            client.transport.can_send();
            if client.transport.receive()?.is_some() {
                assert!(client.transport.receive()?.is_none());
                break;
            }
            assert!(start.elapsed() < PATIENCE);
        }
        assert!(start.elapsed() < PATIENCE, "the arrival was hidden");
    }
    Ok(())
}

/// A peer for which requests wait is announced once, too. Whoever sees it first may be somebody who has nothing to send, or
/// who asks only to tell that nobody is there.
#[test]
fn asking_for_room_does_not_hide_that_a_peer_has_come() -> Outcome {
    for _ in 0..20 {
        let (mut server, mut client) = (socket(Router), socket(Dealer));
        client.transport.connect(&server.transport.bind(ANY_PORT)?)?;
        // Connecting wakes the waiter.
        client.waiter.wait_until(Some(Instant::now() + PATIENCE))?;
        let start = Instant::now();
        while !client.transport.can_send() {
            assert!(client.transport.receive()?.is_none());
            assert!(start.elapsed() < PATIENCE, "nobody has come");
        }
        assert!(client.transport.receive()?.is_none());
        client.waiter.wait_until(Some(Instant::now() + PATIENCE))?;
        assert!(start.elapsed() < PATIENCE, "that a peer has come was hidden");
    }
    Ok(())
}

const CALLS: u32 = 5000;
const IN_FLIGHT: u32 = 50;

/// Receives all there is; answers on a server, calls anew on a client.
fn move_messages(transport: &mut ZmqTransport, answer: bool, moved: &AtomicU32) {
    while let Some((_, received)) = transport.receive().expect("the socket works") {
        let number = moved.fetch_add(1, Ordering::SeqCst);
        if answer || number + IN_FLIGHT < CALLS {
            transport.send(message(received.envelope, received.payload)).expect("the socket works");
        }
    }
}

/// Both sides wait in two threads and move in whichever comes first; a third thread only moves. If one
/// edge is lost, everybody sleeps until the test gives up.
#[test]
fn no_edge_is_lost_between_threads() -> Outcome {
    let (mut server, mut client) = (socket(Router), socket(Dealer));
    connect(&mut client, &server.transport.bind(ANY_PORT)?)?;
    for _ in 0..IN_FLIGHT {
        client.transport.send(plainly("a call"))?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let (done, is_done) = mpsc::channel();
    let mut threads = Vec::new();
    let mut wakers = Vec::new();
    for (answer, parts) in [(true, server), (false, client)] {
        let Parts { transport, waiter, waker, .. } = parts;
        let transport = Arc::new(Mutex::new(transport));
        let moved = Arc::new(AtomicU32::new(0));
        wakers.push((waker, Arc::clone(&transport), answer, Arc::clone(&moved)));
        for _ in 0..2 {
            let (transport, mut waiter) = (Arc::clone(&transport), waiter.clone());
            let (over, done, moved) = (Arc::clone(&over), done.clone(), Arc::clone(&moved));
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
    }
    // The interloper takes messages that were announced to others.
    let start = Instant::now();
    let finished = loop {
        if is_done.try_recv().is_ok() {
            break true;
        }
        if start.elapsed() > PATIENCE {
            break false;
        }
        for (_, transport, answer, moved) in &wakers {
            if moved.load(Ordering::SeqCst) < CALLS / 2 {
                move_messages(&mut transport.lock().expect("no panic"), *answer, moved);
            }
        }
        thread::yield_now();
    };
    over.store(true, Ordering::SeqCst);
    while threads.iter().any(|thread| !thread.is_finished()) {
        wakers.iter().for_each(|(waker, ..)| waker.wake());
        thread::yield_now();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let counts: Vec<u32> = wakers.iter().map(|(.., moved)| moved.load(Ordering::SeqCst)).collect();
    assert!(finished, "messages moved: {counts:?}");
    assert_eq!(counts, [CALLS, CALLS]);
    Ok(())
}
