//! What a server may say on a channel, and when it may give its caller up (protocol sections 4 to 7).

use std::time::{Duration, Instant};

use zerorpc_proto::{Answer, Event, Loss};

use super::presence::{Presence, TOLERANCE};
use crate::world::{
    raw_event::{args, value},
    task::Task,
};

/// So many intervals may a stream wait for credit whose caller has never beaten.
const UNBEATEN: u32 = 20;
/// How long it may where no silence is counted.
const STALLED: Duration = Duration::from_secs(600);

/// A time of which the shortest and the longest are known that somebody may have counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    least: Duration,
    most: Duration,
}

impl Span {
    pub(super) fn max(self, other: Self) -> Self {
        Self { least: self.least.max(other.least), most: self.most.max(other.most) }
    }

    fn twice(self) -> Self {
        Self { least: 2 * self.least, most: 2 * self.most }
    }
}

/// A request, as its server should see it.
#[derive(Debug)]
pub(super) struct Request {
    task: Task,
    pub(super) token: u64,
    /// Which version its caller speaks.
    version: u64,
    opened: Instant,
    /// Its caller's connection is seen, so that its end is told.
    is_seen: bool,
    /// How long other channels of the same connection took to their first beat, where that is known.
    hint: Option<Span>,
    heard: Instant,
    /// When the caller has beaten last.
    beaten_to: Option<Instant>,
    /// The longest time between its beats, from the request on.
    longest: Span,
    /// When this side has beaten last, or the request came.
    beaten: Instant,
    /// It has beaten on a congested route: once is enough.
    is_held: bool,
    /// So many beats may come early: one that was held back, and the one after it.
    early: u32,
    /// The caller has beaten for the first time, which is answered at once.
    owes_beat: bool,
    credit: u64,
    /// When credit came last, or a sign that the caller still reads.
    blocked: Instant,
    sent: u64,
    /// When the method has something to say.
    due: Option<Instant>,
    /// Another request with the same id came meanwhile: nobody can tell whose events are whose.
    pub(super) is_shared: bool,
    pub(super) is_over: bool,
    /// The method has said its last word: nobody is told if the caller is lost from then on.
    pub(super) is_finished: bool,
    /// It may have been lost so.
    may_be_gone: bool,
}

impl Request {
    pub(super) fn new(
        now: Instant,
        (task, token): (Task, u64),
        version: u64,
        is_seen: bool,
        hint: Option<Span>,
    ) -> Self {
        Self {
            task,
            token,
            version,
            opened: now,
            is_seen,
            hint: hint.filter(|_| is_seen),
            heard: now,
            beaten_to: None,
            longest: Span::default(),
            beaten: now,
            is_held: false,
            early: 0,
            owes_beat: false,
            credit: 1,
            blocked: now,
            sent: 0,
            due: None,
            is_shared: false,
            is_over: false,
            is_finished: false,
            may_be_gone: false,
        }
    }

    /// The method is run, and speaks from then on. False when it is run already.
    pub(super) fn begins(&mut self, due: Instant) -> bool {
        self.due.replace(due).is_none()
    }

    /// The caller says something. How long its first beat took, where that says something of others.
    pub(super) fn hears(
        &mut self,
        now: Instant,
        event: &Event,
        presence: &Presence,
    ) -> Option<Span> {
        self.note_silence(now, presence);
        self.heard = now;
        match &*event.name {
            "_zpc_hb" => {
                let since = self.beaten_to.unwrap_or(self.opened);
                let gap =
                    Span { least: presence.least(since, now), most: presence.most(since, now) };
                self.longest = self.longest.max(gap);
                // A caller that beats still reads, however slowly.
                self.blocked = now;
                let is_first = self.beaten_to.replace(now).is_none();
                if self.version < 3 {
                    self.credit += value(&event.args)[0].as_u64().expect("a grant is a number");
                }
                if is_first && self.is_passive() && presence.interval.is_some() {
                    // It is answered at once.
                    self.beaten = now;
                    self.early = 1;
                    self.owes_beat = true;
                }
                let is_news = self.hint.is_none() || self.is_passive();
                return (is_first && self.is_seen && is_news).then_some(gap);
            }
            "_zpc_more" => {
                let more = value(&event.args)[0].as_u64().expect("a grant is a number");
                self.credit += more;
                self.blocked = now;
            }
            _ => {}
        }
        None
    }

    /// It does not beat before its caller has (ZRPC-5.17).
    fn is_passive(&self) -> bool {
        self.version < 2
    }

    /// A beat leaves.
    pub(super) fn sends_beat(&mut self, now: Instant, presence: &Presence, is_congested: bool) {
        let Some(interval) = presence.interval else {
            assert!(self.beaten_to.is_some(), "a beat with heartbeats switched off: {self:?}");
            return;
        };
        let may_beat = !self.is_passive() || self.beaten_to.is_some();
        assert!(may_beat, "a beat before a caller of version 1 has beaten: {self:?}");
        self.owes_beat = false;
        let most = presence.most(self.beaten, now);
        assert!(most >= interval || self.early > 0, "two beats within {most:?}: {self:?}");
        self.check_beats(now, presence);
        assert!(!(self.is_held && is_congested), "beats pile up: {self:?}");
        self.is_held = is_congested;
        self.early = self.early.saturating_sub(1);
        self.beaten = now;
    }

    fn check_beats(&self, now: Instant, presence: &Presence) {
        let Some(interval) = presence.interval.filter(|_| !self.is_held) else { return };
        if self.is_passive() && self.beaten_to.is_none() {
            return;
        }
        let least = presence.least(self.beaten, now);
        assert!(least <= interval + TOLERANCE, "no beat for {least:?}: {self:?}");
    }

    /// A route has room again: what was held back may leave.
    pub(super) fn drained(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_held) {
            self.beaten = now;
            self.early = 2;
        }
    }

    /// An answer leaves.
    pub(super) fn sends_answer(&mut self, event: &Event) {
        assert!(!self.is_over, "an answer after the last: {self:?}");
        assert!(self.is_shared || self.credit > 0, "an event without credit: {event:?}, {self:?}");
        self.credit = self.credit.saturating_sub(1);
        let expected = self.task.answer(self.token, self.sent);
        self.sent += 1;
        let is_right = match &expected {
            Answer::Item(item) => event.name == *"STREAM" && event.args == *item,
            Answer::Value(result) => {
                let wrapped = rmpv::Value::Array(vec![value(result)]);
                event.name == *"OK" && event.args == args(&wrapped)
            }
            Answer::End => event.name == *"STREAM_DONE",
            Answer::Failed(failure) if self.version < 2 => {
                let text = format!("{}('{}')", failure.name, failure.message);
                event.name == *"ERR" && event.args == args(&rmpv::Value::Array(vec![text.into()]))
            }
            Answer::Failed(failure) => {
                let texts = [&failure.name, &failure.message, &failure.traceback];
                let texts = texts.map(|text| text.as_str().into()).to_vec();
                event.name == *"ERR" && event.args == args(&rmpv::Value::Array(texts))
            }
            Answer::Lost(_) => false,
        };
        assert!(is_right, "{event:?} is not {expected:?}: {self:?}");
        self.is_over = expected.is_last();
    }

    /// How much silence ends it, and how long it lives in any case beside that; `None` as long as silence does not count.
    fn patience(&self, interval: Duration) -> Option<(Span, Span)> {
        let own = Span { least: interval, most: interval };
        let first = own.max(self.hint.unwrap_or_default());
        let rhythm = first.max(self.longest).twice();
        match (self.beaten_to, self.is_seen, self.hint) {
            (None, ..) if self.is_passive() => None,
            (Some(_), ..) if self.is_passive() => Some((rhythm, Span::default())),
            (None, true, None) => None,
            (Some(_), true, None) => Some((rhythm, Span::default())),
            // Three intervals, or three of those that other channels took, for the first sign of life.
            _ => Some((rhythm, first)),
        }
    }

    /// Whether silence may have ended it, and whether it must have.
    fn is_silent(&self, now: Instant, presence: &Presence) -> (bool, bool) {
        let Some(interval) = presence.interval else { return (false, false) };
        let Some((patience, grace)) = self.patience(interval) else { return (false, false) };
        let (heard, opened) = (self.heard, self.opened);
        let may = presence.most(heard, now) + 2 * TOLERANCE >= patience.least
            && presence.most(opened, now) + 2 * TOLERANCE >= patience.least + grace.least;
        let must = presence.least(heard, now) > patience.most + 2 * TOLERANCE
            && presence.least(opened, now) > patience.most + grace.most + 2 * TOLERANCE;
        (may, must)
    }

    /// Whether it may have waited for credit for too long.
    fn is_stalled(&self, now: Instant, presence: &Presence) -> bool {
        let counts = presence.interval.is_some_and(|interval| self.patience(interval).is_some());
        !counts && presence.most_asleep(self.blocked, now) >= self.stalls_after(presence)
    }

    /// The session says that its caller is gone.
    pub(super) fn is_lost(
        &self,
        now: Instant,
        presence: &Presence,
        loss: &Loss,
        is_down: bool,
        is_congested: bool,
    ) {
        let is_due = self.is_shared
            || match loss {
                Loss::Disconnected { .. } => is_down,
                Loss::Silent { .. } => self.is_silent(now, presence).0,
                Loss::Stalled { after } => {
                    let is_blocked = self.credit == 0 || is_congested;
                    is_blocked
                        && *after == self.stalls_after(presence)
                        && self.is_stalled(now, presence)
                }
                _ => false,
            };
        assert!(is_due, "{loss:?} without cause: {self:?}");
    }

    fn note_silence(&mut self, now: Instant, presence: &Presence) {
        let may = self.is_silent(now, presence).0 || self.is_stalled(now, presence);
        self.may_be_gone |= self.is_finished && may;
    }

    /// What should have happened by now.
    pub(super) fn check(&self, now: Instant, presence: &Presence, is_congested: bool) {
        if self.is_shared || self.is_over || self.is_finished {
            return;
        }
        if !is_congested {
            self.check_beats(now, presence);
        }
        assert!(!self.is_silent(now, presence).1, "silent for too long: {self:?}");
    }

    /// Whoever has something to say, and may, says it.
    pub(super) fn check_idle(&mut self, now: Instant, presence: &Presence) {
        self.note_silence(now, presence);
        let is_open = !self.is_shared && !self.is_over && !self.may_be_gone;
        assert!(!(self.owes_beat && is_open), "the first beat is not answered: {self:?}");
        let speaks = is_open && self.credit > 0 && self.due.is_some_and(|due| due <= now);
        assert!(!speaks, "it may speak, and is silent: {self:?}");
    }

    /// How long a stream waits for credit where silence is not counted.
    fn stalls_after(&self, presence: &Presence) -> Duration {
        match presence.interval.filter(|_| !self.is_passive()) {
            Some(interval) => (interval * UNBEATEN).min(STALLED),
            None => STALLED,
        }
    }
}
