//! Connections that die without a word, behind a proxy that has forgotten them.

use std::{sync::mpsc::channel, time::Duration};

use zerorpc::{Client, Error, Loss, Methods, Server, TransportKind};
use zerorpc_tests::proxy::{Cut, Proxy, Side};

use crate::support::{
    BEAT, PATIENCE, SECOND, Told, builder, fast_probes, name, note, serve, serve_with, until_up,
};

/// A client that listens for workers.
fn queue(endpoint: &str) -> Client {
    let builder = builder().bind(endpoint).timeout(PATIENCE).socket_options(fast_probes());
    builder.build().expect("a queue")
}

/// Nothing is said for long, and then the queue is another process: its worker has to find out by itself.
#[test]
fn a_worker_that_has_lost_its_queue_dials_again() {
    let first = queue("tcp://127.0.0.1:*");
    let proxy = Proxy::before([&first.endpoints()[0]]);
    let (events, told) = channel();
    let worker = Server::builder()
        .transport(TransportKind::Mio)
        .service(Methods::new("worker").method("add", |a: i64, b: i64| Ok(a + b)))
        .socket_options(fast_probes())
        .monitor(events)
        .connect(&proxy.endpoint())
        .build()
        .expect("a worker");
    let told = Told::of(told);
    assert_eq!(first.call("add", (1, 2)), Ok(3));

    let second = queue("tcp://127.0.0.1:*");
    proxy.set_backends([&second.endpoints()[0]]);
    assert_eq!(proxy.forget(), 1);
    let reason = told.ends(1).swap_remove(0);
    assert!(!reason.is_empty());
    assert_eq!(second.call("add", (2, 3)), Ok(5));
    drop(worker);
}

/// The server's heartbeats tell whoever calls; whoever does not call is told by the connection itself.
#[test]
fn an_idle_client_has_a_new_connection_before_it_calls() {
    let server = serve("one", "tcp://127.0.0.1:*");
    let proxy = Proxy::before([&server.endpoints()[0]]);
    let (builder, told) =
        Told::by(builder().connect(&proxy.endpoint()).socket_options(fast_probes()));
    let client = builder.build().expect("a client");
    until_up(&client, 1);
    proxy.forget();
    told.ends(1);
    for number in 0..10 {
        assert_eq!(note(&client, number), Ok("one".to_owned()));
    }
    assert_eq!(proxy.accepted(), 2, "one new connection");
}

#[test]
fn one_call_is_lost_by_silence_and_the_next_has_a_new_connection() {
    let server = serve("one", "tcp://127.0.0.1:*");
    let proxy = Proxy::before([&server.endpoints()[0]]);
    let client = builder().connect(&proxy.endpoint()).heartbeat(BEAT).build().expect("a client");
    until_up(&client, 1);
    proxy.forget();
    let answers: Vec<_> = (0..10).map(|number| note(&client, number)).collect();
    let lost: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    let [error] = *lost else { panic!("one call is lost: {lost:?}") };
    assert!(matches!(error, Error::LostRemote { loss: Loss::Silent { .. }, .. }), "{error:?}");
}

#[test]
fn the_one_of_three_addresses_that_was_silent_is_named() {
    let servers = ["one", "two", "three"].map(|name| serve(name, "tcp://127.0.0.1:*"));
    let proxies = servers.each_ref().map(|server| Proxy::before([&server.endpoints()[0]]));
    let client = proxies
        .iter()
        .fold(builder(), |builder, proxy| builder.connect(&proxy.endpoint()))
        .heartbeat(BEAT)
        .build()
        .expect("a client");
    until_up(&client, 3);
    proxies[1].forget();
    let lost = (0..10).find_map(|number| note(&client, number).err()).expect("one call is lost");
    let text = lost.to_string();
    for (proxy, is_silent) in proxies.iter().zip([false, true, false]) {
        let address = proxy.address().to_string();
        assert_eq!(text.contains(&address), is_silent, "{address}: {text}");
    }
}

/// Whatever a network does to a connection, calls go on.
#[test]
fn connections_that_are_cut_or_half_closed_are_made_anew() {
    let server = serve("one", "tcp://127.0.0.1:*");
    let proxy = Proxy::before([&server.endpoints()[0]]);
    let (builder, told) =
        Told::by(builder().connect(&proxy.endpoint()).socket_options(fast_probes()));
    let client = builder.build().expect("a client");
    until_up(&client, 1);
    let breaks: [fn(&Proxy) -> usize; 4] = [
        |proxy| proxy.cut(Cut::Close),
        |proxy| proxy.cut(Cut::Reset),
        |proxy| proxy.half_close(Side::Client),
        |proxy| proxy.half_close(Side::Backend),
    ];
    for (broken, round) in breaks.iter().zip(1..) {
        assert_eq!(broken(&proxy), 1);
        told.ends(1);
        assert_eq!(name(&client), Ok("one".to_owned()));
        assert_eq!(proxy.accepted(), round + 1, "one new connection");
    }
}

/// A network that is slow, and not silent, loses nothing.
#[test]
fn a_delay_alone_loses_nothing() {
    let server = serve_with("one", |builder| builder.bind("tcp://127.0.0.1:*").heartbeat(BEAT));
    let proxy = Proxy::before([&server.endpoints()[0]]);
    proxy.set_delay(Duration::from_millis(200));
    let builder =
        builder().connect(&proxy.endpoint()).heartbeat(BEAT).socket_options(fast_probes());
    let client = builder.build().expect("a client");
    until_up(&client, 1);
    assert_eq!(client.call("note", (1, (3 * SECOND).as_secs_f64())), Ok("one".to_owned()));
    assert_eq!(proxy.accepted(), 1);
}
