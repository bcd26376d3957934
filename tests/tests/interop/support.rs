//! What the interop tests share: both peers at once, and each side's servers and clients on tcp and ipc.

use std::{thread, time::Duration};

use tempfile::TempDir;
use zerorpc::{Client, DEFAULT_HEARTBEAT, Server, ServerBuilder, TransportKind};
use zerorpc_tests::{
    peers::{self, DialOptions, Peer, PeerClient, PeerProcess, ServeOptions, endpoints},
    service::{Seen, serve_with},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A short interval of heartbeats, but long enough for a busy machine.
pub(crate) const INTERVAL: Duration = Duration::from_millis(700);

/// Runs a check with each peer that can be had, all at once.
pub(crate) fn with_each_peer(check: impl Fn(&dyn Peer) + Sync) {
    let (python, node) = (peers::python(), peers::node());
    thread::scope(|scope| {
        if let Some(python) = &python {
            scope.spawn(|| check(python));
        }
        if let Some(node) = &node {
            scope.spawn(|| check(node));
        }
    });
}

/// Whether a peer is the reference, rather than Node.
pub(crate) fn is_python(peer: &dyn Peer) -> bool {
    peer.name().contains("python")
}

/// A server of theirs on a tcp and an ipc endpoint.
pub(crate) struct Theirs {
    pub(crate) process: PeerProcess,
    _folder: TempDir,
}

impl Theirs {
    pub(crate) fn serve(peer: &dyn Peer) -> Self {
        Self::serve_at(peer, DEFAULT_HEARTBEAT)
    }

    /// A server with another interval of heartbeats.
    pub(crate) fn serve_at(peer: &dyn Peer, heartbeat: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bind = vec!["tcp://127.0.0.1:0".to_owned(), endpoints::ipc(&folder)];
        let process = peer.serve(ServeOptions { bind, heartbeat, ..ServeOptions::default() });
        Self { process, _folder: folder }
    }

    /// A client of ours for each endpoint.
    pub(crate) fn clients(&self, kind: TransportKind) -> Vec<Client> {
        self.process.endpoints().iter().map(|endpoint| connect(kind, endpoint)).collect()
    }
}

/// A client of ours with all defaults.
pub(crate) fn connect(kind: TransportKind, endpoint: &str) -> Client {
    connect_at(kind, endpoint, DEFAULT_HEARTBEAT)
}

/// A client of ours with another interval of heartbeats.
pub(crate) fn connect_at(kind: TransportKind, endpoint: &str, heartbeat: Duration) -> Client {
    let builder = Client::builder().transport(kind).connect(endpoint).heartbeat(heartbeat);
    builder.build().expect("a client")
}

/// A server of ours on a tcp and an ipc endpoint.
pub(crate) struct Ours {
    pub(crate) server: Server,
    pub(crate) seen: Seen,
    _folder: TempDir,
}

impl Ours {
    pub(crate) fn serve(kind: TransportKind) -> Self {
        Self::serve_with(kind, |builder| builder)
    }

    pub(crate) fn serve_with(
        kind: TransportKind,
        options: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, seen) =
            serve_with(kind, |builder| options(builder.bind(&endpoints::ipc(&folder))));
        Self { server, seen, _folder: folder }
    }

    /// The tcp endpoint.
    pub(crate) fn endpoint(&self) -> &str {
        &self.server.endpoints()[0]
    }

    /// A client of theirs for each endpoint.
    pub(crate) fn clients(&self, peer: &dyn Peer) -> Vec<PeerClient> {
        let dial = |endpoint: &String| peer.client(DialOptions::to(endpoint));
        self.server.endpoints().iter().map(dial).collect()
    }
}
