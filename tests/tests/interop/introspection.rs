//! Their command shows our services, and our client reads what their servers tell of theirs.

use std::process::Command;

use rmpv::Value;
use serde_json::{Value as Json, json};
use zerorpc::{Client, Error, TransportKind};
use zerorpc_tests::peers::{self, DialOptions, Peer, PythonPeer};

use crate::support::{Ours, Theirs, connect, is_python, with_each_peer};

zerorpc_tests::over_each_transport![
    their_command_lists_and_inspects_our_server,
    their_command_calls_our_server,
    our_built_in_methods_answer_python,
    built_in_methods_take_what_the_reference_takes,
    our_client_reads_what_their_servers_tell,
];

fn run(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn their_command_lists_and_inspects_our_server(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve(kind);
    for endpoint in ours.server.endpoints() {
        their_command_lists_and_inspects(&python, endpoint);
    }
}

fn their_command_lists_and_inspects(python: &PythonPeer, endpoint: &str) {
    let (code, listed) = run(python.cli([endpoint]));
    assert_eq!(code, Some(0));
    assert!(listed.starts_with("[Tested]\n"), "{listed}");
    let line = |name: &str| {
        let found = listed.lines().find(|line| line.split(' ').next() == Some(name));
        found.unwrap_or_else(|| panic!("no {name} in {listed}")).to_owned()
    };
    assert!(line("documented").ends_with(" Does what it says."), "only the first line");
    assert!(line("add").ends_with(" <undocumented>"));
    assert!(!listed.contains("_zerorpc"), "{listed}");

    let (code, signatures) = run(python.cli(["-?", endpoint]));
    assert_eq!(code, Some(0));
    assert!(signatures.contains("documented(a, b, c)"), "{signatures}");
    assert!(signatures.contains("add(??)"), "{signatures}");

    let (code, one) = run(python.cli(["-?", endpoint, "documented"]));
    assert_eq!(code, Some(0));
    for part in ["[Tested]\n", "documented(a, b, c)\n", "Does what it says.", "And more."] {
        assert!(one.contains(part), "{one}");
    }
}

fn their_command_calls_our_server(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve(kind);
    let endpoint = ours.endpoint();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--json", endpoint, "add", "1", "2"], 0, "3\n"),
        (&[endpoint, "echo", "text"], 0, "'text'\n"),
        (&[endpoint, "none"], 0, "None\n"),
        (&["--json", endpoint, "blob", "2"], 0, "b'\\xa5\\xa5'\n"),
        (&["--json", "--print-json", endpoint, "numbers", "3"], 0, "[0,1,2]"),
        (&[endpoint, "fail", "value"], 1, ""),
    ];
    for (args, code, stdout) in cases {
        assert_eq!(run(python.cli(args)), (Some(code), stdout.to_owned()), "{args:?}");
    }
}

/// The built-in methods with which older clients ask, one by one.
fn our_built_in_methods_answer_python(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve(kind);
    let client = python.client(DialOptions::to(ours.endpoint()));
    let call = |method: &str, args| client.call(method, args);
    assert_eq!(call("_zerorpc_ping", json!([])), Ok(json!(["pong", "Tested"])));
    assert_eq!(call("_zerorpc_name", json!([])), Ok(json!("Tested")));
    let help = call("_zerorpc_help", json!(["documented"]));
    assert_eq!(help, Ok(json!("Does what it says.\n\nAnd more.")));
    let args = call("_zerorpc_args", json!(["documented"]));
    assert_eq!(args, Ok(json!([["a", "b", "c"], null, null, null])));
    let listed = call("_zerorpc_list", json!([])).expect("a list");
    assert!(listed.as_array().is_some_and(|names| names.contains(&json!("add"))), "{listed}");
    let unknown = call("_zerorpc_help", json!(["x"])).expect_err("no such method");
    assert_eq!((unknown.name.as_deref(), &*unknown.message), (Some("KeyError"), "'x'"));
}

/// The same calls to their server and to ours fail alike.
fn built_in_methods_take_what_the_reference_takes(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let (theirs, ours) = (Theirs::serve(&python), Ours::serve(kind));
    let clients = [connect(kind, theirs.process.endpoint()), connect(kind, ours.endpoint())];
    let (one, two) = (json!(["documented"]), json!(["documented", true]));
    let cases = [
        ("_zerorpc_ping", vec![json!([1]), json!([null]), two.clone()]),
        ("_zerorpc_name", vec![one.clone()]),
        ("_zerorpc_list", vec![one.clone()]),
        ("_zerorpc_inspect", vec![one, two.clone(), json!(["documented", true, 3])]),
        ("_zerorpc_help", vec![json!([]), two.clone()]),
        ("_zerorpc_args", vec![json!([]), two]),
    ];
    for (method, surplus) in cases {
        for args in surplus {
            for client in &clients {
                match client.call::<Value>(method, &args) {
                    Err(Error::Remote { error, .. }) if error.name == "TypeError" => {}
                    other => panic!("{method}{args} gave {other:?}"),
                }
            }
        }
    }
}

fn our_client_reads_what_their_servers_tell(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        for client in server.clients(kind) {
            let inspected: Json = client.call("_zerorpc_inspect", ()).expect("an inspection");
            let documented = &inspected["methods"]["documented"];
            if is_python(peer) {
                python_tells(&client, &inspected);
            } else {
                let names = json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]);
                assert_eq!(*documented, json!({"doc": "", "args": names}));
                let pong = ("pong".to_owned(), String::new());
                assert_eq!(client.call("_zerorpc_ping", ()), Ok(pong));
            }
        }
    });
}

fn python_tells(client: &Client, inspected: &Json) {
    let doc = "First line of the documentation.\n\nSecond paragraph.";
    let args = json!([
        {"name": "self"}, {"name": "a"}, {"name": "b", "default": 2}, {"name": "c", "default": "text"}
    ]);
    assert_eq!(inspected["name"], "Service");
    assert_eq!(inspected["methods"]["documented"], json!({"doc": doc, "args": args}));

    let pong: (String, String) = client.call("_zerorpc_ping", ()).expect("a pong");
    assert_eq!(pong, ("pong".to_owned(), "Service".to_owned()));
    assert_eq!(client.call("_zerorpc_name", ()), Ok("Service".to_owned()));
    let names: Vec<String> = client.call("_zerorpc_list", ()).expect("a list");
    assert!(names.is_sorted() && names.contains(&"add".to_owned()), "{names:?}");
    assert_eq!(client.call("_zerorpc_help", ("documented",)), Ok(doc.to_owned()));
    let spec: Json = client.call("_zerorpc_args", ("documented",)).expect("arguments");
    assert_eq!(spec, json!([["self", "a", "b", "c"], null, null, [2, "text"]]));
    let unknown = client.call::<Value>("_zerorpc_help", ("x",));
    assert!(matches!(unknown, Err(Error::Remote { error, .. }) if error.name == "KeyError"));
}
