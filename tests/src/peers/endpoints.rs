//! Endpoints that no other test uses.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

/// A `tcp://` endpoint on a loopback port that was free a moment ago.
///
/// Bind to `tcp://127.0.0.1:0` instead where the server can tell the port it got.
///
/// # Panics
///
/// When this host has no free port.
#[must_use]
pub fn tcp() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    let address = listener.local_addr().expect("the address of a bound socket");
    format!("tcp://{address}")
}

/// An `ipc://` endpoint in a temporary directory, a new one for each call.
#[must_use]
pub fn ipc(directory: &TempDir) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("ipc://{}/{number}", directory.path().display())
}
