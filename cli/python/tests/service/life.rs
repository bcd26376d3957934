//! Processes that die, are restarted, and end with the server.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rmpv::Value;
use zerorpc_python::PythonService;

use crate::support::{
    begin, call, finish, modules, options, serve, serve_in_threads, stream, until,
};

fn pid(service: &PythonService) -> u64 {
    call(service, "pid", &[]).expect("answers").as_u64().expect("is a number")
}

fn signal(name: &str, pid: u64) -> bool {
    let sent = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status();
    sent.expect("there is a kill program").success()
}

/// Whether a process runs; one that has ended and that nobody has waited for does not.
fn runs(pid: u64) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    let state = state.expect("there is a ps program").stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

#[test]
fn a_killed_process_fails_its_calls_and_is_restarted() {
    let service = serve_in_threads("together", 2);
    let before = pid(&service);
    let waiting = begin(&service, "announce_then_wait", &[]);
    call(&service, "wait_started", &[]).expect("answers");
    assert!(signal("-KILL", before));
    let failure = finish(waiting).expect_err("died");
    assert_eq!(failure.name, "WorkerDied");
    assert!(failure.message.contains("\"together\" died (signal: 9 (SIGKILL))"), "{failure}");
    assert_ne!(pid(&service), before);
}

#[test]
fn a_method_may_end_the_process_again_and_again() {
    let service = serve("together");
    for status in [0, 3, 7] {
        let failure = call(&service, "leave", &[status.into()]).expect_err("died");
        assert!(failure.message.contains(&format!("(exit status: {status})")), "{failure}");
    }
    assert_eq!(call(&service, "interrupt", &[]), Ok("still here".into()));
}

#[test]
fn a_stream_fails_when_the_process_ends() {
    let service = serve("streams");
    let mut items = stream(&service, "endless", &[]);
    items.next().expect("is endless").expect("never fails");
    service.close();
    // Closed by the ending process, or cut off: in no case does it look complete.
    assert!(items.find_map(Result::err).is_some());
    assert!(items.next().is_none());
}

#[test]
fn a_restart_that_fails_is_told_and_tried_again() {
    let directory = scratch("restart");
    fs::copy(modules().join("restarted.py"), directory.join("restarted.py")).expect("can copy");
    let options = options().directory(&directory);
    let service = PythonService::start_with("restarted", options).expect("loads at first");
    let before = pid(&service);
    fs::write(directory.join("broken"), "").expect("can write");
    assert_eq!(call(&service, "leave", &[]).expect_err("died").name, "WorkerDied");
    let failure = call(&service, "pid", &[]).expect_err("cannot load");
    assert!(failure.message.contains("RuntimeError: broken on purpose"), "{failure}");
    fs::remove_file(directory.join("broken")).expect("can remove");
    until("a restart", || call(&service, "pid", &[]).is_ok());
    assert_ne!(pid(&service), before);
    drop(service);
    fs::remove_dir_all(directory).expect("can remove");
}

#[test]
fn calls_that_cannot_wait_for_a_restart_fail_and_hold_nothing_up() {
    let options = options().restart_wait(Duration::from_millis(150));
    let service = PythonService::start_with("together", options).expect("loads");
    // The pauses become longer than calls wait.
    for _ in 0..4 {
        until("a process", || call(&service, "pid", &[]).is_ok());
        let dying = begin(&service, "leave", &[1.into()]);
        let waiting: Vec<_> = (0..3).map(|_| begin(&service, "pid", &[])).collect();
        assert_eq!(finish(dying).expect_err("died").name, "WorkerDied");
        let later: Vec<_> = (0..3).map(|_| begin(&service, "pid", &[])).collect();
        for call in waiting.into_iter().chain(later) {
            if let Err(failure) = finish(call) {
                assert!(failure.message.ends_with("this call was not begun"), "{failure}");
            }
        }
    }
    until("a process", || call(&service, "pid", &[]).is_ok());
    assert_eq!(service.open_calls(), 0);
}

#[test]
fn the_process_ends_with_the_service() {
    let service = serve("together");
    let child = pid(&service);
    let waiting = begin(&service, "announce_then_wait", &[]);
    drop(service);
    assert!(!runs(child));
    assert_eq!(finish(waiting).expect_err("died").name, "WorkerDied");
}

#[test]
fn a_stopped_process_is_killed_in_bounded_time() {
    let service = serve("together");
    let child = pid(&service);
    assert!(signal("-STOP", child));
    let began = Instant::now();
    service.close();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(!runs(child));
    let failure = call(&service, "pid", &[]).expect_err("is shut down");
    assert!(failure.message.contains("shutting down"), "{failure}");
}

#[test]
fn a_process_forked_by_the_module_does_not_hold_the_pipes() {
    let service = serve("together");
    let before = pid(&service);
    let forked = call(&service, "forked", &[]).expect("answers").as_u64().expect("is a number");
    assert!(signal("-KILL", before));
    until("a restart", || call(&service, "pid", &[]).is_ok_and(|pid| pid != before.into()));
    // It is of the group that ends with the process.
    until("the fork to end", || !runs(forked));
}

#[test]
fn a_fork_that_returns_ends() {
    let service = serve("together");
    let pids = call(&service, "forked_both_return", &[]).expect("answers");
    let pids: Vec<_> = pids.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    assert_eq!(pids[0], pid(&service));
    assert_ne!(pids[1], 0);
    until("the fork to end", || !runs(pids[1]));
}

#[test]
fn the_process_ends_when_the_server_is_killed() {
    let mut server = Command::new(std::env::current_exe().expect("is known"))
        .args(["--exact", "life::serve_until_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("can start itself");
    let lines = BufReader::new(server.stdout.take().expect("is piped")).lines();
    let child = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("child is ")?.1.parse().ok())
        .expect("the helper tells");
    assert!(runs(child));
    server.kill().expect("can kill");
    server.wait().expect("can wait");
    until("the child to end", || !runs(child));
}

/// Not a test: what [`the_process_ends_when_the_server_is_killed`] starts and kills.
#[test]
#[ignore = "a helper of another test"]
fn serve_until_killed() {
    let service = serve("together");
    println!("child is {}", pid(&service));
    finish(begin(&service, "announce_then_wait", &[])).expect("never ends");
}

fn scratch(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("zerorpc-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("can create");
    directory
}
