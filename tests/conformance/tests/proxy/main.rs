//! The proxy and captures: correct peers are found no fault with, and faults of a peer made of our core are named by their
//! rule and their side.

mod captures;
mod faults;
#[path = "../support/faulty.rs"]
mod faulty;
mod pair;

use pair::{Pair, Run};
use zerorpc_conformance::peers::ready_made;

/// Calls and streams of every kind, over before the first beat.
const SHORT: &[&str] = &[
    r#"{"id": 1, "call": "echo", "args": ["hi"], "timeout": 1}"#,
    r#"{"id": 2, "call": "echo", "args": [null], "timeout": 1}"#,
    r#"{"id": 3, "stream": "count", "args": [150], "timeout": 1}"#,
    r#"{"id": 4, "call": "fail", "args": ["x"], "timeout": 1}"#,
    r#"{"id": 5, "stream": "fail_after", "args": [2, "x"], "timeout": 1}"#,
    r#"{"id": 6, "call": "_zerorpc_ping", "args": [], "timeout": 1}"#,
    r#"{"id": 7, "call": "_zerorpc_inspect", "args": [], "timeout": 1}"#,
];

/// A call and a stream that take several heartbeat intervals of half a second.
const LONG: &[&str] = &[
    r#"{"id": 1, "call": "sleep", "args": [3], "timeout": 9}"#,
    r#"{"id": 2, "stream": "forever", "args": [], "take": 160, "pause": 0.02}"#,
];

#[test]
fn correct_peers_break_nothing() {
    let faulty = Pair::of_faulty(None, "0.5");
    for (orders, options) in [(SHORT, ["--heartbeat", "0"]), (LONG, ["--heartbeat", "0.5"])] {
        let run = faulty.run(orders, &[&options[..], &["--grace", "3", "--dump"]].concat());
        run.broke_nothing();
        assert_eq!(run.code, Some(0));
        let said =
            |words: &str| run.lines.iter().any(|line| line["said"].to_string().contains(words));
        assert!(said("READY Socket-Type") && said("request"), "{:#?}", run.lines);
    }
}

#[test]
fn ready_made_peers_break_nothing_with_each_other() {
    let Some([ours, python]) = [ready_made("ours"), ready_made("python")]
        .map(|peer| match peer {
            Ok(peer) => Some(peer),
            Err(why) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("{why}"),
            Err(_) => None,
        })
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .and_then(|peers| <[_; 2]>::try_from(peers).ok())
    else {
        return;
    };
    for (server, client) in [(&ours, &python), (&python, &ours)] {
        let pair = Pair::of_candidates(server, client);
        let mut orders = SHORT.to_vec();
        orders.push(r#"{"id": 8, "call": "sleep", "args": [1.7], "timeout": 9}"#);
        let run = pair.run(&orders, &["--heartbeat", "0.5", "--grace", "3"]);
        assert_eq!(run.outcomes, orders.len(), "{} at {}", client.name, server.name);
        run.broke_nothing();
    }
}

#[test]
fn faults_are_named_by_rule_and_side() {
    faults::are_named();
}

#[test]
fn a_proxy_passes_socket_files_on_and_ends_with_its_connections() {
    let run = Pair::of_faulty(None, "0.5").run_over_files(SHORT);
    run.broke_nothing();
    assert_eq!((run.outcomes, run.code), (SHORT.len(), Some(0)));
    let summary = &run.summary()["connections"];
    assert_eq!(summary, 1);
}

#[test]
fn wrong_endpoints_are_refused_in_words() {
    for (listen, target, words) in [
        ("127.0.0.1:1", "tcp://127.0.0.1:2", "scheme is missing"),
        ("tcp://127.0.0.1:0", "tcp://*:2", "can only be bound"),
        ("tcp://127.0.0.1:0", "inproc://x", "tcp:// and ipc://"),
    ] {
        let output = pair::kit(&["proxy", listen, target]).output().expect("the kit runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
}

#[test]
fn what_is_looked_for_is_listed() {
    let output = pair::kit(&["proxy", "a", "b", "--list", "--only", "credit.*"]).output();
    let said = String::from_utf8(output.expect("the kit runs").stdout).expect("text");
    assert!(said.contains("credit.exceeded (MUST, ZRPC-6.2)") && !said.contains("beat."), "{said}");
}

impl Run {
    fn broke_nothing(&self) {
        let violations = &self.summary()["violations"];
        assert_eq!(
            violations.as_array().map(Vec::len),
            Some(0),
            "{violations:#}\n{:#?}",
            self.lines
        );
    }
}
