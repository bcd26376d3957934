//! Calls that last for several heartbeat intervals, whatever the method does meanwhile.

use std::time::Duration;

use serde_json::json;
use zerorpc_tests::peers::{self, DialOptions, Peer, PeerClient};

use crate::support::Server;

#[test]
fn busy_methods_do_not_delay_heartbeats() {
    let server = Server::beating("0.5", &["--threads", "4"], "workshop");
    // Two intervals of silence would lose the remote; these last for more than four.
    let calls = [("burn", "\"burnt\"\n"), ("sleep", "\"slept\"\n")].map(|(method, answer)| {
        let passive = server.start_client(&["--json", method, "2.3"]);
        let active = server.start_client(&["--json", "--active-hb", method, "2.3"]);
        (passive, active, answer)
    });
    for (passive, active, answer) in calls {
        passive.wait().expect(0, answer);
        active.wait().expect(0, answer);
    }
}

/// Both peers give up on a server that is silent for two or three intervals.
fn burns(client: &PeerClient) {
    assert_eq!(client.call("burn", json!([2.3])), Ok(json!("burnt")));
}

#[test]
fn a_python_client_gets_the_answer_of_a_busy_method() {
    let Some(python) = peers::python() else { return };
    let server = Server::beating("0.5", &[], "workshop");
    burns(&python.client(half_second(&server)));
}

#[test]
fn a_node_client_gets_the_answer_of_a_busy_method() {
    let Some(node) = peers::node() else { return };
    let server = Server::beating("0.5", &[], "workshop");
    burns(&node.client(half_second(&server)));
}

fn half_second(server: &Server) -> DialOptions {
    DialOptions { heartbeat: Duration::from_millis(500), ..DialOptions::to(&server.endpoint) }
}
