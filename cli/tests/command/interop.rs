//! The command with servers of other languages, and other languages' commands with ours.

use std::process::Stdio;

use serde_json::json;
use zerorpc_tests::peers::{self, DialOptions, Peer, PeerProcess, ServeOptions};

use crate::support::{Ended, Running, Server, free_port, run, start};

/// Our command with a peer's server of the tests' service.
fn ask(server: &PeerProcess, words: &[&str]) -> Ended {
    run([server.endpoint()].iter().chain(words))
}

fn calls_and_streams(peer: &dyn Peer) {
    let server = peer.serve(ServeOptions::default());
    ask(&server, &["echo", "text"]).expect(0, "\"text\"\n");
    ask(&server, &["--json", "add", "20", "22"]).expect(0, "42\n");
    ask(&server, &["none"]).expect(0, "null\n");
    ask(&server, &["-j", "blob", "3"]).expect(0, "{\"$bin\":\"paWl\"}\n");
    ask(&server, &["-j", "echo", "{\"a\":[0.5,null,{\"$bin\":\"AA==\"}]}"])
        .expect(0, "{\"a\":[0.5,null,{\"$bin\":\"AA==\"}]}\n");

    let many: String = (0..300).map(|number| format!("{number}\n")).collect();
    ask(&server, &["-j", "numbers", "300"]).expect(0, &many);
    ask(&server, &["-pj", "empty_stream"]).expect(0, "[]\n");
    ask(&server, &["-pj", "-j", "failing_stream", "2"])
        .expect(1, "[0,1]\n")
        .tells(&["failed after 2"]);

    let ended = ask(&server, &["fail", "value"]).expect(1, "");
    assert_eq!(ended.last_words(), "ValueError: bad value");
    let ended = ask(&server, &["fail", "unicode"]).expect(1, "");
    assert_eq!(ended.last_words(), "ValueError: na\u{ef}ve \u{2603} \u{5931}\u{6557}");
}

#[test]
fn a_python_server_is_called() {
    let Some(python) = peers::python() else { return };
    calls_and_streams(&python);
}

#[test]
fn a_node_server_is_called() {
    let Some(node) = peers::node() else { return };
    calls_and_streams(&node);
}

#[test]
fn a_python_server_is_inspected() {
    let Some(python) = peers::python() else { return };
    let server = python.serve(ServeOptions::default());
    let list = ask(&server, &[]);
    for line in ["[Service]\n", "\necho           Returns its argument.\n", "\nkind "] {
        assert!(list.stdout.contains(line), "{line:?} is missing from {list}");
    }
    let signatures = ask(&server, &["--inspect"]);
    for line in ["[Service]\n", "\ndocumented(self, a, b=2, c=text)\n", "\necho(self, value)\n"] {
        assert!(signatures.stdout.contains(line), "{line:?} is missing from {signatures}");
    }
    ask(&server, &["-?", "add"])
        .expect(0, "[Service]\nadd(self, a, b)\n\nAdds two numbers.\n\nOr joins two texts.\n\n");
    ask(&server, &["nothing"]).expect(1, "").tells(&["NameError: nothing"]);
}

#[test]
fn a_node_server_is_inspected() {
    let Some(node) = peers::node() else { return };
    let server = node.serve(ServeOptions::default());
    let list = ask(&server, &[]);
    assert!(list.stdout.contains("\necho           <undocumented>\n"), "{list}");
    let signatures = ask(&server, &["--inspect"]);
    for line in ["\nadd(a, b)\n", "\ndocumented(a, b, c)\n", "\nnone()\n"] {
        assert!(signatures.stdout.contains(line), "{line:?} is missing from {signatures}");
    }
    // It never answers a call of a method that it does not have.
    ask(&server, &["--timeout", "0.5", "nothing"]).expect(3, "");
}

#[test]
fn calls_outlast_heartbeats_of_other_servers() {
    let (Some(python), Some(node)) = (peers::python(), peers::node()) else { return };
    let pace = std::time::Duration::from_millis(500);
    let options = ServeOptions { heartbeat: pace, ..ServeOptions::default() };
    let servers = [python.serve(options.clone()), node.serve(options)];
    let calls = servers.each_ref().map(|server| {
        let call = ["--heartbeat", "0.5", "--json", server.endpoint(), "sleep", "2.3"];
        (start(call), start(call.iter().chain(&["--active-hb"])))
    });
    for (passive, active) in calls {
        passive.wait().expect(0, "2.3\n");
        active.wait().expect(0, "2.3\n");
    }
}

#[test]
fn the_python_command_uses_our_server() {
    let Some(python) = peers::python() else { return };
    let server = Server::start("time");
    let theirs = |words: &[&str]| {
        let mut command = python.cli(["--connect", &server.endpoint].iter().chain(words));
        command.stdin(Stdio::null());
        Running::start(command).wait()
    };
    let ended = theirs(&["strftime", "%Y/%m/%d"]);
    let digits = ended.stdout.replace(|c: char| c.is_ascii_digit(), "d");
    assert_eq!(digits, "'dddd/dd/dd'\n", "{ended}");
    theirs(&["--json", "sleep", "0.01"]).expect(0, "None\n");
    theirs(&["sleep", "3"]).expect(1, "").tells(&["TypeError: 'str' object"]);

    let [theirs_listed, ours_listed] = [theirs(&[]), server.ask(&[])];
    assert_eq!(theirs_listed.stdout, ours_listed.stdout, "{theirs_listed}");
    let signatures = theirs(&["--inspect"]);
    assert!(signatures.stdout.contains("\nstrftime(format, tuple)\n"), "{signatures}");
    let one = theirs(&["-?", "sleep"]);
    assert!(one.stdout.starts_with("[time]\nsleep(seconds)\n\nsleep(seconds)\n\n"), "{one}");
}

/// A peer's client with our server of a Python module.
fn uses_our_server(peer: &dyn Peer) {
    let server = Server::start("workshop");
    let client = peer.client(DialOptions::to(&server.endpoint));
    for value in [
        json!(null),
        json!([true, 0, -1, 2_147_483_647, 0.5, {"$float": "-inf"}]),
        json!({"a": {"$bin": "00ff"}, "": ["na\u{ef}ve \u{2603}", {}]}),
    ] {
        assert_eq!(client.call("echo", json!([value])), Ok(value));
    }
    let error = client.call("fail", json!(["no"])).expect_err("it raises");
    assert_eq!((error.name.as_deref(), error.message.as_str()), (Some("ValueError"), "no"));
    assert!(error.traceback.is_some_and(|text| text.contains("workshop.py")));

    for count in [0, 1, 1000] {
        let streamed = client.stream("numbers", json!([count]));
        assert!(streamed.error.is_none(), "{:?}", streamed.error);
        assert!(streamed.items.into_iter().eq((0..count).map(|number| json!(number))));
    }
    let failed = client.stream("failing", json!([2]));
    assert_eq!(failed.items, [json!(0), json!(1)]);
    assert_eq!(failed.error.expect("it fails").message, "after 2");

    let calls: Vec<_> = (0..200).map(|number| json!([number])).collect();
    let answers: Vec<_> = (0..200).map(|number| Ok(json!(number))).collect();
    assert_eq!(client.many("later", &calls), answers);
}

#[test]
fn a_python_client_uses_our_server() {
    let Some(python) = peers::python() else { return };
    uses_our_server(&python);
}

#[test]
fn a_node_client_uses_our_server() {
    let Some(node) = peers::node() else { return };
    uses_our_server(&node);
}

#[test]
fn the_python_command_reads_our_streams() {
    let Some(python) = peers::python() else { return };
    let server = Server::start("workshop");
    let numbers = python.cli(["--json", "-pj", &server.endpoint, "numbers", "300"]);
    let ended = Running::start(numbers).wait();
    let items: Vec<u32> = serde_json::from_str(&ended.stdout).unwrap_or_default();
    assert!(items.into_iter().eq(0..300), "{ended}");
}

#[test]
fn workers_and_bound_clients_of_both_kinds_find_each_other() {
    let Some(python) = peers::python() else { return };
    let [ours, theirs] = [free_port(), free_port()].map(|port| format!("tcp://127.0.0.1:{port}"));

    let client = start(["--bind", &ours, "strftime", "%Y"]);
    let _their_worker = Running::start(python.cli(["--server", &ours, "time"]));
    let year = client.wait().stdout;
    assert_eq!(year.len(), "\"2026\"\n".len(), "{year}");

    let client = Running::start(python.cli(["--bind", &theirs, "strftime", "%Y"]));
    let _our_worker = start(["--server", &theirs, "time"]);
    assert_eq!(client.wait().stdout.trim().trim_matches('\''), year.trim().trim_matches('"'));
}
