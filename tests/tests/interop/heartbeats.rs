//! Heartbeats keep long calls and idle streams alive, and their absence ends them.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use zerorpc::{Client, Error, HeartbeatMode, Loss, TransportKind};
use zerorpc_tests::{
    peers::{self, Call, DialOptions, Peer, PeerClient, Stream},
    service::eventually,
};

use crate::support::{INTERVAL, Ours, SECOND, Theirs, is_python, with_each_peer};

zerorpc_tests::over_each_transport![
    our_clients_outlast_long_calls_and_idle_streams,
    their_clients_outlast_long_calls_and_idle_streams,
    their_command_outlasts_a_long_call,
    with_our_heartbeats_off_nobody_is_lost,
    a_method_that_burns_cpu_delays_neither_heartbeats_nor_other_calls,
    our_client_loses_a_killed_server_in_time,
];

/// More than three intervals, within which a side that hears nothing would have given up.
const LONG: Duration = INTERVAL.saturating_mul(4);

fn dial(kind: TransportKind, endpoint: &str, mode: HeartbeatMode) -> Client {
    let builder = Client::builder().transport(kind).connect(endpoint).heartbeat(INTERVAL);
    builder.heartbeat_mode(mode).build().expect("a client")
}

fn our_clients_outlast_long_calls_and_idle_streams(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve_at(peer, INTERVAL);
        thread::scope(|scope| {
            for endpoint in server.process.endpoints() {
                for mode in [HeartbeatMode::Active, HeartbeatMode::Passive] {
                    scope.spawn(move || our_client_outlasts(&dial(kind, endpoint, mode)));
                }
            }
        });
    });
}

fn our_client_outlasts(client: &Client) {
    let long = LONG.as_secs_f64();
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(client.call("sleep", (long,)), Ok(long)));
        let stream = client.stream::<u64>("slow_numbers", (2, long)).expect("a stream");
        assert!(stream.map(|item| item.expect("an item")).eq(0..2));
    });
}

fn their_clients_outlast_long_calls_and_idle_streams(kind: TransportKind) {
    let ours = Ours::serve_with(kind, |builder| builder.heartbeat(INTERVAL));
    thread::scope(|scope| {
        for endpoint in ours.server.endpoints() {
            let options = DialOptions { heartbeat: INTERVAL, ..DialOptions::to(endpoint) };
            let passive = DialOptions { passive: true, ..options.clone() };
            scope.spawn(move || {
                let Some(python) = peers::python() else { return };
                their_client_outlasts(&python.client(passive));
            });
            scope.spawn(move || {
                with_each_peer(|peer| their_client_outlasts(&peer.client(options.clone())));
            });
        }
    });
}

fn their_client_outlasts(client: &PeerClient) {
    let long = LONG.as_secs_f64();
    let call = client.start_call(&Call::of("sleep", json!([long])));
    let streamed = client.stream("slow_numbers", json!([2, long]));
    assert_eq!((streamed.items, streamed.error), (vec![json!(0), json!(1)], None));
    assert_eq!(call.wait(), Ok(json!(null)));
}

/// The common advice against lost remotes. While it sees their connection, a server has no need of their beats.
#[test]
fn callers_without_heartbeats_or_with_slow_ones_keep_their_calls() {
    let ours = Ours::serve_with(TransportKind::Mio, |builder| builder.heartbeat(INTERVAL));
    let long = LONG.as_secs_f64();
    with_each_peer(|peer| {
        let never = if is_python(peer) { Duration::ZERO } else { 3600 * SECOND };
        let intervals = [never, 3 * INTERVAL, 20 * SECOND, 30 * SECOND, 1_000_000 * SECOND];
        // Node's timers reach as far as 2^31 ms.
        let count = if is_python(peer) { 5 } else { 4 };
        let clients = intervals[..count].iter().zip(ours.server.endpoints().iter().cycle());
        let clients = clients.map(|(heartbeat, endpoint)| {
            peer.client(DialOptions { heartbeat: *heartbeat, ..DialOptions::to(endpoint) })
        });
        let clients: Vec<_> = clients.collect();
        let begun = clients.iter().map(|client| {
            let call = client.start_call(&Call::of("sleep", json!([long])));
            (call, client.start_stream(&Stream::of("slow_numbers", json!([2, long]))))
        });
        for (call, stream) in begun.collect::<Vec<_>>() {
            assert_eq!(call.wait(), Ok(json!(null)));
            let streamed = stream.wait();
            assert_eq!((streamed.items, streamed.error), (vec![json!(0), json!(1)], None));
        }
    });
}

/// Their command is passive unless told otherwise, and counts in whole seconds.
fn their_command_outlasts_a_long_call(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve_with(kind, |builder| builder.heartbeat(SECOND));
    let run = |flags: &[&str]| {
        let call = ["--json", "--heartbeat", "1", ours.endpoint(), "sleep", "3.5"];
        let output = python.cli(flags.iter().chain(&call)).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "None\n");
    };
    thread::scope(|scope| {
        scope.spawn(|| run(&[]));
        scope.spawn(|| run(&["--active-hb"]));
    });
}

/// They count, and hear beats because their own are answered.
fn with_our_heartbeats_off_nobody_is_lost(kind: TransportKind) {
    let ours = Ours::serve_with(kind, |builder| builder.heartbeat(None));
    with_each_peer(|peer| {
        let theirs = Theirs::serve_at(peer, INTERVAL);
        let builder = Client::builder().transport(kind).connect(theirs.process.endpoint());
        let client = builder.heartbeat(None).build().expect("a client");
        let passives: &[bool] = if is_python(peer) { &[false, true] } else { &[false] };
        let dialled = passives.iter().map(|passive| {
            let options = DialOptions { heartbeat: INTERVAL, ..DialOptions::to(ours.endpoint()) };
            peer.client(DialOptions { passive: *passive, ..options })
        });
        let dialled: Vec<_> = dialled.collect();
        thread::scope(|scope| {
            scope.spawn(|| our_client_outlasts(&client));
            for client in &dialled {
                scope.spawn(|| their_client_outlasts(client));
            }
        });
    });
}

fn a_method_that_burns_cpu_delays_neither_heartbeats_nor_other_calls(kind: TransportKind) {
    let ours = Ours::serve_with(kind, |builder| builder.heartbeat(INTERVAL));
    let options = DialOptions { heartbeat: INTERVAL, ..DialOptions::to(ours.endpoint()) };
    with_each_peer(|peer| {
        let client = peer.client(options.clone());
        let start = Instant::now();
        let burning = client.start_call(&Call::of("burn", json!([LONG.as_secs_f64()])));
        let mut answered = 0;
        while start.elapsed() < LONG / 2 {
            assert_eq!(client.call("add", json!([answered, 1])), Ok(json!(answered + 1)));
            answered += 1;
        }
        assert!(answered > 10, "only {answered} other calls were answered");
        assert_eq!(client.stream("numbers", json!([120])).items.len(), 120);
        assert_eq!(burning.wait(), Ok(json!(true)));
        assert!(start.elapsed() >= LONG, "it did burn");
    });
}

/// A process that is killed says nothing more. libzmq keeps it to itself that a connection has ended.
fn our_client_loses_a_killed_server_in_time(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve_at(peer, INTERVAL);
        let client = dial(kind, server.process.endpoint(), HeartbeatMode::Active);
        thread::scope(|scope| {
            let call = scope.spawn(|| client.call::<f64>("sleep", (60,)));
            let mut stream = client.stream::<u64>("slow_numbers", (60, 0.1)).expect("a stream");
            assert_eq!(stream.next(), Some(Ok(0)));
            eventually("both are running", || client.call("active", ()) == Ok(2));
            let killed = Instant::now();
            drop(server);

            let (expected, soonest, latest) = match kind {
                TransportKind::Mio => (None, Duration::ZERO, 5 * SECOND),
                // The last sign of life may have come an interval before the end.
                _ => {
                    let after = 2 * INTERVAL;
                    (Some(Loss::Silent { after }), INTERVAL / 2, after + 5 * SECOND)
                }
            };
            for error in [call.join().expect("no panic").err(), stream.find_map(Result::err)] {
                let Some(Error::LostRemote { loss, .. }) = error else {
                    panic!("the server is gone, but: {error:?}");
                };
                match &expected {
                    Some(expected) => assert_eq!(loss, *expected),
                    None => assert!(matches!(loss, Loss::Disconnected { .. }), "{loss}"),
                }
            }
            let waited = killed.elapsed();
            assert!(soonest <= waited && waited < latest, "{waited:?}");
        });
    });
}
