//! Going on to connect to one endpoint.

use std::{mem, net::SocketAddr, sync::Arc, time::Instant, vec};

use mio::{Interest, Registry, Token};
use zerorpc_proto::transport::Endpoint;

use super::{
    LinkOptions, Notifier, Stream,
    backoff::Backoff,
    inproc::{self, Attempt},
    ipc,
    resolve::{Addresses, Lookup},
    tcp,
};

/// Makes one connection to an endpoint, and another whenever it is told that the last was lost.
///
/// ```text
///        ┌─────────────── lost before established, addresses left ──────────────┐
///        ▼                                                                      │
///  poll: looking up ─► connecting ─► Dial::Connected ─► established ─► lost ─► waiting ─► looking up …
///             └────────────┴───────► Dial::Failed ───────────────────────────► waiting
/// ```
///
/// Call [`poll`](Self::poll) at any event under its token, when its notifier rang, and at the time it asked for;
/// calls without a reason do no harm. Names are looked up again for every round, and a round tries all the
/// addresses they have; unless it is [told](Self::set_addresses) which.
#[derive(Debug)]
pub(crate) struct Dialer {
    endpoint: Endpoint,
    name: Arc<str>,
    /// The addresses, where somebody else looks them up.
    addresses: Option<Addresses>,
    options: LinkOptions,
    backoff: Backoff,
    notifier: Notifier,
    state: State,
    /// The connection has proved good.
    is_established: bool,
}

#[derive(Debug)]
enum State {
    /// The next round begins then.
    Waiting(Instant),
    LookingUp(Lookup),
    /// The next address is due.
    Trying(Round),
    /// The socket is to be watched.
    Begun(Stream, Round),
    Connecting {
        stream: Stream,
        deadline: Option<Instant>,
        round: Round,
    },
    /// The notifier waker when somebody listens within this process.
    Unbound {
        _awaiting: inproc::Awaiting,
    },
    /// Somebody else has the connection. The rest of the round is for when it comes to nothing.
    Connected(Round),
}

/// What became of connecting so far.
#[derive(Debug)]
pub(crate) enum Dial {
    /// A connection stands. It is the caller's, registered for reading and writing under the dialer's token;
    /// the event has been used up, so read and write at once. Say [`Dialer::established`] when it has proved
    /// good, and [`Dialer::lost`] when it has ended.
    Connected(Stream),
    /// A round came to nothing; the dialer already waits for the next.
    Failed {
        /// Why, for each address, for people.
        reason: String,
        /// When the next round begins; poll again then.
        retry: Instant,
    },
    /// Nothing to do before an event, the notifier, or that time.
    Waiting(Option<Instant>),
}

impl Dialer {
    /// A dialer that begins at `now`. `seed` decides by how much its waits differ from those of others.
    pub(crate) fn new(
        endpoint: Endpoint,
        options: LinkOptions,
        seed: u64,
        notifier: Notifier,
        now: Instant,
    ) -> Self {
        let name = endpoint.to_string().into();
        let backoff = Backoff::new(options.pace, seed);
        let state = State::Waiting(now);
        Self {
            endpoint,
            name,
            addresses: None,
            options,
            backoff,
            notifier,
            state,
            is_established: false,
        }
    }

    /// From the next round on, connects to these addresses of its tcp endpoint, and does not look up any.
    pub(crate) fn set_addresses(&mut self, addresses: Addresses) {
        self.addresses = Some(addresses);
    }

    /// The addresses that it was told.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.addresses.as_ref().map_or(&[], |addresses| &addresses.to)
    }

    /// Does what can be done now. Sockets are registered with `registry` under `token`, which must be of no
    /// other source.
    pub(crate) fn poll(&mut self, now: Instant, registry: &Registry, token: Token) -> Dial {
        loop {
            let state = mem::replace(&mut self.state, State::Waiting(now));
            let (state, dial) = self.step(state, now, registry, token);
            self.state = state;
            if let Some(dial) = dial {
                return dial;
            }
        }
    }

    /// The connection has proved good (the handshake is complete): it is the only one of its round.
    pub(crate) fn established(&mut self) {
        self.is_established = true;
        self.state = State::Connected(Round::default());
    }

    /// The connection has ended; returns when to poll for the next: soon, if it had proved good. One that was never
    /// established makes room for the next address at once.
    pub(crate) fn lost(&mut self, now: Instant) -> Instant {
        if std::mem::take(&mut self.is_established) {
            self.backoff.reset();
        }
        self.rest(now)
    }

    /// As [`lost`](Self::lost), where the peer has said that it does not want the connection: the waits grow as if it had
    /// never been made.
    pub(crate) fn refused(&mut self, now: Instant) -> Instant {
        self.is_established = false;
        self.rest(now)
    }

    fn rest(&mut self, now: Instant) -> Instant {
        match mem::replace(&mut self.state, State::Waiting(now)) {
            State::Connected(round) if round.has_more() => {
                self.state = State::Trying(round);
                now
            }
            _ => {
                let retry = now + self.backoff.next_wait();
                self.state = State::Waiting(retry);
                retry
            }
        }
    }

    /// The next state, and what to tell the caller if that is as far as it goes.
    fn step(
        &mut self,
        state: State,
        now: Instant,
        registry: &Registry,
        token: Token,
    ) -> (State, Option<Dial>) {
        match state {
            State::Waiting(until) if now < until => (state, Some(Dial::Waiting(Some(until)))),
            State::Waiting(_) | State::Unbound { .. } => self.begin(now),
            State::LookingUp(lookup) => match lookup.result() {
                Some(Ok(addresses)) => (State::Trying(Round::new(addresses)), None),
                Some(Err(reason)) => self.give_up(reason, now),
                None => (State::LookingUp(lookup), Some(Dial::Waiting(None))),
            },
            State::Trying(mut round) => match round.connect_next(&self.options) {
                Some(Ok(stream)) => (State::Begun(stream, round), None),
                Some(Err(reason)) => (State::Trying(round.with(reason)), None),
                None => self.give_up(round.into_reason(&self.name), now),
            },
            State::Begun(mut stream, round) => {
                let interests = Interest::READABLE | Interest::WRITABLE;
                if let Err(error) = registry.register(&mut stream, token, interests) {
                    return (State::Trying(round.with(format!("{stream}: {error}"))), None);
                }
                let deadline =
                    self.options.connect_timeout.and_then(|limit| now.checked_add(limit));
                (State::Connecting { stream, deadline, round }, None)
            }
            State::Connecting { stream, deadline, round } => match stream.is_connected() {
                Ok(true) => (State::Connected(round), Some(Dial::Connected(stream))),
                Ok(false) if deadline.is_some_and(|deadline| deadline <= now) => {
                    (State::Trying(round.with(format!("{stream}: no answer"))), None)
                }
                Ok(false) => {
                    let dial = Dial::Waiting(deadline);
                    (State::Connecting { stream, deadline, round }, Some(dial))
                }
                Err(error) => {
                    let reason =
                        format!("{stream}: {}", tcp::explain_connect(&error, stream.address()));
                    (State::Trying(round.with(reason)), None)
                }
            },
            State::Connected(_) => (state, Some(Dial::Waiting(None))),
        }
    }

    /// Begins a round.
    fn begin(&mut self, now: Instant) -> (State, Option<Dial>) {
        if let Some(addresses) = &self.addresses {
            return (State::Trying(Round::new(addresses.clone())), None);
        }
        let begun = match &self.endpoint {
            Endpoint::Tcp { source, address, .. } => {
                let lookup = Lookup::begin(source.as_ref(), address, &self.notifier);
                return (State::LookingUp(lookup), None);
            }
            Endpoint::IpcPath(path) => ipc::connect(path, self.name.clone()),
            Endpoint::IpcAbstract(name) => ipc::connect_abstract(name, self.name.clone()),
            Endpoint::IpcWildcard => Err("`*` can only be bound".into()),
            Endpoint::Inproc(name) => match inproc::connect(name, &self.notifier) {
                Ok(Attempt::Waiting(awaiting)) => {
                    return (State::Unbound { _awaiting: awaiting }, Some(Dial::Waiting(None)));
                }
                Ok(Attempt::Connected(socket)) => {
                    Stream::unix(socket, self.name.clone()).map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            },
        };
        match begun {
            Ok(stream) => (State::Begun(stream, Round::default()), None),
            Err(reason) => self.give_up(reason, now),
        }
    }

    fn give_up(&mut self, reason: String, now: Instant) -> (State, Option<Dial>) {
        let retry = now + self.backoff.next_wait();
        (State::Waiting(retry), Some(Dial::Failed { reason, retry }))
    }
}

/// What is left of a round: addresses to try, and why the earlier ones failed.
#[derive(Debug, Default)]
struct Round {
    targets: vec::IntoIter<SocketAddr>,
    /// Addresses to come from, where that matters.
    sources: Option<Vec<SocketAddr>>,
    failures: Vec<String>,
}

impl Round {
    fn new(addresses: Addresses) -> Self {
        let Addresses { from, to } = addresses;
        Self { targets: to.into_iter(), sources: from, failures: Vec::new() }
    }

    fn with(mut self, failure: String) -> Self {
        self.failures.push(failure);
        self
    }

    /// Why all of them failed. An address that says no more than the endpoint itself is left out.
    fn into_reason(self, endpoint: &str) -> String {
        let all = self.failures.join("; ");
        match all.strip_prefix(endpoint).and_then(|rest| rest.strip_prefix(": ")) {
            Some(reason) if self.failures.len() == 1 => reason.to_owned(),
            _ => all,
        }
    }

    fn has_more(&self) -> bool {
        !self.targets.as_slice().is_empty()
    }

    /// Begins to connect to the next address, if there is one.
    fn connect_next(&mut self, options: &LinkOptions) -> Option<Result<Stream, String>> {
        let target = self.targets.next()?;
        let source = match &self.sources {
            None => None,
            Some(sources) => {
                let source = sources.iter().find(|source| source.is_ipv4() == target.is_ipv4());
                let Some(source) = source else {
                    return Some(Err(format!(
                        "tcp://{target}: the address to come from is of the other family"
                    )));
                };
                Some(*source)
            }
        };
        let begun = tcp::connect(target, source, options);
        Some(begun.map_err(|error| {
            format!("tcp://{target}: {}", tcp::explain_connect(&error, Some(target)))
        }))
    }
}

#[cfg(test)]
mod tests;
