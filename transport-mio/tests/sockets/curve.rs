//! CURVE over real connections.

use zerorpc_proto::transport::{
    KeyPair, MonitorEvent, SecretKey, Security,
    SocketKind::{Dealer, Router},
    Transport,
};
use zerorpc_zmtp::key_pair;

use crate::support::{ANY_PORT, Node, Outcome, hasty, meet, pass, until};

fn keys(of: u8) -> KeyPair {
    key_pair(SecretKey::new([of; 32]))
}

fn server() -> Node {
    Node::with(Router, &hasty().security(Security::CurveServer { keys: keys(1) }))
}

fn client(of: u8) -> Node {
    let server = keys(1).public;
    Node::with(Dealer, &hasty().security(Security::CurveClient { keys: keys(of), server }))
}

#[test]
fn messages_of_all_sizes_get_through() -> Outcome {
    let (mut server, mut client) = (server(), client(2));
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    client.parts.transport.connect(&endpoint)?;
    let (calling, called) = meet(&mut server, &mut client);
    let principal = server.parts.transport.principal(calling).ok_or("it is connected")?;
    assert_eq!(principal.key, Some(keys(2).public));
    let principal = client.parts.transport.principal(called).ok_or("it is connected")?;
    assert_eq!(principal.key, Some(keys(1).public));
    // From below what is copied together to beyond what has memory of its own (8 MiB).
    for size in [0, 1, 220, 255, 4000, 32_700, 32_800, 70_000, 1 << 20, 9 << 20] {
        let body = vec![b'x'; size];
        client.send(called, body.clone());
        let (from, arrived) = pass(&mut client, &mut server);
        assert_eq!(from, calling);
        assert!(arrived.payload == body, "{size} bytes there");
        server.send(calling, body.clone());
        let (_, arrived) = pass(&mut server, &mut client);
        assert!(arrived.payload == body, "{size} bytes back");
    }
    Ok(())
}

#[test]
fn whoever_wants_something_else_hears_what_is_wanted() -> Outcome {
    let mut server = server();
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let mut plain = Node::connected(Dealer, &endpoint);
    for (of, part) in
        [(1, "the peer's security mechanism is CURVE, ours is NULL"), (0, "is NULL, ours is CURVE")]
    {
        until(part, &mut [&mut server, &mut plain], |nodes| {
            nodes[of].told.iter().find_map(|event| match event {
                MonitorEvent::HandshakeFailed { reason, .. } => reason.contains(part).then_some(()),
                _ => None,
            })
        });
    }
    Ok(())
}
