//! Names with several addresses: servers that come and go behind one endpoint.

use std::{
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use zerorpc::{MonitorEvent, SocketOptions};
use zerorpc_tests::service::eventually;

use crate::{
    hosts::Hosts,
    support::{Site, all_ran, builder, until_up},
};

/// Sites at one port of 127.0.0.2 and on, and that port.
fn sites<const N: usize>() -> ([Site; N], u16) {
    let address = |number: usize| format!("127.0.0.{}", number + 2);
    let port = loop {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        let all: Result<Vec<_>, _> =
            (0..N).map(|number| TcpListener::bind((address(number), port))).collect();
        // Somebody else may have that port at another address.
        if all.is_ok() {
            break port;
        }
    };
    let site = |number| {
        let endpoint = format!("tcp://{}:{port}", address(number));
        Site::with(number, |builder| builder.bind(&endpoint))
    };
    (std::array::from_fn(site), port)
}

/// The next thing that is told with this in its words.
fn told(events: &Receiver<MonitorEvent>, what: &str) -> String {
    loop {
        let event = events.recv_timeout(Duration::from_secs(30)).expect("it is told");
        let text = event.to_string();
        if text.contains(what) {
            return text;
        }
    }
}

#[test]
fn calls_go_to_all_addresses_of_a_name_and_follow_its_changes() {
    let test = "names::calls_go_to_all_addresses_of_a_name_and_follow_its_changes";
    let Some(hosts) = Hosts::own(test) else { return };
    let (sites, port) = sites::<4>();
    hosts.set(&[2, 3, 4]);
    let (sender, events) = channel();
    let options = SocketOptions::default().resolve_interval(Duration::from_millis(50));
    let client = builder()
        .socket_options(options)
        .connect(&hosts.endpoint(port))
        .monitor(sender)
        .build()
        .expect("a client");
    until_up(&client, 3);
    for number in 0..30 {
        client.call::<String>("note", (number, 0)).expect("a name");
    }
    assert_eq!(all_ran(&sites), [10, 10, 10, 0], "all of them, in turn");

    thread::scope(|scope| {
        let held = scope.spawn(|| client.call::<String>("hold", (30,)));
        eventually("a call is held", || all_ran(&sites).iter().sum::<usize>() == 31);
        let busy = sites.iter().position(|site| site.ran() == 11).expect("there it is");
        let others: Vec<u8> =
            (0..4).filter(|number| *number != busy).map(|number| number as u8 + 2).collect();
        hosts.set(&others);
        told(&events, &format!("127.0.0.5:{port} (of {}) is connected", hosts.endpoint(port)));
        for number in 31..61 {
            client.call::<String>("note", (number, 0)).expect("a name");
        }
        let mut expected = [20, 20, 20, 10];
        expected[busy] = 11;
        assert_eq!(all_ran(&sites), expected, "none at the address that has gone");
        sites[busy].gate.open();
        assert_eq!(held.join().expect("no panic").as_ref(), Ok(&sites[busy].name));
        let end = told(&events, "is gone: ");
        assert!(end.contains(&format!("127.0.0.{}:{port}", busy + 2)), "{end}");
        assert!(end.ends_with("the name does not lead to this address any more"), "{end}");
    });
}
