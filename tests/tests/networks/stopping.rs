//! Servers that are asked to end: what runs gets its answer, and what comes goes elsewhere.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use zerorpc::{CallOptions, Error, Server};
use zerorpc_tests::{
    load,
    peers::endpoints,
    service::eventually,
    site::{SiteProcess, nothing_ran_twice},
};

use crate::support::{
    CLIENTS, PATIENCE, SECOND, VOLUME, builder, client, client_of, note, serve, short, start,
    three, until_up,
};

/// Long enough that what happens meanwhile happens meanwhile.
const LONG: f64 = 3.0;

/// Has a server work on a long call, then asks it to end, and does something while it works on.
fn while_stopping(site: &mut SiteProcess, act: impl FnOnce()) {
    let busy = client(site.endpoint());
    thread::scope(|scope| {
        let long = scope.spawn(|| busy.call::<String>("note", (1, LONG)));
        eventually("the long call runs", || site.ran().contains(&1));
        site.signal(Signal::TERM);
        let address = site.endpoint().trim_start_matches("tcp://");
        eventually("it listens no more", || TcpStream::connect(address).is_err());
        act();
        assert!(long.join().expect("no panic").is_ok(), "what runs gets its answer");
    });
    site.wait_ended();
}

#[test]
fn new_calls_go_to_another_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = ["one", "two"].map(|name| start(&folder, name));
    let client = client_of(sites.each_ref().map(SiteProcess::endpoint));
    until_up(&client, 2);
    let [stopping, other] = &mut sites;
    while_stopping(stopping, || {
        for number in 100..200 {
            let name = note(&client, number).expect("somebody is there");
            assert!(name.ends_with("two"), "{name} has answered");
        }
    });
    assert_eq!(other.ran().iter().filter(|number| (100..200).contains(*number)).count(), 100);
}

#[test]
fn without_another_address_a_call_is_told_that_nobody_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = start(&folder, "one");
    let endpoint = site.endpoint().to_owned();
    let client = builder().connect(&endpoint).timeout(SECOND).build().expect("a client");
    until_up(&client, 1);
    while_stopping(&mut site, || {
        let error = note(&client, 2).expect_err("nobody takes it");
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains(endpoint.trim_start_matches("tcp://")), "{error}");
    });
    assert!(!site.ran().contains(&2), "what was refused is not run");
}

#[test]
fn a_call_waits_for_the_server_that_comes_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = start(&folder, "one");
    let client = client(site.endpoint());
    until_up(&client, 1);
    thread::scope(|scope| {
        let mut waiting = None;
        while_stopping(&mut site, || {
            let client = &client;
            waiting = Some(scope.spawn(move || note(client, 2)));
        });
        site.start_again();
        let answer = waiting.expect("it was begun").join().expect("no panic");
        assert!(answer.is_ok(), "{answer:?}");
    });
    nothing_ran_twice([&site]);
}

#[test]
fn a_rolling_restart_costs_a_client_of_three_addresses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = three(&folder);
    let clients = [(); CLIENTS].map(|()| {
        let client = client_of(sites.each_ref().map(SiteProcess::endpoint));
        until_up(&client, 3);
        client
    });
    let report = load::under(&clients, VOLUME, short, |load| {
        for site in &mut sites {
            load.goes_on(500);
            site.stop();
            load.goes_on(200);
            site.start_again();
        }
        load.goes_on(500);
    });
    report.none_is_lost();
    report.nobody_waits_longer_than(PATIENCE / 2);
}

#[test]
fn servers_that_are_shut_down_and_made_anew_cost_nothing_either() {
    let endpoints = [(); 3].map(|()| endpoints::tcp());
    let mut servers: Vec<Server> =
        endpoints.iter().zip(["one", "two", "three"]).map(|(at, name)| serve(name, at)).collect();
    let clients = [(); CLIENTS].map(|()| {
        let client = client_of(endpoints.iter().map(String::as_str));
        until_up(&client, 3);
        client
    });
    let report = load::under(&clients, VOLUME, short, |load| {
        for (server, endpoint) in servers.iter_mut().zip(&endpoints) {
            load.goes_on(500);
            assert!(server.shutdown(10 * SECOND).is_complete(), "all running calls have ended");
            load.goes_on(200);
            *server = serve("again", endpoint);
        }
        load.goes_on(500);
    });
    report.none_is_lost();
    report.nobody_waits_longer_than(PATIENCE / 2);
}

/// The time that is left to running calls is theirs alone.
#[test]
fn a_stop_takes_as_long_as_what_runs() {
    let server = serve("one", "tcp://127.0.0.1:*");
    let client = client(&server.endpoints()[0]);
    until_up(&client, 1);
    let began = Instant::now();
    assert!(server.shutdown(PATIENCE).is_complete(), "nothing runs");
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    let soon = CallOptions::new().timeout(Duration::from_millis(300));
    let error = client.with(soon).call::<String>("note", (1, 0)).expect_err("it has ended");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}
