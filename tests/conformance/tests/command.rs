//! The command itself: what it says and does where there is nothing to judge.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

fn kit(args: &[&str]) -> Command {
    let mut kit = Command::new(env!("CARGO_BIN_EXE_zerorpc-conformance"));
    kit.args(args).stdin(Stdio::null());
    kit
}

fn said(args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = kit(args).output().expect("the kit runs");
    let words = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&words).into_owned())
}

#[test]
fn a_command_that_ends_at_once_is_told_at_once() {
    for role in ["server", "client"] {
        let start = Instant::now();
        // A case that is no MUST: nothing may pass because nothing was there.
        let case =
            if role == "server" { "greeting.signature.no-more" } else { "client.endpoints.both" };
        let line = "echo for stdout; echo for stderr >&2; exit 3 # {endpoint}";
        let (code, words) = said(&[role, line, "--only", case]);
        assert_eq!(code, Some(1), "{words}");
        for part in ["exit status: 3", "for stderr", "for stdout", "it did not start"] {
            assert!(words.contains(part), "{part:?} is not in:\n{words}");
        }
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    }
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let (code, words) = said(&["connect", "tcp://127.0.0.1:1", "--only", "endpoints.*"]);
    assert_eq!(code, Some(1), "{words}");
    for part in ["nobody answers at tcp://127.0.0.1:1", "refused", "start the server there first"] {
        assert!(words.contains(part), "{part:?} is not in:\n{words}");
    }
    assert!(!words.contains("did not start"), "{words}");
}

#[test]
fn what_would_be_judged_is_listed_without_anything_to_judge() {
    for (args, listed) in [
        (&["--list"][..], "client (client)"),
        (&["server", "--list"], "greeting (server)"),
        (&["connect", "--list", "--only", "greeting.*"], "greeting (server)"),
        (&["client", "--list"], "client (client)"),
        (&["proxy", "--list"], "credit.exceeded"),
        (&["decode", "--list", "--only", "credit.*"], "credit.exceeded"),
    ] {
        let (code, words) = said(args);
        assert_eq!(code, Some(0), "{args:?}: {words}");
        assert!(words.contains(listed), "{args:?}: {words}");
    }
}

#[test]
fn wrong_usage_is_told_in_words() {
    let wrong: [(&[&str], &str); 17] = [
        (&[], "--help"),
        (&["server", "serve"], "{endpoint}"),
        (&["server", "serve {endpoint}", "--jobs", "0"], "--jobs"),
        (&["server", "serve {endpoint}", "--time-scale", "0"], "0.01"),
        (&["server", "serve {endpoint}", "--only", "nothing"], "--list"),
        (&["both", "serve {endpoint}"], "client"),
        (&["connect", "ipc:///x"], "tcp://"),
        (&["both", "serve {endpoint}", "@ours"], "ready-made peers alone"),
        (&["client", "@ours-command"], "a server alone"),
        (&["decode", "/dev/null", "--only", "nothing"], "no check"),
        (&["decode", "/dev/null", "--format", "tap"], "human, json"),
        (&["decode", "/dev/null", "--jobs", "2"], "--jobs"),
        (&["connect", "tcp://127.0.0.1:1", "--time-scale", "1"], "--time-scale"),
        (&["peers", "folder", "--list"], "--list"),
        (&["--only", "x", "server", "serve {endpoint}"], "--only"),
        (&["server", "--jobs", "2"], "CMD"),
        (&["proxy", "tcp://127.0.0.1:*", "tcp://127.0.0.1:1", "--only", "nothing"], "no check"),
    ];
    for (args, part) in wrong {
        let (code, words) = said(args);
        assert_eq!(code, Some(2), "{args:?}: {words}");
        assert!(words.contains(part), "{args:?}: {words}");
    }
}

#[test]
fn a_client_that_never_connects_is_told_with_what_it_said() {
    // It goes on for longer than it has to connect.
    let line = "echo a word; sleep 1000 # {endpoint}";
    let (code, words) = said(&["client", line, "--only", "client.call.ok"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("none came; it said:") && words.contains("a word"), "{words}");
}

/// A file that holds no capture has nothing in it that could be counted.
#[test]
fn what_is_no_capture_is_told_without_a_count() {
    let (code, words) = said(&["decode", "/dev/null"]);
    assert_eq!(code, Some(2), "{words}");
    assert_eq!(words, "zerorpc-conformance: /dev/null: it is empty\n");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    // One direction of a connection: a greeting.
    let greeting = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL"[..], &[0; 48]].concat();
    let (reader, writer) = std::io::pipe().expect("the system has a pipe");
    drop(reader);
    let mut command = kit(&["decode", "--dump", "-"]);
    command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
    let mut running = command.spawn().expect("the kit runs");
    let mut stdin = running.stdin.take().expect("it is piped");
    stdin.write_all(&greeting).expect("the kit reads");
    drop(stdin);
    let output = running.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

/// What is under test is in groups of its own, which a terminal does not end.
#[test]
fn an_interrupted_run_leaves_no_process_behind() {
    let path = std::env::temp_dir().join(format!("zerorpc-conformance-{}", std::process::id()));
    let line = format!("sleep 1000 & echo $! > {}; wait # {{endpoint}}", path.display());
    let mut running = kit(&["server", &line]).stdout(Stdio::null()).spawn().expect("the kit runs");
    let child = written(&path);
    let kit_id = Pid::from_child(&running);
    kill_process(kit_id, Signal::INT).expect("it runs");
    assert_eq!(running.wait().expect("it ends").code(), Some(130));
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_alive(child) {
        assert!(Instant::now() < deadline, "{child:?} is left behind");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::remove_file(path).expect("the test's own file");
}

/// The process whose number is written there.
fn written(path: &Path) -> Pid {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n').and_then(|text| text.parse().ok()) {
            return Pid::from_raw(pid).expect("the number of a process");
        }
        assert!(Instant::now() < deadline, "nothing is written to {}", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether it runs; one that has ended and is not waited for does not.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    match stat {
        Ok(stat) => !stat.contains(") Z "),
        Err(_) => test_kill_process(pid).is_ok(),
    }
}
