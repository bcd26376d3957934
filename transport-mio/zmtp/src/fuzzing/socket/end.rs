//! One of the sockets that a script is played for, and what must hold of it.

use std::{collections::BTreeMap, io::IoSlice};

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use zerorpc_proto::{PeerEvent, PeerId, Token};

use crate::{ConnectionId, Socket, SocketEvent};

/// A socket, and what its embedder knows.
pub(super) struct End {
    pub(super) socket: Socket,
    /// Peers that are up, and whether they are about to go.
    pub(super) peers: BTreeMap<PeerId, bool>,
    /// Connections that are open, and whether they are ready.
    pub(super) connections: BTreeMap<ConnectionId, bool>,
    /// Messages that were sent and did not come back, and how many were sent.
    pub(super) out: HashSet<Token, FixedState>,
    pub(super) sent: u64,
    pub(super) messages: usize,
}

impl End {
    /// Takes one thing after the other until a connection is over.
    pub(super) fn poll(&mut self) -> Option<ConnectionId> {
        let Self { socket, peers, connections, messages, out, .. } = self;
        loop {
            while let Some(event) = socket.poll_peer_event() {
                match event {
                    PeerEvent::Up(peer) => {
                        assert!(peers.insert(peer, false).is_none(), "{peer} is up twice");
                    }
                    PeerEvent::Lossless(peer) => {
                        assert!(peers.contains_key(&peer), "whoever says so is there");
                    }
                    PeerEvent::Down(peer, _) => {
                        assert!(peers.remove(&peer).is_some(), "{peer} is down, and was not up");
                    }
                    PeerEvent::GoingAway(peer) | PeerEvent::Gone(peer) => {
                        *peers.get_mut(&peer).expect("whoever goes was there") = true;
                    }
                    PeerEvent::Returned(token) => {
                        assert!(out.remove(&token), "{token:?} comes back, and was not out");
                    }
                    _ => {}
                }
            }
            let Some((peer, _)) = socket.receive() else { break };
            *messages += 1;
            assert!(peers.contains_key(&peer), "{peer} is not up, and said something");
        }
        while let Some(event) = socket.poll_event() {
            match event {
                SocketEvent::Ready { connection, .. } => {
                    let ready = connections.get_mut(&connection).expect("it is open");
                    assert!(!std::mem::replace(ready, true), "{connection:?} is ready twice");
                }
                SocketEvent::Closed(mut closed) => {
                    let connection = closed.connection;
                    assert!(connections.remove(&connection).is_some(), "it was open");
                    assert!(!closed.words.is_empty(), "nobody is told why");
                    // Whoever comes too late does no harm.
                    assert!(!socket.has_output(connection) && socket.peer_of(connection).is_none());
                    if let Some(words) = &mut closed.last_words {
                        let mut slices = [IoSlice::new(&[]); 4];
                        let filled = words.output(&mut slices);
                        let count = slices[..filled].iter().map(|slice| slice.len()).sum();
                        words.advance(count);
                    }
                    return Some(connection);
                }
                SocketEvent::GoingAway { connection, .. }
                | SocketEvent::AllWritten { connection } => {
                    assert!(connections.contains_key(&connection), "{connection:?} is not there");
                }
            }
        }
        None
    }

    pub(super) fn check(&self) {
        let Self { socket, peers, connections, .. } = self;
        assert_eq!(socket.peer_count(), peers.len(), "{peers:?}");
        let ready: Vec<ConnectionId> = socket.ready_connections().collect();
        assert_eq!(ready.len(), peers.len(), "each peer has a connection");
        for connection in ready {
            assert!(connections.contains_key(&connection), "{connection:?} is not there");
            let peer = socket.peer_of(connection).expect("it is ready");
            assert_eq!(socket.connection_of(peer), Some(connection));
            assert!(peers.contains_key(&peer), "{peer} was not told of");
        }
        let routes = socket.retained_by_route();
        let of_routes: usize = routes.iter().map(|(_, bytes)| bytes).sum();
        assert!(of_routes <= socket.retained_bytes(), "{of_routes} of {}", socket.retained_bytes());
    }
}
