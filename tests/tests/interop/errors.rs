//! Errors with their names, messages and tracebacks; and that they end nothing but their call.

use rmpv::Value;
use serde_json::{Value as Json, json};
use zerorpc::{CallOptions, Client, Error, RemoteError, TransportKind};
use zerorpc_tests::peers::{self, Peer, PeerClient, PeerError};

use crate::support::{Ours, SECOND, Theirs, is_python, with_each_peer};

zerorpc_tests::over_each_transport![
    our_client_gets_their_errors,
    their_clients_get_our_errors,
    their_command_tells_our_errors,
    errors_end_streams,
    streams_and_values_are_not_taken_for_each_other,
];

/// The error that a method of theirs ends with.
fn failure(client: &Client, method: &str, args: &[Value]) -> RemoteError {
    match client.call::<Value>(method, args) {
        Err(Error::Remote { method: called, error }) => {
            assert_eq!(called, method);
            error
        }
        other => panic!("{method} gave {other:?}"),
    }
}

fn our_client_gets_their_errors(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        for client in server.clients(kind) {
            let cases = [
                ("value", "ValueError", "bad value"),
                ("key", "KeyError", "'missing'"),
                ("custom", "CustomError", "one of ours"),
                ("unicode", "ValueError", "naïve ☃ 失敗"),
                ("empty", "ValueError", ""),
            ];
            for (kind, name, message) in cases {
                let error = failure(&client, "fail", &[kind.into()]);
                assert_eq!((&*error.name, &*error.message), (name, message));
                let line = if is_python(peer) { "in fail" } else { "server.js" };
                assert!(error.traceback.contains(line), "{}", error.traceback);
            }
            misuse(peer, &client);
            assert_eq!(client.call("add", (1, 2)), Ok(3));
        }
    });
}

/// Unknown methods and arguments that do not fit.
fn misuse(peer: &dyn Peer, client: &Client) {
    if is_python(peer) {
        let unknown = failure(client, "nothing", &[]);
        assert_eq!((&*unknown.name, &*unknown.message), ("NameError", "nothing"));
        let private = failure(client, "_running", &[]);
        assert_eq!((&*private.name, &*private.message), ("NameError", "_running"));
        let few = failure(client, "add", &[1.into()]);
        assert_eq!(few.name, "TypeError");
        assert!(few.message.contains("missing 1 required positional argument"), "{}", few.message);
        assert_eq!(failure(client, "none", &["too many".into()]).name, "TypeError");
        assert_eq!(failure(client, "unpackable", &[]).name, "TypeError");
    } else {
        let soon = CallOptions::new().timeout(SECOND);
        let unknown = client.with(soon).call::<Value>("nothing", ());
        assert!(matches!(unknown, Err(Error::Timeout { .. })), "Node says nothing: {unknown:?}");
        let crashed = failure(client, "crash", &[]);
        assert_eq!((&*crashed.name, &*crashed.message), ("TypeError", "thrown, not replied"));
        // A text in place of an error object.
        assert_eq!(failure(client, "fail", &["text".into()]).message, "only a text");
    }
}

fn their_clients_get_our_errors(kind: TransportKind) {
    let ours = Ours::serve(kind);
    with_each_peer(|peer| {
        for client in ours.clients(peer) {
            our_failures(&client);
            assert_eq!(client.call("add", json!([1, 2])), Ok(json!(3)));
        }
    });
}

fn our_failures(client: &PeerClient) {
    let cases = [
        ("fail", json!(["value"]), "ValueError", "bad value", None),
        ("fail", json!(["key"]), "KeyError", "'missing'", None),
        ("fail", json!(["unicode"]), "ValueError", "schlecht: ☂", None),
        ("fail", json!(["traceback"]), "ValueError", "bad value", Some("Traceback:\n  here")),
        ("panic", json!([]), "Panic", "at the disco", None),
        ("nothing", json!([]), "NameError", "nothing", None),
        ("_zerorpc_nothing", json!([]), "NameError", "_zerorpc_nothing", None),
        ("add", json!([1]), "TypeError", "add() is missing argument 2", None),
        ("add", json!([1, 2, 3]), "TypeError", "add() takes 2 arguments but 3 were given", None),
    ];
    for (method, args, name, message, traceback) in cases {
        let error = client.call(method, args).expect_err("it fails");
        // All that Python prints of an error is its traceback.
        let traceback = traceback.map_or_else(|| format!("{name}: {message}"), str::to_owned);
        let expected = PeerError {
            kind: "RemoteError".to_owned(),
            name: Some(name.to_owned()),
            message: message.to_owned(),
            traceback: Some(traceback),
        };
        assert_eq!(error, expected);
    }
    let wrong = client.call("add", json!(["1", 2])).expect_err("a text is no number");
    assert_eq!(wrong.name.as_deref(), Some("TypeError"));
    assert!(wrong.message.starts_with("add() argument 1: "), "{}", wrong.message);
}

fn their_command_tells_our_errors(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve(kind);
    let cases: [(&[&str], &str); 4] = [
        (&["clock_"], "NameError: clock_"),
        (&["fail", "value"], "ValueError: bad value"),
        (&["add"], "TypeError: add() is missing argument 1"),
        (&["panic"], "Panic: at the disco"),
    ];
    for (call, error) in cases {
        let output = python.cli([&[ours.endpoint()], call].concat()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{call:?}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.trim_end().ends_with(error), "{call:?}: {told}");
    }
}

/// Behind the items that came before it, or in place of the first one.
fn errors_end_streams(kind: TransportKind) {
    let ours = Ours::serve(kind);
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        let our_client = &server.clients(kind)[0];
        let their_client = &ours.clients(peer)[0];
        for count in [0_u64, 1, 3, 150] {
            let (items, error) = match our_client.stream::<u64>("failing_stream", (count,)) {
                Ok(stream) => split(stream),
                Err(error) => (vec![], Some(error)),
            };
            assert!(items.into_iter().eq(0..count));
            match error {
                Some(Error::Remote { error, .. }) => {
                    assert_eq!(error.name, "ValueError");
                    assert_eq!(error.message, format!("failed after {count}"));
                }
                other => panic!("{other:?}"),
            }

            let streamed = their_client.stream("failing_stream", json!([count]));
            assert!(streamed.items.into_iter().eq((0..count).map(Json::from)));
            let error = streamed.error.expect("it fails");
            assert_eq!(error.name.as_deref(), Some("RuntimeError"));
            assert_eq!(error.message, format!("after {count} items"));
        }
        assert_eq!(our_client.call("add", (1, 2)), Ok(3));
        assert_eq!(their_client.call("add", json!([1, 2])), Ok(json!(3)));
    });
}

/// The items of a stream before its error.
fn split(stream: zerorpc::Stream<u64>) -> (Vec<u64>, Option<Error>) {
    let mut error = None;
    let items = stream.map_while(|item| item.map_err(|failed| error = Some(failed)).ok()).collect();
    (items, error)
}

fn streams_and_values_are_not_taken_for_each_other(kind: TransportKind) {
    let ours = Ours::serve(kind);
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        let client = &server.clients(kind)[0];
        assert!(matches!(client.call::<Value>("numbers", (5,)), Err(Error::IsStream { .. })));
        assert!(matches!(client.stream::<Value>("none", ()), Err(Error::NotStream { .. })));
        assert_eq!(client.call("add", (1, 2)), Ok(3));

        let client = &ours.clients(peer)[0];
        let error = client.call("numbers", json!([5])).expect_err("a stream is no value");
        assert_eq!(error.message, "numbers answered with a stream");
        let error = client.stream("none", json!([])).error.expect("a value is no stream");
        assert_eq!(error.message, "none answered with a plain value");
    });
}
