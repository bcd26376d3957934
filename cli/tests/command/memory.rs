//! What callers make the command keep, and what becomes of that memory when they have gone.

use std::fs;

use zerorpc_tests::raw_caller::RawCaller;

use crate::support::{Running, Server, run, until};

const MIB: usize = 1 << 20;

/// Bytes of memory that a process has in use.
fn memory(running: &Running) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid().as_raw_nonzero()));
    let status = status.expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    let kibibytes = line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number");
    kibibytes << 10
}

/// A connection that asks so often for ten megabytes, and never reads.
fn deaf(server: &Server, times: u32) -> RawCaller {
    let mut caller = RawCaller::connect(&server.endpoint);
    caller.ask_for_blobs(times);
    caller
}

#[test]
fn freed_memory_goes_back_to_the_system() {
    let server = Server::start("workshop");
    server.ask(&["-j", "blob", "3"]).expect(0, "{\"$bin\":\"eHh4\"}\n");
    let before = memory(&server.running);
    let deaf: Vec<_> = (0..2).map(|_| deaf(&server, 100)).collect();
    until("much is kept", || memory(&server.running) > before + 128 * MIB);
    server.running.wait_for_stderr("it does not read what it asks for");
    until("it went back", || memory(&server.running) < before + 64 * MIB);
    drop(deaf);
    server.ask(&["echo", "text"]).expect(0, "\"text\"\n");
}

#[test]
fn how_much_may_be_kept_can_be_chosen() {
    let server = Server::beating("5", &["--max-memory", "16"], "workshop");
    let kept = deaf(&server, 30);
    let said = server.running.wait_for_stderr("too much is kept for all peers together");
    assert!(said.contains("MiB"), "{said}");
    server.running.wait_for_stderr("for servers of this command: --max-memory MIB");
    drop(kept);
    server.ask(&["echo", "text"]).expect(0, "\"text\"\n");
    let wrong = run(["--server", "--max-memory", "0", "tcp://127.0.0.1:1", "workshop"]);
    wrong.expect(2, "").tells(&["at least 1"]);
}

/// What is said to programs names their settings; the command has flags.
#[test]
fn what_is_too_much_is_told_with_the_flag() {
    let server = Server::beating("5", &["--max-memory", "1"], "workshop");
    let much = "x".repeat(100_000);
    let ended = server.ask(&[&["echo"][..], &[much.as_str(); 12]].concat());
    assert!(ended.stderr.contains("Limits::total_bytes"), "{ended}");
    assert!(ended.stderr.ends_with("for servers of this command: --max-memory MIB\n"), "{ended}");
}
