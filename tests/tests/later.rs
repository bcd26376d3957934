//! Methods whose answers come later, from other threads, and what is answered meanwhile.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use rmpv::Value;
use zerorpc::{
    Answer, Args, Blocked, Client, Error, Failure, Limits, Methods, Reply, Responder, Server,
};
use zerorpc_tests::{service::eventually, transports::Pair};

zerorpc_tests::over_each_pair![
    answers_come_from_any_thread,
    streams_wait_for_their_reader,
    no_item_has_to_be_made_in_vain,
    a_dropped_responder_fails_its_request,
    what_comes_for_a_lost_caller_is_dropped,
    built_in_methods_wait_for_no_pool,
    one_that_stands_still_lets_the_next_begin,
];

/// A server of one method, whose responders are handed over.
fn server(pair: Pair) -> (Server, Client, mpsc::Receiver<Responder>) {
    let (sender, responders) = mpsc::channel();
    let sender = Mutex::new(sender);
    let service = Methods::new("late").raw("later", move |_| {
        let sender = sender.lock().expect("nobody panics").clone();
        Ok(Reply::Later(Box::new(move |responder| {
            sender.send(responder).expect("the test waits");
        })))
    });
    let server = pair.server().service(service).pool_size(Some(1)).bind("tcp://127.0.0.1:*");
    let server = server.build().expect("a free port");
    let client = pair.client_of(&server);
    (server, client, responders)
}

fn args(value: impl Into<Value>) -> Args {
    Args::encode(&value.into()).expect("has a form")
}

fn answers_come_from_any_thread(pair: Pair) {
    let (_server, client, responders) = server(pair);
    // More than there are threads for: none of them waits.
    let calls: Vec<_> = (0..8).map(|_| client.start::<u64>("later", ()).expect("begins")).collect();
    let waiting: Vec<_> = responders.iter().take(8).collect();
    for (number, responder) in waiting.into_iter().enumerate() {
        thread::spawn(move || responder.reply(args(number as u64)));
    }
    let mut answers: Vec<u64> = calls.into_iter().map(|call| call.wait().expect("comes")).collect();
    answers.sort_unstable();
    assert_eq!(answers, (0..8).collect::<Vec<_>>());

    let call = client.start::<u64>("later", ()).expect("begins");
    responders.recv().expect("comes").fail(Failure::new("ValueError", "no"));
    let Err(Error::Remote { error, .. }) = call.wait() else { panic!("it has failed") };
    assert_eq!((&*error.name, &*error.message), ("ValueError", "no"));
}

fn streams_wait_for_their_reader(pair: Pair) {
    const ITEMS: u64 = 1000;
    let (_server, client, responders) = server(pair);
    let feeder = thread::spawn(move || {
        let responder = Arc::new(responders.recv().expect("comes"));
        let (writable, wakes) = mpsc::channel();
        let writable = Mutex::new(writable);
        responder.on_writable(move || {
            writable.lock().expect("nobody panics").send(()).expect("the feeder waits");
        });
        let mut blocked = 0;
        for number in 0..ITEMS {
            let mut item = args(number);
            while let Err(Blocked(again)) = responder.send(item) {
                item = again;
                blocked += 1;
                wakes.recv().expect("comes when there is room");
            }
        }
        Arc::into_inner(responder).expect("is the only one").finish();
        blocked
    });
    let items = client.stream::<u64>("later", ()).expect("begins");
    let items: Result<Vec<u64>, _> = items.collect();
    assert_eq!(items.expect("all come"), (0..ITEMS).collect::<Vec<_>>());
    assert!(feeder.join().expect("does not panic") > 0, "the reader's pace was felt");
}

fn no_item_has_to_be_made_in_vain(pair: Pair) {
    const ITEMS: u64 = 1000;
    let (_server, client, responders) = server(pair);
    let feeder = thread::spawn(move || {
        let responder = responders.recv().expect("comes");
        let (writable, wakes) = mpsc::channel();
        responder.on_writable(move || writable.send(()).expect("the feeder waits"));
        let mut waits = 0;
        for number in 0..ITEMS {
            while !responder.has_room() {
                waits += 1;
                wakes.recv().expect("comes when there is room");
            }
            responder.send(args(number)).expect("there is room");
        }
        responder.finish();
        waits
    });
    let items = client.stream::<u64>("later", ()).expect("begins");
    let items: Result<Vec<u64>, _> = items.collect();
    assert_eq!(items.expect("all come"), (0..ITEMS).collect::<Vec<_>>());
    assert!(feeder.join().expect("does not panic") > 0, "the reader's pace was felt");
}

fn a_dropped_responder_fails_its_request(pair: Pair) {
    let (_server, client, responders) = server(pair);
    let call = client.start::<u64>("later", ()).expect("begins");
    drop(responders.recv().expect("comes"));
    let Err(Error::Remote { error, .. }) = call.wait() else { panic!("it has failed") };
    assert_eq!(error.name, "NoAnswer");
}

fn what_comes_for_a_lost_caller_is_dropped(pair: Pair) {
    let (lost, losses) = mpsc::channel();
    let (sender, responders) = mpsc::channel();
    let shared = Mutex::new((lost, sender));
    let service = Methods::new("late").raw("later", move |request| {
        let (lost, sender) = shared.lock().expect("nobody panics").clone();
        request.on_lost(move || lost.send(()).expect("the test waits"));
        Ok(Reply::Later(Box::new(move |responder| {
            sender.send(responder).expect("the test waits");
        })))
    });
    let beat = Duration::from_millis(100);
    let server = pair.server().service(service).heartbeat(beat).bind("tcp://127.0.0.1:*");
    let server = server.build().expect("a free port");
    let client = pair.client_of(&server);
    let call = client.start::<u64>("later", ()).expect("begins");
    let responder = responders.recv().expect("comes");
    drop((call, client));
    losses.recv().expect("the caller is missed");
    responder.send(args(1)).expect("nobody grants credit for it any more");
    responder.reply(args(2));
}

fn built_in_methods_wait_for_no_pool(pair: Pair) {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let running = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&running);
    let service = Methods::new("full").method("wait", move || {
        *seen.lock().expect("nobody panics") += 1;
        gate.lock().expect("nobody panics").recv().expect("is released");
        Ok(())
    });
    let server = pair.server().service(service).pool_size(Some(1)).bind("tcp://127.0.0.1:*");
    let server = server.build().expect("a free port");
    let client = pair.client_of(&server);
    let calls: Vec<_> = (0..3).map(|_| client.start::<()>("wait", ()).expect("begins")).collect();
    eventually("the pool is full", || *running.lock().expect("nobody panics") == 1);
    for _ in 0..10 {
        assert_eq!(client.call("_zerorpc_list", ()), Ok(vec!["wait".to_owned()]));
        assert_eq!(client.call("_zerorpc_ping", ()), Ok(("pong".to_owned(), "full".to_owned())));
    }
    assert_eq!(*running.lock().expect("nobody panics"), 1, "others still wait");
    for call in calls {
        release.send(()).expect("somebody waits");
        call.wait().expect("is released");
    }
}

/// Requests use up what may be kept, and few of them are worked on at a time: the next one begins when a stream has nothing to
/// do but to wait for its reader, though nothing is sent then and nothing comes.
fn one_that_stands_still_lets_the_next_begin(pair: Pair) {
    const STREAMS: usize = 1250;
    let (sender, responders) = mpsc::channel::<Responder>();
    let sender = Mutex::new(sender);
    let service = Methods::new("late").raw("later", move |_| {
        let sender = sender.lock().expect("nobody panics").clone();
        Ok(Reply::Later(Box::new(move |responder| {
            sender.send(responder).expect("the test waits");
        })))
    });
    let limits = Limits::default().peer_bytes(1 << 20);
    let server = pair.server().service(service).pool_size(Some(1)).limits(limits).heartbeat(None);
    let server = server.bind("tcp://127.0.0.1:*").build().expect("a free port");
    let client = pair.client_with(&server, |builder| builder.heartbeat(None));
    let feeder = thread::spawn(move || {
        let mut streams = Vec::new();
        for responder in responders.iter().take(STREAMS) {
            assert!(responder.send(args(0)).is_ok(), "there is credit for one");
            assert!(responder.send(args(1)).is_err(), "and for no more");
            streams.push(responder);
        }
        streams
    });
    let begin = |_| client.start::<Answer>("later", ()).expect("begins");
    let calls: Vec<_> = (0..STREAMS).map(begin).collect();
    for call in calls {
        let answer = call.wait().expect("it fits");
        assert!(matches!(answer, Answer::Stream(_)));
    }
    drop(feeder.join().expect("does not panic"));
}
