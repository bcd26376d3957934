//! The harness of the real peers against itself, so that their programs are known to work before
//! ours meet them: every command once, between each pair of languages that is of use.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use zerorpc_tests::peers::{
    self, Call, DialOptions, Message, Peer, PeerClient, ServeOptions, Stream, endpoints,
};

fn python_pair() -> Option<(peers::PeerProcess, PeerClient)> {
    let python = peers::python()?;
    let server = python.serve(ServeOptions::default());
    let client = python.client(DialOptions::to(server.endpoint()));
    Some((server, client))
}

/// What every client can do with every server.
fn common_ground(client: &dyn Peer, server: &dyn Peer) {
    let server = server.serve(ServeOptions::default());
    let client = client.client(DialOptions::to(server.endpoint()));

    let values = [
        json!(null),
        json!([true, false]),
        json!([0, -1, 127, 65_536, -2_147_483_648_i64]),
        json!([0.5, -1e300, {"$float": "nan"}, {"$float": "-inf"}]),
        json!("na\u{ef}ve \u{2603}"),
        json!({"$bin": "00ff80"}),
        json!({"a": [1, {"b": {"$bin": ""}}], "": {}}),
        json!({"$map": [["$bin", "not a tag"]]}),
    ];
    for value in &values {
        assert_eq!(client.call("echo", json!([value])), Ok(value.clone()));
    }
    assert_eq!(client.call("add", json!(["a", "b"])), Ok(json!("ab")));
    assert_eq!(client.call("none", json!([])), Ok(json!(null)));
    assert_eq!(client.call("blob", json!([3])), Ok(json!({"$bin": "a5a5a5"})));
    assert_eq!(client.call("sleep", json!([0.01])), Ok(json!(0.01)));
    assert_eq!(client.call("documented", json!([1, 2, 3])), Ok(json!([1, 2, 3])));

    errors(&client);
    streams(&client);

    let calls: Vec<Value> = (0..200).map(|number| json!([number, 1])).collect();
    let sums: Vec<_> = (0..200).map(|number| Ok(json!(number + 1))).collect();
    assert_eq!(client.many("add", &calls), sums);

    let seen = client.call("calls_seen", json!([])).expect("it counts calls");
    assert_eq!((&seen["add"], &seen["none"]), (&json!(201), &json!(2)));
    // The sleeper on whom `errors` gave up may still be there.
    let active = client.call("active", json!([])).expect("it counts what runs");
    assert!(active == json!(0) || active == json!(1), "{active}");

    let pong = client.call("_zerorpc_ping", json!([])).expect("it is built in");
    assert_eq!(pong[0], json!("pong"));
    let about = client.call("_zerorpc_inspect", json!([])).expect("it is built in");
    let names: Vec<_> = about["methods"]["documented"]["args"]
        .as_array()
        .expect("the arguments are known")
        .iter()
        .filter_map(|argument| argument["name"].as_str())
        .collect();
    assert!(names.ends_with(&["a", "b", "c"]), "{names:?}");
}

fn errors(client: &PeerClient) {
    let cases = [
        ("value", "ValueError", "bad value"),
        ("key", "KeyError", "'missing'"),
        ("custom", "CustomError", "one of ours"),
        ("unicode", "ValueError", "na\u{ef}ve \u{2603} \u{5931}\u{6557}"),
        ("empty", "ValueError", ""),
    ];
    for (kind, name, message) in cases {
        let error = client.call("fail", json!([kind])).expect_err("it raises");
        assert_eq!(error.kind, "RemoteError");
        assert_eq!((error.name.as_deref(), error.message.as_str()), (Some(name), message));
        assert!(error.traceback.is_some());
    }
    let late = Call { timeout: Some(Duration::from_secs(1)), ..Call::of("sleep", json!([60])) };
    let error = client.start_call(&late).wait().expect_err("nobody waits that long");
    assert_eq!(error.kind, "TimeoutExpired");
}

fn streams(client: &PeerClient) {
    // No more than 40 items, for the sake of the Python server that a Node client reads from.
    for count in [0, 1, 40] {
        let streamed = client.stream("numbers", json!([count]));
        let expected: Vec<_> = (0..count).map(|number| json!(number)).collect();
        assert_eq!((streamed.items, streamed.error), (expected, None));
    }
    assert_eq!(client.stream("empty_stream", json!([])).items, [json!(null); 0]);

    let failed = client.stream("failing_stream", json!([2]));
    assert_eq!(failed.items, [json!(0), json!(1)]);
    assert_eq!(failed.error.expect("it fails").message, "failed after 2");

    let slow =
        Stream { delay: Duration::from_millis(5), ..Stream::of("slow_numbers", json!([3, 0.01])) };
    assert_eq!(client.start_stream(&slow).wait().items, [json!(0), json!(1), json!(2)]);

    let error = client.call("numbers", json!([1])).expect_err("a stream is no value");
    assert_eq!(error.message, "numbers answered with a stream");
    let error = client.stream("none", json!([])).error.expect("a value is no stream");
    assert_eq!(error.message, "none answered with a plain value");
}

#[test]
fn python_calls_python() {
    let Some(python) = peers::python() else {
        return;
    };
    common_ground(&python, &python);
}

#[test]
fn node_calls_python() {
    let (Some(python), Some(node)) = (peers::python(), peers::node()) else {
        return;
    };
    common_ground(&node, &python);
}

#[test]
fn python_calls_node() {
    let (Some(python), Some(node)) = (peers::python(), peers::node()) else {
        return;
    };
    common_ground(&python, &node);
}

#[test]
fn node_calls_node() {
    let Some(node) = peers::node() else { return };
    common_ground(&node, &node);
}

#[test]
fn python_keeps_every_type() {
    let Some((_server, client)) = python_pair() else {
        return;
    };
    let cases = [
        (json!(18_446_744_073_709_551_615_u64), "int"),
        (json!(-9_223_372_036_854_775_808_i64), "int"),
        (json!(0.1), "float"),
        (json!({"$ext": [42, "0102"]}), "ExtType"),
        (json!({"$timestamp": [1, 2]}), "Timestamp"),
        (json!({"$map": [[{"$bin": "6b"}, 1]]}), "dict"),
    ];
    for (value, kind) in cases {
        assert_eq!(client.call("kind", json!([value])), Ok(json!(kind)));
        assert_eq!(client.call("echo", json!([value])), Ok(value));
    }
    let tagged = client.call("echo", json!([{"$int": "7"}]));
    assert_eq!(tagged, Ok(json!(7)));
    let refused = client.call("unpackable", json!([])).expect_err("msgpack cannot carry it");
    assert_eq!(refused.name.as_deref(), Some("TypeError"));
}

#[test]
fn python_programs_have_their_extras() {
    let Some((_server, client)) = python_pair() else {
        return;
    };
    let mut traced = Call::of("trace_id", json!([]));
    traced.headers.insert("trace_id".to_owned(), json!("t-1"));
    assert_eq!(client.start_call(&traced).wait(), Ok(json!("t-1")));
    assert_eq!(client.call("trace_id", json!([])), Ok(json!(null)));

    assert_eq!(client.call("echo_all", json!([1, "b"])), Ok(json!([1, "b"])));
    assert_eq!(client.call("burn", json!([0.05])), Ok(json!(0.05)));

    let narrow = Stream { slots: Some(10), ..Stream::of("numbers", json!([50])) };
    assert_eq!(client.start_stream(&narrow).wait().items.len(), 50);
    // Last, because a client may suffer from a stream that it closed early.
    let cut = Stream { limit: Some(2), ..Stream::of("numbers", json!([3])) };
    assert_eq!(client.start_stream(&cut).wait().items, [json!(0), json!(1)]);
}

#[test]
fn workers_connect_to_a_bound_client_over_ipc() {
    let (Some(python), Some(node)) = (peers::python(), peers::node()) else {
        return;
    };
    let directory = TempDir::new().expect("a temporary directory");
    let pairs: [(&dyn Peer, &dyn Peer); 2] = [(&python, &node), (&node, &python)];
    for (client, worker) in pairs {
        let options = DialOptions {
            heartbeat: Duration::from_millis(500),
            ..DialOptions::bound(endpoints::ipc(&directory))
        };
        let client = client.client(options);
        let endpoint = client.process().endpoint();
        let pending = client.start_call(&Call::of("add", json!([20, 22])));
        let _worker = worker.serve(ServeOptions {
            heartbeat: Duration::from_millis(500),
            ..ServeOptions::worker(endpoint)
        });
        assert_eq!(pending.wait(), Ok(json!(42)));
    }
}

#[test]
fn a_python_client_loses_a_killed_server() {
    let Some(python) = peers::python() else {
        return;
    };
    let server = python.serve(ServeOptions::bound(endpoints::tcp()));
    let client = python.client(DialOptions {
        heartbeat: Duration::from_millis(200),
        ..DialOptions::to(server.endpoint())
    });
    let (asleep, watch) = (json!([60]), Duration::from_millis(20));
    let pending = client.start_call(&Call::of("sleep", asleep));
    while client.call("active", json!([])) != Ok(json!(1)) {
        std::thread::sleep(watch);
    }
    drop(server);
    assert_eq!(pending.wait().expect_err("the server is gone").kind, "LostRemote");
}

#[test]
fn python_pushes_and_pulls() {
    let Some(python) = peers::python() else {
        return;
    };
    let puller = python.puller(DialOptions::bound("tcp://127.0.0.1:0"));
    let pusher = python.pusher(DialOptions::to(puller.process().endpoint()));
    pusher.send("lolita", json!([1, {"$bin": "02"}]));
    pusher.send("any name", json!([]));
    let expected = [
        Message { method: "lolita".to_owned(), args: json!([1, {"$bin": "02"}]) },
        Message { method: "any name".to_owned(), args: json!([]) },
    ];
    assert_eq!(puller.take(2), expected);
}

#[test]
fn python_publishes_and_subscribes() {
    let Some(python) = peers::python() else {
        return;
    };
    let publisher = python.publisher(DialOptions::bound("tcp://127.0.0.1:0"));
    let subscriber = python.subscriber(DialOptions::to(publisher.process().endpoint()));
    // What is published before the subscription arrives is lost, so it is repeated.
    let mut pending = subscriber.start_take(1);
    let messages = loop {
        publisher.send("news", json!(["today"]));
        match pending.wait_for(Duration::from_millis(50)) {
            Ok(messages) => break messages,
            Err(early) => pending = early,
        }
    };
    assert_eq!(messages, [Message { method: "news".to_owned(), args: json!(["today"]) }]);
}

#[test]
fn the_python_command_calls_a_server() {
    let Some(python) = peers::python() else {
        return;
    };
    let server = python.serve(ServeOptions::default());
    let run = |args: &[&str]| {
        let output = python.cli(args).output().expect("the console script runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(run(&["-j", server.endpoint(), "add", "1", "2"]), (Some(0), "3\n".to_owned()));
    assert_eq!(run(&[server.endpoint(), "fail", "value"]), (Some(1), String::new()));
    let (_, listed) = run(&[server.endpoint()]);
    assert!(listed.contains("documented"), "{listed}");
}

#[test]
fn the_free_endpoints_differ() {
    let directory = TempDir::new().expect("a temporary directory");
    assert_ne!(endpoints::ipc(&directory), endpoints::ipc(&directory));
    assert!(endpoints::tcp().starts_with("tcp://127.0.0.1:"));
}
