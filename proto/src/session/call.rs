//! The caller's handle on a channel.

use std::collections::VecDeque;

use super::{CallId, Session};
use crate::{
    answer::Answer,
    args::Args,
    channel::{self, ANSWER_COST, Channel, Role, phase::Phase},
    peer::PeerId,
};

/// No more items are taken ahead of their reader at once: how many wait when it asks tells how it keeps up.
const MOST_AHEAD: usize = 64;

/// A call that is open, or has answers left to read, borrowed from its session for as long as it is looked at; get it by
/// [`Session::call`] with the id that [`Session::open`] gave.
///
/// [`Notice::Readable`](crate::Notice::Readable) tells that there are answers, once: take them until there are none.
///
/// ```
/// # use zerorpc_proto::{Answer, CallId, Session};
/// /// Takes what has come; true when nothing follows.
/// fn read(session: &mut Session, id: CallId) -> bool {
///     while let Some(answer) = session.call(id).and_then(|mut call| call.recv()) {
///         match answer {
///             Answer::Value(value) | Answer::Item(value) => println!("{value:?}"),
///             Answer::Failed(failure) => println!("{failure}"),
///             Answer::Lost(loss) => println!("{loss}"),
///             Answer::End => {}
///         }
///     }
///     session.call(id).is_none()
/// }
/// ```
#[derive(Debug)]
pub struct Call<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) id: CallId,
}

impl Call<'_> {
    /// Takes the next answer, if there is one. Asking is what grants credit to the server: a reader that does
    /// not ask slows its server down. With the last answer, the call is gone.
    pub fn recv(&mut self) -> Option<Answer> {
        self.session.receive(self.id)
    }

    /// Takes items that are there ahead of their reader, `bytes` of them or one more at most; but never one that credit
    /// would be granted for, so that the server learns nothing of it.
    pub fn recv_ahead(&mut self, ahead: &mut VecDeque<Args>, bytes: usize) {
        let Self { session, id } = self;
        let Some(Channel { role: Role::Client(call), .. }) = session.store.get_mut(id.0) else {
            return;
        };
        let (mut taken, mut count) = (0, 0);
        while taken <= bytes
            && count < MOST_AHEAD
            && !call.window.is_grant_due()
            && let Some(item) = call.inbox.pop_item()
        {
            call.window.consume(channel::weight(&item));
            taken += item.as_bytes().len();
            count += 1;
            session.unread_answers -= 1;
            ahead.push_back(item);
        }
        session.buffered_bytes -= taken;
    }

    /// The peer that the call went to; `None` as long as none was found.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        self.session.store.get(self.id.0)?.peer
    }

    /// Whether [`recv`](Self::recv) would return an answer.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        match self.session.store.get(self.id.0).map(|channel| &channel.role) {
            Some(Role::Client(call)) => !call.inbox.is_empty(),
            Some(Role::Server(_)) | None => false,
        }
    }

    /// Whether the last answer has arrived, read or not.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.session.store.get(self.id.0).is_none_or(|channel| channel.phase == Phase::Ended)
    }

    /// Forgets the call. A request that was not transmitted yet never will be; otherwise the server learns of
    /// it when the beats stop (the protocol has no message for it). If there was none yet, one is sent.
    pub fn cancel(self) {
        self.session.take_leave(self.id.0);
        self.session.close(self.id.0);
    }
}

impl Session {
    fn receive(&mut self, id: CallId) -> Option<Answer> {
        let channel = self.store.get_mut(id.0)?;
        let open = channel.phase != Phase::Ended;
        let Role::Client(call) = &mut channel.role else { return None };
        let grant = if open {
            call.ask(self.now, &self.config.limits, &mut self.grown_bytes)
        } else {
            None
        };
        let answer = call.inbox.pop();
        match &answer {
            Some(answer) => {
                let size = answer.size();
                call.window.consume(size + ANSWER_COST);
                self.unread_answers -= 1;
                self.buffered_bytes -= size;
            }
            None => call.readable_notified = false,
        }
        if answer.as_ref().is_some_and(Answer::is_last) {
            self.close(id.0);
        } else if grant.is_some() {
            self.enqueue(id.0);
        }
        answer
    }
}
