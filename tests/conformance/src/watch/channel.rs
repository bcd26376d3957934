//! One channel, as a bystander sees it: what each side may still say on it.

use std::time::Duration;

use rmpv::Value;

use super::{Finding, Settings, beats::Beats, check, form};
use crate::event::{Event, shown};

/// So many items may be under way from a server that may drop what is not taken.
const MOST_UNDER_WAY: u64 = 1000;

/// What is known around a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    pub(super) settings: Settings,
    pub(super) at: Duration,
    /// Whether both directions are seen.
    pub(super) both: bool,
    /// Whether the server has said that it drops nothing.
    pub(super) lossless: bool,
    /// Whether nothing is wrong with the form of the event.
    pub(super) clear: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Nothing has answered the request.
    Asked,
    /// An item has.
    Streaming,
    /// Its last event has passed; whether there were items before, and whether it was well formed: its client may not have
    /// understood it otherwise.
    Ended { at: Duration, streamed: bool, clear: bool },
}

/// What has passed on it.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) serial: u64,
    pub(super) method: String,
    /// Whether its request was seen.
    whole: bool,
    opened: Duration,
    /// The version of the request, and of the first event of the server.
    asked_in: u64,
    answered_in: Option<u64>,
    phase: Phase,
    granted: u64,
    counted: u64,
    client_counted: u64,
    client: Beats,
    server: Beats,
    /// When the client has said anything.
    heard_client: Duration,
    has_answered: bool,
    /// Another request with its id came while it was open: nobody can tell whose the answers are.
    pub(super) is_muddled: bool,
    /// What is told only once.
    told_silence: bool,
    told_storm: bool,
    told_not_lost: bool,
    /// Of one time between beats.
    told_gap: bool,
}

impl Channel {
    /// One that this request opens.
    pub(super) fn of_request(serial: u64, request: &Event, at: Duration) -> Self {
        Self {
            serial,
            method: request.name().to_owned(),
            whole: true,
            opened: at,
            asked_in: version(request),
            answered_in: None,
            phase: Phase::Asked,
            granted: 0,
            counted: 0,
            client_counted: 1,
            client: Beats::default(),
            server: Beats::default(),
            heard_client: at,
            has_answered: false,
            is_muddled: false,
            told_silence: false,
            told_storm: false,
            told_not_lost: false,
            told_gap: false,
        }
    }

    /// One whose request was not seen.
    pub(super) fn adopted(serial: u64, at: Duration) -> Self {
        let unknown = Event::new(Value::Nil, "", Value::Nil);
        Self { whole: false, ..Self::of_request(serial, &unknown, at) }
    }

    /// Not all that has passed on it was seen.
    pub(super) fn doubt(&mut self) {
        self.whole = false;
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// Whether its client may have given it up, as nothing has come from there for long.
    pub(super) fn may_be_given_up(&self, around: &Around) -> bool {
        let silent = around.at.saturating_sub(self.heard_client);
        around.settings.interval.is_some_and(|interval| silent > 2 * interval)
    }

    /// Whether grants come in beats.
    fn has_old_grants(&self) -> bool {
        self.asked_in < 3 || self.answered_in.is_some_and(|version| version < 3)
    }

    /// An event of the client behind the request.
    pub(super) fn by_client(&mut self, event: &Event, around: &Around, found: &mut Vec<Finding>) {
        let Around { settings, at, .. } = *around;
        if self.is_muddled {
            return;
        }
        if let Phase::Ended { at: ended, clear: true, .. } = self.phase {
            let late = at.saturating_sub(ended);
            if late > settings.grace {
                let words = format!("{} comes {late:.1?} behind the last event", event.name());
                found.push((&check::CLIENT_AFTER_END, words));
                return;
            }
        }
        match event.name() {
            "_zpc_hb" => self.client_beat(event, around, found),
            "_zpc_more" => {
                self.client_silence(
                    at.saturating_sub(self.client.last.unwrap_or(self.opened)),
                    around,
                    found,
                );
                found.extend(form::grant(event));
                if self.answered_in.is_some_and(|version| version < 3) {
                    let words = "_zpc_more to a server that speaks an older version".to_owned();
                    found.push((&check::GRANT_VERSION, words));
                }
                self.grant(form::granted(event), around, found);
            }
            name => {
                self.client_counted += 1;
                let words =
                    format!("{name} is counted event {} of the client", self.client_counted);
                found.push((&check::CLIENT_CREDIT, words));
            }
        }
        self.heard_client = at;
    }

    fn client_beat(&mut self, event: &Event, around: &Around, found: &mut Vec<Finding>) {
        let gap = self.client.note(self.opened, around.at);
        self.client_silence(gap, around, found);
        self.told_gap = false;
        if self.has_old_grants() {
            match form::granted(event) {
                0 => {}
                count => self.grant(count, around, found),
            }
        } else {
            beat_args(event, found);
        }
        self.storm(true, around, found);
        let Some(interval) = around.settings.interval else { return };
        let since = around.at.saturating_sub(self.opened);
        let counts = self.whole && around.both && !self.has_old_grants() && self.client.count == 2;
        if counts && since < interval.mul_f64(1.4) {
            let words = format!("two beats within {since:.1?}, at an interval of {interval:.1?}");
            found.push((&check::CLIENT_EARLY, words));
        }
    }

    /// A client that reads a stream has said nothing for this time.
    fn client_silence(&mut self, gap: Duration, around: &Around, found: &mut Vec<Finding>) {
        let Some(interval) = around.settings.interval else { return };
        let is_due = self.whole && self.phase == Phase::Streaming && self.asked_in >= 2;
        if is_due && gap > 2 * interval + around.settings.grace && !self.told_gap {
            self.told_gap = true;
            let words = format!("no beat for {gap:.1?}, at an interval of {interval:.1?}");
            found.push((&check::CLIENT_SILENT, words));
        }
    }

    fn grant(&mut self, count: u64, around: &Around, found: &mut Vec<Finding>) {
        self.granted = self.granted.saturating_add(count);
        if !self.whole || !around.both {
            return;
        }
        match self.phase {
            Phase::Asked => {
                let words = format!("a grant of {count} before any answer");
                found.push((&check::GRANT_EARLY, words));
            }
            Phase::Ended { streamed: false, .. } => {
                let words = format!("a grant of {count} for a call that one event has answered");
                found.push((&check::GRANT_EARLY, words));
            }
            _ => {}
        }
        let under_way = self.granted.saturating_add(1).saturating_sub(self.counted);
        if under_way > MOST_UNDER_WAY && !around.lossless {
            found.push((&check::GRANT_MUCH, format!("{under_way} items may be under way")));
        }
    }

    /// An event of the server.
    pub(super) fn by_server(&mut self, event: &Event, around: &Around, found: &mut Vec<Finding>) {
        if self.is_muddled {
            return;
        }
        let name = event.name();
        let is_first = !self.has_answered;
        self.has_answered = true;
        self.answered_in.get_or_insert_with(|| version(event));
        if self.has_ended() {
            let words = format!("{name} behind the last event of a call of {}", self.called());
            let is_end = matches!(name, "OK" | "ERR" | "STREAM_DONE");
            let check = if is_end { &check::SECOND_END } else { &check::SERVER_AFTER_END };
            found.push((check, words));
            return;
        }
        if event.get("_zpc_returned").is_some() && !(is_first && name == "ERR") {
            found.push((&check::RETURNED, format!("{name} has the key _zpc_returned")));
        }
        self.not_lost(around, found);
        match name {
            "_zpc_hb" => self.server_beat(event, around, found),
            "_zpc_more" => found.extend(form::grant(event)),
            _ => self.answer(event, around, found),
        }
    }

    fn called(&self) -> String {
        if self.whole { format!("`{}`", self.method) } else { "an unknown method".to_owned() }
    }

    fn server_beat(&mut self, event: &Event, around: &Around, found: &mut Vec<Finding>) {
        let gap = self.server.note(self.opened, around.at);
        if !self.has_old_grants() {
            beat_args(event, found);
        }
        self.storm(false, around, found);
        if !self.whole || !around.both {
            return;
        }
        let has_heard = self.client.count > 0;
        if self.asked_in < 2 && !has_heard {
            let words = "a beat on a channel of version 1, whose caller has not beaten".to_owned();
            found.push((&check::BEAT_TO_VERSION_1, words));
        } else if let Some(interval) = around.settings.interval
            && self.server.count == 1
            && !has_heard
            && gap < interval.mul_f64(0.9)
        {
            let words = format!(
                "the first beat comes {gap:.1?} behind the request, at an interval of {interval:.1?}"
            );
            found.push((&check::SERVER_EARLY, words));
        }
    }

    fn storm(&mut self, of_client: bool, around: &Around, found: &mut Vec<Finding>) {
        let beats = if of_client { &self.client } else { &self.server };
        if around.both && beats.are_too_many() && !self.told_storm {
            self.told_storm = true;
            found.push((&check::TOO_MANY_BEATS, "more than ten beats within a second".to_owned()));
        }
    }

    fn not_lost(&mut self, around: &Around, found: &mut Vec<Finding>) {
        let (Some(interval), Some(last)) = (around.settings.interval, self.client.last) else {
            return;
        };
        let silent = around.at.saturating_sub(last);
        let bound = 4 * interval.max(self.client.longest) + around.settings.grace;
        if silent > bound && !self.told_not_lost {
            self.told_not_lost = true;
            let words = format!("the caller of {} is silent for {silent:.1?}", self.called());
            found.push((&check::NOT_LOST, words));
        }
    }

    /// A counted event.
    fn answer(&mut self, event: &Event, around: &Around, found: &mut Vec<Finding>) {
        let name = event.name();
        self.counted += 1;
        if self.whole && around.both && self.counted > self.granted.saturating_add(1) {
            let is_end = matches!(name, "ERR" | "STREAM_DONE");
            let check = if is_end { &check::END_CREDIT } else { &check::CREDIT };
            let credit = self.granted.saturating_add(1);
            let words =
                format!("{name} is counted event {}, with credit for {credit}", self.counted);
            found.push((check, words));
            // What follows is judged for itself.
            self.granted = self.counted - 1;
        }
        let streamed = self.phase == Phase::Streaming;
        match name {
            "STREAM" => {
                self.phase = Phase::Streaming;
                return;
            }
            "OK" if streamed => {
                found.push((&check::STREAM_END, "a stream ends with OK".to_owned()));
            }
            "OK" => found.extend(form::ok(&self.method, event)),
            "ERR" if self.whole => found.extend(form::err(self.asked_in, event)),
            "ERR" => {}
            "STREAM_DONE" => {
                if !event.args.is_nil() {
                    let words = format!("STREAM_DONE with {}", shown(&event.args));
                    found.push((&check::STREAM_END_ARGS, words));
                }
            }
            other if streamed => {
                found.push((&check::STREAM_NAMES, format!("{other:?} in a stream")));
            }
            other => found.push((&check::OK_ARGS, format!("{other:?} is no answer"))),
        }
        self.phase = Phase::Ended { at: around.at, streamed, clear: around.clear };
    }

    /// Whether the server has been silent for too long by now, while its caller can count on it.
    pub(super) fn server_silence(&mut self, around: &Around) -> Option<Finding> {
        let interval = around.settings.interval?;
        if !self.whole
            || self.is_muddled
            || self.told_silence
            || self.has_ended()
            || self.asked_in < 2
        {
            return None;
        }
        let last = self.server.last.unwrap_or(self.opened);
        let due = last + 2 * interval;
        let silent = around.at.saturating_sub(last);
        // From then on the server may have lost the client.
        let counts_until = match self.client.last {
            Some(beat) => beat + 2 * interval,
            None => self.opened + 3 * interval,
        };
        if around.at <= due + around.settings.grace || due > counts_until {
            return None;
        }
        self.told_silence = true;
        let words = format!(
            "no beat for {silent:.1?} on the channel of {}, at an interval of {interval:.1?}",
            self.called()
        );
        Some((&check::SERVER_SILENT, words))
    }
}

fn beat_args(event: &Event, found: &mut Vec<Finding>) {
    let is_zero = matches!(
        event.args.as_array().map(Vec::as_slice),
        Some([zero]) if zero.as_u64() == Some(0)
    );
    if !is_zero {
        found.push((&check::BEAT_ARGS, format!("a beat with {}", shown(&event.args))));
    }
}

/// The version that an event says: absent is 1, and any larger one is 3.
fn version(event: &Event) -> u64 {
    event.get("v").and_then(Value::as_u64).unwrap_or(1).clamp(1, 3)
}
