//! The command over each transport, and with another one at the other end.

use std::net::{Ipv6Addr, TcpListener};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Server, free_port, run, start};

const KINDS: [&str; 2] = ["mio", "zmq"];

/// Runs a check with all pairs of the client's and the server's transport.
fn over_each_pair(check: impl Fn(&str, &str)) {
    for server in KINDS {
        for client in KINDS {
            check(client, server);
        }
    }
}

#[test]
fn a_server_is_listed_called_and_lost() {
    over_each_pair(|client, server| {
        let server = Server::beating("0.5", &["--transport", server, "--threads", "2"], "workshop");
        let flags = ["--transport", client];
        let ask = |words: &[&str]| server.ask(&[&flags, words].concat());
        assert!(ask(&[]).stdout.starts_with("[workshop]\n"));
        ask(&["echo", "text"]).expect(0, "\"text\"\n");
        let many: String = (0..300).map(|number| format!("{number}\n")).collect();
        ask(&["-j", "numbers", "300"]).expect(0, &many);
        ask(&["fail", "text"]).expect(1, "").tells(&["ValueError: text"]);
        ask(&["-j", "sleep", "2"]).expect(0, "\"slept\"\n");
        ask(&["--timeout", "0.3", "-j", "sleep", "20"]).expect(3, "").tells(&["timeout after"]);

        let call = server.start_client(&[&flags[..], &["--active-hb", "gated"]].concat());
        call.wait_for_stdout("1\n");
        server.running.signal(Signal::KILL);
        call.wait().expect(4, "1\n");
    });
}

#[test]
fn nobody_is_told_of_over_each() {
    for kind in KINDS {
        let address = format!("tcp://127.0.0.1:{}", free_port());
        let client = start(["--transport", kind, "--timeout", "4", &address, "f"]);
        let [note, error] = ["no server at", "error: cannot connect to"];
        client.wait().expect(5, "").tells(&[note, error, "connection refused", "gave up after 4s"]);
    }
}

#[test]
fn a_worker_stays_for_the_next() {
    over_each_pair(|client, server| {
        let address = format!("tcp://127.0.0.1:{}", free_port());
        let _worker = start(["--transport", server, "--server", &address, "workshop"]);
        for number in ["1", "2"] {
            let line = ["--transport", client, "--bind", &address, "-j", "echo", number];
            run(line).expect(0, &format!("{number}\n"));
        }
    });
}

#[test]
fn addresses_of_every_kind() {
    for kind in KINDS {
        let folder = TempDir::new().expect("a temporary folder");
        let path = format!("ipc://{}/socket", folder.path().display());
        let abstract_name = format!("ipc://@zerorpc-tests-{}", free_port());
        let v6 = format!("tcp://[::1]:{}", free_port());
        let mut addresses = vec![path.as_str()];
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            addresses.push(&v6);
        }
        if cfg!(target_os = "linux") {
            addresses.push(&abstract_name);
        }
        let flags = ["--transport", kind, "--server", "--bind", "tcp://127.0.0.1:*"];
        let binds = addresses.iter().flat_map(|address| ["--bind", address]);
        let server = Server::of(start(flags.into_iter().chain(binds).chain(["workshop"])), "5");
        addresses.push(&server.endpoint);
        for address in addresses {
            for client in KINDS {
                run(["--transport", client, address, "echo", "x"]).expect(0, "\"x\"\n");
            }
        }
        let taken = ["--transport", kind, "--server", "--bind"];
        for address in [&server.endpoint, &path] {
            let line = taken.into_iter().chain([address.as_str(), "workshop"]);
            run(line).expect(5, "").tells(&["another process already listens there"]);
        }
    }
}

#[test]
fn a_transport_that_is_not_built_in_is_refused() {
    run(["--transport", "pigeons", "tcp://127.0.0.1:1", "f"]).expect(2, "").tells(&["this build"]);
}
