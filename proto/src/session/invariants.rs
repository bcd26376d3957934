//! What holds between any two method calls, recomputed from nothing. For tests: it looks at everything that there is.

use std::collections::{HashMap, HashSet};

use foldhash::quality::FixedState;

use super::{
    CallId, Notice, RequestId, Session, channel_key::ChannelKey, memory, notices, outbound,
};
use crate::{
    channel::{self, CallState, Channel, RequestState, Role, Turn, phase::Phase},
    peer::{PeerId, Route},
};

impl Session {
    /// Panics when the session contradicts itself: when a count is not what it counts, a key leads nowhere, a channel
    /// that has something to send stands in no queue, or a bound is exceeded.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        let channels: Vec<(ChannelKey, &Channel)> = self.store.channels().collect();
        self.check_sums(&channels);
        for (at, channel) in &channels {
            check_channel(*at, channel);
        }
        self.store.check_invariants();
        self.timers.check_invariants(&self.store);
        self.check_deadlines(&channels);
        self.check_queues(&channels);
        self.check_notices(&channels);
        self.check_accounts(&channels);
        self.check_peers(&channels);
        self.check_limits(&channels);
    }

    fn check_sums(&self, channels: &[(ChannelKey, &Channel)]) {
        let sum = |of: &dyn Fn(&Channel) -> usize| channels.iter().map(|(_, it)| of(it)).sum();
        let sums: [(&str, usize, usize); 7] = [
            (
                "taken_bytes",
                self.taken_bytes,
                sum(&|it| match &it.role {
                    Role::Server(request) => request.taken_bytes,
                    Role::Client(_) => 0,
                }),
            ),
            ("buffered_bytes", self.buffered_bytes, sum(&Channel::retained_bytes)),
            ("unsent_bytes", self.unsent_bytes, sum(&|it| it.unsent_bytes)),
            (
                "shared_requests",
                self.shared_requests,
                sum(&|it| match &it.role {
                    Role::Server(request) => usize::from(request.is_shared),
                    Role::Client(_) => 0,
                }),
            ),
            ("unread_answers", self.unread_answers, sum(&unread)),
            (
                "grown_bytes",
                self.grown_bytes,
                sum(&|it| match &it.role {
                    Role::Client(call) => call.window.reserved(),
                    Role::Server(_) => 0,
                }),
            ),
            ("loose_bytes", self.loose_bytes, self.loose.iter().map(outbound::Loose::weight).sum()),
        ];
        for (name, kept, counted) in sums {
            assert_eq!(kept, counted, "{name} is not the sum of what it counts");
        }
    }

    fn check_deadlines(&self, channels: &[(ChannelKey, &Channel)]) {
        for (at, channel) in channels {
            let Some(deadline) = channel.deadline(&self.config) else { continue };
            let looked_at = channel.timer.map(|timer| timer.deadline);
            assert!(
                looked_at.is_some_and(|at| at <= deadline),
                "{at:?} is due in time, but looked at {looked_at:?} instead of {deadline:?}: {channel:?}"
            );
        }
    }

    /// Whatever has something to send stands where it is found, once.
    fn check_queues(&self, channels: &[(ChannelKey, &Channel)]) {
        let ready = places(self.ready.iter());
        let unassigned = places(self.unassigned.iter());
        let mut waiting = HashMap::<ChannelKey, Vec<&Route>, FixedState>::default();
        for (route, channels) in &self.congested {
            for at in channels.iter() {
                waiting.entry(*at).or_default().push(route);
            }
        }
        for (at, channel) in channels {
            let count = ready.get(at).copied().unwrap_or_default();
            assert_eq!(count, usize::from(channel.ready), "{at:?} in the queue: {channel:?}");
            let routes = waiting.get(at).map_or(&[][..], Vec::as_slice);
            let own = channel.peer.map(|peer| Route::of(peer, &channel.envelope));
            if channel.congested {
                let is_found = own.is_some_and(|own| routes.contains(&&own));
                assert!(is_found, "{at:?} waits for nothing: {channel:?}");
            } else {
                assert!(
                    !channel.has_beaten_congested,
                    "{at:?} has beaten while it waited: {channel:?}"
                );
            }
            let is_found = channel.ready || channel.congested || unassigned.contains_key(at);
            assert!(is_found || !channel.has_output(), "{at:?} is never sent: {channel:?}");
        }
    }

    fn check_notices(&self, channels: &[(ChannelKey, &Channel)]) {
        let mut told = HashMap::<ChannelKey, u8, FixedState>::default();
        let mut stale = 0;
        for notice in &self.notices {
            let (at, kind) = match notice {
                Notice::Requested(RequestId(at)) => (*at, notices::REQUESTED),
                Notice::Readable(CallId(at)) => (*at, notices::READABLE),
                Notice::Writable(RequestId(at)) => (*at, notices::WRITABLE),
                Notice::CallLost(CallId(at)) => (*at, notices::CALL_LOST),
                Notice::RequestLost(RequestId(at), _) => {
                    assert!(self.store.get(*at).is_none(), "{at:?} is lost, and there");
                    continue;
                }
                Notice::Misbehaved { .. } => panic!("{notice:?} waits among those of channels"),
            };
            if self.store.get(at).is_none() {
                stale += 1;
                continue;
            }
            let kinds = told.entry(at).or_default();
            assert_eq!(*kinds & kind, 0, "{at:?} is told of twice: {notice:?}");
            *kinds |= kind;
        }
        assert_eq!(self.stale_notices, stale, "stale_notices is not the number of them");
        for (at, channel) in channels {
            let told = told.get(at).copied().unwrap_or_default();
            assert_eq!(channel.notices & notices::ON_THEIR_WAY, told, "{at:?}: {channel:?}");
        }
    }

    fn check_accounts(&self, channels: &[(ChannelKey, &Channel)]) {
        let mut told = HashSet::<_, FixedState>::default();
        told.extend(channels.iter().filter_map(|(at, channel)| match &channel.role {
            Role::Server(request) if request.turn == Turn::Next => Some(at.slot),
            _ => None,
        }));
        for (number, account) in self.store.numbered_accounts() {
            let is_over = account.is_over(&self.config.limits);
            assert!(account.is_crowded || !is_over, "nobody looks at {account:?}");
            assert!(
                self.crowded.contains(&number) || !account.is_crowded,
                "{account:?} is not among the crowded ones"
            );
            let most = 2 * account.requests + memory::FEW_KEYS;
            assert!(account.postponed.len() <= most, "{account:?} has too many put off");
            // Whatever ends of these tells of the next one.
            let is_moving = account.running > 0
                || account.unsent_answers > 0
                || account.queued_bytes > 0
                || account.slots.iter().any(|slot| told.contains(slot));
            let postponed = places(&account.postponed);
            for (at, count) in postponed {
                let Some(channel) = self.store.get(at) else { continue };
                assert_eq!(count, 1, "{at:?} is put off twice");
                let Role::Server(request) = &channel.role else {
                    panic!("a call is put off: {channel:?}");
                };
                let is_over = channel.phase == Phase::Ended;
                assert!(is_over || matches!(request.turn, Turn::Postponed(_)), "{at:?} is put off");
                assert!(is_over || is_moving, "{at:?} is put off for ever");
            }
        }
    }

    /// Peers count the calls that were given to them, as long as they are there.
    fn check_peers(&self, channels: &[(ChannelKey, &Channel)]) {
        let mut calls = HashMap::<PeerId, usize, FixedState>::default();
        for (at, channel) in channels {
            if let Role::Client(call) = &channel.role
                && call.assigned
                && !self.is_disconnected(*at)
            {
                let peer = channel.peer.expect("it was given to a peer");
                *calls.entry(peer).or_default() += 1;
            }
        }
        self.peers.check_invariants(&calls);
    }

    fn check_limits(&self, channels: &[(ChannelKey, &Channel)]) {
        let limits = &self.config.limits;
        assert!(self.store.len() <= limits.channels, "{} channels", self.store.len());
        assert!(self.buffered_bytes <= limits.total_bytes, "{} bytes", self.buffered_bytes);
        assert!(self.loose.len() <= outbound::MOST_LOOSE, "{} loose events", self.loose.len());
        assert!(self.loose_bytes <= outbound::MOST_LOOSE_BYTES, "{} bytes", self.loose_bytes);
        for (_, account) in self.store.numbered_accounts() {
            assert!(account.requests <= limits.channels_per_peer, "{account:?}");
            let may = account.requested_bytes <= limits.peer_bytes || account.requests == 1;
            assert!(may || account.requested_bytes <= limits.total_bytes, "{account:?}");
        }
        for (at, channel) in channels {
            match &channel.role {
                Role::Client(call) => {
                    // One for the last answer, one for the word that there is none.
                    let most = limits.buffered_events.max(call.window.size() as usize + 1) + 2;
                    assert!(call.inbox.len() <= most, "{at:?}: {} answers", call.inbox.len());
                }
                Role::Server(request) => {
                    let most = limits.unsent_items.max(1);
                    assert!(request.items.len() <= most, "{at:?}: {} items", request.items.len());
                }
            }
        }
    }
}

/// How often each key is there.
fn places<'a>(
    keys: impl IntoIterator<Item = &'a ChannelKey>,
) -> HashMap<ChannelKey, usize, FixedState> {
    let mut places = HashMap::default();
    for at in keys {
        *places.entry(*at).or_default() += 1;
    }
    places
}

fn unread(channel: &Channel) -> usize {
    match &channel.role {
        Role::Client(call) => call.inbox.len(),
        Role::Server(_) => 0,
    }
}

fn check_channel(at: ChannelKey, channel: &Channel) {
    match &channel.role {
        Role::Client(call) => check_call(at, channel, call),
        Role::Server(request) => check_request(at, channel, request),
    }
}

fn check_call(at: ChannelKey, channel: &Channel, call: &CallState) {
    assert_eq!(
        (channel.unsent_bytes, channel.unsent_answers),
        (0, 0),
        "{at:?} is a call: {channel:?}"
    );
    assert!(call.is_sent || !call.has_beaten, "{at:?} has beaten before its request left");
    let is_told = call.readable_notified || channel.phase == Phase::Ended;
    assert!(is_told || call.inbox.is_empty(), "nobody knows of answers: {channel:?}");
    if channel.phase == Phase::Ended {
        assert!(!channel.has_output(), "{at:?} has ended, and has something to send: {channel:?}");
        assert!(!call.assigned, "{at:?} has ended, and counts for its peer: {channel:?}");
        assert!(channel.timer.is_none(), "{at:?} has ended, and something is due: {channel:?}");
        assert!(!call.inbox.is_empty(), "{at:?} was read to its end, and is still there");
    }
}

fn check_request(at: ChannelKey, channel: &Channel, request: &RequestState) {
    let items: usize = request.items.iter().map(channel::weight).sum();
    let ending = request.ending.as_ref().map_or(0, channel::Ending::weight);
    assert_eq!(channel.unsent_bytes, items + ending, "{at:?} counts its answers: {channel:?}");
    let count = request.items.len() + usize::from(request.ending.is_some());
    assert_eq!(channel.unsent_answers as usize, count, "{at:?} counts its answers: {channel:?}");
    let args = request.args.as_ref().map_or(0, |args| args.as_bytes().len());
    let parts = channel.envelope.size() + request.context.size() + request.id.size();
    let kept = parts + request.method.len() + args;
    let is_running = request.turn == Turn::Running;
    assert!(request.taken_bytes == 0 || is_running, "{at:?} does not run: {channel:?}");
    assert_eq!(request.retained_bytes, kept, "{at:?} counts what it keeps: {channel:?}");
    assert_eq!(request.ending.is_some(), channel.phase == Phase::Ended, "{at:?}: {channel:?}");
    assert!(request.items.is_empty() || channel.phase != Phase::Asked, "{at:?}: {channel:?}");
}
