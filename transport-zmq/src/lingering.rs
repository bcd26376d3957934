//! Closing: unsent messages get their time to leave, and nobody waits for ever.

use std::{io, sync::mpsc, thread, time::Duration};

/// How long closing waits at most when the socket's linger is `None`.
///
/// After that the messages keep leaving in the background, as long as the process lives. Not measured: as
/// long as a call waits by default.
pub const LONGEST_CLOSE: Duration = Duration::from_secs(30);

/// More cannot be said to libzmq (24 days).
const LONGEST_LINGER: Duration = Duration::from_millis(i32::MAX as u64);

/// What libzmq may need beyond the linger, for instance to come back from resolving a name. Not measured: a bound; what is not
/// done by then is done in the background.
const GRACE: Duration = Duration::from_secs(1);

/// The context of one socket, dropped after the socket.
///
/// Every socket has a context of its own, since the end of a context is the only event by which libzmq
/// tells that lingering is over. A shared context could be waited for by the last of its sockets only.
pub(crate) struct Lingering {
    context: Option<zmq::Context>,
    linger: Option<Duration>,
    patience: Duration,
}

impl Lingering {
    pub(crate) fn new(linger: Option<Duration>) -> Self {
        let linger = linger.map(|linger| linger.min(LONGEST_LINGER));
        Self {
            context: Some(zmq::Context::new()),
            linger,
            patience: linger.unwrap_or(LONGEST_CLOSE),
        }
    }

    /// A socket in this context, which must be dropped before it.
    pub(crate) fn socket(&self, kind: zmq::SocketType) -> Result<zmq::Socket, zmq::Error> {
        self.context.as_ref().ok_or(zmq::Error::ETERM)?.socket(kind)
    }

    /// How long closing may take.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Leaves so much time for the rest of the closing.
    pub(crate) fn shorten(&mut self, left: Duration) {
        self.patience = left;
        self.linger = self.linger.map(|_| left);
    }

    /// As libzmq counts it: in milliseconds, negative for no end.
    pub(crate) fn milliseconds(&self) -> i32 {
        self.linger.map_or(-1, |linger| i32::try_from(linger.as_millis()).unwrap_or(i32::MAX))
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let context = self.context.take();
        let (over, lingering) = mpsc::channel::<()>();
        let close = move || {
            drop(context);
            drop(over);
        };
        if let Err(error) = spawn(close) {
            // The context was dropped with the closure: it has lingered already.
            tracing::debug!(%error, "no thread to close a socket in the background");
            return;
        }
        let patience = self.patience.saturating_add(GRACE);
        if lingering.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!(
                ?patience,
                "a socket still has unsent messages; they leave in the background"
            );
        }
    }
}

fn spawn(close: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("zmq-linger".into()).spawn(close).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn nobody_waits_for_ever_for_a_peer_that_is_gone() {
        let mut lingering = Lingering::new(None);
        assert_eq!((lingering.milliseconds(), lingering.patience()), (-1, LONGEST_CLOSE));
        let socket = lingering.socket(zmq::DEALER).expect("a socket can be opened");
        socket.connect("tcp://127.0.0.1:9").expect("connecting is done in the background");
        socket.send("to nobody", 0).expect("the queue has room");
        lingering.shorten(Duration::from_millis(100));
        assert_eq!(lingering.milliseconds(), -1, "the messages keep their time");
        drop(socket);
        let start = Instant::now();
        drop(lingering);
        assert!(start.elapsed() >= Duration::from_millis(100), "the messages got no time");
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
