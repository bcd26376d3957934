//! Connections of which every packet is dropped: what is sent is never acknowledged, and nobody says so.

use std::{net::Ipv4Addr, sync::mpsc::channel};

use zerorpc::{Client, Error, Loss, Methods, Server, TransportKind};
use zerorpc_tests::{namespace::Namespace, service::eventually};

use crate::support::{BEAT, PATIENCE, Told, builder, fast_probes, note, serve, until_up};

const PORT: u16 = 4242;

fn endpoint() -> String {
    format!("tcp://{}:{PORT}", Ipv4Addr::LOCALHOST)
}

/// A client that waits for workers. Where another test starts a program just when an earlier queue ends, that program holds
/// the port for a moment more.
fn queue() -> Client {
    let mut queue = None;
    eventually("the port is free", || {
        let builder = builder().bind(&endpoint()).timeout(PATIENCE).socket_options(fast_probes());
        queue = builder.build().ok();
        queue.is_some()
    });
    queue.expect("it was built")
}

#[test]
fn a_worker_that_has_lost_its_queue_dials_again() {
    let Some(network) = Namespace::new() else { return };
    network.run(|| {
        let first = queue();
        let (events, told) = channel();
        let told = Told::of(told);
        let _worker = Server::builder()
            .transport(TransportKind::Mio)
            .service(Methods::new("worker").method("add", |a: i64, b: i64| Ok(a + b)))
            .socket_options(fast_probes())
            .monitor(events)
            .connect(&endpoint())
            .build()
            .expect("a worker");
        assert_eq!(first.call("add", (1, 2)), Ok(3));
        assert_eq!(network.drop_flows(PORT), 1);
        drop(first);
        let second = queue();
        told.ends(1);
        assert_eq!(second.call("add", (2, 3)), Ok(5));
    });
}

/// Bytes that nobody acknowledges suspend the system's own probing.
#[test]
fn one_call_is_lost_and_the_next_has_a_new_connection() {
    let Some(network) = Namespace::new() else { return };
    network.run(|| {
        let server = serve("one", &endpoint());
        let client = builder().connect(&server.endpoints()[0]).heartbeat(BEAT);
        let client = client.build().expect("a client");
        until_up(&client, 1);
        assert_eq!(network.drop_flows(PORT), 1);
        let answers: Vec<_> = (0..10).map(|number| note(&client, number)).collect();
        let lost: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        let [error] = *lost else { panic!("one call is lost: {lost:?}") };
        assert!(matches!(error, Error::LostRemote { loss: Loss::Silent { .. }, .. }), "{error:?}");
    });
}

/// Heartbeats are off: nothing but the connection itself tells.
#[test]
fn what_is_not_acknowledged_ends_the_connection_without_heartbeats_too() {
    let Some(network) = Namespace::new() else { return };
    network.run(|| {
        let server = serve("one", &endpoint());
        let builder = builder().connect(&server.endpoints()[0]).heartbeat(None).timeout(PATIENCE);
        let (builder, told) = Told::by(builder.socket_options(fast_probes()));
        let client = builder.build().expect("a client");
        until_up(&client, 1);
        assert_eq!(network.drop_flows(PORT), 1);
        let error = note(&client, 1).expect_err("nothing comes over this connection");
        assert!(
            matches!(error, Error::LostRemote { loss: Loss::Disconnected { .. }, .. }),
            "{error:?}"
        );
        assert!(!told.ends(1).swap_remove(0).is_empty());
        assert_eq!(note(&client, 2), Ok("one".to_owned()));
    });
}

#[test]
fn where_nobody_answers_the_request_has_never_left() {
    let Some(network) = Namespace::new() else { return };
    network.run(|| {
        let server = serve("one", &endpoint());
        network.close_port(PORT);
        let options = fast_probes().reconnect_longest(BEAT);
        let builder = builder().connect(&server.endpoints()[0]).socket_options(options);
        let client = builder.timeout(2 * BEAT).build().expect("a client");
        let error = note(&client, 1).expect_err("nobody answers");
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        network.lift();
        zerorpc_tests::service::eventually("it is reached", || note(&client, 2).is_ok());
    });
}
