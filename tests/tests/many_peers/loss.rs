//! A connection that is lost takes its calls with it, at once, and no others.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use zerorpc::{Client, Error, Loss, SocketOptions, Stream};
use zerorpc_tests::{peers::endpoints, service::eventually};

use crate::support::{Journal, SECOND, Site, all_ran, builder, until_up};

/// Far less than the silence after which a call is lost without further news.
const AT_ONCE: Duration = SECOND.saturating_mul(5);

/// Checks that a call was lost with its connection to an endpoint, and that the error says so.
pub(crate) fn assert_lost(error: &Error, address: &str) {
    let Error::LostRemote { endpoint, loss, .. } = error else { panic!("{error:?}") };
    assert!(
        matches!(loss, Loss::Disconnected { reason } if endpoint.contains(&**reason)),
        "{loss}"
    );
    let text = error.to_string();
    assert!(endpoint.contains(address) && text.contains(endpoint), "{address}: {text}");
    assert!(text.contains("connection was lost"), "{text}");
}

#[test]
fn calls_and_streams_of_a_lost_connection_end_at_once() {
    let mut sites = [1, 2].map(Site::new);
    let client = builder()
        .heartbeat(30 * SECOND)
        .connect(sites[0].endpoint())
        .connect(sites[1].endpoint())
        .timeout(None)
        .build()
        .expect("a client");
    until_up(&client, 2);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..6_u64)
            .map(|number| {
                let client = &client;
                scope.spawn(move || (number, client.call::<String>("hold", (number,))))
            })
            .collect();
        eventually("all calls are held", || all_ran(&sites) == [3; 2]);
        let mut streams: Vec<Stream<u64>> = (6..8_u64)
            .map(|number| client.stream("items", (number, 1_000_000, 0)).expect("a stream"))
            .collect();
        let doomed = sites[0].journal.read();
        let address = sites[0].endpoint().to_owned();
        let address = address.trim_start_matches("tcp://");

        let start = Instant::now();
        let gone = std::mem::replace(&mut sites[0], Site::new(3));
        drop(gone);
        for (number, stream) in (6..8).zip(&mut streams) {
            if doomed.contains(&number) {
                let error = stream.find_map(Result::err).expect("an error");
                assert_lost(&error, address);
                assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
            } else {
                assert!(stream.take(500).map(|item| item.expect("an item")).eq(0..500));
            }
        }
        sites[1].gate.open();
        for call in calls {
            let (number, result) = call.join().expect("no panic");
            if doomed.contains(&number) {
                assert_lost(&result.expect_err("its server is gone"), address);
            } else {
                assert_eq!(result.as_ref(), Ok(&sites[1].name));
            }
        }
        assert!(start.elapsed() < 2 * AT_ONCE, "{:?}", start.elapsed());
    });
}

/// A server that takes a connection and one request, and then reads no more.
fn reader_of_one() -> (zmq::Socket, String) {
    let socket = zmq::Context::new().socket(zmq::ROUTER).expect("a socket");
    socket.set_rcvhwm(1).expect("an option");
    socket.set_linger(0).expect("an option");
    socket.set_rcvtimeo(30_000).expect("an option");
    socket.bind("tcp://127.0.0.1:*").expect("a free port");
    let endpoint = socket.get_last_endpoint().expect("bound").expect("text");
    (socket, endpoint)
}

/// What was written may have been run, so it is lost. What was not goes to another server.
#[test]
fn a_request_that_was_not_written_moves_to_another_server() {
    const CALLS: u64 = 16;
    let (reader, first) = reader_of_one();
    let folder = tempfile::tempdir().expect("a folder");
    let second = endpoints::ipc(&folder);
    // All requests are handed to the first connection, as far as that depends on us.
    let options = SocketOptions::default().high_water_bytes(1 << 30);
    let client = builder()
        .socket_options(options)
        .connect(&first)
        .connect(&second)
        .build()
        .expect("a client");
    let start = Barrier::new(CALLS as usize);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..CALLS)
            .map(|number| {
                let (client, start) = (&client, &start);
                scope.spawn(move || {
                    let ballast = rmpv::Value::Binary(vec![0; 4 << 20]);
                    start.wait();
                    (number, client.call::<String>("weigh", (number, ballast)))
                })
            })
            .collect();
        reader.recv_multipart(0).expect("a request comes");
        let site = Site::at(&second);
        drop(reader);
        let address = first.trim_start_matches("tcp://");
        let (mut lost, mut moved) = (0, Vec::new());
        for call in calls {
            match call.join().expect("no panic") {
                (number, Ok(name)) => {
                    assert_eq!(name, site.name);
                    moved.push(number);
                }
                (_, Err(error)) => {
                    assert_lost(&error, address);
                    lost += 1;
                }
            }
        }
        let mut ran = site.journal.read();
        ran.sort_unstable();
        assert_eq!(ran, moved, "each once, and none that was lost");
        assert!(lost > 0, "the one that was read is lost");
        assert!(moved.len() > 2, "{} of {CALLS} moved", moved.len());
    });
}

/// Calls, some of them short, some long, until `done`.
fn call_until(done: &AtomicBool, client: &Client, numbers: impl Iterator<Item = u64>) -> Outcome {
    let mut outcome = Outcome::default();
    for number in numbers {
        if done.load(Ordering::SeqCst) {
            break;
        }
        let pause = if number % 2 == 0 { 0.0 } else { 0.003 };
        match client.call::<String>("note", (number, pause)) {
            Ok(_) => outcome.answered.push(number),
            Err(Error::LostRemote { loss: Loss::Disconnected { .. }, .. }) => outcome.lost += 1,
            Err(Error::Remote { error, .. }) if error.name == "ServerStopping" => {
                outcome.refused.push(number);
            }
            Err(error) => panic!("{number}: {error:?}"),
        }
    }
    outcome
}

#[derive(Default)]
struct Outcome {
    answered: Vec<u64>,
    refused: Vec<u64>,
    lost: usize,
}

#[test]
fn nothing_is_run_twice_while_servers_come_and_go() {
    const CALLERS: u64 = 8;
    const ROUNDS: usize = 8;
    let folder = tempfile::tempdir().expect("a folder");
    let journal = Journal::default();
    let endpoints = [(); 3].map(|()| endpoints::ipc(&folder));
    // One stays, so that calls go on to the end.
    let stays = Site::keeping(&journal, ROUNDS, |builder| builder.bind("tcp://127.0.0.1:*"));
    let options = SocketOptions::default().reconnect_longest(SECOND / 5);
    let builder = builder().socket_options(options).connect(stays.endpoint());
    let client = endpoints.iter().fold(builder, |builder, endpoint| builder.connect(endpoint));
    let client = client.build().expect("a client");
    let done = AtomicBool::new(false);
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let (client, done) = (&client, &done);
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let numbers = (0..).map(move |call| call * CALLERS + caller);
                scope.spawn(move || call_until(done, client, numbers))
            })
            .collect();
        let operators = endpoints.each_ref().map(|endpoint| {
            let journal = &journal;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let _site = Site::keeping(journal, round, |builder| builder.bind(endpoint));
                    let enough = journal.read().len() + 100;
                    eventually("calls are run", || journal.read().len() > enough);
                }
            })
        });
        let operated = operators.map(|operator| operator.join());
        done.store(true, Ordering::SeqCst);
        assert!(operated.iter().all(Result::is_ok));
        callers.into_iter().map(|caller| caller.join().expect("no panic")).collect()
    });

    let mut ran = journal.read();
    ran.sort_unstable();
    let count = ran.len();
    ran.dedup();
    assert_eq!(ran.len(), count, "something was run twice");
    for outcome in &outcomes {
        assert!(outcome.answered.iter().all(|number| ran.binary_search(number).is_ok()));
        assert!(outcome.refused.iter().all(|number| ran.binary_search(number).is_err()));
    }
    let lost: usize = outcomes.iter().map(|outcome| outcome.lost).sum();
    let answered: usize = outcomes.iter().map(|outcome| outcome.answered.len()).sum();
    assert!(answered <= count && count <= answered + lost, "{count} {answered} {lost}");
}
