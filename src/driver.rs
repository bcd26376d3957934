//! Where the core, a transport and the clock meet.
//!
//! There is no IO thread. Whoever waits for an answer, or for a request to work on, waits for the socket
//! itself: one of them at a time, the *leader*. What it receives for others it leaves in the session and
//! wakes them; when it leaves, the next one leads. Whoever has something to send writes it to the socket
//! itself, or leaves it for a moment when it is about to send more. A *watchdog* thread takes over when nobody
//! has made progress for about a millisecond though something may be to do, so that heartbeats never depend
//! on what callers and methods do.
//!
//! Invariants:
//! - Only [`Driver::pump`], [`Driver::send_out`] and [`Driver::with_transport`] touch the transport,
//!   under the lock. Nobody waits as long as something may be left to receive that they have heard of: readiness is
//!   reported once, at the edge.
//! - User code (methods, iterators, their destructors, callbacks) never runs under the lock.
//! - Whoever gives the lock back makes sure that somebody goes on waiting for the socket if anything can come: [`Guard`]
//!   does.
//! - Nobody waits, for the socket or behind a leader, while something can be sent.

mod calls;
mod coalesce;
#[cfg(test)]
mod far;
mod guard;
mod io;
mod leader;
mod memory;
#[cfg(all(test, shuttle))]
mod model;
mod requests;
#[cfg(all(test, not(shuttle)))]
mod tests;
mod watchdog;

use std::{
    collections::VecDeque,
    mem::Discriminant,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::Sender,
    time::Instant,
};

use zerorpc_proto::{
    Notice, PeerId, PeerMisbehaved, RateLimited, Session,
    transport::{MemoryBounds, MonitorEvent, Transport, TransportError, Waiter, Waker},
};

use crate::{
    home::Home,
    socket::Parts,
    sync::{
        Arc, AtomicBool, AtomicU64, Condvar, JoinHandle, Mutex, OnceLock, Ordering, Thread, Weak,
    },
};
use calls::Followers;
pub(crate) use calls::Received;
use coalesce::{Added, Coalescer};
pub(crate) use guard::{Deferred, Guard};
use leader::Leader;
pub(crate) use memory::OnFreed;
pub(crate) use requests::{Job, RequestQueue, Share, WorkerPool};
use watchdog::WatchdogState;

/// One socket with its session; shared by all threads that use it.
pub(crate) struct Driver {
    state: Mutex<State>,
    waker: Box<dyn Waker>,
    /// For threads that the driver starts later.
    pub(crate) me: Weak<Self>,
    /// Where it may be used.
    pub(crate) home: Home,
    /// Counts whatever is done: the watchdog sees by it whether anybody is at work.
    progress: AtomicU64,
    watchdog: OnceLock<Thread>,
    /// The watchdog is to look in at once.
    watchdog_called: AtomicBool,
    /// Wakes idle workers of a server.
    pub(crate) worker_cv: Condvar,
    /// How many workers want the lock to look for something to do: nobody else has to be woken for that.
    coming: AtomicU64,
    /// Wakes whoever waits for the last channel to end.
    pub(crate) quiet_cv: Condvar,
    /// Wakes whoever waits for the end of the driver.
    pub(crate) closed_cv: Condvar,
}

pub(crate) struct State {
    pub(crate) session: Session,
    /// Gone once the driver is closed.
    pub(crate) transport: Option<Box<dyn Transport>>,
    /// Who wants to hear what happens to connections.
    monitor: Option<Sender<MonitorEvent>>,
    /// Callers that wait while somebody else leads.
    followers: Followers,
    /// The server's side, where there is one.
    pub(crate) requests: Option<RequestQueue>,
    pub(crate) leader: Option<Leader>,
    /// The leader has it while it waits.
    waiter: Option<Box<dyn Waiter>>,
    watchdog: WatchdogState,
    /// Messages that wait for others, to be sent with them.
    coalescer: Coalescer,
    /// What may be kept for peers.
    pub(crate) bounds: memory::Bounds,
    /// Where connections led to that were given up for their silence.
    given_up: VecDeque<(PeerId, Arc<str>)>,
    /// What went wrong with the latest attempt to connect, as long as none went well.
    last_connect_error: Option<Arc<str>>,
    /// What peers did wrong, as far as it was told.
    complaints: RateLimited<Discriminant<PeerMisbehaved>>,
    /// When something was due in the session last.
    timed: Option<Instant>,
    pub(crate) deferred: Vec<Deferred>,
    pub(crate) closed: Option<Closed>,
}

/// Moves messages. What panics in it, such as a subscriber of the log, must not take the thread away on which everybody
/// relies: the socket fails, and whoever uses it is told.
fn catch_panic<T>(action: impl FnOnce() -> Result<T, TransportError>) -> Result<T, TransportError> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|_| {
        Err(TransportError::new("something panicked while messages were moved; see its message"))
    })
}

/// Why a driver does nothing any more.
#[derive(Debug, Clone)]
pub(crate) enum Closed {
    ByUser,
    Failed(TransportError),
    /// Not at all, but somewhere else.
    Forked,
}

impl Driver {
    /// Starts a driver and its watchdog.
    pub(crate) fn start(
        session: Session,
        parts: Parts,
        requests: Option<RequestQueue>,
    ) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let state = State {
            bounds: memory::Bounds::new(match requests {
                Some(_) => MemoryBounds::of_server(session.limits()),
                None => MemoryBounds::of_client(session.limits()),
            }),
            session,
            transport: Some(parts.transport),
            monitor: parts.monitor,
            followers: Followers::default(),
            requests,
            leader: None,
            waiter: Some(parts.waiter),
            watchdog: WatchdogState::default(),
            coalescer: Coalescer::default(),
            given_up: VecDeque::new(),
            last_connect_error: None,
            complaints: RateLimited::default(),
            timed: None,
            deferred: Vec::new(),
            closed: None,
        };
        let driver = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            state: Mutex::new(state),
            waker: parts.waker,
            home: Home::here(),
            progress: AtomicU64::new(0),
            watchdog: OnceLock::new(),
            watchdog_called: AtomicBool::new(false),
            worker_cv: Condvar::new(),
            coming: AtomicU64::new(0),
            quiet_cv: Condvar::new(),
            closed_cv: Condvar::new(),
        });
        let watchdog = watchdog::spawn(Arc::clone(&driver))?;
        // Set once, here.
        let _was_empty = driver.watchdog.set(watchdog.thread().clone());
        Ok((driver, watchdog))
    }

    /// Moves everything that can be moved: messages in, time, messages out, notices.
    pub(crate) fn pump(&self, state: &mut State) {
        for round in 0.. {
            let now = Instant::now();
            self.home.note_here(now);
            let exchanged = catch_panic(|| state.exchange(now, round));
            if !exchanged.unwrap_or_else(|error| self.fail(state, error)) {
                break;
            }
        }
        self.after_io(state);
    }

    /// Does something with the transport, and whatever follows from it.
    pub(crate) fn with_transport<T>(
        &self,
        action: impl FnOnce(&mut dyn Transport) -> T,
    ) -> Result<T, Closed> {
        if self.home.is_elsewhere() {
            return Err(Closed::Forked);
        }
        let mut state = self.lock();
        let State { closed, transport, .. } = &mut *state;
        let done = match (closed, transport) {
            (None, Some(transport)) => Ok(action(transport.as_mut())),
            (closed, _) => Err(closed.clone().unwrap_or(Closed::ByUser)),
        };
        self.pump(&mut state);
        done
    }

    /// Takes no requests any more: peers are told, those that come all the same are turned down.
    pub(crate) fn drain(&self, state: &mut State) {
        state.session.stop_accepting();
        if let Some(transport) = &mut state.transport {
            transport.drain();
        }
        self.pump(state);
    }

    /// Everything is answered: peers may rely on it that nothing else was begun.
    pub(crate) fn finish(&self, state: &mut State) {
        if let Some(transport) = &mut state.transport {
            transport.finish();
        }
    }

    /// Sends what there is to send. What has come stays where it is, to be found by whoever waits, if he still hears of it.
    pub(crate) fn send_out(&self, state: &mut State) {
        if !state.session.has_output() || state.closed.is_some() {
            state.coalescer.clear();
            return self.take_notices(state);
        }
        let sent = catch_panic(|| {
            let hides = state.transmit()?;
            Ok(hides | (state.is_over_bounds() && state.bound_memory(Instant::now())?))
        });
        match sent {
            Ok(true) => self.pump(state),
            Ok(false) => self.after_io(state),
            Err(error) => {
                self.fail(state, error);
            }
        }
    }

    /// Passes on what the session has noticed where nothing is to be sent: that an item has to wait lets another request begin.
    pub(crate) fn take_notices(&self, state: &mut State) {
        if state.session.has_notices() && state.closed.is_none() {
            self.after_io(state);
        }
    }

    #[cold]
    fn fail(&self, state: &mut State, error: TransportError) -> bool {
        tracing::error!("{error}");
        self.close(state, Closed::Failed(error));
        false
    }

    /// Looks whether the session has noticed something, and when something is due.
    fn after_io(&self, state: &mut State) {
        if state.session.has_notices() {
            self.dispatch(state);
            if state.leader.is_some() {
                // Whoever leads waits for the socket, and does not see what is to be done.
                self.wake_worker(state);
            }
        }
        if state.session.open_channels() == 0 {
            state.coalescer.forget_unread();
            self.quiet_cv.notify_all();
        }
        self.wake_if_earlier(state);
    }

    /// A message was made, begun at `begun`, that others are likely to follow: sends it with them, soon, whatever its maker
    /// is doing then.
    pub(crate) fn send_soon(&self, state: &mut State, begun: Instant, now: Instant) {
        match state.coalescer.add(begun, now) {
            Added::First => self.wake_if_earlier(state),
            Added::Behind => {}
            Added::Full => self.send_out(state),
        }
    }

    /// Sends what waits for others; false when nothing does.
    pub(crate) fn send_queued(&self, state: &mut State) -> bool {
        let any = !state.coalescer.is_empty();
        if any {
            self.send_out(state);
        }
        any
    }

    /// The leader must not oversleep a deadline that came up while it waits.
    pub(crate) fn wake_if_earlier(&self, state: &mut State) {
        let Some(until) = state.leader.as_ref().map(|leader| leader.until) else { return };
        if let Some(due) = state.due()
            && until.is_none_or(|until| due < until)
        {
            if let Some(leader) = &mut state.leader {
                leader.until = Some(due);
            }
            self.waker.wake();
        }
    }

    /// Tells the watchdog that somebody is at work.
    pub(crate) fn progress(&self) {
        // Whether two of them count as one does not matter: that it has changed does.
        let before = self.progress.load(Ordering::Relaxed);
        self.progress.store(before.wrapping_add(1), Ordering::Relaxed);
    }

    /// Passes on what the session has noticed.
    #[inline(never)]
    fn dispatch(&self, state: &mut State) {
        while let Some(notice) = state.session.poll_notice() {
            match notice {
                Notice::Readable(id) | Notice::CallLost(id) => state.pass_answer(id),
                Notice::Requested(id) => {
                    let State { requests: Some(requests), session, .. } = &mut *state else {
                        continue;
                    };
                    let Some(request) = session.request(id) else { continue };
                    requests.requested(id, request.method());
                }
                other => state.note(other),
            }
        }
    }

    fn call_watchdog(&self) {
        self.watchdog_called.store(true, Ordering::Relaxed);
        self.wake_watchdog();
    }

    fn wake_watchdog(&self) {
        if let Some(watchdog) = self.watchdog.get() {
            watchdog.unpark();
        }
    }

    /// Ends everything: whoever waits comes back.
    fn close(&self, state: &mut State, why: Closed) {
        if state.closed.is_none() {
            state.closed = Some(why);
        }
        let State { followers, deferred, .. } = &mut *state;
        followers.wake_all(deferred);
        if let Some(requests) = &mut state.requests {
            requests.abandon(&mut state.deferred);
        }
        self.worker_cv.notify_all();
        self.quiet_cv.notify_all();
        self.closed_cv.notify_all();
        self.call_watchdog();
        self.waker.wake();
    }

    /// Leaves everything where it is, in a forked child: nothing of it may be touched there.
    pub(crate) fn abandon(self: &Arc<Self>, watchdog: Option<JoinHandle<()>>) {
        std::mem::forget((Arc::clone(self), watchdog));
    }

    /// Ends everything and closes the socket, which may take as long as it lingers.
    pub(crate) fn shut(&self) {
        let mut state = self.lock();
        self.close(&mut state, Closed::ByUser);
        let transport = state.transport.take();
        drop(state);
        drop(transport);
    }
}
