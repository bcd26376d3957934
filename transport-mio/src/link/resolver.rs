//! The addresses of an endpoint as they change: looked up, and looked up again.

use std::time::{Duration, Instant};

use zerorpc_proto::transport::{Host, TcpAddress};

use super::{
    LinkOptions, Notifier,
    backoff::Backoff,
    resolve::{Addresses, Lookup},
};

/// How soon after a look-up the next one may follow, when connections are lost or cannot be made: many of them end
/// together. Not measured: what name servers are asked for without harm.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks up the addresses of one endpoint, at once, then every now and then, and when [asked to](Self::wake_if_earlier).
///
/// Call [`poll`](Self::poll) when its notifier rang, and at the time it asked for.
#[derive(Debug)]
pub(crate) struct Resolver {
    source: Option<TcpAddress>,
    target: TcpAddress,
    /// How often; `None` is only when asked to.
    interval: Option<Duration>,
    backoff: Backoff,
    notifier: Notifier,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The next look-up begins then, if ever; it may be asked for from `earliest` on.
    Resting {
        until: Option<Instant>,
        earliest: Instant,
    },
    LookingUp(Lookup),
}

/// What became of looking up so far.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// These are the addresses from now on. Poll again.
    Found(Addresses),
    /// There are none, or nobody tells.
    Failed {
        /// Why, for people.
        reason: String,
        /// When it is tried again; poll then.
        retry: Instant,
    },
    /// Nothing to do before the notifier, or that time.
    Waiting(Option<Instant>),
}

impl Resolver {
    /// A resolver that begins at `now`. `seed` decides by how much its waits differ from those of others.
    pub(crate) fn new(
        source: Option<TcpAddress>,
        target: TcpAddress,
        options: &LinkOptions,
        seed: u64,
        notifier: Notifier,
        now: Instant,
    ) -> Self {
        let backoff = Backoff::new(options.pace, seed);
        let state = State::Resting { until: Some(now), earliest: now };
        Self { source, target, interval: options.resolve_interval, backoff, notifier, state }
    }

    /// Does what can be done now.
    pub(crate) fn poll(&mut self, now: Instant) -> Resolution {
        if let State::Resting { until, .. } = self.state {
            if until.is_none_or(|until| now < until) {
                return Resolution::Waiting(until);
            }
            let lookup = Lookup::begin(self.source.as_ref(), &self.target, &self.notifier);
            self.state = State::LookingUp(lookup);
        }
        let result = match &self.state {
            State::LookingUp(lookup) => lookup.result(),
            State::Resting { .. } => None,
        };
        match result {
            None => Resolution::Waiting(None),
            Some(Ok(addresses)) => {
                self.backoff.reset();
                let until = match self.interval.filter(|_| self.may_change()) {
                    Some(interval) => now.checked_add(interval.max(PAUSE)),
                    None => None,
                };
                self.state = State::Resting { until, earliest: now + PAUSE };
                Resolution::Found(addresses)
            }
            Some(Err(reason)) => {
                let retry = now + self.backoff.next_wait();
                self.state = State::Resting { until: Some(retry), earliest: retry };
                Resolution::Failed { reason, retry }
            }
        }
    }

    /// The addresses may not be good any more; returns when to poll, if that is sooner than before.
    pub(crate) fn wake_if_earlier(&mut self, now: Instant) -> Option<Instant> {
        if !self.may_change() {
            return None;
        }
        let State::Resting { until, earliest } = &mut self.state else { return None };
        let soon = now.max(*earliest);
        let is_sooner = until.is_none_or(|until| soon < until);
        is_sooner.then(|| *until.insert(soon))
    }

    /// Whether there is anything to be asked.
    fn may_change(&self) -> bool {
        let has_name = |address: &TcpAddress| matches!(address.host, Host::Name(_));
        has_name(&self.target) || self.source.as_ref().is_some_and(has_name)
    }
}

#[cfg(test)]
mod tests;
