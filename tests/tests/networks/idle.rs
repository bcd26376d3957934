//! A proxy that cuts what is idle.

use std::{thread, time::Duration};

use zerorpc::{Client, Error, SocketOptions};
use zerorpc_tests::proxy::Proxy;

use crate::support::{builder, fast_probes, note, serve, until_up};

/// How long connections may be idle. Calls come as rarely, so that some would come as one is cut.
const LIMIT: Duration = Duration::from_secs(3);

const CLIENTS: usize = 16;

const CALLS: u64 = 3;

#[test]
fn pings_keep_connections_open_where_calls_do_not() {
    let server = serve("one", "tcp://127.0.0.1:*");
    let proxy = Proxy::before([&server.endpoints()[0]]);
    let clients: Vec<Client> = (0..CLIENTS)
        .map(|_| {
            let builder = builder().connect(&proxy.endpoint()).socket_options(fast_probes());
            let client = builder.build().expect("a client");
            until_up(&client, 1);
            client
        })
        .collect();
    proxy.set_idle_limit(Some(LIMIT));
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(move || {
                for number in 0..CALLS {
                    // This is no wait for something: it is what the callers do.
                    thread::sleep(LIMIT);
                    let answer = note(client, number);
                    assert!(answer.is_ok(), "{answer:?}");
                }
            });
        }
        // No heartbeat is sent as often.
        let long = clients[0].call::<String>("note", (1, (2 * LIMIT).as_secs_f64()));
        assert_eq!(long, Ok("one".to_owned()));
    });
    assert_eq!((proxy.accepted(), proxy.cut_idle()), (CLIENTS, 0));
}

/// Without pings, a caller has to be told what has probably happened.
#[test]
fn a_cut_after_idleness_is_told_as_one() {
    let server = serve("one", "tcp://127.0.0.1:*");
    let proxy = Proxy::before([&server.endpoints()[0]]);
    let options = SocketOptions::default().keepalive(None);
    let builder = builder().connect(&proxy.endpoint()).socket_options(options).heartbeat(None);
    let client = builder.build().expect("a client");
    until_up(&client, 1);
    proxy.set_idle_limit(Some(LIMIT));
    let error = client.call::<String>("note", (1, (2 * LIMIT).as_secs_f64()));
    let error = error.expect_err("the proxy cuts it");
    assert!(matches!(error, Error::LostRemote { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("idle") && text.contains("proxy"), "{text}");
    assert_eq!(proxy.cut_idle(), 1);
    assert_eq!(note(&client, 2), Ok("one".to_owned()));
}
