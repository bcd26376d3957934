//! What a caller has given up before it could be sent is never sent, whatever kept its server from being there.

use std::{io::Read, net::TcpListener, sync::atomic::Ordering, time::Duration};

use zerorpc::{CallOptions, Client, Error};
use zerorpc_tests::{over_each_pair, service, transports::Pair};

over_each_pair! {
    nobody_is_there_yet,
    the_server_has_gone,
    somebody_accepts_and_says_nothing,
}

/// The time limit of calls that are given up: nobody answers them, however long it is.
const A_MOMENT: Duration = Duration::from_millis(200);

/// Calls a method that is counted, and gives it up.
fn give_up(client: &Client) {
    let soon = CallOptions::new().timeout(A_MOMENT);
    let given_up = client.with(soon).call::<u64>("count", ());
    assert!(
        matches!(given_up, Err(Error::Unreachable { .. } | Error::Timeout { .. })),
        "{given_up:?}"
    );
}

/// Serves at an address, and sees that nothing is run but what is asked for now.
fn serve_only_what_is_asked_for_now(pair: Pair, client: &Client, endpoint: &str) {
    let (methods, seen) = service::methods();
    let _server = pair.server().service(methods).bind(endpoint).build().expect("a server");
    // What is sent in order arrives in order.
    assert_eq!(client.call("add", (3, 4)), Ok(7));
    assert_eq!(seen.counted.load(Ordering::SeqCst), 0, "what was given up was run");
}

/// An address at which nobody listens.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("tcp://{}", listener.local_addr().expect("it is bound"))
}

fn nobody_is_there_yet(pair: Pair) {
    let endpoint = free_address();
    let client = pair.connect(&endpoint);
    give_up(&client);
    give_up(&client);
    serve_only_what_is_asked_for_now(pair, &client, &endpoint);
}

fn the_server_has_gone(pair: Pair) {
    let (server, _) = pair.serve();
    let endpoint = server.endpoints()[0].clone();
    let client = pair.connect(&endpoint);
    assert_eq!(client.call("add", (1, 2)), Ok(3));
    drop(server);
    // The end of the connection is known by then.
    let lost = client.with(CallOptions::new().timeout(A_MOMENT)).call::<u64>("add", (1, 2));
    assert!(lost.is_err(), "{lost:?}");
    give_up(&client);
    serve_only_what_is_asked_for_now(pair, &client, &endpoint);
}

fn somebody_accepts_and_says_nothing(pair: Pair) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    let client = pair.connect(&endpoint);
    let (mut silent, _) = listener.accept().expect("the client connects");
    give_up(&client);
    drop(listener);
    silent.set_nonblocking(true).expect("an open socket");
    let mut heard = Vec::new();
    // It would block where there is no more.
    let _no_more = silent.read_to_end(&mut heard);
    let name = b"count";
    assert!(!heard.windows(name.len()).any(|part| part == name), "the request was sent");
    drop(silent);
    serve_only_what_is_asked_for_now(pair, &client, &endpoint);
}
