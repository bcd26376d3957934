//! Python modules behind the command, in all that they do.

use rustix::process::{Signal, kill_process};

use crate::support::{Server, start, until, wait_gone};

#[test]
fn all_kinds_of_methods_can_be_called() {
    let server = Server::start("workshop");
    server.ask(&["later", "soon"]).expect(0, "\"soon\"\n");
    server.ask(&["undocumented"]).expect(0, "null\n");
    server.ask(&["documented", "1"]).expect(0, "[\"1\",2,\"text\"]\n");
    server.ask(&["speak", "up"]).expect(0, "\"up\"\n");

    let said = server.running.wait_for_stderr("said up\n");
    assert!(said.starts_with("printed while importing\nbinding to "), "{said}");
}

#[test]
fn what_a_module_prints_is_no_result_of_the_server() {
    let server = Server::start("workshop");
    server.ask(&["speak", "up"]).expect(0, "\"up\"\n");
    server.running.signal(Signal::TERM);
    server.running.wait().expect(0, "").tells(&["printed while importing\n", "said up\n"]);
}

#[test]
fn objects_and_packages_are_found() {
    let counter = Server::start("workshop.Counter");
    let list = counter.ask(&[]);
    assert_eq!(list.stdout, "[Counter]\nadd Adds.\n", "{list}");
    counter.ask(&["--json", "add", "5"]).expect(0, "5\n");
    counter.ask(&["add"]).expect(0, "6\n");

    let package = Server::start("os.path");
    package.ask(&["join", "a", "b"]).expect(0, "\"a/b\"\n");
}

#[test]
fn a_python_that_dies_fails_its_calls_and_comes_back() {
    let server = Server::start("workshop");
    let python = server.python();
    let call = server.start_client(&["gated"]);
    call.wait_for_stdout("1\n");
    kill_process(python, Signal::KILL).expect("it runs");

    let ended = call.wait().expect(1, "1\n");
    assert!(
        ended.last_words().starts_with("WorkerDied: the Python process that serves"),
        "{ended}"
    );
    assert!(ended.last_words().contains("signal: 9"), "{ended}");
    server.ask(&["echo", "again"]).expect(0, "\"again\"\n");
    assert_ne!(server.python(), python);
    wait_gone(python);
    server.running.wait_for_stderr("restarting it in 100ms");
}

#[test]
fn a_full_pool_makes_calls_wait() {
    let server = Server::beating("0.5", &["--pool-size", "1"], "workshop");
    let crowd = || server.start_client(&["-j", "crowd", "1.2"]);
    for call in [crowd(), crowd(), crowd()] {
        call.wait().expect(0, "1\n");
    }
}

#[test]
fn calls_run_at_the_same_time() {
    let server = Server::in_threads("workshop");
    // How many meet depends on the machine; that none ever do would be a fault.
    until("two calls run at the same time", || {
        let crowd = [(); 3].map(|()| server.start_client(&["-j", "crowd", "0.3"]));
        let most = crowd.map(|call| call.wait().stdout);
        most.iter().any(|most| most != "1\n")
    });
}

#[test]
fn a_second_server_of_the_same_module_is_another_python() {
    let [first, second] = [Server::start("workshop"), Server::start("workshop")];
    assert_ne!(first.python(), second.python());
    // A worker of the first one's kind: a client may be bound while servers connect to it.
    let port = crate::support::free_port();
    let address = format!("tcp://127.0.0.1:{port}");
    let client = start(["--bind", &address, "echo", "x"]);
    let _worker = crate::support::start(["--server", &address, "workshop"]);
    client.wait().expect(0, "\"x\"\n");
}

/// Nothing is served before, and nothing else would say why.
#[test]
fn an_import_that_hangs_is_told_of() {
    let hang = |module: &str, place: &str| {
        let server = start(["--server", "--bind", "tcp://127.0.0.1:*", module]);
        server.wait_for_stderr(place);
        server.wait_for_stderr(&format!("{module:?} is still being imported after 5 s"));
        server
    };
    let place = "modules/slow_import.py\", line 8 in <module>\n";
    let one = hang("slow_import", place);
    // Also where Python is kept from running anything else.
    let other = hang("stuck_import", "modules/stuck_import.py\", line 8 in <module>\n");
    // Again, not too soon.
    one.wait_for_stderr("after 10 s");
    let said = one.stderr();
    assert_eq!(said.matches("still being imported").count(), 2, "{said}");
    assert!(!said.contains("importlib") && !said.contains("<zerorpc>"), "{said}");
    for server in [one, other] {
        server.signal(Signal::TERM);
        server.wait().expect_signal(Signal::TERM);
    }
}
