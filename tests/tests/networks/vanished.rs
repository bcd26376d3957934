//! Clients that vanish without a word: their server must not keep what it had for them.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::mpsc::channel,
};

use zerorpc::{Client, Server, TransportKind};
use zerorpc_tests::{namespace::Namespace, proxy::Proxy, service::methods};

use crate::support::{Told, builder, client, fast_probes};

const MANY: usize = 100;

const PORT: u16 = 4242;

fn serve(endpoint: &str) -> (Server, Told) {
    let (events, told) = channel();
    let server = Server::builder()
        .transport(TransportKind::Mio)
        .service(methods().0)
        .socket_options(fast_probes())
        .monitor(events)
        .bind(endpoint)
        .build()
        .expect("a server");
    (server, Told::of(told))
}

/// Greeting and READY of a DEALER of ZMTP 3.`minor`, after which nothing is ever said again, whatever comes.
fn say_hello(minor: u8) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).expect("the server listens");
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03".to_vec();
    bytes.push(minor);
    bytes.extend_from_slice(b"NULL");
    bytes.resize(64, 0);
    bytes.extend_from_slice(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
    stream.write_all(&bytes).expect("there is room");
    stream.read_exact(&mut [0; 64 + 43]).expect("the server shakes hands");
    stream
}

/// Pings tell of peers that answer them, and the system of those that would not.
#[test]
fn those_whose_packets_are_dropped_are_given_up() {
    let Some(network) = Namespace::new() else { return };
    network.run(|| {
        let (server, told) = serve(&format!("tcp://{}:{PORT}", Ipv4Addr::LOCALHOST));
        let streams: Vec<TcpStream> =
            (0..MANY).map(|number| say_hello(u8::from(number % 2 == 0))).collect();
        told.connects(MANY);
        assert_eq!(network.drop_flows(PORT), MANY);
        told.ends(MANY);
        assert_eq!(client(&server.endpoints()[0]).call("add", (1, 2)), Ok(3), "it serves on");
        drop(streams);
    });
}

/// A router still acknowledges what it throws away: only an answer tells.
#[test]
fn those_whom_a_router_has_forgotten_are_given_up() {
    let (server, told) = serve("tcp://127.0.0.1:*");
    let proxy = Proxy::before([&server.endpoints()[0]]);
    let clients: Vec<Client> = (0..MANY)
        .map(|_| {
            let builder = builder().connect(&proxy.endpoint()).socket_options(fast_probes());
            builder.build().expect("a client")
        })
        .collect();
    told.connects(MANY);
    assert_eq!(proxy.forget(), MANY);
    told.ends(MANY);
    for client in &clients {
        assert_eq!(client.call("add", (1, 2)), Ok(3), "each has a new connection");
    }
}

/// Pings are not for those who are alive and have nothing to say.
#[test]
fn those_who_are_idle_are_kept() {
    let (server, told) = serve("tcp://127.0.0.1:*");
    let builder = builder().connect(&server.endpoints()[0]).socket_options(fast_probes());
    let (builder, at_client) = Told::by(builder);
    let idle = builder.build().expect("a client");
    assert_eq!(idle.call("add", (1, 2)), Ok(3));
    told.connects(1);
    at_client.connects(1);
    // Many intervals: this is what idle clients do.
    std::thread::sleep(std::time::Duration::from_secs(6));
    assert_eq!(idle.call("add", (1, 2)), Ok(3));
    assert!(!told.has_ended() && !at_client.has_ended(), "a living connection was ended");
}
