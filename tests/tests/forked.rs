//! What a forked child does with the sockets of its parent: nothing, whatever it is asked for.

use std::{
    error::Error as _,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use fork::{Fork, fork, waitpid};
use rustix::process::{Pid, Signal, kill_process};
use zerorpc::{
    Client, Error, Methods, MonitorEvent, Publisher, Puller, Pusher, Server, SocketConfig,
    Subscriber, TransportKind,
};
use zerorpc_tests::{over_each_transport, service::serve_with};

const FREE: &str = "tcp://127.0.0.1:*";

/// How long a child may take before it is taken for hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// A child has the locks of all threads of its parent as they are, for ever. So one test is under way at a time: what
/// another one is just doing in libzmq, or in the system's library, would keep it waiting.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the child with the outcome of a check.
fn conclude(check: impl FnOnce() -> Result<(), String>) -> ! {
    process::exit(match catch_unwind(AssertUnwindSafe(check)) {
        Ok(Ok(())) => 0,
        Ok(Err(reason)) => {
            eprintln!("in the child: {reason}");
            1
        }
        Err(_) => 2,
    })
}

/// Waits for the end of a child, which must be a good one.
fn await_child(pid: i32) {
    let (ended, has_ended) = mpsc::channel();
    let waiting = thread::spawn(move || ended.send(waitpid(pid)));
    let status = has_ended.recv_timeout(PATIENCE);
    if status.is_err() {
        kill_process(Pid::from_raw(pid).expect("a child"), Signal::KILL).expect("it is there");
    }
    let status = status.expect("the child hangs").expect("the child can be waited for");
    assert_eq!(status, 0, "the child has ended with another status");
    waiting.join().expect("no panic").expect("the test listens");
}

/// That an attempt has failed because of the fork, and says so.
fn refused<T>(outcome: Result<T, Error>) -> Result<(), String> {
    match outcome {
        Err(error @ Error::Forked { .. }) => {
            let text = error.to_string();
            let says_so = text.contains("make a new client or server after forking");
            if says_so && error.source().is_none() { Ok(()) } else { Err(text) }
        }
        Err(error) => Err(format!("another error: {error}")),
        Ok(_) => Err("it worked".into()),
    }
}

over_each_transport! {
    a_child_does_not_disturb_its_parent,
    children_of_a_busy_parent_end,
    plain_sockets_stay_with_the_parent,
    a_child_makes_sockets_of_its_own,
    a_method_that_forks_answers_once,
}

fn a_child_does_not_disturb_its_parent(transport: TransportKind) {
    let _alone = alone();
    let (server, _) = serve_with(transport, |builder| builder);
    let endpoint = server.endpoints()[0].clone();
    let (sender, events) = mpsc::channel();
    let client = Client::builder().transport(transport).connect(&endpoint).monitor(sender);
    let client = client.build().expect("a client");
    let mut numbers = client.stream::<u64>("numbers", (1000,)).expect("a stream");
    assert_eq!(numbers.next(), Some(Ok(0)));
    let slow = client.start::<String>("slow_echo", ("in time", 0.5)).expect("a call");
    let quick = client.start::<i64>("add", (1, 2)).expect("a call");

    match fork().expect("a child") {
        Fork::Child => conclude(move || {
            refused(client.call::<i64>("add", (1, 2)))?;
            refused(client.start::<i64>("add", (1, 2)).map(drop))?;
            refused(client.stream::<u64>("numbers", (3,)).map(drop))?;
            refused(client.links().connect(FREE))?;
            refused(quick.wait())?;
            drop(slow);
            // Those that have come already may still be read.
            refused(numbers.find_map(Result::err).map_or(Ok(()), Err))?;
            if numbers.next().is_some() {
                return Err("the stream goes on after its error".into());
            }
            drop(numbers);
            refused(server.links().bind(FREE))?;
            server.wait();
            if server.shutdown(PATIENCE).is_complete() {
                return Err("it says that it has shut down".into());
            }
            drop((client, server));
            Ok(())
        }),
        Fork::Parent(pid) => await_child(pid),
    }

    assert_eq!(quick.wait(), Ok(3));
    assert_eq!(slow.wait().as_deref(), Ok("in time"));
    assert!(numbers.eq((1..1000).map(Ok)), "items were lost");
    for number in 0..100 {
        assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
    }
    let lost = |event: &MonitorEvent| matches!(event, MonitorEvent::Disconnected { .. });
    let lost: Vec<MonitorEvent> = events.try_iter().filter(lost).collect();
    assert_eq!(lost, [], "a connection of the parent was lost");
}

/// Whatever the parent's threads are at when it forks, and whatever locks they hold.
fn children_of_a_busy_parent_end(transport: TransportKind) {
    let _alone = alone();
    let (server, _) = serve_with(transport, |builder| builder);
    let client = Client::builder().transport(transport).connect(&server.endpoints()[0]);
    let client = client.build().expect("a client");
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (client, over) = (client.clone(), Arc::clone(&over));
            thread::spawn(move || {
                let mut calls = 0;
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(client.call("add", (calls, 1)), Ok(calls + 1));
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for number in 0..20 {
        // This thread has just been at work itself.
        assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
        let (client, server) = (client.clone(), &server);
        match fork().expect("a child") {
            Fork::Child => conclude(move || {
                refused(client.call::<i64>("add", (1, 2)))?;
                drop(client);
                server.shutdown(Duration::ZERO);
                Ok(())
            }),
            Fork::Parent(pid) => await_child(pid),
        }
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(caller.join().expect("every call is answered") > 0);
    }
}

fn plain_sockets_stay_with_the_parent(transport: TransportKind) {
    let _alone = alone();
    let (seen, events) = mpsc::channel();
    let service = |name: &str| {
        let seen = seen.clone();
        Methods::new(name).method("note", move |number: u32| Ok(seen.send(number)?))
    };
    let links = || SocketConfig::new().transport(transport);
    let puller = Puller::open(&links().bind(FREE), service("puller")).expect("a puller");
    let pusher = Pusher::open(&links().connect(&puller.endpoints()[0])).expect("a pusher");
    let publisher = Publisher::open(&links().bind(FREE)).expect("a publisher");
    let subscriber = links().connect(&publisher.endpoints()[0]);
    let subscriber = Subscriber::open(&subscriber, service("subscriber")).expect("a subscriber");
    pusher.push("note", (1,)).expect("a puller");
    assert_eq!(events.recv_timeout(PATIENCE), Ok(1));
    // Subscribing takes its time, and nobody tells when it is done.
    let start = Instant::now();
    while events.recv_timeout(Duration::from_millis(10)).is_err() {
        publisher.publish("note", (2,)).expect("an open socket");
        assert!(start.elapsed() < PATIENCE, "nobody has subscribed");
    }

    match fork().expect("a child") {
        Fork::Child => conclude(move || {
            refused(pusher.push("note", (666,)))?;
            refused(publisher.publish("note", (666,)))?;
            refused(pusher.links().connect(FREE))?;
            pusher.close();
            drop((puller, pusher, publisher, subscriber));
            Ok(())
        }),
        Fork::Parent(pid) => await_child(pid),
    }

    pusher.push("note", (3,)).expect("a puller");
    publisher.publish("note", (4,)).expect("an open socket");
    let mut noted = Vec::new();
    while !(noted.contains(&3) && noted.contains(&4)) {
        let number = events.recv_timeout(PATIENCE).expect("what the parent sends arrives");
        assert!((2..=4).contains(&number), "{number} was not sent by the parent");
        noted.push(number);
    }
    drop((puller, subscriber));
}

fn a_child_makes_sockets_of_its_own(transport: TransportKind) {
    let _alone = alone();
    let (server, _) = serve_with(transport, |builder| builder);
    let endpoint = server.endpoints()[0].clone();
    let client = Client::builder().transport(transport).connect(&endpoint).build();
    let client = client.expect("a client");
    assert_eq!(client.call("add", (1, 2)), Ok(3));
    match fork().expect("a child") {
        Fork::Child => conclude(move || {
            drop(client);
            let client = Client::builder().transport(transport).connect(&endpoint).build();
            let client = client.map_err(|error| error.to_string())?;
            let sum: i64 = client.call("add", (3, 4)).map_err(|error| error.to_string())?;
            if sum == 7 { Ok(()) } else { Err(format!("3 + 4 = {sum}")) }
        }),
        Fork::Parent(pid) => await_child(pid),
    }
    assert_eq!(client.call("add", (5, 6)), Ok(11));
}

/// The child comes back from the method as well, on a thread that finds itself alone.
fn a_method_that_forks_answers_once(transport: TransportKind) {
    let _alone = alone();
    let service = Methods::new("forker").method("fork", || match fork()? {
        Fork::Child => Ok(0),
        Fork::Parent(pid) => Ok(pid),
    });
    let server = Server::builder().transport(transport).service(service).bind(FREE);
    let server = server.build().expect("a server");
    let client = Client::builder().transport(transport).connect(&server.endpoints()[0]);
    let client = client.build().expect("a client");
    for _ in 0..10 {
        let pid: i32 = client.call("fork", ()).expect("an answer");
        assert_ne!(pid, 0, "the child has answered");
        await_child(pid);
    }
}
