//! Streams of every length, with consumers that keep up, that pause, and that go away.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use zerorpc::{Client, TransportKind};
use zerorpc_tests::{
    peers::{self, DialOptions, Peer, PeerClient, Stream},
    service::eventually,
};

use crate::support::{INTERVAL, Ours, SECOND, Theirs, connect_at, is_python, with_each_peer};

zerorpc_tests::over_each_transport![
    of_every_length_from_their_servers,
    of_every_length_from_our_server,
    of_100_000_items_from_their_servers,
    of_100_000_items_from_our_server,
    our_producer_does_not_run_ahead_of_a_python_consumer,
    a_stream_that_our_client_leaves_lying_is_kept_alive,
    a_python_client_that_ends_a_stream_early_harms_nobody,
    a_client_that_is_killed_ends_its_stream,
    a_stream_that_our_client_drops_ends_at_their_server,
];

/// How many items come between two pauses of a slow consumer: more than a window, so that it closes.
const EVERY: usize = 250;
/// How long such a pause is.
const PAUSE: Duration = Duration::from_millis(5);

fn our_client_reads_all(client: &Client, count: u64, pause: Duration) {
    let stream = client.stream::<u64>("numbers", (count,)).expect("a stream");
    let mut expected = 0;
    for item in stream {
        assert_eq!(item, Ok(expected));
        expected += 1;
        if expected.is_multiple_of(EVERY as u64) {
            thread::sleep(pause);
        }
    }
    assert_eq!(expected, count);
}

fn their_client_reads_all(client: &PeerClient, count: u64, pause: Duration) {
    let stream = Stream { delay: pause, every: EVERY, ..Stream::of("numbers", json!([count])) };
    let streamed = client.start_stream(&stream).wait();
    assert_eq!(streamed.error, None);
    assert_eq!(streamed.items.len() as u64, count);
    assert!(streamed.items.into_iter().eq((0..count).map(Json::from)));
}

fn of_every_length_from_their_servers(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        for client in server.clients(kind) {
            for count in [0, 1, 2, 100, 101, 102, 1_000] {
                our_client_reads_all(&client, count, PAUSE);
            }
            assert_eq!(client.stream::<u64>("empty_stream", ()).expect("a stream").count(), 0);
        }
    });
}

fn of_every_length_from_our_server(kind: TransportKind) {
    let ours = Ours::serve(kind);
    with_each_peer(|peer| {
        for client in ours.clients(peer) {
            for count in [0, 1, 2, 100, 101, 102, 1_000] {
                their_client_reads_all(&client, count, PAUSE);
            }
        }
    });
}

/// Over tcp and ipc; Node takes minutes for so many items, so over tcp alone.
fn links(peer: &dyn Peer) -> usize {
    if is_python(peer) { 2 } else { 1 }
}

fn of_100_000_items_from_their_servers(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        for client in server.clients(kind).iter().take(links(peer)) {
            our_client_reads_all(client, 100_000, PAUSE);
            assert_eq!(client.call("add", (1, 2)), Ok(3));
        }
    });
}

fn of_100_000_items_from_our_server(kind: TransportKind) {
    let ours = Ours::serve(kind);
    with_each_peer(|peer| {
        for client in ours.clients(peer).iter().take(links(peer)) {
            their_client_reads_all(client, 100_000, PAUSE);
            assert_eq!(client.call("add", json!([1, 2])), Ok(json!(3)));
        }
    });
}

/// A Python consumer has at most its queue and one item unread, whatever its pauses: no more is produced.
fn our_producer_does_not_run_ahead_of_a_python_consumer(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    for (slots, read) in [(None, 250), (Some(10), 25)] {
        let ours = Ours::serve(kind);
        let produced = || ours.seen.produced.load(Ordering::SeqCst);
        let client = python.client(DialOptions::to(ours.endpoint()));
        let halted = Stream {
            every: read,
            delay: 600 * SECOND,
            slots,
            ..Stream::of("numbers", json!([100_000]))
        };
        let _never_ends = client.start_stream(&halted);
        eventually("the consumer has read its share", || produced() >= read);
        let end = Instant::now() + SECOND;
        while Instant::now() < end {
            // The item that waits for credit was produced too.
            let most = read + slots.unwrap_or(100) as usize + 2;
            assert!(produced() <= most, "{} items were produced for {read}", produced());
            thread::sleep(SECOND / 100);
        }
    }
}

/// The other way round: a server's stream goes on where our pausing client goes on, and not before.
fn a_stream_that_our_client_leaves_lying_is_kept_alive(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve_at(peer, INTERVAL);
        let client = connect_at(kind, server.process.endpoint(), INTERVAL);
        let mut stream = client.stream::<u64>("numbers", (1_000,)).expect("a stream");
        assert_eq!(stream.next(), Some(Ok(0)));
        let end = Instant::now() + 5 * INTERVAL;
        while Instant::now() < end {
            assert_eq!(client.call("add", (1, 2)), Ok(3));
            thread::sleep(INTERVAL / 20);
        }
        assert!(stream.map(|item| item.expect("an item")).eq(1..1_000));
    });
}

fn a_python_client_that_ends_a_stream_early_harms_nobody(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve_with(kind, |builder| builder.heartbeat(INTERVAL));
    let dial = DialOptions { heartbeat: INTERVAL, ..DialOptions::to(ours.endpoint()) };
    // Its own process may hang afterwards, so another one calls.
    let (quitter, other) = (python.client(dial.clone()), python.client(dial));
    let cut = Stream { limit: Some(150), ..Stream::of("watched", json!([1_000_000])) };
    assert_eq!(quitter.start_stream(&cut).wait().items.len(), 150);
    assert_eq!(
        ours.seen.alive.load(Ordering::SeqCst),
        1,
        "it is there until the silence is noticed"
    );
    eventually("our iterator is dropped", || ours.seen.alive.load(Ordering::SeqCst) == 0);
    assert_eq!(other.stream("numbers", json!([300])).items.len(), 300);
}

fn a_client_that_is_killed_ends_its_stream(kind: TransportKind) {
    with_each_peer(|peer| {
        let ours = Ours::serve_with(kind, |builder| builder.heartbeat(INTERVAL));
        let alive = || ours.seen.alive.load(Ordering::SeqCst);
        let options = DialOptions { heartbeat: INTERVAL, ..DialOptions::to(ours.endpoint()) };
        let client = peer.client(options);
        let halted =
            Stream { every: 10, delay: 600 * SECOND, ..Stream::of("watched", json!([u32::MAX])) };
        let _never_ends = client.start_stream(&halted);
        eventually("the stream has begun", || alive() == 1);
        drop(client);
        eventually("our iterator is dropped", || alive() == 0);
    });
}

/// Whom nobody listens to any more stops: their servers notice the silence of our channel.
fn a_stream_that_our_client_drops_ends_at_their_server(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve_at(peer, INTERVAL);
        let client = connect_at(kind, server.process.endpoint(), INTERVAL);
        let mut stream =
            client.stream::<u64>("slow_numbers", (1_000_000, 0.001)).expect("a stream");
        assert!(stream.by_ref().take(150).map(|item| item.expect("an item")).eq(0..150));
        assert_eq!(client.call("active", ()), Ok(1));
        drop(stream);
        eventually("their stream is ended", || client.call("active", ()) == Ok(0));
    });
}
