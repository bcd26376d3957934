//! Who is asked, and that everything of a call goes there.

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use zerorpc::{CallOptions, Error, Stream};
use zerorpc_tests::{peers::endpoints, service::eventually};

use crate::support::{SECOND, Site, all_ran, builder, client_of, until_up};

#[test]
fn the_one_with_the_fewest_calls_is_asked() {
    let sites = [1, 2, 3].map(Site::new);
    let client = client_of(&sites);
    thread::scope(|scope| {
        let held = [0, 1].map(|number| {
            let client = &client;
            scope.spawn(move || client.call::<String>("hold", (number,)))
        });
        eventually("two calls are held", || all_ran(&sites).iter().sum::<usize>() == 2);
        let idle: Vec<&Site> = sites.iter().filter(|site| site.ran() == 0).collect();
        let [idle] = *idle else { panic!("one is idle: {:?}", all_ran(&sites)) };
        for number in 10..30 {
            assert_eq!(client.call("note", (number, 0)).as_ref(), Ok(&idle.name));
        }
        sites.iter().for_each(|site| site.gate.open());
        let [first, second] = held.map(|call| call.join().expect("no panic").expect("a name"));
        assert_ne!(first, second);
    });
}

#[test]
fn endpoints_that_are_down_never_block_a_call() {
    // Nobody listens; a file that is not there; one who accepts and says nothing.
    let folder = tempfile::tempdir().expect("a folder");
    let mute = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mute = format!("tcp://{}", mute.local_addr().expect("an address"));
    let site = Site::new(1);
    let client = [&endpoints::tcp(), &endpoints::ipc(&folder), &mute, site.endpoint()]
        .into_iter()
        .fold(builder(), |builder, endpoint| builder.connect(endpoint))
        .timeout(5 * SECOND)
        .build()
        .expect("a client");
    let start = Instant::now();
    for number in 0..200 {
        assert_eq!(client.call("note", (number, 0)).as_ref(), Ok(&site.name));
    }
    let took = start.elapsed();
    assert!(took < 5 * SECOND, "{took:?}");
}

#[test]
fn with_none_up_a_call_waits_for_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (absent, late) = (endpoints::ipc(&folder), endpoints::ipc(&folder));
    let client = builder().connect(&absent).connect(&late).build().expect("a client");
    let soon = CallOptions::new().timeout(SECOND / 5);
    match client.with(soon).call::<String>("note", (1, 0)) {
        Err(Error::Unreachable { after, reason, .. }) => {
            assert_eq!(after, SECOND / 5);
            assert!(reason.contains(&absent) || reason.contains(&late), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    thread::scope(|scope| {
        let waiting = [2, 3].map(|number| {
            let client = &client;
            scope.spawn(move || client.call::<String>("note", (number, 0)))
        });
        let site = Site::at(&late);
        for call in waiting {
            assert_eq!(call.join().expect("no panic").as_ref(), Ok(&site.name));
        }
        let mut ran = site.journal.read();
        ran.sort_unstable();
        assert_eq!(ran, [2, 3], "what was given up is not run");
    });
}

#[test]
fn a_bound_client_gives_its_workers_equal_shares() {
    let client = builder().bind("tcp://127.0.0.1:*").build().expect("a client");
    let endpoint = &client.endpoints()[0];
    let sites = [1, 2, 3].map(|number| Site::with(number, |builder| builder.connect(endpoint)));
    until_up(&client, 3);
    thread::scope(|scope| {
        for number in 0..30 {
            let client = &client;
            scope.spawn(move || client.call::<String>("hold", (number,)).expect("a name"));
        }
        eventually("all calls are held", || all_ran(&sites).iter().sum::<usize>() == 30);
        assert_eq!(all_ran(&sites), [10; 3]);
        sites.iter().for_each(|site| site.gate.open());
    });

    let mut streams: Vec<Stream<u64>> =
        (0..30).map(|number| client.stream("items", (number, 500, 0)).expect("a stream")).collect();
    assert_eq!(all_ran(&sites), [20; 3]);
    for item in 0..500 {
        for stream in &mut streams {
            assert_eq!(stream.next(), Some(Ok(item)));
        }
    }
    assert!(streams.iter_mut().all(|stream| stream.next().is_none()));
}

/// Beats and credit of one call that reached another server would end it within two intervals.
#[test]
fn long_calls_and_streams_stay_with_their_server() {
    /// Heartbeats of tests in which silence loses calls: long enough that a busy machine does not seem silent.
    const INTERVAL: Duration = Duration::from_millis(700);
    let long = (8 * INTERVAL).as_secs_f64();
    let client = builder().bind("tcp://127.0.0.1:*").heartbeat(INTERVAL).build().expect("a client");
    let endpoint = &client.endpoints()[0];
    let sites = [1, 2, 3]
        .map(|number| Site::with(number, |builder| builder.connect(endpoint).heartbeat(INTERVAL)));
    until_up(&client, 3);
    thread::scope(|scope| {
        let client = &client;
        for number in 0..6 {
            scope.spawn(move || client.call::<String>("note", (number, long)).expect("a name"));
            scope.spawn(move || {
                let slow: Stream<u64> =
                    client.stream("items", (number, 8, long / 8.0)).expect("a stream");
                assert!(slow.map(|item| item.expect("an item")).eq(0..8));
            });
            scope.spawn(move || {
                let wide: Stream<u64> =
                    client.stream("items", (number, 10_000, 0)).expect("a stream");
                assert!(wide.map(|item| item.expect("an item")).eq(0..10_000));
            });
        }
        // Nobody reads this one for many intervals.
        let mut idle: Stream<u64> = client.stream("items", (6, 1_000, 0)).expect("a stream");
        assert_eq!(idle.next(), Some(Ok(0)));
        let end = Instant::now() + 8 * INTERVAL;
        let mut number = 100;
        while Instant::now() < end {
            client.call::<String>("note", (number, 0.01)).expect("a name");
            number += 1;
        }
        assert!(idle.map(|item| item.expect("an item")).eq(1..1_000));
    });
    assert!(all_ran(&sites).iter().all(|ran| *ran >= 4), "all took part: {:?}", all_ran(&sites));
}
