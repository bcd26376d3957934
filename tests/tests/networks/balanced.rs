//! Three servers behind HAProxy, with the configuration that `docs/deployment.md` shows, under load.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use zerorpc::{Client, Error, Loss};
use zerorpc_tests::{
    document,
    haproxy::{Config, HaProxy},
    load::{self, Report},
    service::eventually,
    site::{SiteProcess, nothing_ran_twice},
};

use crate::support::{CLIENTS, SECOND, VOLUME, client, name, serve, short, three};

/// How long nobody may wait when a server freezes. It is said to be 4 s; a busy machine gets some more, and still less
/// than the 10 s after which silence would lose a call.
const FROZEN: Duration = Duration::from_secs(8);

fn deploy(endpoints: [&str; 3]) -> Option<HaProxy> {
    let [one, two, three] = endpoints;
    Config::new(&document::blocks("haproxy")[0])
        .front(":4242")
        .backend("10.0.0.1:4242", one)
        .backend("10.0.0.2:4242", two)
        .backend("10.0.0.3:4242", three)
        .start()
}

fn deploy_sites(sites: &[SiteProcess; 3]) -> Option<HaProxy> {
    deploy(sites.each_ref().map(SiteProcess::endpoint))
}

/// Clients that are spread over the servers.
fn clients(haproxy: &HaProxy) -> [Client; CLIENTS] {
    [(); CLIENTS].map(|()| {
        let client = client(haproxy.endpoint());
        name(&client).expect("an answer");
        client
    })
}

fn until_status(haproxy: &HaProxy, server: &str, status: &str) {
    eventually("HAProxy notices it", || haproxy.server(server, "status").starts_with(status));
}

/// Each caller may have had one call at a server that is no more, and no other call may be lost.
#[track_caller]
fn only_those_in_flight_are_lost(report: &Report, gone: Instant) {
    let callers = CLIENTS * VOLUME.callers;
    assert!(report.lost().count() <= callers, "{report}");
    for call in report.lost() {
        assert!(call.began <= gone, "{:?} later: {report}", call.began.duration_since(gone));
        let lost = matches!(
            call.error,
            Some(Error::LostRemote { loss: Loss::Disconnected { .. } | Loss::Silent { .. }, .. })
        );
        assert!(lost, "{report}");
    }
}

#[test]
fn a_killed_server_costs_what_it_was_doing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = three(&folder);
    let Some(haproxy) = deploy_sites(&sites) else { return };
    let mut gone = Instant::now();
    let report = load::under(&clients(&haproxy), VOLUME, short, |load| {
        load.goes_on(1000);
        sites[0].kill();
        gone = Instant::now();
        load.goes_on(2000);
    });
    only_those_in_flight_are_lost(&report, gone);
    report.nobody_waits_longer_than(FROZEN);
}

#[test]
fn a_process_that_is_asked_to_end_costs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = three(&folder);
    let Some(haproxy) = deploy_sites(&sites) else { return };
    let report = load::under(&clients(&haproxy), VOLUME, short, |load| {
        load.goes_on(1000);
        sites[0].stop();
        load.goes_on(2000);
    });
    report.none_is_lost();
    report.nobody_waits_longer_than(FROZEN);
}

#[test]
fn a_server_that_is_shut_down_costs_nothing() {
    let servers = ["one", "two", "three"].map(|name| serve(name, "tcp://127.0.0.1:*"));
    let Some(haproxy) = deploy(servers.each_ref().map(|server| &*server.endpoints()[0])) else {
        return;
    };
    let report = load::under(&clients(&haproxy), VOLUME, short, |load| {
        load.goes_on(1000);
        assert!(servers[0].shutdown(10 * SECOND).is_complete(), "all running calls have ended");
        load.goes_on(2000);
    });
    report.none_is_lost();
    report.nobody_waits_longer_than(FROZEN);
}

#[test]
fn a_frozen_server_is_left_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let sites = three(&folder);
    let Some(haproxy) = deploy_sites(&sites) else { return };
    let report = load::under(&clients(&haproxy), VOLUME, short, |load| {
        load.goes_on(1000);
        sites[0].signal(Signal::STOP);
        // Those who come while HAProxy does not know yet.
        let newcomers: Vec<_> = (0..12).map(|_| newcomer(&haproxy)).collect();
        for newcomer in newcomers {
            let (answer, took) = newcomer.join().expect("no panic");
            assert!(answer.is_ok() && took < FROZEN, "{answer:?} after {took:?}");
        }
        until_status(&haproxy, "calculator/one", "DOWN");
        load.goes_on(2000);
    });
    // It does nothing more, and whoever called it had one call there.
    let when = report.lost().map(|call| call.began).max().unwrap_or_else(Instant::now);
    only_those_in_flight_are_lost(&report, when);
    report.nobody_waits_longer_than(FROZEN);
    sites[0].signal(Signal::CONT);
    until_status(&haproxy, "calculator/one", "UP");
}

fn newcomer(haproxy: &HaProxy) -> thread::JoinHandle<(Result<String, Error>, Duration)> {
    let endpoint = haproxy.endpoint().to_owned();
    thread::spawn(move || {
        let began = Instant::now();
        let answer = name(&client(&endpoint));
        (answer, began.elapsed())
    })
}

/// Short calls, and among them some that last.
fn mixed(client: &Client, number: u64) -> Result<(), Error> {
    if number.is_multiple_of(500) {
        return client.call::<String>("note", (number, 2)).map(|_name| ());
    }
    short(client, number)
}

/// In the way that the document tells.
#[test]
fn a_rolling_restart_costs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = three(&folder);
    let Some(haproxy) = deploy_sites(&sites) else { return };
    let report = load::under(&clients(&haproxy), VOLUME, mixed, |load| {
        for (site, name) in sites.iter_mut().zip(["one", "two", "three"]) {
            let server = format!("calculator/{name}");
            load.goes_on(500);
            haproxy.drain(&server);
            haproxy.command(&format!("disable health {server}"));
            site.stop();
            site.start_again();
            haproxy.command(&format!("enable health {server}"));
            haproxy.ready(&server);
            until_status(&haproxy, &server, "UP");
        }
        load.goes_on(500);
    });
    report.none_is_lost();
    report.nobody_waits_longer_than(FROZEN);
    nothing_ran_twice(&sites);
}

#[test]
fn a_drained_server_keeps_its_callers_until_it_is_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = three(&folder);
    let Some(haproxy) = deploy_sites(&sites) else { return };
    let report = load::under(&clients(&haproxy), VOLUME, short, |load| {
        load.goes_on(1000);
        haproxy.drain("calculator/one");
        let taken = haproxy.server("calculator/one", "stot");
        for _ in 0..6 {
            name(&client(haproxy.endpoint())).expect("an answer");
        }
        assert_eq!(haproxy.server("calculator/one", "stot"), taken, "no new connection");
        load.goes_on(1000);
        sites[0].stop();
        load.goes_on(1000);
    });
    report.none_is_lost();
}

#[test]
fn a_reload_costs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let sites = three(&folder);
    let Some(haproxy) = deploy_sites(&sites) else { return };
    let report = load::under(&clients(&haproxy), VOLUME, short, |load| {
        for _ in 0..3 {
            load.goes_on(500);
            haproxy.reload();
            name(&client(haproxy.endpoint())).expect("newcomers are served");
        }
        load.goes_on(500);
    });
    report.none_is_lost();
    report.nobody_waits_longer_than(FROZEN);
}
