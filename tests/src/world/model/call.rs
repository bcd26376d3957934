//! What a caller may say, and must get (protocol sections 4 to 7).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use zerorpc_proto::{Answer, Event, Loss, PeerId, RemoteError, Target};

use super::presence::{Presence, TOLERANCE};
use crate::world::{
    manner::Manner,
    raw_event::{args, value},
};

/// The most items that may be ahead of their reader: of a server that drops none, and of one that may.
const MOST_AHEAD: [u64; 2] = [10_000, 500];
/// So many answers may always wait for their reader.
const ALWAYS_KEPT: u64 = 1024;

/// A call, as its caller should see it.
#[derive(Debug)]
pub(super) struct Call {
    manner: Manner,
    passive: bool,
    opened: Instant,
    /// Where the request is, while it is out.
    out: Option<(PeerId, Instant)>,
    /// Whom it is for, if not for any.
    to: Option<PeerId>,
    requests: u32,
    returns: u32,
    /// When the server was heard last on it.
    heard: Instant,
    has_heard_beat: bool,
    /// Which version the server speaks, once it has said anything.
    version: Option<u64>,
    /// Something else than a beat was heard.
    is_answered: bool,
    /// When this side has beaten last, or began to wait for its first beat.
    beaten: Option<Instant>,
    has_beaten: bool,
    /// What has come, and was not taken.
    unread: VecDeque<Answer>,
    streams: bool,
    /// The last answer has come.
    is_complete: bool,
    /// What came, what was taken, and what the server was let send, of counted events.
    arrived: u64,
    taken: u64,
    granted: u64,
    /// The latest grant, and how much had come before.
    latest: (u64, u64),
    /// The reader found nothing, and waits.
    asks: bool,
    /// Whoever called takes no interest any more.
    quit: bool,
    /// A farewell may follow.
    may_part: bool,
    /// When nothing more was to be expected; the shortest and the longest silence by then.
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Lost {
    silence: Duration,
    age: Duration,
    was_out: bool,
    unread: u64,
}

impl Call {
    pub(super) fn new(now: Instant, manner: Manner, passive: bool, to: Target) -> Self {
        Self {
            manner,
            passive,
            opened: now,
            out: None,
            to: match to {
                Target::Peer(peer) => Some(peer),
                _ => None,
            },
            requests: 0,
            returns: 0,
            heard: now,
            has_heard_beat: false,
            version: None,
            is_answered: false,
            beaten: None,
            has_beaten: false,
            unread: VecDeque::new(),
            streams: false,
            is_complete: false,
            arrived: 0,
            taken: 0,
            granted: 1,
            latest: (1, 0),
            asks: false,
            quit: false,
            may_part: false,
            lost: None,
        }
    }

    /// The peer whose end is the call's.
    pub(super) fn peer(&self) -> Option<PeerId> {
        self.to.or(self.out.map(|(to, _)| to))
    }

    /// Nothing is said or expected on it any more.
    fn is_over(&self) -> bool {
        self.is_complete || self.quit || self.lost.is_some()
    }

    /// Silence counts, and this side beats.
    fn beats(&self) -> bool {
        !self.passive || self.has_heard_beat
    }

    /// The request leaves.
    pub(super) fn sends_request(&mut self, now: Instant, to: PeerId) {
        assert!(!self.is_over(), "the request of a call that is over: {self:?}");
        assert!(self.to.is_none_or(|it| it == to), "a request to {to}: {self:?}");
        self.requests += 1;
        let most = 1 + self.returns;
        assert!(self.requests <= most, "a request was sent {} times: {self:?}", self.requests);
        self.out = Some((to, now));
        self.heard = now;
        self.has_heard_beat = false;
        self.version = None;
        self.has_beaten = false;
        self.beaten = (!self.passive).then_some(now);
    }

    /// The request has come back, and may leave again.
    pub(super) fn returned(&mut self) {
        if self.to.is_none() && !self.is_over() && !self.is_answered && !self.has_heard_beat {
            self.returns += 1;
        }
    }

    /// The server has not begun with what nothing was heard of, and never will.
    pub(super) fn server_is_gone(&mut self, peer: PeerId) {
        if self.out.is_some_and(|(to, _)| to == peer)
            && self.to.is_none()
            && !self.is_over()
            && !self.is_answered
            && !self.has_heard_beat
        {
            self.returns += 1;
            self.out = None;
        }
    }

    /// A beat leaves.
    pub(super) fn sends_beat(&mut self, now: Instant, presence: &Presence) {
        if self.is_over() {
            // From the only beat of a call that was given up on, its server counts silence (section 5).
            assert!(std::mem::take(&mut self.may_part), "a beat on a call that is over: {self:?}");
            return;
        }
        assert!(self.out.is_some(), "a beat before the request: {self:?}");
        let Some(interval) = presence.interval else {
            assert!(self.has_heard_beat, "a beat with heartbeats switched off: {self:?}");
            self.has_beaten = true;
            return;
        };
        assert!(self.beats(), "a passive caller beats first: {self:?}");
        if let Some(last) = self.beaten.replace(now) {
            let (least, most) = (presence.least(last, now), presence.most(last, now));
            assert!(least <= interval + TOLERANCE, "{least:?} between beats: {self:?}");
            assert!(most >= interval, "two beats within {most:?}: {self:?}");
        }
        self.has_beaten = true;
    }

    /// Whether its grants are sent as beats (ZRPC-8.5).
    pub(super) fn grants_in_beats(&self) -> bool {
        self.version.is_some_and(|version| version < 3)
    }

    /// A grant leaves.
    pub(super) fn sends_grant(&mut self, more: u64, is_lossless: bool) {
        assert!(more > 0 && !self.is_over(), "a grant of {more}: {self:?}");
        assert!(self.streams && self.taken > 0, "a grant before the first item: {self:?}");
        self.granted += more;
        self.latest = (more, self.arrived);
        let most = match self.manner.slots {
            Some(slots) => u64::from(slots.max(1)),
            None => MOST_AHEAD[usize::from(!is_lossless)],
        };
        let ahead = self.granted.saturating_sub(self.taken);
        assert!(ahead <= most, "{ahead} items ahead of their reader, not {most}: {self:?}");
    }

    /// Something comes.
    pub(super) fn hears(&mut self, now: Instant, from: PeerId, event: &Event) {
        let mark = |key| event.header.context.get::<bool>(key) == Ok(Some(true));
        let name = &*event.name;
        // An answer is one, even if the request has come back from somebody else behind the same connection.
        let is_waiting =
            self.out.is_none() && self.requests > 0 && self.to == Some(PeerId::NAMELESS);
        let is_notice = name.starts_with("_zpc") || mark("_zpc_returned");
        let is_expected = self.out.is_some_and(|(to, _)| to == from) || is_waiting && !is_notice;
        if self.is_over() || !is_expected {
            return;
        }
        self.heard = now;
        self.version.get_or_insert(super::version(event));
        if name == "_zpc_hb" {
            if !std::mem::replace(&mut self.has_heard_beat, true) && self.passive {
                // It is answered at once.
                self.beaten = None;
            }
            return;
        }
        let may_go_elsewhere = self.to.is_none() || from == PeerId::NAMELESS;
        if name == "ERR" && !self.is_answered && may_go_elsewhere && mark("_zpc_returned") {
            self.returns += 1;
            self.out = None;
            return;
        }
        self.is_answered = true;
        let answer = match (name, self.streams) {
            ("_zpc_more", _) => return,
            ("STREAM", _) => Answer::Item(event.args.clone()),
            ("OK", false) => Answer::Value(first(event)),
            ("ERR", _) => Answer::Failed(Box::new(failure(event))),
            ("STREAM_DONE", _) | ("OK", true) => Answer::End,
            other => panic!("{other:?} is no answer: {event:?}"),
        };
        self.streams |= name == "STREAM";
        self.is_complete = answer.is_last();
        self.arrived += 1;
        self.asks = false;
        self.unread.push_back(answer);
    }

    /// The reader takes an answer.
    pub(super) fn takes(&mut self, answer: &Answer, interval: Option<Duration>, is_down: bool) {
        if let Some(expected) = self.unread.pop_front() {
            self.taken += 1;
            assert_eq!(*answer, expected, "what came is not what was read: {self:?}");
            return;
        }
        let Answer::Lost(loss) = answer else { panic!("{answer:?} out of nowhere: {self:?}") };
        let Some(lost) = &self.lost else { panic!("{loss:?} was not told: {self:?}") };
        let allowed = self.manner.timeout;
        let is_due = match loss {
            Loss::Silent { after } => {
                interval.is_some_and(|interval| *after == 2 * interval && lost.silence >= *after)
                    && self.beats()
            }
            Loss::Disconnected { .. } => is_down,
            Loss::TimedOut { after } => {
                Some(*after) == allowed && lost.age >= *after && lost.was_out && !self.is_answered
            }
            Loss::NotSent { after } => {
                Some(*after) == allowed && lost.age >= *after && !lost.was_out
            }
            Loss::Overflow => lost.unread >= ALWAYS_KEPT,
            _ => false,
        };
        assert!(is_due, "{loss:?} without cause: {self:?}");
    }

    /// The reader finds nothing.
    pub(super) fn asks(&mut self) {
        assert!(self.unread.is_empty(), "what has come was not shown: {self:?}");
        self.asks = true;
    }

    /// Nothing more will come.
    pub(super) fn is_lost(&mut self, now: Instant, presence: &Presence) {
        assert!(!self.is_over(), "lost after its end: {self:?}");
        self.part();
        self.lost = Some(Lost {
            silence: presence.most(self.heard, now),
            age: presence.most_asleep(self.opened, now),
            was_out: self.out.is_some(),
            unread: self.unread.len() as u64,
        });
    }

    /// The caller takes no interest any more.
    pub(super) fn quits(&mut self) {
        if !self.is_over() {
            self.part();
        }
        self.quit = true;
    }

    fn part(&mut self) {
        self.may_part = self.out.is_some() && !self.has_beaten;
    }

    /// Whatever a sender does with what is left, it does not wait for ever (section 6).
    pub(super) fn check_idle(&self) {
        let (more, before) = self.latest;
        let owes = self.asks && self.streams && self.arrived - before >= more && !self.is_over();
        assert!(!owes, "the reader waits, and grants nothing: {self:?}");
    }

    /// What should have happened by now.
    pub(super) fn check(&self, now: Instant, presence: &Presence) {
        if self.is_over() {
            return;
        }
        if let Some(timeout) = self.manner.timeout.filter(|_| !self.is_answered) {
            let least = presence.least(self.opened, now);
            assert!(least <= timeout + TOLERANCE, "no time-out after {least:?}: {self:?}");
        }
        let (Some(interval), Some(_), true) = (presence.interval, self.out, self.beats()) else {
            return;
        };
        let silence = presence.least(self.heard, now);
        assert!(silence <= 2 * interval + TOLERANCE, "silent for {silence:?}: {self:?}");
        let Some(beaten) = self.beaten else { panic!("the first beat is not answered: {self:?}") };
        let beat = presence.least(beaten, now);
        assert!(beat <= interval + TOLERANCE, "no beat for {beat:?}: {self:?}");
    }
}

fn first(event: &Event) -> zerorpc_proto::Args {
    let value = value(&event.args);
    args(&value.as_array().expect("a result is in an array")[0])
}

fn failure(event: &Event) -> RemoteError {
    let value = value(&event.args);
    let text = |at: usize| value[at].as_str().expect("three texts").to_owned();
    if value.as_array().is_some_and(|texts| texts.len() == 1) {
        // Version 1 shows the error in one text (ZRPC-8.2).
        return RemoteError::new("RemoteError", text(0));
    }
    RemoteError::new(text(0), text(1)).with_traceback(text(2))
}
