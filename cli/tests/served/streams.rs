//! Streams that wait for what never comes, beside everything else.

use std::{thread, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};
use zerorpc_tests::{
    peers::Interpreter,
    raw_caller::{RawCaller, request},
};

use crate::support::{Served, Setup, each_python, folder, newest, until};

each_python!(
    waiting_streams_take_no_place_in_the_pool,
    async_calls_that_wait_fill_the_pool_and_nothing_else,
    streams_are_closed_when_their_callers_go,
    generators_are_closed_in_the_main_thread,
    a_reader_that_does_not_read_stops_nobody,
    nothing_is_made_that_nobody_has_asked_for,
    generators_in_threads_end_when_they_come_back,
);

fn waiting_streams_take_no_place_in_the_pool(python: &Interpreter) {
    let server = Served::with(python, &["--pool-size", "2"], "flows");
    let clients = [(); 4].map(|()| server.new_client());
    let _waiting: Vec<_> = clients
        .iter()
        .flat_map(|client| {
            ["silent", "mute"].map(|method| client.start_stream::<Value>(method, ()))
        })
        .collect();
    until("all wait", || server.call("now_waiting", json!([])) == json!(8));
    assert_eq!(server.call("_zerorpc_ping", json!([])).as_array().map(Vec::len), Some(2));
    let listed = server.server.ask(&[]);
    assert!(listed.stdout.starts_with("[flows]\n"), "{listed}");
    server.many(|client, number| {
        assert_eq!(client.call::<usize>("echo", (number,)), Ok(number));
        let items = client.stream::<usize>("numbers", (300,)).expect("it streams");
        assert!(items.map(|item| item.expect("an item")).eq(0..300));
    });
}

/// Whoever grants no credit has the server keep nothing: it does not even let it be made.
fn nothing_is_made_that_nobody_has_asked_for(python: &Interpreter) {
    for flags in [&[][..], &["--threads", "4"]] {
        let server = Served::with(python, flags, "flows");
        let mut caller = RawCaller::connect(&server.server.endpoint);
        for number in 0..50 {
            let method = if number % 2 == 0 { "counted" } else { "async_counted" };
            caller.write(&request(number, method, b"\x90")).expect("there is room");
        }
        let made = || server.call("made_so_far", json!([])).as_u64();
        until("each has its first item", || made() >= Some(50));
        for _ in 0..20 {
            assert_eq!(made(), Some(50), "{flags:?}");
        }
    }
}

/// A call that waits has a place until its caller goes.
fn async_calls_that_wait_fill_the_pool_and_nothing_else(python: &Interpreter) {
    let server = Served::with(python, &["--pool-size", "2"], "flows");
    let client = server.new_client();
    let folder = folder();
    let full = ["first", "second"].map(|name| {
        let begun = folder.path().join(name);
        let call = client.start::<Value>("never", (begun.to_str(),)).expect("it begins");
        until("it has begun", || begun.exists());
        call
    });
    assert!(server.client().call::<Value>("_zerorpc_ping", ()).is_ok());
    let waiting = server.begin("echo", json!([5]));
    let listed = server.server.ask(&[]);
    assert!(listed.stdout.starts_with("[flows]\n"), "{listed}");
    drop((full, client));
    assert_eq!(waiting.value(), json!(5));
    until("both are cancelled", || server.call("times_closed", json!([])) == json!(2));
}

/// As many as a busy service has subscribers, with calls in between.
#[test]
fn ten_thousand_idle_streams_disturb_nobody() {
    // With fewer heartbeats than elsewhere: ten thousand channels have one each.
    let server = Setup::beating("2", newest(), &["--pool-size", "2"], "flows").start();
    let client = server.new_client();
    let streams: Vec<_> = (0..10_000)
        .map(|number| {
            let method = if number % 2 == 0 { "silent" } else { "mute" };
            client.start_stream::<Value>(method, ()).expect("it begins")
        })
        .collect();
    until("all wait", || server.call("now_waiting", json!([])) == json!(10_000));
    server.many(|client, number| {
        for _ in 0..10 {
            assert_eq!(client.call::<usize>("echo", (number,)), Ok(number));
        }
    });
    // They live on, over some heartbeats.
    thread::sleep(Duration::from_secs(5));
    assert_eq!(server.call("now_waiting", json!([])), json!(10_000));
    let listed = server.server.ask(&[]);
    assert!(listed.stdout.starts_with("[flows]\n"), "{listed}");
    drop((streams, client));
    until("all are closed", || server.call("times_closed", json!([])) == json!(10_000));
    server.stop().expect(0, "");
}

/// A client each, and more of them than a server has workers by default.
#[test]
fn a_crowd_of_waiting_callers_silences_nobody() {
    let server = Served::start(newest(), "flows");
    let clients: Vec<_> = (0..130).map(|_| server.new_client()).collect();
    let streams: Vec<_> = clients
        .iter()
        .flat_map(|client| (0..10).map(|_| client.start_stream::<Value>("mute", ())))
        .collect();
    until("all wait", || server.call("now_waiting", json!([])) == json!(1300));
    assert_eq!(server.call("echo", json!([1])), json!(1));
    drop((streams, clients));
    until("all are closed", || server.call("times_closed", json!([])) == json!(1300));
}

fn streams_are_closed_when_their_callers_go(python: &Interpreter) {
    for flags in [&[][..], &["--threads", "4"]] {
        let server = Served::with(python, flags, "flows");
        for (round, method) in ["endless", "large", "silent", "mute"].into_iter().enumerate() {
            let (args, words) = match method {
                "large" => (json!([100_000]), &["--json", "large", "100000"][..]),
                _ => (json!([]), &[method][..]),
            };
            // One that drops its stream, one that drops its client, one that is killed.
            let [staying, going] = [server.new_client(), server.new_client()];
            let killed = server.server.start_client(words);
            if method == "mute" {
                let streams = [&staying, &going]
                    .map(|client| client.start_stream::<Value>(method, &args).expect("it begins"));
                until("all wait", || server.call("now_waiting", json!([])) == json!(3));
                drop(streams);
            } else {
                for client in [&staying, &going] {
                    let stream = client.stream::<rmpv::Value>(method, &args).expect("it streams");
                    assert!(stream.take(3).any(|item| item.is_ok()));
                }
                killed.wait_for_stdout("\n");
            }
            killed.signal(Signal::KILL);
            drop(going);
            until(&format!("{method} is closed"), || {
                server.call("times_closed", json!([])) == json!(3 * (round + 1))
            });
        }
    }
}

fn generators_are_closed_in_the_main_thread(python: &Interpreter) {
    let server = Served::start(python, "flows");
    for count in 1..=10 {
        let client = server.new_client();
        let mut items = client.stream::<Value>("closed_in", ()).expect("it streams");
        assert_eq!(items.next(), Some(Ok(json!("item"))));
        drop((items, client));
        until("it is closed", || {
            let facts = server.call("close_facts", json!([]));
            facts.as_array().is_some_and(|facts| facts.len() == count)
        });
    }
    assert_eq!(server.call("close_facts", json!([])), json!(vec![true; 10]));
    // What fails while being closed is logged, and disturbs nobody.
    let mut items = server.client().stream::<Value>("fails_while_closing", ()).expect("it streams");
    assert_eq!(items.next(), Some(Ok(json!(1))));
    drop(items);
    assert_eq!(server.call("echo", json!([1])), json!(1));
}

fn a_reader_that_does_not_read_stops_nobody(python: &Interpreter) {
    let server = Served::start(python, "flows");
    let idle: Vec<_> = (0..8)
        .map(|_| {
            let mut items =
                server.client().stream::<rmpv::Value>("large", (100_000,)).expect("it streams");
            assert!(items.next().is_some_and(|item| item.is_ok()));
            items
        })
        .collect();
    server.many(|client, number| {
        for _ in 0..10 {
            assert_eq!(client.call::<usize>("echo", (number,)), Ok(number));
        }
        let items = client.stream::<usize>("numbers", (1000,)).expect("it streams");
        assert!(items.map(|item| item.expect("an item")).eq(0..1000));
    });
    drop(idle);
    until("all are closed", || server.call("times_closed", json!([])) == json!(8));
}

/// A plain generator in `queue.get()` can't be interrupted; its thread is free when it comes back.
fn generators_in_threads_end_when_they_come_back(python: &Interpreter) {
    let server = Served::with(python, &["--threads", "16"], "flows");
    for round in 1..=25 {
        let client = server.new_client();
        let streams = [(); 8].map(|()| {
            let mut items = client.stream::<Value>("subscribe", ()).expect("it streams");
            assert_eq!(items.next(), Some(Ok(json!("subscribed"))));
            items
        });
        drop((streams, client));
        until("all are closed", || {
            server.call("publish", json!(["news"]));
            server.call("times_closed", json!([])) == json!(round * 8)
        });
    }
    until("no queue and few threads are left", || {
        let threads = server.call("threads", json!([]));
        threads[0].as_u64() <= Some(18) && threads[1] == json!(0)
    });
}
