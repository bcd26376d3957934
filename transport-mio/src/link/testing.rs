//! What the tests of links share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use zerorpc_proto::transport::{Endpoint, Waker};

use super::{Burst, Dial, Dialer, LinkOptions, Listener, Notifier, Stream};

/// How long anything may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Counts how often it is woken.
#[derive(Default)]
pub(super) struct CountingWaker(Arc<Counter>);

#[derive(Default)]
struct Counter(AtomicUsize);

impl Waker for Counter {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl CountingWaker {
    pub(super) fn notifier(&self) -> Notifier {
        Notifier::new(self.0.clone())
    }

    pub(super) fn count(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }
}

struct PollWaker(mio::Waker);

impl Waker for PollWaker {
    fn wake(&self) {
        self.0.wake().expect("the poll is there");
    }
}

pub(super) const WAKE: Token = Token(0);
pub(super) const DIAL: Token = Token(1);
pub(super) const LISTEN: Token = Token(2);

/// The loop of a program that has nothing but links.
pub(super) struct World {
    pub(super) poll: Poll,
    events: Events,
    pub(super) notifier: Notifier,
}

impl World {
    pub(super) fn new() -> Self {
        let poll = Poll::new().expect("a poll");
        let waker = mio::Waker::new(poll.registry(), WAKE).expect("a waker");
        let notifier = Notifier::new(Arc::new(PollWaker(waker)));
        Self { poll, events: Events::with_capacity(64), notifier }
    }

    pub(super) fn dialer(&self, endpoint: &str, options: &LinkOptions) -> Dialer {
        let read = Endpoint::parse_connect(endpoint).expect(endpoint);
        Dialer::new(read, options.clone(), 7, self.notifier.clone(), Instant::now())
    }

    pub(super) fn listener(&self, endpoint: &str) -> Listener {
        let read = Endpoint::parse_bind(endpoint).expect(endpoint);
        let mut listener = Listener::bind(&read, &LinkOptions::default()).expect(endpoint);
        self.poll
            .registry()
            .register(&mut listener, LISTEN, Interest::READABLE)
            .expect("a new source");
        listener
    }

    /// Sleeps until something happens or `until`.
    pub(super) fn wait(&mut self, until: Option<Instant>) {
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.unwrap_or(PATIENCE).min(PATIENCE);
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => panic!("{error}"),
            _ => {}
        }
    }

    /// Drives a dialer until it has a connection or has failed.
    pub(super) fn outcome(&mut self, dialer: &mut Dialer) -> Dial {
        let patience = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < patience, "no outcome: {dialer:?}");
            match dialer.poll(Instant::now(), self.poll.registry(), DIAL) {
                Dial::Waiting(until) => self.wait(until),
                outcome => return outcome,
            }
        }
    }

    /// Drives a dialer through its failures until it has a connection.
    pub(super) fn connected(&mut self, dialer: &mut Dialer) -> Stream {
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.outcome(dialer) {
                Dial::Connected(stream) => return stream,
                other => assert!(Instant::now() < patience, "no connection: {other:?}"),
            }
        }
    }

    /// The reason of the next failure.
    pub(super) fn failure(&mut self, dialer: &mut Dialer) -> String {
        match self.outcome(dialer) {
            Dial::Failed { reason, .. } => reason,
            other => panic!("no failure: {other:?}"),
        }
    }

    pub(super) fn accepted(&mut self, listener: &mut Listener) -> Stream {
        let patience = Instant::now() + PATIENCE;
        let mut accepted = None;
        loop {
            assert!(Instant::now() < patience, "nobody came: {listener:?}");
            match listener.accept(Instant::now(), 1, |_| true, |stream| accepted = Some(stream)) {
                Burst::Exhausted { reason, .. } => panic!("{reason}"),
                Burst::Drained | Burst::More => {}
            }
            match accepted {
                Some(stream) => return stream,
                None => self.wait(None),
            }
        }
    }

    /// Sends a few bytes each way.
    pub(super) fn converse(&mut self, left: &Stream, right: &Stream) {
        for (from, to) in [(left, right), (right, left)] {
            from.write(&[std::io::IoSlice::new(b"hello")]).expect("there is room");
            let mut buffer = Vec::with_capacity(5);
            while buffer.len() < 5 {
                match to.read(&mut buffer) {
                    Ok(0) => panic!("{to} ended"),
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        // Only some of the streams are registered, so look again soon.
                        self.wait(Some(Instant::now() + Duration::from_millis(1)));
                    }
                    Err(error) => panic!("{to}: {error}"),
                }
            }
            assert_eq!(buffer, b"hello");
        }
    }
}
