//! Calls that go wrong, and how that is told.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::Command,
};

use rustix::process::Signal;
use tempfile::TempDir;
use zerorpc::{Methods, Security, SocketOptions};

use crate::support::{Ended, Running, Server, ZERORPC, command, free_port, run, start};

#[test]
fn a_remote_error_is_shown_with_its_traceback() {
    let server = Server::start("workshop");
    let ended = server.ask(&["fail", "on purpose"]).expect(1, "");
    let connecting = format!("connecting to \"{}\"\nTraceback (most recent", server.endpoint);
    assert!(ended.stderr.starts_with(&connecting), "{ended}");
    assert!(ended.stderr.contains("workshop.py"), "{ended}");
    assert_eq!(ended.last_words(), "ValueError: on purpose");

    let ended = server.ask(&["no_such_method"]).expect(1, "");
    let told = "\nNameError: no_such_method\nthe service has no method of that name: give the address alone to see";
    assert!(ended.stderr.contains(told), "{ended}");
    let ended = server.ask(&["documented"]).expect(1, "");
    assert!(ended.last_words().starts_with("TypeError: "), "{ended}");
    // Nothing of this has harmed the server.
    server.ask(&["echo", "still there"]).expect(0, "\"still there\"\n");
}

#[test]
fn no_answer_in_time_is_told() {
    let server = Server::start("workshop");
    let ended = server.ask(&["--timeout", "0.3", "-j", "sleep", "20"]).expect(3, "");
    let told =
        format!("timeout after 0.3s, when calling remote method sleep at {}", server.endpoint);
    ended.tells(&[&told]);

    let nobody = format!("tcp://127.0.0.1:{}", free_port());
    for words in [&["f"][..], &[], &["--inspect", "f"]] {
        let flags = ["--timeout", "0.2", "--connect", &nobody];
        let told = ["nobody listens there", "gave up after 0.2s", &nobody];
        run(flags.iter().chain(words)).expect(5, "").tells(&told);
    }
    // Nor does a worker come.
    let address = format!("tcp://127.0.0.1:{}", free_port());
    run(["--timeout", "0.2", "--bind", &address, "f"])
        .expect(5, "")
        .tells(&["error: no server is connected at tcp://", "gave up after 0.2s"]);
}

#[test]
fn a_service_that_lets_nobody_in_is_told() {
    let options = SocketOptions::new().security(Security::PlainServer);
    let service = zerorpc::Server::builder().service(Methods::new("closed"));
    let service = service.socket_options(options).bind("tcp://127.0.0.1:*").build();
    let service = service.expect("a server");
    let endpoint = &*service.endpoints()[0];
    for words in [&["f"][..], &[], &["--inspect", "f"]] {
        let told = ["ours is NULL", "give a user name and a password", endpoint];
        run([endpoint].iter().chain(words)).expect(8, "").tells(&told);
    }
}

#[test]
fn addresses_that_cannot_be_used_are_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let taken = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    for (args, reason) in [
        (&["--bind", &taken, "f"][..], "another process already listens"),
        (&["--server", "--bind", &taken, "time"], "another process already listens"),
        (&["127.0.0.1:1234", "f"], "the scheme is missing"),
        (&["http://127.0.0.1:1234", "f"], "http"),
        (&["tcp://127.0.0.1", "f"], "port"),
        (&["tcp://127.0.0.1:65536", "f"], "65536"),
        (&["tcp://127.0.0.1:port", "f"], "port"),
        (&["--timeout", "2", "tcp://no.such.host.invalid:1", "f"], "no.such.host.invalid"),
        (&["--timeout", "2", "tcp://127.0.0.1:1", "f"], "tcp://127.0.0.1:1"),
        (&["tcp://*:1234", "f"], "tcp://*:1234"),
        (&["--server", "--bind", "ipc:///no/such/folder/socket", "time"], "/no/such/folder/socket"),
        (&["--server", "--connect", "nonsense", "time"], "the scheme is missing"),
    ] {
        let ended = run(args).expect(5, "");
        assert!(ended.last_words().starts_with("error: cannot "), "{ended}");
        ended.tells(&[reason]);
    }
}

/// Runs a server that is not expected to come up.
fn serve_in_vain(module: &str, change: impl FnOnce(&mut Command)) -> Ended {
    let mut server = command(ZERORPC, ["--server", "--bind", "tcp://127.0.0.1:*", module]);
    server.env_remove("ZERORPC_PYTHON");
    change(&mut server);
    Running::start(server).wait().expect(6, "")
}

#[test]
fn modules_that_cannot_be_served_are_told_in_one_line() {
    let broken = concat!(env!("CARGO_MANIFEST_DIR"), "/python/tests/modules");
    for (module, reason) in [
        ("no_such_module", "no module named 'no_such_module'"),
        ("time.no_such_object", "'time' has no attribute 'no_such_object'"),
        ("dies", "exit status: 7"),
        ("../modules/values", "../modules/values"),
    ] {
        let ended = serve_in_vain(module, |server| {
            server.current_dir(broken);
        });
        ended.expect_one_error(&[&format!("{module:?}"), reason]);
    }
}

#[test]
fn imports_that_fail_are_told_with_their_lines() {
    let broken = concat!(env!("CARGO_MANIFEST_DIR"), "/python/tests/modules");
    for (module, line, reason) in [
        ("broken_import", "broken_import.py\", line 2", "No module named 'surely_not_installed'"),
        ("broken_run", "broken_run.py\", line 8", "ValueError: two"),
        ("broken_syntax", "Python is 3.", "broken_syntax.py, line 1"),
        ("leaves", "leaves.py\", line 2", "SystemExit: 4"),
    ] {
        let ended = serve_in_vain(module, |server| {
            server.current_dir(broken);
        });
        let last = ended.last_words();
        assert!(last.starts_with("error: ") && last.contains(reason), "{ended}");
        assert!(!ended.stderr.contains("importlib"), "{ended}");
        ended.tells(&[&format!("{module:?}"), line]);
    }
}

#[test]
fn a_missing_interpreter_is_told_in_one_line() {
    let empty = TempDir::new().expect("a temporary folder");
    serve_in_vain("time", |server| {
        server.env("PATH", empty.path());
    })
    .expect_one_error(&["cannot run python3", "there is no such program", "ZERORPC_PYTHON"]);
    serve_in_vain("time", |server| {
        server.env("ZERORPC_PYTHON", "/no/such/python");
    })
    .expect_one_error(&["cannot run /no/such/python", "there is no such program"]);
    serve_in_vain("time", |server| {
        server.env("ZERORPC_PYTHON", "false");
    })
    .expect_one_error(&["false ended while it loaded \"time\""]);
}

#[test]
fn a_client_needs_no_module_and_no_python() {
    let server = Server::start("workshop");
    let empty = TempDir::new().expect("a temporary folder");
    let mut client = command(ZERORPC, [&server.endpoint, "echo", "x"]);
    client.env("PATH", empty.path()).current_dir(empty.path());
    Running::start(client).wait().expect(0, "\"x\"\n");
}

#[test]
fn an_address_that_the_system_chose_is_told() {
    for address in ["ipc://*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0"] {
        let server = Server::of(start(["--server", "--bind", address, "workshop"]), "5");
        assert_ne!(server.endpoint, address);
        server.ask(&["echo", "found"]).expect(0, "\"found\"\n");
    }
}

#[test]
fn nobody_listens_is_said_once() {
    // The address as it was given, and for a name also the addresses that it stands for.
    let port = free_port();
    let text = |address: &str| {
        run(["--timeout", "0.3", address, "f"]).expect(5, "").last_words().to_owned()
    };
    let address = format!("tcp://127.0.0.1:{port}");
    let told = text(&address);
    assert_eq!(told.matches(&address).count(), 1, "{told}");
    let told = text(&format!("tcp://localhost:{port}"));
    assert!(told.contains(&format!("tcp://localhost:{port}: ")), "{told}");
    assert!(told.contains(&format!("{address}: nobody listens there")), "{told}");
}

#[test]
fn socket_files_are_taken_over_from_the_dead_only() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("socket");
    let address = format!("ipc://{}", path.display());
    let line = ["--server", "--bind", &address, "workshop"];
    let first = start(line);
    first.wait_for_stderr("serving");
    run(line).expect(5, "").tells(&["another process already listens there"]);
    run([&address, "echo", "1"]).expect(0, "\"1\"\n");

    first.signal(Signal::KILL);
    first.wait().expect_signal(Signal::KILL);
    assert!(path.exists(), "nobody was there to remove it");
    let second = start(line);
    second.wait_for_stderr("serving");
    run([&address, "echo", "2"]).expect(0, "\"2\"\n");

    second.signal(Signal::TERM);
    second.wait().expect(0, "");
    assert!(!path.exists(), "it is removed in the end");
}

#[test]
fn calls_of_a_client_that_left_harm_nobody() {
    let server = Server::beating("0.5", &["--threads", "2"], "workshop");
    let running = [(); 2].map(|()| {
        let caller = server.start_client(&["gated"]);
        caller.wait_for_stdout("1\n");
        caller
    });
    let queued = [(); 4].map(|()| server.start_client(&["-d", "gated"]));
    for caller in &queued {
        caller.wait_for_stderr(" sent gated");
    }
    drop((running, queued));
    server.ask(&["-j", "echo", "[1]"]).expect(0, "[1]\n");
}
