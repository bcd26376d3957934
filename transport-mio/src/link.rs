//! Links: byte streams to peers, and how they come about.
//!
//! Nothing here knows ZMTP. A [`Listener`] accepts streams at one endpoint, a [`Dialer`] goes on making one to
//! an endpoint, and a [`Stream`] moves bytes. All are driven by events and by the time the caller says it
//! is; none ever blocks, and none has a thread but for the names that a dialer must look up.
//!
//! ```text
//!  Endpoint ──► Listener ── accept ──┐
//!                                    ├──► Stream ──► read, write
//!  Endpoint ──► Dialer ──── poll ────┘
//!                 │ waits: Backoff; names: resolve
//! ```
//!
//! tcp, ipc and inproc differ only below this line: an inproc connection is a pair of unix sockets.

use std::{fmt, sync::Arc, time::Duration};

use zerorpc_proto::Waker;

mod backoff;
mod dialer;
mod inproc;
mod ipc;
mod listener;
mod resolve;
mod stream;
mod tcp;

pub(crate) use backoff::Pace;
pub(crate) use dialer::{Dial, Dialer};
pub(crate) use listener::{Burst, Listener};
pub(crate) use stream::Stream;

/// How connections are made and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkOptions {
    /// Probes of idle tcp connections; `None` leaves them to the system's defaults, where they are off.
    pub(crate) keepalive: Option<Keepalive>,
    /// How long connecting to one address may take; `None` waits as long as the system does (minutes).
    pub(crate) connect_timeout: Option<Duration>,
    /// How long to wait before connecting again.
    pub(crate) pace: Pace,
}

impl Default for LinkOptions {
    /// The system's keepalive, ten seconds to connect (enough for three lost packets), the default pace.
    fn default() -> Self {
        Self {
            keepalive: None,
            connect_timeout: Some(Duration::from_secs(10)),
            pace: Pace::default(),
        }
    }
}

/// How a tcp connection finds out that its peer has vanished while nothing is said. What is `None` is left
/// to the system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Keepalive {
    /// How long a connection is idle before it is probed; whole seconds.
    pub(crate) idle: Option<Duration>,
    /// The time between probes; whole seconds.
    pub(crate) interval: Option<Duration>,
    /// How many probes go unanswered before the connection is lost.
    pub(crate) retries: Option<u32>,
}

/// Wakes the thread that polls, when something happened that no socket tells of.
#[derive(Clone)]
pub(crate) struct Bell(Arc<dyn Waker>);

impl Bell {
    pub(crate) fn new(waker: Arc<dyn Waker>) -> Self {
        Self(waker)
    }

    pub(crate) fn ring(&self) {
        self.0.wake();
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

#[cfg(test)]
mod testing;
