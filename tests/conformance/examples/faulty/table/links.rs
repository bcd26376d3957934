//! Where a server makes connections.

use crate::fault::{Fault, Hook::Peer, Quirk};

pub(crate) static FAULTS: &[Fault] = faults! {
    "second-endpoint-refused": "callers at a second endpoint are refused", "ZRPC-1.3", "endpoints.bound-twice", [Peer(Quirk::MoreUnused)];
    "callers-not-connected": "a server that binds connects to nobody", "ZRPC-1.2", "endpoints.worker", [Peer(Quirk::MoreUnused)];
    "callers-connected-once": "a connection to a caller that ends is not made again", "ZRPC-14.37", "endpoints.worker-again", [Peer(Quirk::MoreOnce)];
};
