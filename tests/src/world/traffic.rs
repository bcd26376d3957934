//! Messages on their way: from a session to a connection, through proxies, and to the session at the other end.

use bytes::Bytes;
use zerorpc_proto::{Multipart, PeerId, Transmit};

use super::{Role, World, elder, network::Flight, test_session, trace::show};

impl World {
    /// Puts what a session sends on its way.
    pub(super) fn send(&mut self, node: usize, transmit: Transmit) {
        let Transmit { to, envelope, payload, token, .. } = transmit;
        let mut frames = envelope.frames().to_vec();
        let is_client = matches!(self.nodes[node].role, Role::Client(_));
        let link = match (self.nodes[node].nameless, is_client) {
            (true, true) => self.nodes[node].uplinks.first().copied(),
            (true, false) => Some(link_of(&frames.remove(0))),
            (false, _) => Some(connection(to)),
        };
        let payload = match self.nodes[node].elder {
            Some(version) => elder::say(version, &payload.to_bytes()),
            None => payload.to_bytes(),
        };
        frames.extend([Bytes::new(), payload]);
        if let Some(link) = link {
            self.network.send(&mut self.prng, self.now, link, node, frames, token);
        }
    }

    /// Something is at the end of its way; a proxy passes it on.
    pub(super) fn arrive(&mut self, flight: Flight) {
        let Flight { link, to, mut frames, .. } = flight;
        let node = &self.nodes[to];
        if let Role::Proxy = node.role {
            let onward = if self.network.links[link].ends[1] == to {
                frames.insert(0, routing_id(link));
                node.uplinks.first().copied()
            } else {
                Some(link_of(&frames.remove(0)))
            };
            if let Some(onward) = onward {
                self.network.send(&mut self.prng, self.now, onward, to, frames, None);
            }
            return;
        }
        let from = if node.nameless { PeerId::NAMELESS } else { peer(link) };
        let routes = node.nameless && matches!(node.role, Role::Server(_));
        let message = Multipart::from_frames(routes.then(|| routing_id(link)), frames);
        let message = message.expect("messages have frames");
        if node.elder.is_some() {
            for payload in elder::hear(message.payload) {
                self.hear(to, from, Multipart { payload, envelope: message.envelope.clone() });
            }
        } else {
            self.hear(to, from, message);
        }
    }

    /// A session hears it.
    fn hear(&mut self, to: usize, from: PeerId, message: Multipart) {
        self.tell(|| format!("{to} <- {from} {}", show(&message.payload)));
        self.model.received(self.now, to, from, &message.envelope, &message.payload);
        let now = self.local(to);
        if let Some(session) = self.session(to) {
            test_session::hear(session, now, from, message).expect("nobody misbehaves here");
        }
        self.check(to);
    }
}

/// How both ends of a connection call each other.
pub(super) fn peer(link: usize) -> PeerId {
    PeerId::new(link as u64 + 1)
}

/// Which connection a peer is at the end of.
pub(super) fn connection(peer: PeerId) -> usize {
    let number = peer.number().expect("it has a name");
    usize::try_from(number - 1).expect("a small number")
}

/// How a ROUTER names a connection.
pub(super) fn routing_id(link: usize) -> Bytes {
    let number = u32::try_from(link).expect("a small number").to_be_bytes();
    [&[0], &number[..]].concat().into()
}

pub(super) fn link_of(routing_id: &Bytes) -> usize {
    let number = routing_id[1..].try_into().expect("a routing id");
    u32::from_be_bytes(number) as usize
}
