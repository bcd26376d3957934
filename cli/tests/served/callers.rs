//! Callers without heartbeats, or with slow ones: they keep their calls while their connection lives.

use std::{process::Command, time::Duration};

use serde_json::json;
use zerorpc_tests::peers::{self, DialOptions, Packages, Peer};

use crate::support::{Served, Setup, newest, oldest, with};

/// Longer than several of the server's intervals, of half a second.
const LONG: f64 = 3.5;

fn dial(server: &Served, heartbeat: u64) -> DialOptions {
    DialOptions { heartbeat: Duration::from_secs(heartbeat), ..DialOptions::to(server.endpoint()) }
}

fn is_patient(server: &Served, peer: &dyn Peer, heartbeats: &[u64]) {
    let clients: Vec<_> =
        heartbeats.iter().map(|heartbeat| peer.client(dial(server, *heartbeat))).collect();
    let calls: Vec<_> = clients
        .iter()
        .map(|client| client.start_call(&peers::Call::of("sleep", json!([LONG]))))
        .collect();
    for (call, heartbeat) in calls.into_iter().zip(heartbeats) {
        assert_eq!(call.wait(), Ok(json!(LONG)), "{heartbeat}");
    }
    let streams: Vec<_> = clients
        .iter()
        .map(|client| client.start_stream(&peers::Stream::of("slow_numbers", json!([3, 1.2]))))
        .collect();
    for (stream, heartbeat) in streams.into_iter().zip(heartbeats) {
        let streamed = stream.wait();
        assert_eq!(streamed.error, None, "{heartbeat}");
        assert_eq!(streamed.items, [json!(0), json!(1), json!(2)], "{heartbeat}");
    }
}

fn server() -> Served {
    Served::with(newest(), &["--threads", "16"], "patience")
}

#[test]
fn python_callers_with_slow_heartbeats_are_answered() {
    let Some(python) = peers::python() else { return };
    is_patient(&server(), &python, &[20, 30, 1_000_000]);
}

#[test]
fn node_callers_with_slow_heartbeats_are_answered() {
    let Some(node) = peers::node() else { return };
    is_patient(&server(), &node, &[20, 3600]);
}

/// `zerorpc.Client(heartbeat=None)`, with a time-out and without.
#[test]
fn python_callers_without_heartbeats_are_answered() {
    let Some(python) = with(oldest(), Packages::Zerorpc) else { return };
    let server = server();
    let calls = ["timeout=40", "timeout=None"].map(|options| {
        let program = format!(
            "import zerorpc\n\
             client = zerorpc.Client({:?}, heartbeat=None, {options})\n\
             print(client.sleep({LONG}), list(client.slow_numbers(3, 1.2)))\n",
            server.endpoint(),
        );
        let mut command = Command::new(python.executable());
        command.args(["-c", &program]);
        crate::command::Running::start(command)
    });
    for call in calls {
        call.wait().expect(0, &format!("{LONG} [0, 1, 2]\n"));
    }
}

/// One that the reference's own check would not have noticed: three intervals of the default.
#[test]
fn a_call_of_twenty_seconds_is_answered_with_heartbeats_of_five() {
    let Some(python) = peers::python() else { return };
    let server = Setup::new(newest(), &["--threads", "4", "--heartbeat", "5"], "patience").start();
    let client =
        python.client(DialOptions { timeout: Duration::from_secs(60), ..dial(&server, 1_000_000) });
    assert_eq!(client.call("sleep", json!([20])), Ok(json!(20)));
}

/// Our own sides, with heartbeats switched off.
#[test]
fn heartbeats_can_be_switched_off() {
    let seconds = LONG.to_string();
    let beating = self::server();
    let mut running = Vec::new();
    for off in ["none", "0"] {
        let flags = ["--threads", "4", "--heartbeat", off];
        let silent = Setup::new(newest(), &flags, "patience").start();
        let words = |heartbeat| ["--json", "--heartbeat", heartbeat, "sleep", &seconds];
        let calls = [(&silent, "0.5"), (&silent, off), (&beating, off)]
            .map(|(server, heartbeat)| server.server.start_client(&words(heartbeat)));
        running.push((silent, calls));
    }
    for (_silent, calls) in running {
        for call in calls {
            call.wait().expect(0, &format!("{LONG}\n"));
        }
    }
}
