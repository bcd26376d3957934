//! What each peer has open here, and what is kept on its behalf.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use super::{channel_key::ChannelKey, standstill::Standstill};
use crate::{
    limits::Limits,
    peer::{PeerId, Route},
};

/// Stands for no account.
pub(crate) const NOBODY: u32 = u32::MAX;

/// What an open request takes, beside what it keeps: 102,400 of them, with their beats, were measured to take 68 MiB by
/// `requests_that_are_never_answered` of tests/tests/memory, of which 60 bytes each are theirs, and 45,000 streams that wait
/// for credit 42 MiB by `streams_that_stand_still`. It is not known which of the two a request will be.
pub(super) const OPEN_REQUEST: usize = 768;

/// What a request takes that is being worked on, beside its arguments: the stack of a thread, of which the same tests
/// measured 16.2 KiB in use for each of a thousand.
const RUNNING: usize = 16 << 10;

/// So many requests of a peer are run at a time whose answers pile up. With one, a peer that reads slowly would wait for
/// each method; each more is an answer more that is made for whoever reads nothing.
const FEW: u32 = 2;

/// Beside what else a request would be run, of the same peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    /// How many others begin now,
    pub(super) requests: u32,
    /// what they have of arguments,
    pub(super) args: usize,
    /// and what they are expected to take for their answers.
    pub(super) answers: usize,
    /// What it is expected to take for its own.
    pub(super) own_answer: usize,
}

/// One peer, or where peers have no names, one route.
#[derive(Debug)]
pub(crate) struct Account {
    /// Whose it is.
    pub(super) peer: PeerId,
    /// The first identity of the route, where peers have no names.
    pub(super) identity: Option<Bytes>,
    /// The slots of the peer's channels.
    pub(crate) slots: Vec<u32>,
    /// How many of these channels are requests.
    pub(crate) requests: usize,
    /// The longest time that the peer has let pass before a first beat, once it has beaten.
    pub(crate) rhythm: Option<Duration>,
    /// The peer is gone: the account is forgotten with its last channel.
    pub(crate) is_gone: bool,
    /// The account stands among those that are looked at by whoever bounds memory.
    pub(crate) is_crowded: bool,
    /// How many of the peer's requests are being answered.
    pub(crate) running: u32,
    /// How many of those wait for credit, which takes no thread.
    pub(crate) stalled: u32,
    /// How many bytes of requests wait to be taken.
    pub(crate) requested_bytes: usize,
    /// How many bytes of arguments were taken by requests that are being answered.
    pub(crate) taken_bytes: usize,
    /// How many bytes the answers to those are expected to take while they are made.
    pub(crate) expected_bytes: usize,
    /// How many bytes of answers wait to be sent.
    pub(crate) unsent_bytes: usize,
    /// How many answers wait to be sent.
    pub(crate) unsent_answers: u32,
    /// How many bytes wait in the transport, as long as it has no room.
    pub(crate) queued_bytes: usize,
    /// Requests that are not run before answers have left, or others have ended.
    pub(crate) postponed: VecDeque<ChannelKey>,
    /// What was found when it was last looked at what has waited for credit for long.
    pub(super) standstill: Option<Standstill>,
}

impl Account {
    pub(crate) fn new(peer: PeerId, identity: Option<Bytes>) -> Self {
        Self {
            peer,
            identity,
            slots: Vec::new(),
            requests: 0,
            rhythm: None,
            is_gone: false,
            is_crowded: false,
            running: 0,
            stalled: 0,
            requested_bytes: 0,
            taken_bytes: 0,
            expected_bytes: 0,
            unsent_bytes: 0,
            unsent_answers: 0,
            queued_bytes: 0,
            postponed: VecDeque::new(),
            standstill: None,
        }
    }

    pub(crate) fn route(&self) -> Route {
        Route { peer: self.peer, identity: self.identity.clone() }
    }

    /// How many bytes are kept for it by the session alone.
    pub(crate) fn bytes(&self) -> usize {
        self.requested_bytes.saturating_add(self.taken_bytes).saturating_add(self.unsent_bytes)
    }

    /// One more answer waits. True when the peer has become one that may not keep up.
    #[inline]
    pub(crate) fn add_unsent(&mut self, weight: usize, limits: &Limits) -> bool {
        self.unsent_bytes += weight;
        self.unsent_answers += 1;
        self.becomes_crowded(limits)
    }

    /// Whether the peer has become one that may not keep up.
    #[inline]
    pub(crate) fn becomes_crowded(&mut self, limits: &Limits) -> bool {
        self.is_over(limits) && !std::mem::replace(&mut self.is_crowded, true)
    }

    /// An answer has left. True when requests have waited for that.
    #[inline]
    pub(crate) fn remove_unsent(&mut self, weight: usize) -> bool {
        self.unsent_bytes -= weight;
        self.unsent_answers -= 1;
        !self.postponed.is_empty()
    }

    /// Whether one more request may be run. As long as answers pile up, a few are at a time; when there is no room for
    /// more of them, none. Nor is one while those that run take more for arguments and answers than half of what may be
    /// kept: the last of them may be of any size.
    ///
    /// Requests that wait may use up all of that, and arguments count twice once they are taken: then no more run at a time
    /// than take an eighth of it.
    pub(super) fn may_run(&self, limits: &Limits, beside: Beside) -> bool {
        let half = limits.peer_bytes / 2;
        let answers = self.expected_bytes.saturating_add(beside.answers);
        let in_use = self.args_in_use(beside.args).saturating_add(answers);
        let in_the_making = answers.saturating_add(beside.own_answer.min(half));
        let stacks = self.stacks(limits, beside.requests);
        let more = stacks - self.stacks(limits, 0) + beside.args;
        let kept = self.kept(limits).saturating_add(more).saturating_add(in_the_making);
        in_use <= half
            && (in_use + stacks <= limits.peer_bytes / 8 || kept <= limits.peer_bytes)
            && !self.is_full(limits)
            && (!self.is_tight(limits) || self.at_work() < FEW)
    }

    /// Whether a request that [may not run](Self::may_run) will not for as long as some streams stand still: there would
    /// be no room for it if everything else had ended that is being answered, and all other answers had left.
    pub(super) fn is_stuck(&self, limits: &Limits, still: &Standstill, own_answer: usize) -> bool {
        let half = limits.peer_bytes / 2;
        let answers = still.answers.saturating_add(own_answer.min(half));
        let kept = self.open_bytes().saturating_add(still.in_use).saturating_add(answers);
        still.in_use > half || still.in_use > limits.peer_bytes / 8 && kept > limits.peer_bytes
    }

    /// How many requests somebody is at work on.
    fn at_work(&self) -> u32 {
        self.running - self.stalled
    }

    /// How many bytes count when another request comes in. Room for half of what may be kept is left for those that
    /// wait, however large the arguments of those that run and their answers are.
    pub(crate) fn bytes_beside_request(&self, limits: &Limits) -> usize {
        let in_use = self.args_in_use(0).saturating_add(self.answer_bytes(limits));
        self.open_bytes().saturating_add(in_use.min(limits.peer_bytes / 2))
    }

    /// What all open requests take, and the bytes of those that wait to be taken.
    fn open_bytes(&self) -> usize {
        self.requested_bytes.saturating_add(self.requests * OPEN_REQUEST)
    }

    /// What the arguments take of requests that are being answered, with those that begin now: as they came, and what the
    /// method has made of them.
    fn args_in_use(&self, beginning: usize) -> usize {
        self.taken_bytes.saturating_add(beginning).saturating_mul(2)
    }

    /// What the requests take that are being worked on, and as many more as begin now, beside their arguments. However small
    /// the limit is, some may be.
    fn stacks(&self, limits: &Limits, beginning: u32) -> usize {
        let at_work = self.at_work() as usize + beginning as usize;
        at_work.saturating_mul(RUNNING).min(limits.peer_bytes / 4)
    }

    /// How many bytes of answers wait here and in the transport. There, a single answer may be of any size: it counts as
    /// half of what may be kept at most.
    pub(crate) fn answer_bytes(&self, limits: &Limits) -> usize {
        self.unsent_bytes.saturating_add(self.queued_bytes.min(limits.peer_bytes / 2))
    }

    /// Whether answers pile up: here, or here and in the transport, where those wait too that a peer reads which is quick.
    pub(crate) fn is_tight(&self, limits: &Limits) -> bool {
        let eighth = limits.peer_bytes / 8;
        self.unsent_bytes > eighth || self.answer_bytes(limits) > 3 * eighth
    }

    /// Whether so many answers wait for the peer to read that there should be no more: half of what may be kept is
    /// answers, or all of it is used up.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.answer_bytes(limits) > limits.peer_bytes / 2
            || self.queued_bytes > 0 && self.is_used_up(limits)
    }

    /// Whether more is kept than may be.
    pub(crate) fn is_used_up(&self, limits: &Limits) -> bool {
        self.kept(limits) > limits.peer_bytes
    }

    /// All that counts.
    fn kept(&self, limits: &Limits) -> usize {
        let in_use = self.args_in_use(0).saturating_add(self.stacks(limits, 0));
        self.open_bytes().saturating_add(in_use).saturating_add(self.answer_bytes(limits))
    }

    /// Whether a peer that reads nothing has to go: more answers wait for it than may, or requests wait for that. One
    /// answer alone may be of any size.
    #[inline]
    pub(crate) fn is_over(&self, limits: &Limits) -> bool {
        !self.postponed.is_empty() && self.is_full(limits)
            || self.unsent_answers > 1 && self.answer_bytes(limits) > limits.peer_bytes
    }
}
