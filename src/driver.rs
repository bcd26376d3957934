//! Where the core, a transport and the clock meet.
//!
//! There is no IO thread. Whoever waits for an answer, or for a request to work on, waits for the socket
//! itself: one of them at a time, the *leader*. What it receives for others it leaves in the session and
//! wakes them; when it leaves, the next one leads. Whoever has something to send writes it to the socket
//! itself. A *keeper* thread takes over when nobody has led for about a millisecond though channels are
//! open, so that heartbeats never depend on what callers and methods do.
//!
//! Invariants:
//! - Only [`Driver::pump`] touches the transport, under the lock, and it goes on until nothing is left to
//!   receive: readiness is reported once, at the edge.
//! - User code (methods, iterators, their destructors, callbacks) never runs under the lock.
//! - A thread that leaves the driver calls [`Driver::leave`], so that somebody goes on waiting if needed.

mod exchange;
mod keeper;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak, mpsc::Sender},
    time::Instant,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use zerorpc_proto::{
    Answer, CallId, MonitorEvent, Notice, PeerId, Session, Transport, TransportError, Waiter, Waker,
};

use crate::{server::Desk, socket::Parts};

/// One socket with its session; shared by all threads that use it.
pub(crate) struct Driver {
    state: Mutex<State>,
    /// Locked by the leader alone, so never contended.
    waiter: Mutex<Box<dyn Waiter>>,
    waker: Box<dyn Waker>,
    /// For threads that the driver starts later.
    pub(crate) me: Weak<Self>,
    /// Wakes the keeper.
    keeper_bell: Condvar,
    /// Wakes idle workers of a server.
    pub(crate) worker_bell: Condvar,
    /// Wakes whoever waits for the last channel to end.
    pub(crate) quiet_bell: Condvar,
    /// Wakes whoever waits for the end of the driver.
    pub(crate) closed_bell: Condvar,
}

/// The lock on a driver's state.
pub(crate) type Guard<'a> = MutexGuard<'a, State>;

/// An answer, and what is known of why there is none.
pub(crate) type Received = (Answer, Option<Arc<str>>);

/// Work that must not be done under the lock.
pub(crate) type Deferred = Box<dyn FnOnce() + Send>;

pub(crate) struct State {
    pub(crate) session: Session,
    /// Gone once the driver is closed.
    transport: Option<Box<dyn Transport>>,
    /// Who wants to hear what happens to connections.
    monitor: Option<Sender<MonitorEvent>>,
    /// Callers that wait while somebody else leads.
    followers: HashMap<CallId, Arc<Condvar>>,
    /// The server's side, where there is one.
    pub(crate) desk: Option<Desk>,
    leader: Option<Leader>,
    /// Counts leaderships: the keeper sees by it whether anybody has led lately.
    turns: u64,
    keeper: keeper::Duty,
    /// Why connections ended, of the latest that did.
    departures: VecDeque<(PeerId, Arc<str>)>,
    /// What went wrong with the latest attempt to connect, as long as none went well.
    trouble: Option<Arc<str>>,
    /// How many batches in a row were full: more waits to be received.
    rounds_behind: u32,
    pub(crate) deferred: Vec<Deferred>,
    pub(crate) closed: Option<Closed>,
}

/// Who waits for the socket.
struct Leader {
    is_keeper: bool,
    /// When it will come back without being woken.
    until: Option<Instant>,
}

/// Why a driver does nothing any more.
#[derive(Debug, Clone)]
pub(crate) enum Closed {
    ByUser,
    Failed(TransportError),
}

impl Driver {
    /// Starts a driver and its keeper.
    pub(crate) fn start(
        session: Session,
        parts: Parts,
        desk: Option<Desk>,
    ) -> std::io::Result<(Arc<Self>, std::thread::JoinHandle<()>)> {
        let state = State {
            session,
            transport: Some(parts.transport),
            monitor: parts.monitor,
            followers: HashMap::new(),
            desk,
            leader: None,
            turns: 0,
            keeper: keeper::Duty::default(),
            departures: VecDeque::new(),
            trouble: None,
            rounds_behind: 0,
            deferred: Vec::new(),
            closed: None,
        };
        let driver = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            state: Mutex::new(state),
            waiter: Mutex::new(parts.waiter),
            waker: parts.waker,
            keeper_bell: Condvar::new(),
            worker_bell: Condvar::new(),
            quiet_bell: Condvar::new(),
            closed_bell: Condvar::new(),
        });
        let keeper = keeper::spawn(Arc::clone(&driver))?;
        Ok((driver, keeper))
    }

    pub(crate) fn lock(&self) -> Guard<'_> {
        self.state.lock()
    }

    /// Moves everything that can be moved: messages in, time, messages out, notices.
    pub(crate) fn pump(&self, state: &mut State) {
        while state.closed.is_none() {
            match state.exchange() {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    tracing::error!("{error}");
                    self.close(state, Closed::Failed(error));
                }
            }
        }
        self.dispatch(state);
        // The leader must not oversleep a deadline that came up while it waits.
        let due = state.due();
        if let (Some(due), Some(leader)) = (due, &mut state.leader)
            && leader.until.is_none_or(|until| due < until)
        {
            leader.until = Some(due);
            self.waker.wake();
        }
    }

    fn dispatch(&self, state: &mut State) {
        while let Some(notice) = state.session.poll_notice() {
            match notice {
                Notice::Readable(id) | Notice::CallLost(id) => {
                    if let Some(follower) = state.followers.get(&id) {
                        follower.notify_one();
                    }
                }
                Notice::Requested(_) | Notice::Writable(_) | Notice::RequestLost(..) => {
                    let State { desk: Some(desk), deferred, .. } = state else { continue };
                    desk.note(notice, deferred);
                }
            }
        }
        if state.session.open_channels() == 0 {
            self.quiet_bell.notify_all();
        }
    }

    /// Waits for the socket as its leader, then moves what has come.
    pub(crate) fn lead<'a>(&'a self, mut state: Guard<'a>) -> Guard<'a> {
        state = self.wait_as(state, false);
        self.pump(&mut state);
        state
    }

    fn wait_as<'a>(&'a self, mut state: Guard<'a>, is_keeper: bool) -> Guard<'a> {
        let until = state.due();
        state.leader = Some(Leader { is_keeper, until });
        state.turns += 1;
        drop(state);
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let waited = self.waiter.lock().wait(timeout);
        let mut state = self.lock();
        state.leader = None;
        if let Err(error) = waited {
            self.close(&mut state, Closed::Failed(TransportError(error.to_string())));
        }
        state
    }

    /// Whether the caller may lead. If only the keeper leads, it is asked to give way soon.
    pub(crate) fn may_lead(&self, state: &mut State) -> bool {
        match &state.leader {
            None => true,
            Some(leader) => {
                if leader.is_keeper && !std::mem::replace(&mut state.keeper.gives_way, true) {
                    self.waker.wake();
                }
                false
            }
        }
    }

    /// Waits for the next answer to a call, as leader or behind one. `None` when the call is gone.
    pub(crate) fn await_answer<'a>(
        &'a self,
        mut state: Guard<'a>,
        id: CallId,
    ) -> Result<Option<Received>, Closed> {
        loop {
            if let Some(closed) = state.closed.clone() {
                self.leave(state);
                return Err(closed);
            }
            let Some(mut call) = state.session.call(id) else {
                self.leave(state);
                return Ok(None);
            };
            let peer = call.peer();
            let answer = call.recv();
            // The question itself, and credit that asking has granted, go out; answers may come in, and time
            // may have run out.
            self.pump(&mut state);
            if let Some(answer) = answer {
                let reason = state.reason(peer, &answer);
                self.leave(state);
                return Ok(Some((answer, reason)));
            }
            if state.closed.is_some()
                || state.session.call(id).is_none_or(|call| call.is_readable())
            {
                continue;
            }
            if self.may_lead(&mut state) {
                state = self.lead(state);
            } else {
                self.follow(&mut state, id);
            }
        }
    }

    /// Waits, behind the leader, until the call may have answers or there is no leader any more.
    fn follow(&self, state: &mut Guard<'_>, id: CallId) {
        thread_local! {
            static BELL: Arc<Condvar> = Arc::new(Condvar::new());
        }
        let bell = BELL.with(Arc::clone);
        state.followers.insert(id, Arc::clone(&bell));
        bell.wait(state);
        state.followers.remove(&id);
    }

    /// Lets go of the lock for good, or for a while: the wait for the socket goes on without this thread,
    /// and what may not happen under the lock happens now.
    pub(crate) fn leave(&self, mut state: Guard<'_>) {
        if state.leader.is_none() {
            self.pass_on(&mut state);
        }
        let deferred = std::mem::take(&mut state.deferred);
        drop(state);
        for work in deferred {
            work();
        }
    }

    /// Finds somebody to lead: a caller that waits, else the keeper, who looks in by himself unless he sleeps.
    fn pass_on(&self, state: &mut State) {
        if let Some(follower) = state.followers.values().next() {
            follower.notify_one();
        } else if state.must_be_polled() && std::mem::take(&mut state.keeper.asleep) {
            self.keeper_bell.notify_one();
        }
    }

    /// Ends everything: whoever waits comes back.
    fn close(&self, state: &mut State, why: Closed) {
        if state.closed.is_none() {
            state.closed = Some(why);
        }
        for follower in state.followers.values() {
            follower.notify_one();
        }
        if let Some(desk) = &mut state.desk {
            desk.abandon(&mut state.deferred);
        }
        self.worker_bell.notify_all();
        self.quiet_bell.notify_all();
        self.closed_bell.notify_all();
        self.keeper_bell.notify_all();
        self.waker.wake();
    }

    /// Ends everything and closes the socket, which may take as long as it lingers.
    pub(crate) fn shut(&self) {
        let mut state = self.lock();
        self.close(&mut state, Closed::ByUser);
        let transport = state.transport.take();
        self.leave(state);
        drop(transport);
    }
}
