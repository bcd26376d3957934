//! Signals, and what is left behind: nothing.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::Stdio,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{
    process::Process,
    support::{Running, Server, ZERORPC, command, free_port, run, start, wait_gone},
};

#[test]
fn a_client_dies_of_the_signal() {
    let server = Server::in_threads("workshop");
    for signal in [Signal::INT, Signal::TERM] {
        let client = server.start_client(&["gated"]);
        client.wait_for_stdout("1\n");
        client.signal(signal);
        let ended = client.wait().expect_signal(signal);
        assert_eq!(ended.stdout, "1\n");
    }
    server.ask(&["echo", "unharmed"]).expect(0, "\"unharmed\"\n");
}

#[test]
fn an_idle_server_ends_at_once_and_takes_python_along() {
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 130)] {
        let server = Server::start("workshop");
        let python = server.python();
        server.running.signal(signal);
        server.running.wait().expect(code, "").tells(&["stopping"]);
        wait_gone(python);
    }
}

/// A server in a process group of its own that streams to a client; the second item comes after a second.
fn streaming_server() -> (Server, Running) {
    let queue = format!("tcp://127.0.0.1:{}", free_port());
    let client = start(["--bind", &queue, "slow"]);
    let links = ["--server", "--bind", "tcp://127.0.0.1:*", "--connect", &queue, "workshop"];
    let mut line = command(ZERORPC, links);
    line.process_group(0);
    let server = Server::of(Running::start(line), "5");
    client.wait_for_stdout("1\n");
    (server, client)
}

#[test]
fn a_running_call_gets_its_answer_before_the_server_ends() {
    let (server, client) = streaming_server();
    let python = server.python();
    server.running.signal(Signal::TERM);
    client.wait().expect(0, "1\n2\n");
    server.running.wait().expect(0, "");
    wait_gone(python);
}

#[test]
fn a_running_call_over_a_connection_of_its_client_gets_its_answer_too() {
    let server = Server::start("workshop");
    let python = server.python();
    let client = server.start_client(&["slow"]);
    client.wait_for_stdout("1\n");
    server.running.signal(Signal::TERM);
    client.wait().expect(0, "1\n2\n");
    server.running.wait().expect(0, "");
    wait_gone(python);
}

#[test]
fn ctrl_c_at_a_terminal_reaches_python_too_and_calls_still_end() {
    let (server, client) = streaming_server();
    let python = server.python();
    kill_process_group(server.running.pid(), Signal::INT).expect("it runs");
    client.wait().expect(0, "1\n2\n");
    server.running.wait().expect(130, "");
    wait_gone(python);
}

#[test]
fn a_second_signal_ends_a_server_that_is_still_busy() {
    let server = Server::start("workshop");
    let python = server.python();
    let call = server.start_client(&["gated"]);
    call.wait_for_stdout("1\n");
    server.running.signal(Signal::TERM);
    server.running.wait_for_stderr("a second signal ends them at once");
    server.running.signal(Signal::INT);
    server.running.wait().expect(130, "");
    wait_gone(python);
}

#[test]
fn a_busy_server_ends_when_its_time_is_over() {
    let server = Server::start("workshop");
    let python = server.python();
    let call = server.start_client(&["gated"]);
    call.wait_for_stdout("1\n");
    let began = Instant::now();
    server.running.signal(Signal::INT);
    server.running.wait().expect(130, "");
    assert!(began.elapsed().as_secs() < 30);
    wait_gone(python);
}

#[test]
fn a_server_that_is_still_loading_can_be_ended() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = start(["--server", "--bind", "tcp://127.0.0.1:*", "slow_import"]);
        let said = server.wait_for_stderr("\n");
        let python = said.trim().rsplit(' ').next().and_then(|number| number.parse().ok());
        let python = python.and_then(Pid::from_raw).expect("it tells its id");
        server.signal(signal);
        server.wait().expect_signal(signal);
        wait_gone(python);
    }
}

#[test]
fn a_server_that_is_killed_takes_python_along() {
    let server = Server::start("workshop");
    let python = server.python();
    server.running.signal(Signal::KILL);
    server.running.wait().expect_signal(Signal::KILL);
    wait_gone(python);
}

/// Whoever reads the log may go before the server does.
#[test]
fn a_log_that_nobody_reads_any_more_stops_nothing() {
    let (log, log_end) = std::io::pipe().expect("a pipe");
    let mut line = command(ZERORPC, ["-d", "--server", "--bind", "tcp://127.0.0.1:*", "workshop"]);
    line.stdout(Stdio::null()).stderr(log_end);
    let mut server = Process::start(&mut line);
    // It holds the other end of the pipe.
    drop(line);
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let bound = lines.find_map(|line| line.strip_prefix("bound to ").map(str::to_owned));
    let bound = bound.expect("it tells the port");
    let endpoint = bound.trim_matches('"');
    assert!(lines.any(|line| line.starts_with("serving ")));
    drop(lines);
    for _ in 0..3 {
        run(["--timeout", "5", endpoint, "echo", "x"]).expect(0, "\"x\"\n");
    }

    let (nobody, log_end) = std::io::pipe().expect("a pipe");
    drop(nobody);
    let client = command(ZERORPC, ["-d", "--timeout", "5", endpoint, "echo", "y"])
        .stderr(log_end)
        .output()
        .expect("it runs");
    assert_eq!((client.status.code(), &client.stdout[..]), (Some(0), &b"\"y\"\n"[..]));

    kill_process(Pid::from_child(&server.child), Signal::TERM).expect("it still runs");
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
}
