//! Links: byte streams to peers, and how they come about.
//!
//! Nothing here knows ZMTP. A [`Listener`] accepts streams at one endpoint, a [`Dialer`] goes on making one to
//! an endpoint, and a [`Stream`] moves bytes. All are driven by events and by the time the caller says it
//! is; none ever blocks, and none has a thread but for the names that must be looked up.
//!
//! ```text
//!  Endpoint ──► Listener ── accept ──┐
//!                                    ├──► Stream ──► read, write
//!  Endpoint ──► Dialer ──── poll ────┘
//!                 │ waits: Backoff; names: resolve
//!  a name ────► Resolver: whom else to dial, and whom no more
//! ```
//!
//! tcp, ipc and inproc differ only below this line: an inproc connection is a pair of unix sockets.

use std::{fmt, io, sync::Arc, time::Duration};

use rustix::io::Errno;
use zerorpc_proto::transport::{Probes, Waker};

mod backoff;
mod dialer;
mod inproc;
mod ipc;
mod listener;
mod permissions;
mod resolve;
mod resolver;
mod stream;
mod tcp;

pub(crate) use backoff::Pace;
pub(crate) use dialer::{Dial, Dialer};
pub(crate) use listener::{Burst, Listener};
pub(crate) use permissions::Permissions;
pub(crate) use resolve::Addresses;
pub(crate) use resolver::{Resolution, Resolver};
pub(crate) use stream::Stream;

/// How many connections may wait to be accepted; the system may have a lower limit. Beyond it clients try
/// again, tcp not before a second has passed. Not measured: what Linux allows by default (`somaxconn`).
const BACKLOG: i32 = 4096;

/// How connections are made and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkOptions {
    /// Probes of idle tcp connections; `None` leaves them to the system's defaults, where they are off.
    pub(crate) keepalive: Option<Probes>,
    /// How long the system at one address may take to answer; `None` waits as long as our own does (minutes).
    pub(crate) connect_timeout: Option<Duration>,
    /// How often names are looked up again that lead to several connections; `None`: only when one is lost.
    pub(crate) resolve_interval: Option<Duration>,
    /// How long to wait before connecting again.
    pub(crate) pace: Pace,
    /// Who may connect to socket files.
    pub(crate) permissions: Permissions,
}

impl Default for LinkOptions {
    /// The system's keepalive, three seconds to connect (enough for a lost packet), names looked up every thirty,
    /// the default pace.
    fn default() -> Self {
        Self {
            keepalive: None,
            connect_timeout: Some(Duration::from_secs(3)),
            resolve_interval: Some(Duration::from_secs(30)),
            pace: Pace::default(),
            permissions: Permissions::default(),
        }
    }
}

/// Wakes the thread that polls, when something happened that no socket tells of.
#[derive(Clone)]
pub(crate) struct Notifier(Arc<dyn Waker>);

impl Notifier {
    pub(crate) fn new(waker: Arc<dyn Waker>) -> Self {
        Self(waker)
    }

    pub(crate) fn notify(&self) {
        self.0.wake();
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notifier")
    }
}

/// What the system says, and what to do about it where there are too many open files.
fn explain(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => {
            "this process has too many open files; raise the limit (ulimit -n)".into()
        }
        Some(Errno::NFILE) => "this system has too many open files".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod testing;
