//! The second configuration that `docs/deployment.md` shows: servers that HAProxy finds by their name, and a spare one.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
};

use zerorpc::Server;
use zerorpc_tests::{
    document,
    haproxy::{Config, HaProxy},
    peers::endpoints,
    service::eventually,
};

use crate::{
    resolver::Resolver,
    support::{client, name, serve},
};

const NAME: &str = "calculator.default.svc.cluster.local";

/// Two servers on one port, as a name has them: each has an address of its own.
fn serve_two() -> (u16, [Server; 2]) {
    let hosts = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
    loop {
        // A port that is free at the first may be taken at the second.
        let free = TcpListener::bind((hosts[1], 0)).expect("a free port");
        let port = free.local_addr().expect("an address").port();
        if TcpListener::bind((hosts[0], port)).is_ok() {
            drop(free);
            let named = hosts.map(|host| (host.to_string(), format!("tcp://{host}:{port}")));
            return (port, named.map(|(name, endpoint)| serve(&name, &endpoint)));
        }
    }
}

/// Which servers newcomers are led to.
fn reached(haproxy: &HaProxy, front: usize) -> BTreeSet<String> {
    let endpoint = &haproxy.endpoints()[front];
    (0..6).map(|_| name(&client(endpoint)).expect("a name")).collect()
}

#[test]
fn servers_are_found_by_name_and_a_spare_one_takes_over() {
    assert_eq!(document::blocks("haproxy").len(), 2, "each of them has its test");
    let resolver = Resolver::of(NAME);
    let (port, servers) = serve_two();
    let hosts = [2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last));
    let (first, spare) = (endpoints::tcp(), serve("spare", "tcp://127.0.0.1:*"));
    let first_server = serve("first", &first);
    let haproxy = Config::new(&document::blocks("haproxy")[1])
        .front(":4242")
        .front(":4243")
        .exchange("10.96.0.10:53", &resolver.address().to_string())
        .exchange(&format!("{NAME}:4242"), &format!("{NAME}:{port}"))
        .backend("10.0.0.4:4243", &first)
        .backend("10.0.0.5:4243", &spare.endpoints()[0])
        .start();
    let Some(haproxy) = haproxy else { return };

    resolver.set(&hosts[..1]);
    eventually("the name is found", || haproxy.server("calculator/BACKEND", "act") == "1");
    assert_eq!(reached(&haproxy, 0), BTreeSet::from(["127.0.0.2".to_owned()]));
    resolver.set(&hosts);
    eventually("its change is followed", || haproxy.server("calculator/BACKEND", "act") == "2");
    let both = BTreeSet::from(["127.0.0.2".to_owned(), "127.0.0.3".to_owned()]);
    assert_eq!(reached(&haproxy, 0), both);
    drop(servers);

    assert_eq!(reached(&haproxy, 1), BTreeSet::from(["first".to_owned()]));
    drop(first_server);
    eventually("it is missed", || haproxy.server("dictionary/one", "status") == "DOWN");
    assert_eq!(reached(&haproxy, 1), BTreeSet::from(["spare".to_owned()]));
}
