//! Waiting and waking, both without access to the socket.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use zerorpc_proto::transport::{Waiter, Waker};
use zmq::{POLLIN, PollItem};

/// How often a waiter returns while a ROUTER holds messages for peers that had no room.
///
/// libzmq announces room through its descriptor, but not which peer has it, and an attempt to send to one
/// peer may swallow the announcement for another. This bounds the delay of such a rare loss. Not measured: a
/// bound; fifty looks in a second, and only while something waits.
pub(crate) const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// How often a waiter returns while there are endpoints to be connected to again. Not measured: as long as the first wait
/// before that is by default (`SocketOptions::reconnect`).
const REDIAL_INTERVAL: Duration = Duration::from_millis(100);

/// How long the monitor is left alone while there is no room for connections. libzmq does not rest, but tries again
/// without end, and tells of every failure. Not measured: a hundred looks in a second are little, and who comes when there
/// is room again hardly waits.
pub(crate) const MONITOR_REST: Duration = Duration::from_millis(10);

/// Waits for a [`ZmqTransport`](crate::ZmqTransport), without a lock and without touching its socket.
///
/// Clones may wait in several threads at once. Arrivals end all their waits; a wake ends at least one.
/// Once the transport is dropped, every wait ends at once with an error of kind
/// [`NotConnected`](ErrorKind::NotConnected).
//
// The numbers of libzmq's descriptors may outlive the descriptors: only owning duplicates would prevent it,
// and that takes unsafe code. It does no harm. The transport closes the pipe of wakes before it closes the
// socket, from then on no poll blocks, and to poll a number that means something else by now changes
// nothing.
#[derive(Debug, Clone)]
pub struct ZmqWaiter {
    readiness: RawFd,
    links: RawFd,
    wakes: Arc<UnixStream>,
    signs: Arc<Signs>,
}

/// What waiters and transport tell each other.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    /// Messages wait for peers of a ROUTER; see [`RETRY_INTERVAL`].
    stalled: AtomicBool,
    /// The monitor had something to tell when somebody waited.
    monitor_events: AtomicBool,
    /// The monitor is to be left alone for a moment.
    resting: AtomicBool,
    /// There are endpoints to be connected to again before long.
    refused: AtomicBool,
}

impl Signs {
    /// Whether the monitor had something to tell since this was asked last.
    pub(crate) fn take_monitor_events(&self) -> bool {
        // A plain look first: it is asked for every round of messages, and there seldom is any.
        self.monitor_events.load(Ordering::Relaxed)
            && self.monitor_events.swap(false, Ordering::Relaxed)
    }

    /// Whether somebody has to look once in a while for endpoints to be connected to again.
    pub(crate) fn set_refused(&self, refused: bool) {
        self.refused.store(refused, Ordering::Relaxed);
    }

    /// Whether waiters are to leave the monitor alone.
    pub(crate) fn set_resting(&self, resting: bool) {
        self.resting.store(resting, Ordering::Relaxed);
    }
}

impl Waiter for ZmqWaiter {
    fn wait_until(&mut self, until: Option<Instant>) -> io::Result<()> {
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let is_resting = self.signs.resting.load(Ordering::Relaxed);
        let retry = self.signs.stalled.load(Ordering::Relaxed).then_some(RETRY_INTERVAL);
        let redial = self.signs.refused.load(Ordering::Relaxed).then_some(REDIAL_INTERVAL);
        let rest = is_resting.then_some(MONITOR_REST);
        let timeout = [timeout, retry, redial, rest].into_iter().flatten().min();
        let mut items = [self.wakes.as_raw_fd(), self.readiness, self.links]
            .map(|descriptor| PollItem::from_fd(descriptor, POLLIN));
        let count = if is_resting { 2 } else { 3 };
        match zmq::poll(&mut items[..count], milliseconds(timeout)) {
            Ok(_) => {}
            Err(zmq::Error::EINTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let [wakes, _, links] = items;
        if !links.get_revents().is_empty() {
            self.signs.monitor_events.store(true, Ordering::Relaxed);
        }
        if wakes.get_revents().is_empty() { Ok(()) } else { self.silence() }
    }
}

impl ZmqWaiter {
    /// Takes the wakes that have come.
    fn silence(&self) -> io::Result<()> {
        let mut wakes = [0; 64];
        loop {
            match (&*self.wakes).read(&mut wakes) {
                Ok(0) => {
                    return Err(io::Error::new(ErrorKind::NotConnected, "the socket is closed"));
                }
                Ok(count) if count < wakes.len() => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Rounded up, so that nobody waits in a loop for the rest of a millisecond; negative is for ever.
fn milliseconds(timeout: Option<Duration>) -> i64 {
    timeout.map_or(-1, |timeout| {
        i64::try_from(timeout.as_nanos().div_ceil(1_000_000))
            .unwrap_or(i64::MAX)
            .min(i64::from(i32::MAX))
    })
}

/// Ends the wait of a [`ZmqWaiter`]; without effect once the transport is dropped.
#[derive(Debug, Clone)]
pub struct ZmqWaker {
    wakes: Arc<UnixStream>,
}

impl Waker for ZmqWaker {
    fn wake(&self) {
        // Fails only when the pipe is full of wakes already or closed: both end the wait.
        let _ = (&*self.wakes).write(&[1]);
    }
}

/// The transport's side of the waiting.
#[derive(Debug)]
pub(crate) struct Notifier {
    waker: ZmqWaker,
    signs: Arc<Signs>,
}

impl Notifier {
    /// A notifier, and a waiter for it and for libzmq's descriptors: the socket's, and that of its
    /// [`Links`](crate::links::Links).
    pub(crate) fn new(
        readiness: RawFd,
        links: RawFd,
        signs: Arc<Signs>,
    ) -> io::Result<(Self, ZmqWaiter)> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let waiter =
            ZmqWaiter { readiness, links, wakes: Arc::new(far), signs: Arc::clone(&signs) };
        Ok((Self { waker: ZmqWaker { wakes: Arc::new(near) }, signs }, waiter))
    }

    pub(crate) fn waker(&self) -> ZmqWaker {
        self.waker.clone()
    }

    pub(crate) fn notify(&self) {
        self.waker.wake();
    }

    /// Says whether messages wait for a ROUTER's peers; see [`RETRY_INTERVAL`].
    pub(crate) fn set_stalled(&self, stalled: bool) {
        let before = self.signs.stalled.swap(stalled, Ordering::Relaxed);
        if stalled && !before {
            // Whoever waits already does not know of the interval.
            self.notify();
        }
    }

    /// Ends every wait, now and from now on.
    pub(crate) fn close(&self) {
        // Fails only when it was closed before.
        let _ = self.waker.wakes.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_rounded_up() {
        let table = [
            (None, -1),
            (Some(Duration::ZERO), 0),
            (Some(Duration::from_nanos(1)), 1),
            (Some(Duration::from_millis(7)), 7),
            (Some(Duration::from_micros(7001)), 8),
            (Some(Duration::MAX), i64::from(i32::MAX)),
        ];
        for (timeout, expected) in table {
            assert_eq!(milliseconds(timeout), expected, "{timeout:?}");
        }
    }

    #[test]
    fn wakes_end_one_wait_and_a_closed_notifier_ends_all() {
        let (socket, _other) = UnixStream::pair().expect("a pair of sockets");
        let (links, _other) = UnixStream::pair().expect("another pair");
        let (notifier, mut waiter) =
            Notifier::new(socket.as_raw_fd(), links.as_raw_fd(), Arc::default())
                .expect("a notifier");
        for _ in 0..100_000 {
            notifier.notify();
        }
        waiter.wait_until(None).expect("the wakes before it end the wait");
        let before = std::time::Instant::now();
        waiter
            .wait_until(Some(Instant::now() + Duration::from_millis(30)))
            .expect("nothing keeps the waiter from waiting");
        assert!(before.elapsed() >= Duration::from_millis(29), "the wakes were not drained");

        notifier.close();
        for mut waiter in [waiter.clone(), waiter] {
            let error = waiter.wait_until(None).expect_err("there is nothing left to wait for");
            assert_eq!(error.kind(), ErrorKind::NotConnected);
        }
        notifier.notify();
    }
}
