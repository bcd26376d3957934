//! Two engines with each other, over a wire that cuts as it likes.

use std::{io::IoSlice, sync::Arc, time::Instant};

use bytes::Bytes;
use proptest::prelude::*;
use zerorpc_proto::transport::{
    MechanismName, PlainCredentials, Security,
    SocketKind::{Dealer, Router},
};
use zerorpc_zmtp::{Engine, EngineConfig, Identity, Want, ZmtpEvent};

use crate::{
    curve::{curve_client, curve_server},
    support::{config, plain_server},
};

/// One direction of a connection.
struct Wire {
    bytes: Vec<u8>,
    arrived: Vec<ZmtpEvent>,
}

impl Wire {
    fn new() -> Self {
        Self { bytes: Vec::new(), arrived: Vec::new() }
    }

    /// Moves up to `count` bytes from one engine to the other; the way in which they are read depends on
    /// `direct`.
    fn carry(&mut self, from: &mut Engine, to: &mut Engine, count: usize, direct: bool) -> usize {
        let now = Instant::now();
        let mut slices = [IoSlice::new(&[]); 2];
        let filled = from.output(&mut slices);
        let offered = slices[..filled].iter().flat_map(|slice| slice.iter().copied());
        self.bytes.clear();
        self.bytes.extend(offered.take(count));
        from.advance(self.bytes.len());
        let mut rest = &self.bytes[..];
        if direct && let Want::Body(missing) = to.want() {
            let (body, behind) = rest.split_at(missing.len().min(rest.len()));
            missing[..body.len()].copy_from_slice(body);
            to.handle_body(now, body.len()).expect("engines understand each other");
            rest = behind;
        }
        to.handle_chunk(now, Bytes::copy_from_slice(rest)).expect("engines understand each other");
        self.arrived.extend(std::iter::from_fn(|| to.poll_event()));
        self.bytes.len()
    }
}

/// A client and a server of the same mechanism.
fn configs(mechanism: MechanismName) -> [EngineConfig; 2] {
    match mechanism {
        MechanismName::Null => [config(Dealer), config(Router)],
        MechanismName::Plain => {
            let credentials = PlainCredentials::new("name", "word").expect("short");
            let client = config(Dealer).security(Security::PlainClient(credentials));
            [client, plain_server(b"name", b"word")]
        }
        _ => [curve_client(1), curve_server(1)],
    }
}

fn mechanisms() -> impl Strategy<Value = MechanismName> {
    prop_oneof![Just(MechanismName::Null), Just(MechanismName::Plain), Just(MechanismName::Curve)]
}

fn messages() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let size = prop_oneof![0usize..300, 4000usize..4200, 0usize..150_000];
    prop::collection::vec(prop::collection::vec(size, 1..4), 0..8)
}

fn build(sizes: &[usize], fill: u8) -> Vec<Bytes> {
    sizes.iter().map(|&size| Bytes::from(vec![fill; size])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn everything_arrives_once_and_in_order(
        mechanism in mechanisms(),
        there in messages(),
        back in messages(),
        cuts in prop::collection::vec((prop_oneof![1usize..4, 1usize..200, 1usize..60_000], any::<bool>()), 1..40),
    ) {
        let [client, server] = configs(mechanism);
        let client = client.identity(Identity::new("client").expect("a good name"));
        let mut client = Engine::new(Arc::new(client), Instant::now());
        let mut server = Engine::new(Arc::new(server), Instant::now());
        there.iter().for_each(|sizes| client.send(build(sizes, b't')));
        back.iter().for_each(|sizes| server.send(build(sizes, b'b')));

        let (mut up, mut down) = (Wire::new(), Wire::new());
        let mut cuts = cuts.into_iter().cycle();
        let mut carried = 0usize;
        loop {
            let (count, direct) = cuts.next().expect("it never ends");
            // Small cuts for small conversations only: the long ones take too long byte by byte.
            let count = if carried > 2000 { count.max(500) } else { count };
            let moved = up.carry(&mut client, &mut server, count, direct)
                + down.carry(&mut server, &mut client, count, direct);
            carried += moved;
            if moved == 0 {
                break;
            }
        }
        for (wire, sent, fill) in [(&up, &there, b't'), (&down, &back, b'b')] {
            prop_assert!(matches!(wire.arrived[0], ZmtpEvent::Ready(_)));
            let expected = sent.iter().map(|sizes| ZmtpEvent::Message(build(sizes, fill).into()));
            prop_assert!(wire.arrived[1..].iter().cloned().eq(expected));
        }
        let ZmtpEvent::Ready(peer) = &up.arrived[0] else { unreachable!("checked above") };
        prop_assert_eq!(&peer.identity[..], b"client");
        let principal = peer.principal.as_ref().expect("the handshake was seen");
        prop_assert_eq!(principal.mechanism, mechanism);
        prop_assert_eq!(client.queued_bytes() + server.queued_bytes(), 0);
        prop_assert_eq!(client.partial_bytes() + server.partial_bytes(), 0);
    }
}
