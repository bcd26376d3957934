//! Names with several addresses, which change, and several connections to one address.

use std::{collections::BTreeSet, net::TcpListener, time::Duration};

use zerorpc_proto::transport::SocketKind::{self, Dealer, Pub, Pull, Push, Router, Sub};
use zerorpc_proto::{
    PeerEvent, PeerId,
    transport::{MonitorEvent, SocketOptions, Transport},
};

use crate::{
    hosts::Hosts,
    support::{ANY_PORT, Node, Outcome, hasty, meet, pass, until},
};

/// Options with which names are looked up all the time, and nothing else has a timer.
fn curious() -> SocketOptions {
    hasty()
        .resolve_interval(Duration::from_millis(20))
        .dial_timeout(Duration::from_millis(200))
        .keepalive(None)
}

/// Sockets at one port of several addresses 127.0.0.x, and that port.
fn at(kind: SocketKind, addresses: &[u8]) -> (Vec<Node>, u16) {
    'ports: loop {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        let mut nodes = Vec::new();
        for address in addresses {
            let mut node = Node::new(kind);
            // Somebody else may have that port at another address.
            if node.parts.transport.bind(&format!("tcp://127.0.0.{address}:{port}")).is_err() {
                continue 'ports;
            }
            nodes.push(node);
        }
        return (nodes, port);
    }
}

/// Drives sockets until something is true of the first.
fn wait<T>(
    what: &str,
    client: &mut Node,
    others: &mut [Node],
    mut met: impl FnMut(&mut Node) -> Option<T>,
) -> T {
    let mut all: Vec<&mut Node> = vec![client];
    all.extend(others);
    until(what, &mut all, |nodes| met(nodes[0]))
}

/// The remotes of what was told to be connected.
fn remotes(node: &Node) -> BTreeSet<String> {
    let connected = node.told.iter().filter_map(|told| match told {
        MonitorEvent::Connected { remote, .. } => Some(remote.clone()),
        _ => None,
    });
    connected.collect()
}

/// The peer that is told to be going away.
fn going_away(node: &mut Node) -> Option<PeerId> {
    node.event(|event| match event {
        PeerEvent::GoingAway(peer) => Some(*peer),
        _ => None,
    })
}

/// Whether it was told that an endpoint is tried again.
fn tries_again(node: &Node) -> bool {
    node.told.iter().any(|told| matches!(told, MonitorEvent::Retried { .. }))
}

fn tells(node: &Node, what: &str) -> Option<()> {
    node.told.iter().any(|told| told.to_string().contains(what)).then_some(())
}

#[test]
fn all_addresses_of_a_name_are_used_and_their_changes_followed() -> Outcome {
    let test = "names::all_addresses_of_a_name_are_used_and_their_changes_followed";
    let Some(hosts) = Hosts::own(test) else { return Ok(()) };
    let (mut servers, port) = at(Router, &[2, 3, 4, 5]);
    let mut late = servers.pop().ok_or("four")?;
    hosts.set(&[2, 3, 4]);
    let name = hosts.endpoint(port);
    let mut client = Node::with(Dealer, &curious());
    client.parts.transport.connect(&name)?;
    client.parts.transport.connect(&name)?;
    wait("three connections", &mut client, &mut servers, |client| {
        (remotes(client).len() == 3).then_some(())
    });
    let of = |address: u8| format!("tcp://127.0.0.{address}:{port} (of {name})");
    assert_eq!(remotes(&client), [2, 3, 4].map(of).into());
    for _ in 0..3 {
        let called = client.up().ok_or("it was told")?;
        let remote = client.parts.transport.remote(called).ok_or("it stands")?;
        assert!(remotes(&client).contains(&remote), "{remote}");
    }

    // One address goes, another comes.
    hosts.set(&[5, 4, 2]);
    until("the new one", &mut [&mut client, &mut late], |nodes| {
        remotes(nodes[0]).contains(&of(5)).then_some(())
    });
    assert_eq!(remotes(&client).len(), 4, "those that were there were not made anew");
    let leaving = wait("news of the old one", &mut client, &mut servers, going_away);
    assert_eq!(client.parts.transport.remote(leaving), Some(of(3)));
    let caller = servers[1].up().ok_or("it is connected")?;
    servers[1].send(caller, "an answer");
    assert_eq!(pass(&mut servers[1], &mut client).0, leaving, "what has begun goes on");
    client.told.clear();
    drop(servers.remove(1));
    let (gone, reason) = wait("the end", &mut client, &mut servers, |client| client.down());
    assert_eq!(gone, leaving);
    assert!(reason.contains(&of(3)), "{reason}");
    assert!(!tries_again(&client), "the name does not lead there any more: {:?}", client.told);

    // Another one goes, is ended by whoever has nothing to wait for from it, and comes again.
    hosts.set(&[4, 5]);
    let leaving = wait("news of the old one", &mut client, &mut servers, going_away);
    assert_eq!(client.parts.transport.remote(leaving), Some(of(2)));
    client.told.clear();
    client.parts.transport.reset(leaving, "nothing is open there");
    client.drain();
    let (gone, reason) = client.down().ok_or("it is told at once")?;
    assert_eq!(gone, leaving);
    assert!(reason.ends_with("the name does not lead to this address any more"), "{reason}");
    assert!(!tries_again(&client), "{:?}", client.told);
    hosts.set(&[2, 4, 5]);
    wait("it is back", &mut client, &mut servers, |client| {
        remotes(client).contains(&of(2)).then_some(())
    });

    // Nobody knows the name any more: the addresses that it had are as good as any.
    hosts.set(&[]);
    drop(servers.remove(1));
    let (_, reason) = wait("the end", &mut client, &mut servers, |client| client.down());
    assert!(reason.contains(&of(4)), "{reason}");
    tells(&client, &format!("cannot connect to {name} (tcp://127.0.0.4:{port}: ")).ok_or("why")?;
    client.told.clear();
    let mut again = Node::new(Router);
    again.parts.transport.bind(&format!("tcp://127.0.0.4:{port}"))?;
    until("a connection", &mut [&mut client, &mut again], |nodes| {
        remotes(nodes[0]).contains(&of(4)).then_some(())
    });

    disconnect(&mut client, &name, 3)
}

/// Disconnects from a name that led to so many addresses.
fn disconnect(client: &mut Node, name: &str, addresses: usize) -> Outcome {
    client.seen.clear();
    client.parts.transport.disconnect(name)?;
    client.drain();
    let ends = std::iter::from_fn(|| client.down()).count();
    assert_eq!(ends, addresses, "all of them");
    assert_eq!(client.parts.transport.poll_timeout(), None, "and nothing is looked up");
    assert!(client.parts.transport.disconnect(name).is_err(), "it is disconnected already");
    Ok(())
}

#[test]
fn a_lost_connection_has_its_name_looked_up() -> Outcome {
    let test = "names::a_lost_connection_has_its_name_looked_up";
    let Some(hosts) = Hosts::own(test) else { return Ok(()) };
    let (mut servers, port) = at(Router, &[2, 3]);
    let mut next = servers.pop().ok_or("two")?;
    hosts.set(&[2]);
    let mut client = Node::with(Dealer, &curious().resolve_interval(None));
    client.parts.transport.connect(&hosts.endpoint(port))?;
    meet(&mut client, &mut servers[0]);
    assert_eq!(client.parts.transport.poll_timeout(), None, "without a reason, nobody asks");
    hosts.set(&[3]);
    drop(servers);
    meet(&mut client, &mut next);
    Ok(())
}

#[test]
fn a_name_may_be_known_later() -> Outcome {
    let Some(hosts) = Hosts::own("names::a_name_may_be_known_later") else { return Ok(()) };
    let (mut servers, port) = at(Router, &[2]);
    hosts.set(&[]);
    let name = hosts.endpoint(port);
    let mut client = Node::with(Dealer, &curious());
    client.parts.transport.connect(&name)?;
    let why = format!("cannot connect to {name} (unknown host");
    wait("a failure", &mut client, &mut servers, |client| tells(client, &why));
    hosts.set(&[2]);
    meet(&mut client, &mut servers[0]);
    Ok(())
}

#[test]
fn an_address_that_says_nothing_keeps_nobody_from_the_others() -> Outcome {
    let test = "names::an_address_that_says_nothing_keeps_nobody_from_the_others";
    let Some(hosts) = Hosts::own(test) else { return Ok(()) };
    let (mut servers, port) = at(Router, &[2, 4]);
    let _mute = TcpListener::bind(("127.0.0.3", port))?;
    hosts.set(&[2, 3, 4]);
    let name = hosts.endpoint(port);
    let patient = hasty().dial_timeout(Duration::from_secs(600));
    for options in [&patient, &curious()] {
        let mut client = Node::with(Dealer, options);
        client.parts.transport.connect(&name)?;
        wait("two connections", &mut client, &mut servers, |client| {
            (remotes(client).len() == 2).then_some(())
        });
        if options.dial_timeout == patient.dial_timeout {
            continue;
        }
        let why = format!(
            "no connection with tcp://127.0.0.3:{port} (of {name}): the peer said nothing within"
        );
        wait("why there is no third", &mut client, &mut servers, |client| tells(client, &why));
        let why = format!("cannot connect to {name} (tcp://127.0.0.3:{port}: the peer said");
        tells(&client, &why).ok_or("it is tried again")?;
    }
    Ok(())
}

#[test]
fn pushed_messages_go_to_all_addresses_of_a_name_in_turn() -> Outcome {
    let test = "names::pushed_messages_go_to_all_addresses_of_a_name_in_turn";
    let Some(hosts) = Hosts::own(test) else { return Ok(()) };
    let (mut pullers, port) = at(Pull, &[2, 3, 4]);
    hosts.set(&[2, 3, 4]);
    let mut pusher = Node::with(Push, &curious());
    pusher.parts.transport.connect(&hosts.endpoint(port))?;
    wait("three connections", &mut pusher, &mut pullers, |pusher| {
        (remotes(pusher).len() == 3).then_some(())
    });
    for number in 0..3_u8 {
        pusher.send(PeerId::NAMELESS, vec![number]);
    }
    for puller in &mut pullers {
        puller.next();
    }

    // One address goes while a message is on its way to each: it is not cut short.
    const LARGE: usize = 32 << 20;
    for number in 0..3_u8 {
        pusher.send(PeerId::NAMELESS, vec![number; LARGE]);
    }
    hosts.set(&[2, 4]);
    wait("the end", &mut pusher, &mut pullers[1..2], Node::down);
    let got: Vec<usize> = std::iter::from_fn(|| pullers[1].message())
        .map(|(_, message)| message.payload.len())
        .collect();
    assert!(got.contains(&LARGE), "{got:?}");

    // And what comes next goes to the others.
    for puller in [0, 2] {
        pass(&mut pusher, &mut pullers[puller]);
    }
    for number in 3..7_u8 {
        pusher.send(PeerId::NAMELESS, vec![number]);
    }
    for puller in [0, 0, 2, 2] {
        pass(&mut pusher, &mut pullers[puller]);
    }
    assert_eq!(pullers[1].message(), None);
    Ok(())
}

#[test]
fn subscribers_and_servers_have_one_connection_to_a_name() -> Outcome {
    let test = "names::subscribers_and_servers_have_one_connection_to_a_name";
    let Some(hosts) = Hosts::own(test) else { return Ok(()) };
    for (kind, theirs) in [(Sub, Pub), (Router, Dealer)] {
        let (mut others, port) = at(theirs, &[2, 3, 4]);
        hosts.set(&[2, 3, 4]);
        let mut node = Node::with(kind, &curious());
        node.parts.transport.connect(&hosts.endpoint(port))?;
        let remote = wait("a connection", &mut node, &mut others, |node| remotes(node).pop_last());
        assert!(remote.contains(&format!("(of {})", hosts.endpoint(port))), "{remote}");
        assert_eq!(node.parts.transport.poll_timeout(), None, "nothing else is to come");
        assert_eq!(remotes(&node).len(), 1);
    }
    Ok(())
}

#[test]
fn localhost_is_one_connection() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let name = endpoint.replace("127.0.0.1", "localhost");
    let mut client = Node::connected(Dealer, &name);
    let (called, _) = meet(&mut client, &mut server);
    assert_eq!(client.parts.transport.remote(called), Some(format!("{endpoint} (of {name})")));
    assert_eq!(client.told.len(), 1, "{:?}", client.told);
    Ok(())
}

#[test]
fn an_endpoint_may_ask_for_several_connections() -> Outcome {
    for (kind, theirs) in [(Dealer, Router), (Router, Dealer), (Push, Pull), (Pull, Push)] {
        let (mut server, endpoint) = Node::bound(theirs);
        let thrice = format!("{endpoint}?connections=3");
        let mut client = Node::connected(kind, &thrice);
        for _ in 0..3 {
            until("a connection", &mut [&mut client, &mut server], |nodes| nodes[1].up());
        }
        until("the others", &mut [&mut client, &mut server], |nodes| {
            (nodes[0].told.len() == 3).then_some(())
        });
        assert_eq!(remotes(&client), [endpoint.clone()].into());
        assert!(client.parts.transport.disconnect(&endpoint).is_err(), "that is another one");
        client.parts.transport.disconnect(&thrice)?;
        for _ in 0..3 {
            until("its end", &mut [&mut client, &mut server], |nodes| nodes[1].down());
        }
        assert!(client.parts.transport.disconnect(&thrice).is_err(), "all have ended");
    }
    for kind in [Sub, Pub] {
        let mut node = Node::new(kind);
        let refused = node.parts.transport.connect("tcp://127.0.0.1:1?connections=2");
        let refused = refused.expect_err("each event would come twice");
        let reason = refused.reason();
        assert!(reason.contains("several times"), "{reason}");
    }
    let mut node = Node::new(Router);
    let refused = node.parts.transport.bind(&format!("{ANY_PORT}?connections=2"));
    assert!(refused.expect_err("only to connect").reason().contains("to connect"));
    Ok(())
}
