//! Who binds and who connects does not matter; several links, and queues in between.

use std::{collections::BTreeMap, thread};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use zerorpc::{CallOptions, Client, Error, Server, TransportKind};
use zerorpc_tests::{
    peers::{self, Call, DialOptions, Peer, PeerProcess, PythonPeer, ServeOptions, endpoints},
    service::{eventually, methods, serve_with},
};

use crate::support::{INTERVAL, Ours, SECOND, connect, with_each_peer};

zerorpc_tests::over_each_transport![
    a_bound_client_of_ours_waits_for_their_worker,
    our_worker_serves_bound_clients_of_theirs,
    a_client_of_ours_deals_its_calls_to_all_of_theirs,
    queues_between_our_client_and_their_servers,
    queues_between_their_clients_and_our_server,
    queues_between_our_client_and_our_server,
    a_queue_with_workers_of_both,
    requests_that_were_given_up_never_reach_their_server,
    a_queue_that_is_not_running_costs_their_clients_nothing,
    an_endpoint_that_is_not_running_costs_a_client_that_knows_its_peers_nothing,
];

fn a_bound_client_of_ours_waits_for_their_worker(kind: TransportKind) {
    with_each_peer(|peer| {
        let folder = TempDir::new().expect("a folder");
        for endpoint in ["tcp://127.0.0.1:*", &endpoints::ipc(&folder)] {
            let client =
                Client::builder().transport(kind).bind(endpoint).build().expect("a client");
            thread::scope(|scope| {
                let call = scope.spawn(|| client.call::<u64>("add", (20, 22)));
                let _worker = peer.serve(ServeOptions::worker(&client.endpoints()[0]));
                assert_eq!(call.join().expect("no panic"), Ok(42));
                let stream = client.stream::<u64>("numbers", (300,)).expect("a stream");
                assert!(stream.map(|item| item.expect("an item")).eq(0..300));
            });
        }
    });
}

fn our_worker_serves_bound_clients_of_theirs(kind: TransportKind) {
    with_each_peer(|peer| {
        let folder = TempDir::new().expect("a folder");
        let bound = ["tcp://127.0.0.1:0".to_owned(), endpoints::ipc(&folder)];
        let clients = bound.map(|endpoint| peer.client(DialOptions::bound(endpoint)));
        let early = clients[0].start_call(&Call::of("add", json!([1, 2])));
        let absent = endpoints::tcp();
        // A worker of two callers that also serves at two endpoints of its own, and whose last caller is not
        // there.
        let (server, _) = serve_with(kind, |builder| {
            clients
                .iter()
                .fold(builder, |builder, client| builder.connect(client.process().endpoint()))
                .bind(&endpoints::ipc(&folder))
                .connect(&absent)
        });
        assert_eq!(early.wait(), Ok(json!(3)));
        for client in &clients {
            assert_eq!(client.call("echo", json!(["x"])), Ok(json!("x")));
            assert_eq!(client.stream("numbers", json!([300])).items.len(), 300);
        }
        for endpoint in server.endpoints() {
            let client = peer.client(DialOptions::to(endpoint));
            assert_eq!(client.call("echo", json!(["y"])), Ok(json!("y")));
        }
        // Now it is.
        let late = peer.client(DialOptions::bound(&absent));
        assert_eq!(late.call("echo", json!(["z"])), Ok(json!("z")));
    });
}

/// Behind libzmq only calls are dealt well: it deals the beats and grants of one channel to all of its peers.
fn a_client_of_ours_deals_its_calls_to_all_of_theirs(kind: TransportKind) {
    let (Some(python), Some(node)) = (peers::python(), peers::node()) else { return };
    let server = python.serve(ServeOptions::default());
    let builder =
        Client::builder().transport(kind).bind("tcp://127.0.0.1:*").connect(server.endpoint());
    let client = builder.build().expect("a client");
    let _worker = node.serve(ServeOptions::worker(&client.endpoints()[0]));
    let mut seen = [false; 2];
    eventually("both languages answer", || {
        let (_pong, name): (String, String) = client.call("_zerorpc_ping", ()).expect("an answer");
        // Node's services have no name.
        seen[usize::from(name.is_empty())] = true;
        seen == [true; 2]
    });
    for number in 0..100 {
        assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
    }
    if kind == TransportKind::Mio {
        for _ in 0..6 {
            let stream = client.stream::<u64>("numbers", (1_000,)).expect("a stream");
            assert!(stream.map(|item| item.expect("an item")).eq(0..1_000));
        }
    }
}

/// A queue in front of another one, or of the server itself.
fn queues(python: &PythonPeer, server: &str, count: usize) -> Vec<PeerProcess> {
    let mut queues: Vec<PeerProcess> = Vec::new();
    for _ in 0..count {
        let next = queues.last().map_or(server, PeerProcess::endpoint).to_owned();
        let connect = vec![next];
        queues.push(python.proxy(ServeOptions { connect, ..ServeOptions::default() }));
    }
    queues
}

fn queues_between_our_client_and_their_servers(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    with_each_peer(|peer| {
        let server = peer.serve(ServeOptions { heartbeat: INTERVAL, ..ServeOptions::default() });
        let queues = queues(&python, server.endpoint(), 2);
        for queue in &queues {
            our_client_outlasts(kind, queue);
        }
    });
}

/// A stream, and a call that takes several intervals of heartbeats, through a queue.
fn our_client_outlasts(kind: TransportKind, queue: &PeerProcess) {
    let builder = Client::builder().transport(kind).connect(queue.endpoint()).heartbeat(INTERVAL);
    let client = builder.build().expect("a client");
    let long = (INTERVAL * 4).as_secs_f64();
    thread::scope(|scope| {
        let call = scope.spawn(|| client.call::<Json>("sleep", (long,)));
        let stream = client.stream::<u64>("numbers", (1_000,)).expect("a stream");
        assert!(stream.map(|item| item.expect("an item")).eq(0..1_000));
        assert!(call.join().expect("no panic").is_ok());
    });
}

fn queues_between_their_clients_and_our_server(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve_with(kind, |builder| builder.heartbeat(INTERVAL));
    let queues = queues(&python, ours.endpoint(), 2);
    with_each_peer(|peer| {
        for queue in &queues {
            let heartbeat = INTERVAL;
            let client =
                peer.client(DialOptions { heartbeat, ..DialOptions::to(queue.endpoint()) });
            let call = client.start_call(&Call::of("sleep", json!([(INTERVAL * 4).as_secs_f64()])));
            assert_eq!(client.stream("numbers", json!([1_000])).items.len(), 1_000);
            assert_eq!(call.wait(), Ok(json!(null)));
        }
    });
}

fn queues_between_our_client_and_our_server(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve_with(kind, |builder| builder.heartbeat(INTERVAL));
    for queue in &queues(&python, ours.endpoint(), 2) {
        our_client_outlasts(kind, queue);
    }
}

/// A queue to which servers connect as well: workers of ours and theirs share its load.
fn a_queue_with_workers_of_both(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let bind = vec!["tcp://127.0.0.1:0".to_owned(); 2];
    let queue = python.proxy(ServeOptions { bind, ..ServeOptions::default() });
    let [front, back] = queue.endpoints() else { panic!("two endpoints") };
    let (service, _) = methods();
    let ours =
        Server::builder().transport(kind).service(service).connect(back).build().expect("a worker");
    let _theirs = python.serve(ServeOptions::worker(back));
    assert!(ours.endpoints().is_empty());

    let client = connect(kind, front);
    let their_client = python.client(DialOptions::to(front));
    let mut seen = [false; 2];
    eventually("both workers answer", || {
        let (_pong, name): (String, String) = client.call("_zerorpc_ping", ()).expect("an answer");
        seen[usize::from(name == "Tested")] = true;
        seen == [true; 2]
    });
    for number in 0..20 {
        assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
        assert_eq!(their_client.call("add", json!([number, 1])), Ok(json!(number + 1)));
    }
}

/// What a caller gave up before its server was there is not asked of the server when it comes.
fn requests_that_were_given_up_never_reach_their_server(kind: TransportKind) {
    with_each_peer(|peer| {
        let endpoint = endpoints::tcp();
        let client = connect(kind, &endpoint);
        let soon = CallOptions::new().timeout(SECOND / 5);
        let given_up = client.with(soon).call::<u64>("add", (1, 2));
        // libzmq does not tell why nobody could be reached.
        assert!(
            matches!(given_up, Err(Error::Unreachable { .. } | Error::Timeout { .. })),
            "{given_up:?}"
        );
        let _server = peer.serve(ServeOptions::bound(&endpoint));
        assert_eq!(client.call("add", (3, 4)), Ok(7));
        let calls: BTreeMap<String, u64> = client.call("calls_seen", ()).expect("the calls");
        assert_eq!(calls["add"], 1);
    });
}

/// A server answers whoever has asked, whatever moves its messages.
fn a_queue_that_is_not_running_costs_their_clients_nothing(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    with_each_peer(|peer| {
        let bind = vec!["tcp://127.0.0.1:0".to_owned(); 2];
        let queue = python.proxy(ServeOptions { bind, ..ServeOptions::default() });
        let [front, back] = queue.endpoints() else { panic!("two endpoints") };
        let (_server, _) =
            serve_with(kind, |builder| builder.connect(&endpoints::tcp()).connect(back));
        let client = peer.client(DialOptions::to(front));
        for number in 0..20 {
            assert_eq!(client.call("add", json!([number, 1])), Ok(json!(number + 1)));
        }
    });
}

/// libzmq deals to those it connects to, there or not.
fn an_endpoint_that_is_not_running_costs_a_client_that_knows_its_peers_nothing(
    kind: TransportKind,
) {
    if kind == TransportKind::Zmq {
        return;
    }
    with_each_peer(|peer| {
        let server = peer.serve(ServeOptions::default());
        let builder =
            Client::builder().transport(kind).connect(&endpoints::tcp()).connect(server.endpoint());
        let client = builder.timeout(5 * SECOND).build().expect("a client");
        for number in 0..20 {
            assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
        }
    });
}
