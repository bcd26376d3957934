//! Servers that vanish while they work on a call.

use rustix::process::Signal;

use crate::support::{Ended, Server};

fn is_lost(ended: Ended, server: &Server, stdout: &str, how: &str) {
    let call = format!("when calling remote method gated at {}", server.endpoint);
    ended.expect(4, stdout).tells(&[&format!("error: {how}"), &call]);
}

const SILENCE: &str = "Lost remote after 1s heartbeat";

#[test]
fn a_killed_server_is_lost() {
    let server = Server::beating("0.5", &[], "workshop");
    let python = server.python();
    let call = server.start_client(&["-d", "gated"]);
    // A client that beats only in answer counts from the first beat on.
    call.wait_for_stderr("received _zpc_hb");
    server.running.signal(Signal::KILL);
    is_lost(call.wait(), &server, "1\n", "the connection was lost");
    crate::support::wait_gone(python);
}

#[test]
fn a_frozen_server_is_lost() {
    let server = Server::beating("0.5", &["--threads", "2"], "workshop");
    let lines = server.start_client(&["--active-hb", "gated"]);
    let array = server.start_client(&["--active-hb", "-pj", "gated"]);
    lines.wait_for_stdout("1\n");
    array.wait_for_stdout("[1");
    server.running.signal(Signal::STOP);
    is_lost(lines.wait(), &server, "1\n", SILENCE);
    is_lost(array.wait(), &server, "[1]\n", SILENCE);
}
