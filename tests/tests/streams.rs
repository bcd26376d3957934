//! Streams between our own client and server over real sockets.

use std::{
    iter,
    sync::{Arc, Mutex, atomic::Ordering, mpsc},
    thread,
    time::{Duration, Instant},
};

use rmpv::Value;
use zerorpc::{Client, Error, Limits, Methods, Server};
use zerorpc_tests::{proxy::Proxy, service::eventually, transports::Pair};

zerorpc_tests::over_each_pair![
    of_every_length,
    a_failure_ends_them_behind_their_items,
    what_was_made_leaves_though_the_next_item_takes_long,
    a_slow_reader_slows_the_producer_and_is_not_lost,
    one_that_is_dropped_ends_its_producer,
    many_at_once_with_few_threads,
    threads_read_their_own,
    a_long_way_is_no_reason_to_wait,
    what_waits_for_those_that_stand_still_is_refused,
];

const SECOND: Duration = Duration::from_secs(1);

fn client(pair: Pair, server: &Server, interval: Duration) -> Client {
    pair.client_with(server, |builder| builder.heartbeat(interval))
}

fn of_every_length(pair: Pair) {
    let (server, _) = pair.serve();
    let client = client(pair, &server, 5 * SECOND);
    for length in [0_u64, 1, 2, 99, 100, 101, 102, 1000, 100_000] {
        let items: Result<Vec<u64>, _> =
            client.stream("numbers", (length,)).expect("a stream").collect();
        let items = items.expect("no error");
        assert!(items.iter().copied().eq(0..length), "{length}: {} items", items.len());
    }
}

fn a_failure_ends_them_behind_their_items(pair: Pair) {
    let (server, _) = pair.serve();
    let client = client(pair, &server, 5 * SECOND);
    for length in [1_u64, 5, 150] {
        let mut stream = client.stream::<u64>("failing_stream", (length,)).expect("a stream");
        for item in 0..length {
            assert_eq!(stream.next(), Some(Ok(item)));
        }
        assert!(
            matches!(stream.next(), Some(Err(Error::Remote { error, .. })) if error.name == "RuntimeError")
        );
        assert_eq!(stream.next(), None);
    }
    assert!(matches!(client.stream::<u64>("failing_stream", (0,)), Err(Error::Remote { .. })));
}

fn what_was_made_leaves_though_the_next_item_takes_long(pair: Pair) {
    // The stream takes its time, in which another thread begins to wait for the socket, gives numbers at once, and
    // tells whether they had been read before it went on.
    let (read, was_read) = mpsc::channel::<()>();
    let was_read = Arc::new(Mutex::new(was_read));
    let service = Methods::new("bursts").stream("burst", move |length: u64| {
        let was_read = Arc::clone(&was_read);
        let last = move || {
            let was_read = was_read.lock().expect("nobody panics");
            u64::from(was_read.recv_timeout(10 * SECOND).is_ok())
        };
        thread::sleep(SECOND / 100);
        Ok((0..length).chain(iter::once_with(last)))
    });
    // No beat comes to help.
    let interval = 100 * SECOND;
    let server = pair.server().service(service).bind("tcp://127.0.0.1:*").heartbeat(interval);
    let server = server.build().expect("a server");
    let client = client(pair, &server, interval);
    for _ in 0..10 {
        for length in [1, 2, 5, 40] {
            let mut stream = client.stream::<u64>("burst", (length,)).expect("a stream");
            for item in 0..length {
                assert_eq!(stream.next(), Some(Ok(item)));
            }
            read.send(()).expect("the server waits");
            assert_eq!(stream.next(), Some(Ok(1)), "{length} items were held back");
            assert_eq!(stream.next(), None);
        }
    }
}

fn a_slow_reader_slows_the_producer_and_is_not_lost(pair: Pair) {
    let interval = SECOND / 5;
    let (server, seen) = pair.serve_with(|builder| builder.heartbeat(interval));
    let client = client(pair, &server, interval);
    let mut stream = client.stream::<u64>("numbers", (10_000,)).expect("a stream");
    assert_eq!(stream.next(), Some(Ok(0)));
    assert_eq!(stream.next(), Some(Ok(1)));
    // Unread for many intervals: both sides go on beating, nothing runs ahead.
    let end = Instant::now() + 8 * interval;
    while Instant::now() < end {
        let ahead = seen.produced.load(Ordering::SeqCst);
        assert!(ahead <= 104, "{ahead} items were produced for 2 that were read");
        std::thread::sleep(interval / 10);
    }
    assert!(stream.map(|item| item.expect("an item")).eq(2..10_000));
}

fn one_that_is_dropped_ends_its_producer(pair: Pair) {
    let interval = SECOND / 5;
    let (server, seen) = pair.serve_with(|builder| builder.heartbeat(interval));
    let client = client(pair, &server, interval);
    let mut stream = client.stream::<u64>("watched", (1_000_000,)).expect("a stream");
    assert_eq!(stream.next(), Some(Ok(0)));
    assert_eq!(seen.alive.load(Ordering::SeqCst), 1);
    drop(stream);
    eventually("the iterator is dropped", || seen.alive.load(Ordering::SeqCst) == 0);
    assert_eq!(client.call("add", (1, 2)), Ok(3));
}

fn many_at_once_with_few_threads(pair: Pair) {
    let (server, _) = pair.serve_with(|builder| builder.pool_size(Some(2)));
    let client = client(pair, &server, 5 * SECOND);
    let mut streams: Vec<_> =
        (0..300).map(|_| client.stream::<u64>("numbers", (500,)).expect("a stream")).collect();
    for item in 0..500 {
        for stream in &mut streams {
            assert_eq!(stream.next(), Some(Ok(item)));
        }
    }
    assert!(streams.iter_mut().all(|stream| stream.next().is_none()));
}

fn threads_read_their_own(pair: Pair) {
    let (server, _) = pair.serve();
    let client = client(pair, &server, 5 * SECOND);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let stream = client.stream::<u64>("numbers", (5_000,)).expect("a stream");
                assert!(stream.map(|item| item.expect("an item")).eq(0..5_000));
            });
        }
    });
}

/// With 20 ms there and 20 back, a hundred items ahead are 51 for each of these.
fn a_long_way_is_no_reason_to_wait(pair: Pair) {
    const ITEMS: u64 = 2000;
    let (server, _) = pair.serve();
    let proxy = Proxy::before(server.endpoints());
    let connect = || pair.client().connect(&proxy.endpoint());
    let follows = connect().build().expect("a client");
    let fixed = connect().slots(100).build().expect("a client");
    let times = [follows, fixed].map(|client| {
        proxy.set_delay(Duration::ZERO);
        assert_eq!(client.call("add", (1, 2)), Ok(3));
        proxy.set_delay(SECOND / 50);
        let begin = Instant::now();
        let items = client.stream::<u64>("numbers", (ITEMS,)).expect("a stream");
        assert!(items.map(|item| item.expect("no error")).eq(0..ITEMS));
        begin.elapsed()
    });
    assert!(times[0] * 2 < times[1], "{times:?}");
}

fn what_waits_for_those_that_stand_still_is_refused(pair: Pair) {
    let service = Methods::new("tables")
        .stream("rows", |_table: Value| Ok(0_u64..))
        .method("add", |a: i64, b: i64| Ok(a + b));
    let limits = Limits::default().peer_bytes(1 << 20);
    let server = pair.server().service(service).bind("tcp://127.0.0.1:*").heartbeat(SECOND);
    let server = server.limits(limits).build().expect("a server");
    let client = client(pair, &server, SECOND);
    let table = Value::Binary(vec![7; 200_000]);
    let open = || client.stream::<u64>("rows", (&table,)).expect("a stream");
    let mut streams: Vec<_> = [(); 2].map(|()| open()).into();
    // The tables take more than half of what may be kept, and nobody reads.
    let start = Instant::now();
    let busy = client.call::<i64>("add", (1, 2)).expect_err("it cannot be run");
    assert!(matches!(&busy, Error::Remote { error, .. } if error.name == "ServerBusy"), "{busy}");
    let words = busy.to_string();
    assert!(words.contains("2 streams") && words.contains("Limits::peer_bytes"), "{words}");
    assert!(start.elapsed() > 3 * SECOND, "they were given time");
    // They go on, and whoever reads is served.
    assert!(streams.iter_mut().all(|stream| stream.next() == Some(Ok(0))));
    streams.pop();
    eventually("there is room", || client.call("add", (1, 2)) == Ok(3));
    assert!(streams.iter_mut().all(|stream| stream.next() == Some(Ok(1))));
}
