//! The command itself: what it says and does where there is nothing to judge.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc,
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

/// Results that nobody can read are no success.
#[test]
fn output_that_cannot_be_written_is_told() {
    for args in [&["--list"][..], &["proxy", "--list"], &["connect", "tcp://127.0.0.1:1"]] {
        let full = fs::File::create("/dev/full").expect("Linux has it");
        let output = kit(args).stdout(full).output().expect("the kit runs");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {words}");
        assert!(words.contains("the output cannot be written: No space left"), "{args:?}: {words}");
    }
}

/// What is under test is in groups of its own, which a terminal does not end.
#[test]
fn an_interrupted_run_leaves_no_process_behind() {
    let path = std::env::temp_dir().join(format!("zerorpc-conformance-{}", std::process::id()));
    let line = format!("sleep 1000 & echo $! > {}; wait # {{endpoint}}", path.display());
    let mut command = kit(&["server", &line]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let running = running.expect("the kit runs");
    let child = written(&path);
    kill_process(Pid::from_child(&running), Signal::INT).expect("it runs");
    let output = running.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{output:?}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_alive(child) {
        assert!(Instant::now() < deadline, "{child:?} is left behind");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::remove_file(path).expect("the test's own file");
}

/// A server that completes handshakes and says nothing else: what is known by then is shown.
#[test]
fn an_interrupted_run_shows_what_is_known() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    // The second of them has connections of its own for 40 s, once the first is over.
    let cases = ["--only", "greeting.sent.filler", "--only", "greeting.never-ends", "--jobs", "1"];
    let mut command = kit(&[&["connect", &endpoint][..], &cases].concat());
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let running = running.expect("the kit runs");
    let greeting = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL"[..], &[0; 48]].concat();
    let ready = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06ROUTER";
    // One to see whether it answers, one of the first case, and two of the second.
    let streams = [(); 4].map(|()| {
        let (mut stream, _) = listener.accept().expect("the kit connects");
        // The kit may have seen enough of it.
        let _ = stream.write_all(&[&greeting[..], ready].concat());
        stream
    });
    kill_process(Pid::from_child(&running), Signal::TERM).expect("it runs");
    let output = running.wait_with_output().expect("it ends");
    drop(streams);
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(143), "{words}");
    assert!(words.contains("ok      greeting.sent.filler"), "{words}");
    assert!(!words.contains("greeting.never-ends"), "{words}");
}

/// Once no call is answered, cases that call are not played: a run is over soon.
#[test]
fn a_server_that_answers_nothing_is_told_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let (code, words) = said(&["connect", &endpoint, "--only", "answer.*", "--only", "*.sent.*"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("it does not complete a handshake of ZMTP; 0 passed, 1 failed"),
        "{words}"
    );
    assert!(
        words.contains("FAILED  greeting.sent.filler") && !words.contains("answer."),
        "{words}"
    );
}

/// It is no want of time: nothing would come of a second try, nor of cases that call.
#[test]
fn a_server_that_answers_nothing_is_not_asked_twice() {
    let (endpoint, calls) = mute();
    let (code, words) = said(&["connect", &endpoint, "--only", "answer.ok.value"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("it answers no call") && !words.contains("answer.ok.value"), "{words}");
    let called = calls.try_iter().filter(|said| contains(said, b"echo")).count();
    assert_eq!(called, 1, "{words}");
}

/// Nor is a client that takes orders and makes no call.
#[test]
fn a_client_that_calls_nothing_is_told_once() {
    let line = shell_client("cat >&2");
    let only = ["--only", "client.call.*", "--only", "client.greeting.speaks-first"];
    let (code, words) = said(&[&["client", &line][..], &only].concat());
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("it makes no call; 1 passed, 0 failed"), "{words}");
    assert!(!words.contains("client.call."), "{words}");
}

/// A server that greets and goes: how far both came.
#[test]
fn a_handshake_that_fails_is_told_with_what_was_said() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let greeting = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL"[..], &[0; 48]].concat();
            let _ = stream.write_all(&greeting);
            let mut said = [0; 64];
            let _ = stream.read_exact(&mut said);
        }
    });
    let (code, words) = said(&["connect", &endpoint, "--only", "answer.ok.value"]);
    assert_eq!(code, Some(1), "{words}");
    for part in ["does not complete a handshake", "the exchange:", "<< greeting of ZMTP 3.0"] {
        assert!(words.contains(part), "{part:?} is not in:\n{words}");
    }
}

/// One that runs says why by the way, such as by a traceback.
#[test]
fn the_last_words_of_a_client_that_fails_and_lives_are_shown() {
    let line =
        "bash -c 'to={endpoint}; exec 3<>/dev/tcp/127.0.0.1/${to##*:}; echo a word; sleep 1000'";
    let only = ["--only", "client.greeting.speaks-first", "--no-repeat"];
    let (code, words) = said(&[&["client", line][..], &only].concat());
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("FAILED") && words.contains("it said:"), "{words}");
    assert!(words.contains("  a word"), "{words}");
}

/// A client that says at once what it cannot do sends no request, which is no failure; other outcomes explain one.
#[test]
fn outcomes_that_come_instead_of_a_request_are_heard() {
    for (outcome, expected) in [
        (
            "\\\"unsupported\\\": \\\"no calls\\\"",
            "skipped client.call.ok: the client cannot: no calls",
        ),
        (
            "\\\"failed\\\": \\\"no idea\\\"",
            "silence; there was an outcome: {\"failed\":\"no idea\",\"id\":1}",
        ),
    ] {
        let say = format!("read order; echo \"{{\\\"id\\\": 1, {outcome}}}\"; sleep 1000");
        let line = shell_client(&say);
        let (_, words) = said(&["client", &line, "--only", "client.call.ok", "--no-repeat"]);
        assert!(words.contains(expected), "{expected:?} is not in:\n{words}");
    }
}

/// The command of a client that completes its handshake, and then does what the shell is told.
fn shell_client(then: &str) -> String {
    let ready = r"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER";
    let zeros = r"\0".repeat(48);
    let greet = format!(r#"printf "\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL{zeros}{ready}" >&3"#);
    let connect = "to={endpoint}; exec 3<>/dev/tcp/127.0.0.1/${to##*:}";
    format!("bash -c '{connect}; {greet}; {then}'")
}

/// A server that completes each handshake and answers nothing: its endpoint, and what it is told.
fn mute() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    let (over, calls) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let over = over.clone();
            std::thread::spawn(move || shake_hands(stream, &over));
        }
    });
    (endpoint, calls)
}

/// Completes the handshake as a ROUTER, and passes on what is said afterwards.
fn shake_hands(mut stream: TcpStream, over: &mpsc::Sender<Vec<u8>>) {
    let greeting = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL"[..], &[0; 48]].concat();
    let ready = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06ROUTER";
    let mut said = vec![0; 65536];
    let written = stream.write_all(&[&greeting[..], ready].concat());
    while written.is_ok()
        && let Ok(count @ 1..) = stream.read(&mut said)
    {
        let _ = over.send(said[..count].to_vec());
    }
}

fn contains(said: &[u8], part: &[u8]) -> bool {
    said.windows(part.len()).any(|window| window == part)
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
