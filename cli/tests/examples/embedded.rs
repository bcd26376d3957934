//! Event loops of one's own, with the command and with other languages' callers.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use zerorpc_tests::peers::{self, Call, DialOptions, Peer};

use crate::{
    start,
    support::{example, serve, zerorpc},
};

/// Programs take an address of theirs with or without the scheme.
const ANYWHERE: &str = "tcp://127.0.0.1:0";

/// Calls what both servers have: `count`, and what the dispatcher answers by itself.
fn the_command_calls(endpoint: &str, listed: &[&str]) {
    let ask = |words: &[&str]| zerorpc(&[&["--json", endpoint], words].concat());
    let list = ask(&[]).succeed();
    for line in listed {
        assert!(list.contains(line), "{line:?} is missing from {list}");
    }
    // More than there is credit for at first.
    let numbers: String = (0..1000).map(|number| format!("{number}\n")).collect();
    assert_eq!(ask(&["count", "1000"]).succeed(), numbers);
    let failed = ask(&["count", "\"many\""]).fail(1);
    assert!(failed.contains("TypeError: count() argument 1: "), "{failed}");
    let failed = ask(&["no_such_method"]).fail(1);
    assert!(failed.contains("NameError: no_such_method"), "{failed}");
}

/// The same for a caller in another language.
fn a_peer_calls(peer: &dyn Peer, endpoint: &str, method: &str) {
    let client = peer.client(DialOptions::to(endpoint));
    let name = peer.name();
    let listed = client.call("_zerorpc_list", json!([])).expect("a list");
    assert!(
        listed.as_array().is_some_and(|list| list.contains(&json!(method))),
        "{name}: {listed}"
    );
    let inspected = client.call("_zerorpc_inspect", json!([])).expect("a description");
    assert!(inspected["methods"][method].is_object(), "{name}: {inspected}");
    let streamed = client.stream("count", json!([20]));
    assert_eq!(streamed.error, None, "{name}");
    assert_eq!(streamed.items, (0..20).map(|number| json!(number)).collect::<Vec<_>>(), "{name}");
    let failed = client.call("no_such_method", json!([])).expect_err("there is none");
    assert_eq!(failed.name.as_deref(), Some("NameError"), "{name}: {failed:?}");
}

fn peers() -> impl Iterator<Item = Box<dyn Peer>> {
    let python = peers::python().map(|peer| Box::new(peer) as Box<dyn Peer>);
    let node = peers::node().map(|peer| Box::new(peer) as Box<dyn Peer>);
    python.into_iter().chain(node)
}

#[test]
fn the_loop_over_poll_serves_the_command() {
    let (_server, endpoint) = start("poll_server", &[ANYWHERE]);
    the_command_calls(&endpoint, &["[calculator]\n", "add   Adds two numbers.\n", "count"]);
    assert_eq!(zerorpc(&["--json", &endpoint, "add", "20", "22"]).succeed(), "42\n");

    // A reader that stops takes its connection along; others are served on.
    let endless = zerorpc(&["--json", &endpoint, "count", "1000000000"]);
    endless.says("5000");
    drop(endless);
    assert_eq!(zerorpc(&["--json", &endpoint, "count", "1"]).succeed(), "0\n");
}

#[test]
fn the_loop_over_poll_serves_other_languages() {
    let (_server, endpoint) = start("poll_server", &[ANYWHERE]);
    for peer in peers() {
        a_peer_calls(&*peer, &endpoint, "add");
        let client = peer.client(DialOptions::to(&endpoint));
        assert_eq!(client.call("add", json!([20, 22])), Ok(json!(42)), "{}", peer.name());
    }
}

#[test]
fn the_task_of_tokio_serves_the_command() {
    let (_server, endpoint) = start("tokio_server", &[ANYWHERE]);
    let sleep = "sleep Answers after so many seconds.\n";
    the_command_calls(&endpoint, &["[sleeper]\n", sleep, "count"]);
    // While one waits, others are answered.
    let long = zerorpc(&["--json", &endpoint, "sleep", "600"]);
    assert_eq!(zerorpc(&["--json", &endpoint, "sleep", "0.01"]).succeed(), "0.01\n");
    let failed = zerorpc(&["--json", &endpoint, "sleep", "-1"]).fail(1);
    assert!(failed.contains("TryFromFloatSecsError"), "{failed}");
    drop(long);
}

#[test]
fn the_task_of_tokio_serves_other_languages() {
    let (_server, endpoint) = start("tokio_server", &[ANYWHERE]);
    for peer in peers() {
        a_peer_calls(&*peer, &endpoint, "sleep");
        let client = peer.client(DialOptions::to(&endpoint));
        let calls =
            [0.2, 0.1, 0.0].map(|time| client.start_call(&Call::of("sleep", json!([time]))));
        for call in calls {
            assert!(call.wait().is_ok_and(|slept| slept.is_number()), "{}", peer.name());
        }
    }
}

const SLEPT: &str = "slept for 0.2 and 0.1 s\nthe sum of count(1000) is 499500\n";

#[test]
fn the_client_in_tokio_calls_the_server_in_tokio_and_a_module() {
    let (_example, itself) = start("tokio_server", &[ANYWHERE]);
    let (_command, module) = serve("sleeper");
    for endpoint in [itself, module] {
        assert_eq!(example("tokio_client", &[&endpoint]).succeed(), SLEPT, "{endpoint}");
    }
}

#[test]
fn the_client_in_tokio_waits_for_its_server() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let client = example("tokio_client", &[&address]);
    // Its first connection ends before a word was said.
    drop(listener.accept().expect("a connection"));
    drop(listener);
    // Programs that other tests start have a copy of the listener until they are executed.
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(why) = TcpListener::bind(&address) {
        assert!(Instant::now() < deadline, "{address}: {why}");
        thread::yield_now();
    }
    let (_server, _) = start("tokio_server", &[&address]);
    assert_eq!(client.succeed(), SLEPT);
}

#[test]
fn the_client_over_poll_calls_both_servers_and_a_module() {
    let (_poll, over_poll) = start("poll_server", &[ANYWHERE]);
    let (_tokio, in_tokio) = start("tokio_server", &[ANYWHERE]);
    let (_command, module) = serve("sleeper");
    for endpoint in [&over_poll, &in_tokio, &module] {
        let numbers = example("poll_client", &[endpoint, "count", "3"]).succeed();
        assert_eq!(numbers, "0\n1\n2\n", "{endpoint}");
    }
    assert_eq!(example("poll_client", &[&over_poll, "add", "20", "22"]).succeed(), "42\n");
}
