//! Where a client sends what, of several servers.

use crate::fault::{
    Fault,
    Hook::{Peer, Routes},
    Quirk,
};

pub(crate) static FAULTS: &[Fault] = faults! {
    "second-server-unused": "of several endpoints to connect to, the first is used alone", "ZRPC-1.3", "client.endpoints.both", [Peer(Quirk::MoreUnused)];
    "bound-refused": "servers that connect are refused", "ZRPC-1.2", "client.endpoints.bound", [Peer(Quirk::MoreUnused)];
    "bound-once": "one server that connects is used, and none that comes after it", "ZRPC-1.2", "client.endpoints.bound-again", [Peer(Quirk::MoreOnce)];
    "requests-to-all": "each request is sent to all servers", "ZRPC-1.4", "client.endpoints.sent-once", [Routes(|_, event, to, peers| {
        if event.is_request() { peers.to_vec() } else { vec![to] }
    })];
    "beats-in-turn": "beats go to the servers in turn, whatever they are about", "ZRPC-1.4", "client.endpoints.stays", [Routes(|memory, event, to, peers| {
        if !event.is_beat() || peers.is_empty() {
            return vec![to];
        }
        memory.count += 1;
        vec![peers[memory.count as usize % peers.len()]]
    })];
};
