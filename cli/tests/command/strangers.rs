//! Connections that a server does not accept.

use crate::support::{Server, run, start};

#[test]
fn networks_and_numbers_of_connections_are_limited() {
    let flags =
        ["--deny-network", "127.0.0.2", "--max-connections-per-address", "1", "--threads", "2"];
    let server = Server::beating("5", &flags, "workshop");
    server.ask(&["echo", "text"]).expect(0, "\"text\"\n");

    let from = |host: &str| server.endpoint.replace("tcp://", &format!("tcp://{host}:0;"));
    let call =
        |host: &str, words: &[&str]| start([&["--timeout", "1", &from(host)], words].concat());
    call("127.0.0.2", &["echo", "text"]).wait().expect(5, "");
    server.running.wait_for_stderr("refused a connection from tcp://127.0.0.2:");

    let first = call("127.0.0.3", &["gated"]);
    first.wait_for_stdout("1\n");
    call("127.0.0.3", &["echo", "text"]).wait().expect(5, "");
    server.running.wait_for_stderr("its address has as many connections as it may (1)");
    call("127.0.0.4", &["echo", "text"]).wait().expect(0, "\"text\"\n");
}

#[test]
fn libzmq_does_not_pass_over_limits() {
    for (flag, value, what) in
        [("--max-connections", "10", "limit"), ("--deny-network", "10.0.0.0/8", "networks")]
    {
        let line = ["--transport", "zmq", flag, value, "--bind", "tcp://127.0.0.1:*", "echo"];
        run(line).expect(7, "").tells(&["libzmq cannot", what, "transport mio"]);
    }
}
