//! Waiting for the answers to calls.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    task::{Context, Poll, Waker},
    time::Instant,
};

use foldhash::fast::RandomState;
use zerorpc_proto::{Answer, Args, CallId};

use super::{Closed, Deferred, Driver, Guard, State};
use crate::sync::{Arc, Condvar, Mutex, thread_local};

/// An answer, and what is known of why there is none.
pub(crate) type Received = (Answer, Option<Arc<str>>);

/// Whoever waits for an answer while somebody else waits for the socket.
#[derive(Debug, Default)]
pub(super) struct Followers {
    /// Threads, each of which can lead as well: the one with the first call does next.
    threads: BTreeMap<CallId, Arc<Parker>>,
    /// Tasks, which cannot wait for a socket.
    tasks: HashMap<CallId, Waker, RandomState>,
}

/// Where a thread waits.
#[derive(Debug, Default)]
struct Parker {
    given: Mutex<Option<Wakeup>>,
    cv: Condvar,
}

#[derive(Debug)]
enum Wakeup {
    /// It is time to look whether there are answers, or to lead.
    Retry,
    /// What was waited for.
    Answer(Received),
}

impl Parker {
    fn give(&self, new: Wakeup) {
        let mut given = self.given.lock();
        if !matches!(*given, Some(Wakeup::Answer(_))) {
            *given = Some(new);
        }
        drop(given);
        self.cv.notify_one();
    }

    fn wait(&self) -> Wakeup {
        let mut given = self.given.lock();
        loop {
            match given.take() {
                Some(given) => return given,
                None => self.cv.wait(&mut given),
            }
        }
    }
}

impl Followers {
    pub(super) fn has_any(&self) -> bool {
        !self.threads.is_empty() || !self.tasks.is_empty()
    }

    /// Wakes a thread, so that it may lead; false when none waits.
    pub(super) fn wake_thread(&self) -> bool {
        self.threads.values().next().map(|parker| parker.give(Wakeup::Retry)).is_some()
    }

    /// Wakes all threads at once, and tasks when the lock is given back.
    pub(super) fn wake_all(&mut self, deferred: &mut Vec<Deferred>) {
        self.threads.values().for_each(|parker| parker.give(Wakeup::Retry));
        deferred.extend(self.tasks.drain().map(|(_, waker)| wake_later(waker)));
    }

    fn remove(&mut self, id: CallId) {
        self.threads.remove(&id);
        self.tasks.remove(&id);
    }
}

/// What a waker does is an executor's affair, and may take its time or a lock.
fn wake_later(waker: Waker) -> Deferred {
    Box::new(|| waker.wake())
}

impl State {
    /// There are answers to a call: wakes whoever waits for them. A thread gets the last answer given, so that it needs
    /// no lock to take it.
    pub(super) fn pass_answer(&mut self, id: CallId) {
        if !self.followers.has_any() {
            // Whoever leads looks by himself.
        } else if let Some(parker) = self.followers.threads.get(&id).map(Arc::clone) {
            if let Some(received) = self.last_answer(id) {
                self.followers.threads.remove(&id);
                return parker.give(Wakeup::Answer(received));
            }
            parker.give(Wakeup::Retry);
        } else if let Some(waker) = self.followers.tasks.remove(&id) {
            self.deferred.push(wake_later(waker));
        }
        self.coalescer.note_unread();
    }

    /// Takes an answer behind which nothing comes that would have to be asked for.
    fn last_answer(&mut self, id: CallId) -> Option<Received> {
        let mut call = self.session.call(id).filter(|call| call.is_complete())?;
        let peer = call.peer();
        let answer = call.recv()?;
        let reason = self.reason(peer, &answer);
        Some((answer, reason))
    }
}

impl Driver {
    /// A request was made: sends it. As long as answers wait to be read, whose readers are likely to go on
    /// with further requests, it waits for those, a millisecond at most.
    pub(crate) fn send_request(&self, state: &mut Guard<'_>) {
        if state.coalescer.expects_requests() {
            let now = Instant::now();
            self.send_soon(state, now, now);
        } else {
            self.send_out(state);
        }
        self.progress();
    }

    /// Waits for the next answer to a call, as leader or behind one. `None` when the call is gone. Items behind it come
    /// along, for those who read `ahead`.
    pub(crate) fn await_answer<'a>(
        &'a self,
        mut state: Guard<'a>,
        id: CallId,
        ahead: Option<&mut VecDeque<Args>>,
    ) -> Result<Option<Received>, Closed> {
        loop {
            match self.take_answer(&mut state, id) {
                Poll::Ready(taken) => {
                    take_along(&mut state, id, ahead);
                    return taken;
                }
                Poll::Pending if self.may_lead(&mut state) => state = self.lead(state),
                Poll::Pending => match self.follow(state, id) {
                    Ok(received) => return Ok(Some(received)),
                    Err(guard) => state = guard,
                },
            }
        }
    }

    /// As [`await_answer`](Self::await_answer), but where there is none, the task of `context` is woken when there is.
    pub(crate) fn poll_answer(
        &self,
        mut state: Guard<'_>,
        id: CallId,
        context: &Context<'_>,
        ahead: Option<&mut VecDeque<Args>>,
    ) -> Poll<Result<Option<Received>, Closed>> {
        let taken = self.take_answer(&mut state, id);
        if taken.is_ready() {
            take_along(&mut state, id, ahead);
        } else {
            state.followers.tasks.insert(id, context.waker().clone());
        }
        taken
    }

    /// Takes an answer if there is one. If not, everything that can be sent was sent, and there is still none.
    fn take_answer(
        &self,
        state: &mut Guard<'_>,
        id: CallId,
    ) -> Poll<Result<Option<Received>, Closed>> {
        loop {
            if let Some(closed) = state.closed.clone() {
                return Poll::Ready(Err(closed));
            }
            let Some(mut call) = state.session.call(id) else { return Poll::Ready(Ok(None)) };
            let peer = call.peer();
            if let Some(answer) = call.recv() {
                state.coalescer.note_read();
                // Asking may have granted credit.
                if state.coalescer.is_empty() || !state.coalescer.expects_requests() {
                    self.send_out(state);
                }
                let reason = state.reason(peer, &answer);
                return Poll::Ready(Ok(Some((answer, reason))));
            }
            // Answers may come in by this, and time may run out.
            self.send_out(state);
            let ended = state.closed.is_some();
            if !ended && state.session.call(id).is_some_and(|call| !call.is_readable()) {
                return Poll::Pending;
            }
        }
    }

    /// Waits, behind the leader, until it is given an answer, or a chance to look for one or to lead.
    fn follow<'a>(&'a self, mut state: Guard<'a>, id: CallId) -> Result<Received, Guard<'a>> {
        thread_local! {
            static PARKER: Arc<Parker> = Arc::default();
        }
        let parker = PARKER.with(Arc::clone);
        state.followers.threads.insert(id, Arc::clone(&parker));
        drop(state);
        if let Wakeup::Answer(received) = parker.wait() {
            return Ok(received);
        }
        let mut state = self.lock();
        // Nobody gives anything any more.
        state.followers.remove(id);
        match parker.given.lock().take() {
            Some(Wakeup::Answer(received)) => Ok(received),
            Some(Wakeup::Retry) | None => Err(state),
        }
    }

    /// Nobody waits for the answers of this call any more.
    pub(crate) fn forget(&self, mut state: Guard<'_>, id: CallId) {
        state.followers.remove(id);
        if let Some(call) = state.session.call(id) {
            let is_unread = call.is_readable();
            call.cancel();
            if is_unread {
                state.coalescer.note_read();
            }
            // The server is told, as far as it can be.
            self.send_out(&mut state);
        }
    }
}

/// Takes the items that stand behind an answer that was taken, for a reader who reads ahead.
fn take_along(state: &mut Guard<'_>, id: CallId, ahead: Option<&mut VecDeque<Args>>) {
    /// So many bytes of them, about: as many as one read brings. What it spares is in docs/speed.md.
    const AHEAD: usize = 64 << 10;
    if let Some(ahead) = ahead
        && let Some(mut call) = state.session.call(id)
    {
        call.recv_ahead(ahead, AHEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_takes_no_answer_away() {
        let retry = || Wakeup::Retry;
        let answer = || Wakeup::Answer((Answer::End, None));
        for given in [vec![answer()], vec![retry(), answer()], vec![answer(), retry()]] {
            let parker = Parker::default();
            let count = given.len();
            given.into_iter().for_each(|one| parker.give(one));
            assert!(matches!(parker.wait(), Wakeup::Answer(_)), "{count} things were given");
            assert!(parker.given.lock().is_none());
        }
    }
}
