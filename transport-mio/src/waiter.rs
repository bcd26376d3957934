//! Waiting for readiness, apart from moving bytes.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Registry, Token};
use parking_lot::Mutex;
use zerorpc_proto::transport::{Waiter, Waker, earliest};

use crate::{
    alarm::Alarm,
    spin::{AdaptiveSpin, SPIN_TIME},
};

/// The tokens of the waker and of the alarm; no source has them.
const WAKE: Token = Token(usize::MAX);
const ALARM: Token = Token(usize::MAX - 1);
/// How many sources are reported by one wait; further ones by the next. Not measured: 12 KiB, and
/// one more call for a thousand sources is nothing.
const EVENTS: usize = 1024;

/// What a wait has found out about a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) token: Token,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The other side will say nothing more, or the connection is broken.
    pub(crate) closing: bool,
}

/// What whoever waits and whoever moves leave for each other.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Mail>);

#[derive(Debug, Default)]
struct Mail {
    found: Vec<Readiness>,
    /// Counts the waits that are over.
    rounds: u64,
    /// When the transport has something to do on its own account.
    due: Option<Instant>,
    sleep: Sleep,
    closed: bool,
}

/// Whether somebody waits, and until when.
#[derive(Debug, Clone, Copy, Default)]
enum Sleep {
    #[default]
    Awake,
    Until(Option<Instant>),
}

impl Mailbox {
    /// Moves what was found into `into`, in order; how many waits there have been.
    pub(crate) fn collect(&self, into: &mut Vec<Readiness>) -> u64 {
        let mut mail = self.0.lock();
        into.append(&mut mail.found);
        mail.rounds
    }

    /// Adds something that no wait can find.
    pub(crate) fn report(&self, readiness: Readiness) {
        self.0.lock().found.push(readiness);
    }

    /// Tells when the transport has something to do. True when whoever waits would oversleep that and has to
    /// be woken.
    pub(crate) fn set_due(&self, due: Option<Instant>) -> bool {
        let mut mail = self.0.lock();
        mail.due = due;
        match (mail.sleep, due) {
            (Sleep::Until(Some(until)), Some(due)) => due < until,
            (Sleep::Until(None), Some(_)) => true,
            (Sleep::Until(_), None) | (Sleep::Awake, _) => false,
        }
    }

    /// The transport is gone: waiting makes no sense any more.
    pub(crate) fn close(&self) {
        self.0.lock().closed = true;
    }

    /// Somebody begins to wait, who has something to do himself at the time `until`; until when at most.
    fn fall_asleep(&self, until: Option<Instant>) -> io::Result<Option<Instant>> {
        let mut mail = self.0.lock();
        if mail.closed {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let until = earliest([until, mail.due]);
        mail.sleep = Sleep::Until(until);
        Ok(until)
    }

    fn wake_up(&self, found: impl Iterator<Item = Readiness>) {
        let mut mail = self.0.lock();
        mail.sleep = Sleep::Awake;
        mail.rounds += 1;
        mail.found.extend(found);
    }
}

/// Waits for the sockets of a transport with epoll, kqueue or what the system has.
///
/// A wait also ends when the transport has something to do at a certain time, as
/// [`poll_timeout`](crate::MioTransport::poll_timeout) tells it. Once the transport is dropped, every wait fails with [`io::ErrorKind::NotConnected`].
#[derive(Debug)]
pub struct MioWaiter {
    alarm: Alarm,
    poll: Poll,
    events: Events,
    mailbox: Arc<Mailbox>,
    spin: AdaptiveSpin,
}

/// Ends a wait of a [`MioWaiter`].
#[derive(Debug, Clone)]
pub struct MioWaker(Arc<mio::Waker>);

impl Waker for MioWaker {
    fn wake(&self) {
        if let Err(error) = self.0.wake() {
            tracing::error!(%error, "cannot wake the thread that waits");
        }
    }
}

/// Wakes whoever waits, and says for which source.
pub(crate) struct SourceWaker {
    pub(crate) token: Token,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) waker: MioWaker,
}

impl Waker for SourceWaker {
    fn wake(&self) {
        let Self { token, .. } = *self;
        self.mailbox.report(Readiness { token, readable: true, writable: true, closing: false });
        self.waker.wake();
    }
}

impl MioWaiter {
    /// A waiter with what belongs to it.
    pub(crate) fn new() -> io::Result<(Self, MioWaker, Registry, Arc<Mailbox>)> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = MioWaker(Arc::new(mio::Waker::new(poll.registry(), WAKE)?));
        let mailbox = Arc::<Mailbox>::default();
        let waiter = Self {
            alarm: Alarm::new(poll.registry(), ALARM)?,
            poll,
            events: Events::with_capacity(EVENTS),
            mailbox: Arc::clone(&mailbox),
            spin: AdaptiveSpin::default(),
        };
        Ok((waiter, waker, registry, mailbox))
    }
}

impl MioWaiter {
    /// Waits for events; spins at first where that pays.
    fn watch(&mut self, until: Option<Instant>) -> io::Result<()> {
        if !self.spin.is_possible() {
            return self.sleep(until);
        }
        let start = Instant::now();
        if self.spin.should_spin() && until.is_none_or(|until| until > start + SPIN_TIME) {
            let mut looks = 0;
            while start.elapsed() < SPIN_TIME {
                self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
                looks += 1;
                if !self.events.is_empty() {
                    self.spin.found(looks);
                    return Ok(());
                }
                std::hint::spin_loop();
            }
            self.spin.found_nothing();
        }
        self.sleep(until)?;
        if !self.events.is_empty() {
            self.spin.slept(start.elapsed());
        }
        Ok(())
    }

    fn sleep(&mut self, until: Option<Instant>) -> io::Result<()> {
        let timeout = self.alarm.timeout(until);
        self.poll.poll(&mut self.events, timeout)
    }
}

impl Waiter for MioWaiter {
    fn wait_until(&mut self, until: Option<Instant>) -> io::Result<()> {
        let until = self.mailbox.fall_asleep(until)?;
        let mut watched = self.watch(until);
        if watched.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            // A process that was stopped finds out what has come meanwhile before it looks at the clock.
            watched = self.poll.poll(&mut self.events, Some(Duration::ZERO));
        }
        if let Err(error) = watched {
            self.mailbox.wake_up(std::iter::empty());
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        if self.events.iter().any(|event| event.token() == ALARM) {
            self.alarm.went_off();
        }
        let events = self.events.iter().filter(|event| event.token() < ALARM);
        let found = events.map(|event| Readiness {
            token: event.token(),
            // A hang-up is found by reading, an error by either.
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            closing: event.is_read_closed() || event.is_error(),
            writable: event.is_writable() || event.is_write_closed() || event.is_error(),
        });
        self.mailbox.wake_up(found);
        Ok(())
    }
}
