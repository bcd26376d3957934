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

/// Those who count hear answers to their beats, those who do not count have no need of them.
#[test]
fn heartbeats_can_be_switched_off_on_either_side() {
    let (beating, quiet) =
        (Server::beating("0.5", &[], "workshop"), Server::beating("none", &[], "workshop"));
    let calls = [
        quiet.start_client(&["--json", "--heartbeat", "0.5", "--active-hb", "sleep", "2.3"]),
        quiet.start_client(&["--json", "--heartbeat", "0.5", "sleep", "2.3"]),
        quiet.start_client(&["--json", "--heartbeat", "0", "sleep", "2.3"]),
        beating.start_client(&["--json", "--heartbeat", "none", "sleep", "2.3"]),
        beating.start_client(&["--json", "--heartbeat", "0", "--active-hb", "sleep", "2.3"]),
    ];
    for call in calls {
        call.wait().expect(0, "\"slept\"\n");
    }
}

fn half_second(server: &Server) -> DialOptions {
    DialOptions { heartbeat: Duration::from_millis(500), ..DialOptions::to(&server.endpoint) }
}
