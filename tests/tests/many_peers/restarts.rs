//! A server that is restarted under its client.

use std::{
    thread,
    time::{Duration, Instant},
};

use zerorpc::Stream;
use zerorpc_tests::{peers::endpoints, service::eventually};

use crate::{
    loss::assert_lost,
    support::{SECOND, Site, builder},
};

/// Far less than the silence after which a call would be lost without further news.
const AT_ONCE: Duration = SECOND.saturating_mul(5);

#[test]
fn over_tcp() {
    restart_at(&endpoints::tcp());
}

#[test]
fn over_ipc() {
    let folder = tempfile::tempdir().expect("a folder");
    restart_at(&endpoints::ipc(&folder));
}

/// What is under way fails at once; what comes later waits for the next server and succeeds.
fn restart_at(endpoint: &str) {
    let builder = builder().heartbeat(30 * SECOND).connect(endpoint);
    let client = builder.build().expect("a client");
    let early = thread::scope(|scope| {
        let early = scope.spawn(|| client.call::<String>("note", (0, 0)));
        let site = Site::at(endpoint);
        assert_eq!(early.join().expect("no panic").as_ref(), Ok(&site.name));
        site
    });
    let mut site = early;
    let address = endpoint.split_once("//").expect("a scheme").1;
    for round in 1..=3_u64 {
        thread::scope(|scope| {
            let calls = [0, 1, 2, 3].map(|call| {
                let client = &client;
                scope.spawn(move || client.call::<String>("hold", (10 * round + call,)))
            });
            let mut stream: Stream<u64> =
                client.stream("items", (10 * round + 4, 1_000_000, 0)).expect("a stream");
            assert_eq!(stream.next(), Some(Ok(0)));
            let journal = site.journal.clone();
            let all = || (0..5).all(|call| journal.read().contains(&(10 * round + call)));
            eventually("all are under way", all);

            let start = Instant::now();
            site.stop();
            for call in calls {
                assert_lost(&call.join().expect("no panic").expect_err("it is lost"), address);
            }
            assert_lost(&stream.find_map(Result::err).expect("an error"), address);
            assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());

            let later = scope.spawn(|| client.call::<String>("note", (10 * round + 5, 0)));
            site = Site::at(endpoint);
            assert_eq!(later.join().expect("no panic").as_ref(), Ok(&site.name));
            assert_eq!(site.journal.read(), [10 * round + 5], "nothing is run again");
        });
    }
}
