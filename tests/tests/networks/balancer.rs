//! A balancer that knows nothing of its servers, and one of them freezes.

use rustix::process::Signal;
use zerorpc::{Error, Loss};
use zerorpc_tests::proxy::Proxy;

use crate::support::{BEAT, builder, note, start, three, until_up};

#[test]
fn calls_reach_a_healthy_server_behind_the_same_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let sites = three(&folder);
    let proxy = Proxy::before(sites.iter().map(|site| site.endpoint()));
    let client = builder().connect(&proxy.endpoint()).heartbeat(BEAT).build().expect("a client");
    until_up(&client, 1);
    sites[0].signal(Signal::STOP);
    let answers: Vec<_> = (0..10).map(|number| note(&client, number)).collect();
    let lost: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    let [error] = *lost else { panic!("one call is lost: {lost:?}") };
    assert!(matches!(error, Error::LostRemote { loss: Loss::Silent { .. }, .. }), "{error:?}");
}

/// The system accepts connections for a frozen process: such a one says nothing, not even a greeting.
#[test]
fn a_new_connection_that_leads_to_the_frozen_one_is_given_up_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let [frozen, healthy] = ["one", "two"].map(|name| start(&folder, name));
    frozen.signal(Signal::STOP);
    let proxy = Proxy::before([&frozen, &frozen, &healthy].map(|site| site.endpoint()));
    let client = builder().connect(&proxy.endpoint()).build().expect("a client");
    let answer = note(&client, 1);
    assert!(answer.as_ref().is_ok_and(|name| name.ends_with("two")), "{answer:?}");
    assert_eq!(proxy.accepted(), 3);
    assert_eq!(healthy.ran(), [1]);
    frozen.signal(Signal::CONT);
}
