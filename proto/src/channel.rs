//! One conversation: everything that is remembered under one message id (protocol section 4).

mod deadline;
pub(crate) mod heartbeat;
pub(crate) mod phase;
pub(crate) mod timer_entry;
pub(crate) mod window;

use std::collections::VecDeque;

use bytestring::ByteString;
use web_time::{Duration, Instant};

use crate::{
    answer::Answer,
    args::Args,
    compat::{Dialect, RemoteError},
    event::Context,
    id::{MessageId, OwnId},
    limits::Limits,
    multipart::{Envelope, Payload},
    peer::PeerId,
};
use heartbeat::Heartbeat;
use phase::Phase;
use timer_entry::TimerEntry;
use window::{Bounds, Credit, Window};

/// Requests of so many bytes are kept for as long as they may be turned down; larger ones, until the server shows that it
/// has them.
const SMALL: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Channel {
    /// Whom it is open with; a call to any peer has none at first.
    pub(crate) peer: Option<PeerId>,
    /// The identities behind which the other side is.
    pub(crate) envelope: Envelope,
    /// What may follow.
    pub(crate) phase: Phase,
    /// When to beat, and when the other side has been silent for too long.
    pub(crate) heartbeat: Heartbeat,
    /// How the other side speaks, decided by the first event received.
    pub(crate) dialect: Option<Dialect>,
    /// A beat waits to be sent.
    pub(crate) heartbeat_pending: bool,
    /// The channel stands in the queue of those that have something to send.
    pub(crate) ready: bool,
    /// The channel stands among those that wait for their congested route.
    pub(crate) congested: bool,
    /// The channel has beaten while its route was congested: once is enough.
    pub(crate) has_beaten_congested: bool,
    /// Which kinds of notices are on their way, and whether the channel is known at all: bits of `session/notices.rs`.
    pub(crate) notices: u8,
    /// How many bytes of answers wait here to be sent.
    pub(crate) unsent_bytes: usize,
    /// How many answers wait here to be sent.
    pub(crate) unsent_answers: u32,
    /// Where the channel stands in the timer wheel, if anything is due.
    pub(crate) timer: Option<TimerEntry>,
    /// Which side of it we are, and what that side keeps.
    pub(crate) role: Role,
}

#[derive(Debug)]
pub(crate) enum Role {
    /// We have opened the channel.
    Client(CallState),
    /// The peer has opened the channel.
    Server(RequestState),
}

/// What a caller keeps of a channel.
#[derive(Debug)]
pub(crate) struct CallState {
    /// The id of the request.
    pub(crate) own: OwnId,
    /// The peer was chosen among those that are up, and counts this call.
    pub(crate) assigned: bool,
    /// The request, encoded when the call was opened, and kept as long as it may come back.
    pub(crate) request: Option<Payload>,
    /// The request was transmitted.
    pub(crate) is_sent: bool,
    /// How often the request was transmitted.
    pub(crate) attempts: u32,
    /// Something was heard of the call since its request was transmitted.
    pub(crate) is_heard: bool,
    /// How often the request came back because the server is stopping.
    pub(crate) refusals: u32,
    /// When the request is to be sent again after it came back, if not at once.
    pub(crate) retry: Option<Instant>,
    /// How many answers the server may have on their way, and when it is granted more.
    pub(crate) window: Window,
    /// Nothing drops what the server sends ahead.
    pub(crate) is_lossless: bool,
    /// Credit that waits to be granted.
    pub(crate) grant: u32,
    /// A beat was sent.
    pub(crate) has_beaten: bool,
    /// Answers that were not read yet.
    pub(crate) inbox: Inbox,
    /// The reader was told that there is something to read.
    pub(crate) readable_notified: bool,
    /// Until when the first answer must come, and how long that was from the beginning.
    pub(crate) timeout: Option<(Instant, Duration)>,
}

/// What a server keeps of a channel.
#[derive(Debug)]
pub(crate) struct RequestState {
    /// The id of the request, as its sender encoded it.
    pub(crate) id: MessageId,
    /// What is called.
    pub(crate) method: ByteString,
    /// The arguments, until they are taken out.
    pub(crate) args: Option<Args>,
    /// How many bytes of the request are kept here.
    pub(crate) retained_bytes: usize,
    /// The parts of the request share the memory of the chunk that brought them.
    pub(crate) is_shared: bool,
    /// Whether the request may be answered.
    pub(crate) turn: Turn,
    /// How many bytes of arguments were taken since the application has begun to answer.
    pub(crate) taken_bytes: usize,
    /// How many bytes the application expects its answer to take while it is made.
    pub(crate) expected_bytes: usize,
    /// The header keys of the request.
    pub(crate) context: Context,
    /// The header keys of the answers.
    pub(crate) reply_context: Context,
    /// How many more answers the caller has asked for.
    pub(crate) credit: Credit,
    /// Items that were accepted and paid for with credit, but not transmitted.
    pub(crate) items: VecDeque<Args>,
    /// The last event, once it is known; it waits for credit.
    pub(crate) ending: Option<Ending>,
    /// An item was turned away: its producer is told when there is room.
    pub(crate) writable_wanted: bool,
    /// Since when the channel has waited for credit.
    pub(crate) blocked_since: Option<Instant>,
}

/// Whether a request may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nobody has asked.
    Unasked,
    /// Not yet: it stands among those that wait for room. At this time it is seen to that it does not wait in vain.
    Postponed(Option<Instant>),
    /// Its turn has come, if there is room still.
    Next,
    /// It is being answered.
    Running,
}

/// The last event of a channel, from the server.
#[derive(Debug)]
pub(crate) enum Ending {
    Value(Args),
    Done,
    Failure(Box<RemoteError>),
}

/// What it costs to keep an answer, beside its bytes: what keeps its place in a queue, and an allocation.
pub(crate) const ANSWER_COST: usize = 64;

/// What an item counts while it waits to be sent.
pub(crate) fn weight(item: &Args) -> usize {
    item.as_bytes().len() + ANSWER_COST
}

impl Ending {
    /// What it counts while it waits to be sent.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Value(value) => weight(value),
            Self::Done => ANSWER_COST,
            Self::Failure(failure) => failure.size() + ANSWER_COST,
        }
    }
}

/// Answers that were not read yet. Most calls never have more than one, which costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// The next one to be read.
    first: Option<Answer>,
    /// Those that follow it.
    rest: VecDeque<Answer>,
}

impl Inbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(crate) fn push(&mut self, answer: Answer) {
        match &self.first {
            None => self.first = Some(answer),
            Some(_) => self.rest.push_back(answer),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Answer> {
        let next = self.rest.pop_front();
        std::mem::replace(&mut self.first, next)
    }

    /// Keeps no more memory than so many answers need.
    fn shrink(&mut self, count: usize) {
        self.rest.shrink_to(count);
    }

    /// The next answer if it is an item.
    pub(crate) fn pop_item(&mut self) -> Option<Args> {
        if self.first.as_ref().is_none_or(Answer::is_last) {
            return None;
        }
        match self.pop() {
            Some(Answer::Item(item)) => Some(item),
            _ => None,
        }
    }

    fn size(&self) -> usize {
        self.first.iter().chain(&self.rest).map(Answer::size).sum()
    }
}

impl Channel {
    /// It does not wait for a congested route any more. Its key among those that do is left behind.
    pub(crate) fn leave_congestion(&mut self) {
        self.congested = false;
        self.has_beaten_congested = false;
    }

    /// How the other side speaks, as far as it is known.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or(Dialect::CURRENT)
    }

    pub(crate) fn has_output(&self) -> bool {
        self.heartbeat_pending
            || match &self.role {
                Role::Client(call) => call.has_request() || call.grant > 0,
                Role::Server(request) => request.has_output(),
            }
    }

    /// Whether it is a request that the application has not answered to its end.
    pub(crate) fn is_open_request(&self) -> bool {
        matches!(self.role, Role::Server(_)) && self.phase != Phase::Ended
    }

    /// Payload bytes that wait here for their consumer.
    pub(crate) fn retained_bytes(&self) -> usize {
        match &self.role {
            Role::Client(call) => call.inbox.size(),
            Role::Server(request) => request.retained_bytes,
        }
    }
}

/// The part of [`Limits::total_bytes`] by which all windows together may grow. Not measured: three quarters are left for calls.
const SHARE_OF_WINDOWS: usize = 4;

/// The most items that a server may send ahead that has not said that nothing drops them. ROUTER sockets of libzmq drop
/// what is more than 1000 messages for one peer: a Node server that is granted 5000 loses some (ZRPC-6.19).
const MOST_UNCERTAIN: u32 = 500;

impl CallState {
    /// The next answer is asked for: grants credit if it is time to. Windows have grown by so many bytes, all together.
    #[inline]
    pub(crate) fn ask(
        &mut self,
        now: Option<Instant>,
        limits: &Limits,
        grown: &mut usize,
    ) -> Option<u32> {
        let more = match self.window.is_grant_due() {
            true => self.next_grant(now, limits, grown),
            false => None,
        };
        self.window.ask(self.inbox.len(), now);
        more
    }

    fn next_grant(
        &mut self,
        now: Option<Instant>,
        limits: &Limits,
        grown: &mut usize,
    ) -> Option<u32> {
        let (size, reserved) = (self.window.size(), self.window.reserved());
        let bounds = Bounds {
            items: if self.is_lossless {
                limits.stream_items
            } else {
                limits.stream_items.min(MOST_UNCERTAIN)
            },
            bytes: limits.stream_bytes,
            room: (limits.total_bytes / SHARE_OF_WINDOWS).saturating_sub(*grown),
        };
        let more = self.window.next_grant(self.inbox.len(), now, bounds);
        self.grant = self.grant.saturating_add(more.unwrap_or(0));
        *grown = *grown - reserved + self.window.reserved();
        if self.window.size() < size {
            self.inbox.shrink(self.window.size() as usize);
        }
        more
    }

    /// Whether the request is to be sent now.
    pub(crate) fn has_request(&self) -> bool {
        self.request.is_some() && !self.is_sent && self.retry.is_none()
    }

    /// The server has answered, or given a sign of life: then a small request is kept, which may still be turned down.
    pub(crate) fn forget_request(&mut self, is_beat: bool) {
        self.is_heard = true;
        let is_small = |request: &Payload| request.len() <= SMALL;
        if !(is_beat && self.request.as_ref().is_some_and(is_small)) {
            self.request = None;
        }
    }

    /// Whether the request may be sent to another peer: it is out, and was not answered.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.request.is_some() && self.is_sent
    }
}

impl RequestState {
    /// Whether it is being answered, and waits for credit: nobody is at work on it.
    pub(crate) fn is_stalled(&self) -> bool {
        self.turn == Turn::Running && self.blocked_since.is_some()
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.items.is_empty() || self.ending.is_some() && !self.credit.is_empty()
    }

    /// Whether one more item would be taken.
    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        !self.credit.is_empty() && self.items.len() < limits.unsent_items.max(1)
    }
}

#[cfg(test)]
mod tests;
