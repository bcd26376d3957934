//! What is told of nobody, while a call or a worker waits.

use std::net::{Ipv4Addr, TcpListener};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Running, free_port, start};

fn nobody() -> String {
    format!("tcp://127.0.0.1:{}", free_port())
}

#[test]
fn a_call_that_nobody_takes_says_once_why_it_waits() {
    let folder = TempDir::new().expect("a temporary folder");
    let (refused, unbound, other) = (nobody(), nobody(), nobody());
    let no_file = format!("ipc://{}", folder.path().join("socket").display());
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let mute = (format!("tcp://{}", mute.local_addr().expect("it is bound")), mute);
    let begin = |words: &[&str]| start([&["--timeout", "4"], words].concat());
    let refusal = "nobody listens there (connection refused)";
    let both = format!("{refused}, {other}");
    let begun = [
        (begin(&[&refused, "f"]), &refused, refusal),
        (begin(&["--inspect", &refused]), &refused, refusal),
        (begin(&[&no_file, "f"]), &no_file, "nobody listens: there is no such socket file"),
        (begin(&["tcp://no.host.invalid:1"]), &"tcp://no.host.invalid:1".into(), "unknown host"),
        (begin(&[&mute.0, "f"]), &mute.0, "no answer"),
        (begin(&["--bind", &unbound, "f"]), &unbound, "nobody has connected"),
        (begin(&["--connect", &refused, "--connect", &other]), &both, "cannot connect to tcp://"),
    ];
    for (client, whom, why) in begun {
        let ended = client.wait().expect(5, "");
        let lines: Vec<&str> = ended.stderr.lines().collect();
        let [announced @ .., note, error] = &lines[..] else { panic!("{ended}") };
        assert!(announced.iter().all(|line| line.contains("ing to \"")), "{ended}");
        assert!(note.starts_with(&format!("no server at {whom} yet: {why}")), "{ended}");
        assert!(note.ends_with("; going on until the timeout of 4s"), "{ended}");
        assert!(error.starts_with("error: "), "{ended}");
    }
}

#[test]
fn who_wants_quiet_or_gives_up_before_has_it() {
    let nobody = nobody();
    let begun = [&["--quiet", "--timeout", "4", &nobody][..], &["--timeout", "2", &nobody]];
    for client in begun.map(start) {
        let ended = client.wait().expect(5, "");
        assert_eq!(ended.stderr.lines().count(), 2, "{ended}");
    }
}

#[test]
fn a_call_waits_for_a_server_that_is_not_there_yet() {
    let [early, late] = [nobody(), nobody()];
    let at_once = start([&early, "echo", "early"]);
    at_once.wait_for_stderr("connecting to");
    let _early = start(["--server", "--bind", &early, "workshop"]);
    at_once.wait().expect(0, "\"early\"\n");

    let told = start([&late, "echo", "late"]);
    told.wait_for_stderr("going on until the timeout of 30s\n");
    let _late = start(["--server", "--bind", &late, "workshop"]);
    let ended = told.wait().expect(0, "\"late\"\n");
    assert_eq!(ended.stderr.lines().count(), 2, "{ended}");
}

/// A worker whose client is not there yet is told of in the log, and a server that is bound is not.
#[test]
fn a_worker_without_work_says_so_once() {
    let begin = |words: &[&str]| -> Running {
        let server = start([&["--server"], words, &["workshop"]].concat());
        server.wait_for_stderr("serving");
        server
    };
    let address = nobody();
    let bound = begin(&["--bind", "tcp://127.0.0.1:*", "--connect", &address]);
    let worker = begin(&["--connect", &address]);
    let why = format!("WARN zerorpc_cli::server: no client at {address} yet: nobody listens there");
    worker.wait_for_stderr(&why);
    for (server, told) in [(worker, 1), (bound, 0)] {
        server.signal(Signal::TERM);
        let ended = server.wait().expect(0, "");
        assert_eq!(ended.stderr.matches(" WARN ").count(), told, "{ended}");
    }
}
