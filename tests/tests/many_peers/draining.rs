//! Servers that are stopped in good order while their clients go on: nothing is lost, and nothing is run twice.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use zerorpc::{CallOptions, Client, Error, Server};
use zerorpc_tests::{peers::endpoints, service::eventually};

use crate::support::{Journal, SECOND, Site, all_ran, builder, client_of, until_up};

/// How long running calls may take to end: far more than they do, on a busy machine, too.
const GRACE: Duration = SECOND.saturating_mul(30);

/// Calls from several threads until `done`, each with a number of its own; how many there were, all of them answered.
fn call_until(client: &Client, done: &AtomicBool, seconds: f64) -> u64 {
    const THREADS: u64 = 4;
    let next = AtomicU64::new(0);
    let errors = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if let Err(error) = client.call::<String>("note", (number, seconds)) {
                        errors.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                    }
                }
            });
        }
    });
    let errors = errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(errors, [], "no call is lost");
    next.into_inner()
}

/// Each of these calls was run once.
fn assert_each_once(journal: &Journal, calls: u64) {
    let mut ran = journal.read();
    ran.sort_unstable();
    assert!(ran.into_iter().eq(0..calls), "each call is run once");
}

/// Restarts the servers at these endpoints one after the other, several times, while a client of all calls.
fn roll(endpoints: &[String], client: &Client, rounds: usize, seconds: f64) {
    let journal = Journal::default();
    let site = |at: usize| Site::keeping(&journal, at, |builder| builder.bind(&endpoints[at]));
    let mut sites: Vec<Site> = (0..endpoints.len()).map(site).collect();
    until_up(client, sites.len());
    let done = AtomicBool::new(false);
    let calls = thread::scope(|scope| {
        let calling = scope.spawn(|| call_until(client, &done, seconds));
        for _ in 0..rounds {
            for (at, endpoint) in endpoints.iter().enumerate() {
                let before = journal.read().len();
                eventually("calls go on", || journal.read().len() > before + 20);
                assert!(
                    sites[at].server.shutdown(GRACE).is_complete(),
                    "what it has begun, it ends"
                );
                // A program that another test starts just then may hold the port for a moment more.
                eventually("the port is free", || {
                    let builder = Server::builder().service(zerorpc::Methods::new("none"));
                    builder.bind(endpoint).build().is_ok()
                });
                sites[at] = site(at);
            }
        }
        done.store(true, Ordering::SeqCst);
        calling.join().expect("no panic")
    });
    assert_each_once(&journal, calls);
}

#[test]
fn a_rolling_restart_of_three_servers_loses_no_call() {
    let endpoints = [(); 3].map(|()| endpoints::tcp());
    let builder = endpoints.iter().fold(builder(), |builder, endpoint| builder.connect(endpoint));
    roll(&endpoints, &builder.build().expect("a client"), 4, 0.001);
}

#[test]
fn a_restart_of_the_only_server_loses_no_call() {
    for seconds in [0.0, 0.01] {
        let endpoints = [endpoints::tcp()];
        let client = builder().connect(&endpoints[0]).build().expect("a client");
        roll(&endpoints, &client, 5, seconds);
    }
}

#[test]
fn a_restart_over_ipc_loses_no_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoints = [endpoints::ipc(&folder)];
    roll(&endpoints, &builder().connect(&endpoints[0]).build().expect("a client"), 5, 0.0);
}

#[test]
fn what_runs_on_a_server_that_stops_is_answered_and_new_calls_go_elsewhere() {
    let sites = [1, 2].map(Site::new);
    let client = client_of(&sites);
    let before = all_ran(&sites);
    thread::scope(|scope| {
        let held = scope.spawn(|| client.call::<String>("hold", (1,)));
        eventually("it is running", || all_ran(&sites) != before);
        let stopping = usize::from(sites[1].ran() > before[1]);
        let [stops, stays] = [&sites[stopping], &sites[1 - stopping]];
        let stopped = scope.spawn(|| stops.server.shutdown(GRACE));
        let ran = stops.ran();
        for number in 2..50 {
            assert_eq!(client.call::<String>("note", (number, 0)).as_ref(), Ok(&stays.name));
        }
        assert_eq!(stops.ran(), ran);
        assert!(!stopped.is_finished(), "it waits for the call that it runs");
        stops.gate.open();
        assert_eq!(held.join().expect("no panic").as_ref(), Ok(&stops.name));
        assert!(stopped.join().expect("no panic").is_complete(), "all calls have ended");
    });
}

#[test]
fn a_worker_that_stops_gets_no_more_calls_and_loses_none() {
    let client = builder().bind("tcp://127.0.0.1:*").build().expect("a client");
    let journal = Journal::default();
    let worker =
        |number| Site::keeping(&journal, number, |builder| builder.connect(&client.endpoints()[0]));
    let mut workers = vec![worker(0), worker(1)];
    until_up(&client, 2);
    let done = AtomicBool::new(false);
    let calls = thread::scope(|scope| {
        let calling = scope.spawn(|| call_until(&client, &done, 0.001));
        for number in 2..8 {
            let before = journal.read().len();
            eventually("calls go on", || journal.read().len() > before + 20);
            assert!(
                workers.remove(0).server.shutdown(GRACE).is_complete(),
                "what it has begun, it ends"
            );
            workers.push(worker(number));
        }
        done.store(true, Ordering::SeqCst);
        calling.join().expect("no panic")
    });
    assert_each_once(&journal, calls);
}

#[test]
fn where_no_other_server_is_the_call_waits_as_long_as_it_has_time() {
    let site = Site::new(1);
    let client = client_of(std::slice::from_ref(&site));
    thread::scope(|scope| {
        let held = scope.spawn(|| client.call::<String>("hold", (1,)));
        eventually("it is running", || site.ran() == 1);
        let stopped = scope.spawn(|| site.server.shutdown(GRACE));
        let options = CallOptions::new().timeout(SECOND / 4);
        let mut outcome = client.with(options.clone()).call::<String>("note", (2, 0));
        while outcome.is_ok() {
            outcome = client.with(options.clone()).call::<String>("note", (2, 0));
        }
        match outcome {
            Err(Error::Unreachable { reason, .. }) => {
                let told = ["is stopping", "nobody listens there"];
                assert!(told.iter().any(|words| reason.contains(words)), "{reason}");
                assert!(reason.contains(site.endpoint()), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        site.gate.open();
        held.join().expect("no panic").expect("it is answered");
        assert!(stopped.join().expect("no panic").is_complete());
    });
}
