//! Many calls at once, in both directions.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use zerorpc::{Client, TransportKind};
use zerorpc_tests::peers::{PeerClient, Stream};

use crate::support::{Ours, SECOND, Theirs, with_each_peer};

zerorpc_tests::over_each_transport![
    of_our_client_to_their_servers,
    of_their_clients_to_our_server,
    of_all_clients_at_once,
];

const CALLS: u32 = 200;
/// How long each of them takes; one after the other they would take a hundred seconds.
const NAP: Duration = Duration::from_millis(500);
/// How long all of them may take side by side.
const TOGETHER: Duration = Duration::from_secs(30);

fn of_our_client_to_their_servers(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        for client in server.clients(kind) {
            our_calls_interleave(&client);
        }
    });
}

/// Each call gets its own answer, the first one last.
fn our_calls_interleave(client: &Client) {
    let start = Instant::now();
    thread::scope(|scope| {
        for number in 0..CALLS {
            scope.spawn(move || {
                let nap = NAP + Duration::from_millis((CALLS - number).into());
                let seconds = nap.as_secs_f64();
                assert_eq!(client.call("sleep", (seconds,)), Ok(seconds));
                assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
            });
        }
        for _ in 0..4 {
            let stream = client.stream::<u64>("numbers", (500,)).expect("a stream");
            assert!(stream.map(|item| item.expect("an item")).eq(0..500));
        }
    });
    assert!(start.elapsed() < TOGETHER, "{:?}", start.elapsed());
}

fn of_their_clients_to_our_server(kind: TransportKind) {
    let ours = Ours::serve(kind);
    with_each_peer(|peer| {
        for client in ours.clients(peer) {
            their_calls_interleave(&client);
        }
    });
}

fn their_calls_interleave(client: &PeerClient) {
    let start = Instant::now();
    let streams: Vec<_> =
        (0..4).map(|_| client.start_stream(&Stream::of("numbers", json!([500])))).collect();
    let naps = vec![json!([NAP.as_secs_f64()]); CALLS as usize];
    assert_eq!(client.many("sleep", &naps), vec![Ok(json!(null)); CALLS as usize]);
    assert!(start.elapsed() < TOGETHER, "{:?}", start.elapsed());

    let pairs: Vec<Json> = (0..CALLS).map(|number| json!([number, 1])).collect();
    let sums: Vec<_> = (1..=CALLS).map(|sum| Ok(json!(sum))).collect();
    assert_eq!(client.many("add", &pairs), sums);
    for stream in streams {
        assert!(stream.wait().items.into_iter().eq((0..500).map(Json::from)));
    }
}

/// Several clients and servers of both languages at work with the same peer of ours, for as long as it takes.
fn of_all_clients_at_once(kind: TransportKind) {
    let ours = Ours::serve_with(kind, |builder| builder.pool_size(Some(4)));
    with_each_peer(|peer| {
        let clients = ours.clients(peer);
        thread::scope(|scope| {
            for client in &clients {
                scope.spawn(move || {
                    for round in 0..5 {
                        let streamed = client.stream("numbers", json!([300]));
                        assert_eq!(streamed.items.len(), 300);
                        assert_eq!(client.call("echo", json!([round])), Ok(json!(round)));
                    }
                });
            }
        });
    });
    assert!(ours.server.shutdown(10 * SECOND).is_complete(), "nothing is left open");
}
