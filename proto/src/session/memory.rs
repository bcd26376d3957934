//! How much is kept for whom, and what is done about too much.

use std::sync::Arc;

use web_time::Instant;

use super::{
    Notice, Session,
    accounts::{Beside, NOBODY},
    channel_key::ChannelKey,
    outbound::{Loose, Refusal},
    standstill::LONGEST_STANDSTILL,
};
use crate::{
    answer::Loss,
    channel::{ANSWER_COST, Channel, Role, Turn},
    compat::RemoteError,
    peer::Route,
};

/// What an open channel takes, about, beside what it keeps: what is measured of a request
/// ([`OPEN_REQUEST`](super::accounts::OPEN_REQUEST)), and a third as much for what drivers keep of it.
const CHANNEL: usize = 1 << 10;

/// So many keys of requests that do not wait any more do no harm. Not measured: 1 KiB.
pub(super) const FEW_KEYS: usize = 64;

impl Session {
    /// How many bytes are kept for all peers: requests that wait to be taken up, arguments of those that are being
    /// [answered](crate::Request::start), answers that wait to be sent or to be read, and what it takes to keep track of
    /// them. Costs nothing to ask.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        self.buffered_bytes
            + self.taken_bytes
            + self.unread_answers * ANSWER_COST
            + self.unsent_bytes
            + self.loose_bytes
            + self.store.len() * CHANNEL
            + self.notices.len() * size_of::<Notice>()
    }

    /// How many bytes are kept for each peer, or for each route where peers have no names.
    pub fn retained_by_route(&self) -> impl Iterator<Item = (Route, usize)> {
        self.store.accounts().map(|account| {
            let channels = account.slots.len() * CHANNEL;
            (account.route(), account.bytes().saturating_add(channels))
        })
    }

    /// Whether there may be [`crowded_routes`](Self::crowded_routes); if not, there are none for certain.
    #[must_use]
    pub fn has_crowded_routes(&self) -> bool {
        !self.crowded.is_empty()
    }

    /// The routes of peers that do not keep up with their answers, with the bytes of those: more of them wait than
    /// [`Limits::peer_bytes`](crate::Limits::peer_bytes), or so many that further requests wait for them. It is up to
    /// the caller for how long it puts up with it; [`dismiss`](Self::dismiss) ends it.
    pub fn crowded_routes(&mut self) -> Vec<(Route, usize)> {
        let Self { crowded, store, config, .. } = self;
        let mut routes = Vec::new();
        crowded.retain(|number| {
            let Some(account) = store.account_mut(*number) else { return false };
            // The number may be another peer's by now.
            if account.is_crowded && account.is_over(&config.limits) {
                routes.push((account.route(), account.answer_bytes(&config.limits)));
                return true;
            }
            account.is_crowded = false;
            false
        });
        routes
    }

    /// Ends everything that is open with a peer, or on a route, for which too much is kept: its requests are answered with
    /// `failure`, as far as that can be. Its connection is to be ended afterwards.
    pub fn dismiss(&mut self, now: Instant, route: &Route, failure: &RemoteError) {
        self.advance(now);
        let reason: Arc<str> = failure.message.as_str().into();
        for at in self.store.of_route(route) {
            if let Some(channel) = self.store.get(at)
                && let Channel { peer: Some(to), envelope, role: Role::Server(request), .. } =
                    channel
            {
                let (to, id) = (*to, request.id.clone());
                let (envelope, failure) = (envelope.clone(), failure.clone());
                let dialect = channel.dialect();
                let is_returned = false;
                let refusal = Refusal { to, envelope, id, dialect, failure, is_returned };
                self.say_loosely(Loose::Refusal(refusal));
            }
            self.lose(at, Loss::Disconnected { reason: Arc::clone(&reason) });
        }
        self.end_congestion(route);
    }

    /// One more answer waits to be sent.
    pub(crate) fn add_unsent(&mut self, at: ChannelKey, weight: usize) {
        let Some((channel, number, account)) = self.store.get_with_account(at) else { return };
        channel.unsent_bytes += weight;
        channel.unsent_answers += 1;
        self.unsent_bytes += weight;
        if account.is_some_and(|account| account.add_unsent(weight, &self.config.limits)) {
            self.crowded.push(number);
        }
    }

    /// While some do not read, whose requests have become many, or take more than before, is looked at.
    pub(super) fn note_crowd(&mut self, at: ChannelKey) {
        if !self.congested.is_empty()
            && let Some((_, number, Some(account))) = self.store.get_with_account(at)
            && account.becomes_crowded(&self.config.limits)
        {
            self.crowded.push(number);
        }
    }

    /// Whether a request may be answered now; if not, it will be told of again. Whoever comes first is served first: none
    /// overtakes those that wait.
    pub(crate) fn start(&mut self, at: ChannelKey) -> bool {
        let limits = &self.config.limits;
        let Some((channel, number, account)) = self.store.get_with_account(at) else {
            return false;
        };
        let Role::Server(request) = &mut channel.role else { return false };
        if let Turn::Running | Turn::Postponed(_) = request.turn {
            return request.turn == Turn::Running;
        }
        if let Some(account) = account {
            let is_next = request.turn == Turn::Next;
            let own_answer = request.expected_bytes;
            let beside = Beside { requests: 0, args: 0, answers: 0, own_answer };
            if !account.may_run(limits, beside) || !is_next && !account.postponed.is_empty() {
                request.turn =
                    Turn::Postponed(self.now.and_then(|now| now.checked_add(LONGEST_STANDSTILL)));
                match is_next {
                    true => account.postponed.push_front(at),
                    false => account.postponed.push_back(at),
                }
                if account.becomes_crowded(limits) {
                    self.crowded.push(number);
                }
                self.drop_stale_keys(number);
                self.reschedule(at);
                return false;
            }
            account.running += 1;
            account.stalled += u32::from(request.blocked_since.is_some());
            account.expected_bytes += request.expected_bytes;
        }
        request.turn = Turn::Running;
        self.note_crowd(at);
        true
    }

    /// Those that have gone while they waited leave their keys behind.
    pub(super) fn drop_stale_keys(&mut self, number: u32) {
        let Some(account) = self.store.account_mut(number) else { return };
        if account.postponed.len() > 2 * account.requests + FEW_KEYS {
            let mut keys = std::mem::take(&mut account.postponed);
            keys.retain(|at| match self.store.get(*at).map(|channel| &channel.role) {
                Some(Role::Server(request)) => matches!(request.turn, Turn::Postponed(_)),
                Some(Role::Client(_)) | None => false,
            });
            if let Some(account) = self.store.account_mut(number) {
                account.postponed = keys;
            }
        }
    }

    /// A request has its last answer.
    pub(crate) fn stop_running(&mut self, at: ChannelKey) {
        let Some((channel, number, Some(account))) = self.store.get_with_account(at) else {
            return;
        };
        let Role::Server(request) = &mut channel.role else { return };
        account.stalled -= u32::from(request.is_stalled());
        if std::mem::replace(&mut request.turn, Turn::Unasked) == Turn::Running {
            let taken = std::mem::take(&mut request.taken_bytes);
            account.running -= 1;
            account.expected_bytes -= request.expected_bytes;
            account.taken_bytes -= taken;
            self.taken_bytes -= taken;
            if !account.postponed.is_empty() {
                self.resume_postponed(number);
            }
        }
    }

    /// Room was made: tells of requests that were put off for want of it, as many as it is enough for. One at a time as long
    /// as answers pile up: what each of them adds shows later.
    pub(crate) fn resume_postponed(&mut self, number: u32) {
        if number == NOBODY {
            return;
        }
        let (mut requests, mut args, mut answers) = (0, 0, 0);
        while let Some(next) = self.store.account(number).and_then(|it| it.postponed.front()) {
            let own_answer = match self.store.get(*next).map(|channel| &channel.role) {
                Some(Role::Server(request)) => request.expected_bytes,
                _ => 0,
            };
            let Some(account) = self.store.account_mut(number) else { return };
            let beside = Beside { requests, args, answers, own_answer };
            if !account.may_run(&self.config.limits, beside) {
                return;
            }
            let Some(at) = account.postponed.pop_front() else { return };
            let is_tight = account.is_tight(&self.config.limits);
            if let Some(Channel { role: Role::Server(request), .. }) = self.store.get_mut(at)
                && matches!(request.turn, Turn::Postponed(_))
            {
                request.turn = Turn::Next;
                args += request.args.as_ref().map_or(0, |args| args.as_bytes().len());
                answers += own_answer;
                requests += 1;
                self.tell_requested(at);
                if is_tight {
                    return;
                }
            }
        }
    }
}
