//! The reference model: what each side may say and must hear, by the protocol alone.
//!
//! It is shown what leaves and arrives at each node and what the applications see, knows nothing of sessions, and judges each
//! side by what that side could know: what the network loses, delays or repeats is nobody's fault. It is written from
//! `docs/protocol.md`: who may send what (section 4), beats and silence (5), credit (6), and what answers what (7).

mod call;
mod presence;
mod request;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use zerorpc_proto::{
    Answer, Args, Envelope, Event, Limits, Loss, MessageId, PeerId, Route, Target, Transmit,
};

use super::{manner::Manner, raw_event::read, task::Task};
use call::Call;
use presence::Presence;
use request::{Request, Span};

/// A channel, seen by the server: node, connection, return address and id.
type Key = (usize, PeerId, Envelope, Vec<u8>);

/// What everybody is at.
#[derive(Debug, Default)]
pub(super) struct Model {
    nodes: Vec<Presence>,
    passive: BTreeSet<usize>,
    /// By node and token.
    calls: BTreeMap<(usize, u64), Call>,
    /// The tokens of calls, by node and id.
    tokens: BTreeMap<(usize, Vec<u8>), u64>,
    requests: BTreeMap<Key, Vec<Request>>,
    /// How long a connection took to its first beat.
    hints: BTreeMap<(usize, PeerId), Span>,
    /// How often requests were turned down that nobody has answered yet.
    refused: BTreeMap<Key, u32>,
    stopping: BTreeSet<usize>,
    down: BTreeSet<(usize, PeerId)>,
    /// Servers that have said that they drop nothing.
    lossless: BTreeSet<(usize, PeerId)>,
    congested: Vec<(usize, Route)>,
    /// How many requests of a token reached a server that took them.
    pub(super) accepted: BTreeMap<u64, u32>,
    /// How many beats were sent.
    pub(super) beat_count: u64,
}

impl Model {
    pub(super) fn add(&mut self, interval: Option<Duration>, passive: bool) {
        if passive {
            self.passive.insert(self.nodes.len());
        }
        self.nodes.push(Presence::new(interval));
    }

    pub(super) fn frozen(&mut self, node: usize, from: Instant, until: Instant) {
        self.nodes[node].frozen(from, until);
    }

    pub(super) fn jumped(&mut self, node: usize, at: Instant, forward: Duration, back: Duration) {
        self.nodes[node].jumped(at, forward, back);
    }

    /// A client's application calls.
    pub(super) fn calls(&mut self, now: Instant, at: (usize, u64), manner: Manner, to: Target) {
        let passive = self.passive.contains(&at.0);
        self.calls.insert(at, Call::new(now, manner, passive, to));
    }

    /// A message leaves a node.
    pub(super) fn sent(&mut self, now: Instant, node: usize, transmit: &Transmit) {
        let event = read(transmit);
        self.beat_count += u64::from(event.name == *"_zpc_hb");
        let Some(id) = &event.header.response_to else {
            return self.sent_request(now, node, transmit.to, &event);
        };
        if let Some(token) = self.tokens.get(&(node, content(id))) {
            let presence = &self.nodes[node];
            let call = self.calls.get_mut(&(node, *token)).expect("tokens are of calls");
            let number = number(&event.args);
            let in_beats = call.grants_in_beats();
            match &*event.name {
                "_zpc_hb" if number == 0 => call.sends_beat(now, presence),
                "_zpc_hb" | "_zpc_more" => {
                    let is_as_usual = in_beats == (event.name == *"_zpc_hb");
                    assert!(is_as_usual, "a grant in the wrong dialect, {event:?}: {call:?}");
                    let is_lossless = self.lossless.contains(&(node, transmit.to));
                    call.sends_grant(number, is_lossless);
                }
                name => panic!("a caller says {name}: {call:?}"),
            }
            return;
        }
        let key = (node, transmit.to, transmit.envelope.clone(), id.as_encoded().to_vec());
        let is_congested = self.is_congested(node, transmit.to, &transmit.envelope);
        if event.header.context.get::<bool>("_zpc_returned") == Ok(Some(true)) {
            let waiting = self.refused.get_mut(&key).filter(|count| **count > 0);
            *waiting.expect("a request was turned down that was not turned down") -= 1;
            return;
        }
        let Some(requests) = self.requests.get_mut(&key) else {
            panic!("an event on a channel that is gone: {event:?}")
        };
        let open = requests.iter_mut().rev().filter(|request| !request.is_over);
        if event.name == *"_zpc_hb" {
            let request = open.last().expect("a beat on a channel that is over");
            if !request.is_shared {
                request.sends_beat(now, &self.nodes[node], is_congested);
            }
            return;
        }
        // Of several, any may speak: the one that says this.
        let mut open: Vec<_> = open.collect();
        assert!(!is_congested, "an answer on a congested route: {event:?}");
        match &mut open[..] {
            [] => panic!("an answer after the last: {event:?}"),
            [request] if !request.is_shared => request.sends_answer(&event),
            shared => {
                let last = !matches!(&*event.name, "STREAM");
                shared[0].is_over |= last;
            }
        }
        requests.retain(|request| !request.is_over);
    }

    fn sent_request(&mut self, now: Instant, node: usize, to: PeerId, event: &Event) {
        let (_, token) = Task::read(&event.name, &event.args).expect("a task");
        let id = event.header.message_id.as_ref().expect("requests have an id");
        self.tokens.insert((node, content(id)), token);
        let call = self.calls.get_mut(&(node, token)).expect("a request that nobody asked for");
        call.sends_request(now, to);
    }

    /// A request came to nothing: no byte of it was written.
    pub(super) fn returned(&mut self, node: usize, payload: &bytes::Bytes) {
        let event = decode(payload);
        let Some((_, token)) = Task::read(&event.name, &event.args) else { return };
        if let Some(call) = self.calls.get_mut(&(node, token)) {
            call.returned();
        }
    }

    /// A message arrives at a node.
    pub(super) fn received(
        &mut self,
        now: Instant,
        node: usize,
        from: PeerId,
        envelope: &Envelope,
        payload: &bytes::Bytes,
    ) {
        let event = decode(payload);
        let Some(id) = &event.header.response_to else {
            return self.received_request(now, node, from, envelope, &event);
        };
        if let Some(token) = self.tokens.get(&(node, content(id))) {
            let call = self.calls.get_mut(&(node, *token)).expect("tokens are of calls");
            return call.hears(now, from, &event);
        }
        let key = (node, from, envelope.clone(), id.as_encoded().to_vec());
        if let Some(request) = self.requests.get_mut(&key).and_then(|requests| requests.last_mut())
            && let Some(hint) = request.hears(now, &event, &self.nodes[node])
        {
            let known = self.hints.entry((node, from)).or_default();
            *known = known.max(hint);
        }
    }

    fn received_request(
        &mut self,
        now: Instant,
        node: usize,
        from: PeerId,
        envelope: &Envelope,
        event: &Event,
    ) {
        let task = Task::read(&event.name, &event.args).expect("only tasks are asked for");
        let id = event.header.message_id.as_ref().expect("requests have an id");
        let key = (node, from, envelope.clone(), id.as_encoded().to_vec());
        if self.stopping.contains(&node) {
            *self.refused.entry(key).or_default() += 1;
            return;
        }
        *self.accepted.entry(task.1).or_default() += 1;
        let is_seen = from != PeerId::NAMELESS && envelope.frames().is_empty();
        let hint = self.hints.get(&(node, from)).copied();
        let same = self.requests.entry(key).or_default();
        same.push(Request::new(now, task, version(event), is_seen, hint));
        if same.len() > 1 {
            same.iter_mut().for_each(|request| request.is_shared = true);
        }
    }

    /// A client's application takes an answer.
    pub(super) fn took(&mut self, node: usize, token: u64, answer: &Answer) {
        let interval = self.nodes[node].interval;
        let call = self.calls.get_mut(&(node, token)).expect("a call");
        let is_down = call.peer().is_some_and(|peer| self.down.contains(&(node, peer)));
        call.takes(answer, interval, is_down);
    }

    /// It finds nothing to take.
    pub(super) fn asked(&mut self, node: usize, token: u64) {
        self.calls.get_mut(&(node, token)).expect("a call").asks();
    }

    /// It forgets the call.
    pub(super) fn quit(&mut self, node: usize, token: u64) {
        self.calls.get_mut(&(node, token)).expect("a call").quits();
    }

    /// It is told that nothing more will come.
    pub(super) fn call_lost(&mut self, now: Instant, node: usize, token: u64) {
        let call = self.calls.get_mut(&(node, token)).expect("a call");
        call.is_lost(now, &self.nodes[node]);
    }

    /// A server's application runs a method.
    pub(super) fn begun(&mut self, (node, caller): (usize, &Caller), due: Instant) {
        let mut open = self.of_caller(node, caller);
        assert!(open.any(|request| request.begins(due)), "a request out of nowhere: {caller:?}");
    }

    /// A server turns a request down with which it has not begun.
    pub(super) fn turned_down(&mut self, node: usize, caller: &Caller) {
        let Self { requests, refused, accepted, .. } = self;
        for (key, requests) in requests.iter_mut().filter(|(key, _)| caller.is_at(node, key)) {
            let is_it = |request: &Request| request.token == caller.token && !request.is_over;
            if let Some(at) = requests.iter().position(is_it) {
                requests.remove(at);
                *refused.entry(key.clone()).or_default() += 1;
                *accepted.entry(caller.token).or_default() -= 1;
                return;
            }
        }
        panic!("what was turned down was not asked for: {caller:?}");
    }

    /// The method has said its last word.
    pub(super) fn finished(&mut self, node: usize, caller: &Caller) {
        self.of_caller(node, caller).for_each(|request| request.is_finished = true);
    }

    /// It is told that a caller is gone.
    pub(super) fn request_lost(&mut self, now: Instant, node: usize, caller: &Caller, loss: &Loss) {
        let is_down = self.down.contains(&(node, caller.peer));
        let is_congested = self.is_congested(node, caller.peer, &caller.envelope);
        let Self { nodes, requests, .. } = self;
        for requests in requests.iter_mut().filter(|(key, _)| caller.is_at(node, key)) {
            let is_it = |request: &&mut Request| request.token == caller.token;
            if let Some(request) = requests.1.iter_mut().find(is_it) {
                request.is_lost(now, &nodes[node], loss, is_down, is_congested);
                request.is_over = true;
            }
            requests.1.retain(|request| !request.is_over);
        }
    }

    fn of_caller<'a>(
        &'a mut self,
        node: usize,
        caller: &'a Caller,
    ) -> impl Iterator<Item = &'a mut Request> {
        let same = self.requests.iter_mut().filter(move |(key, _)| caller.is_at(node, key));
        same.flat_map(|(_, requests)| requests).filter(move |request| request.token == caller.token)
    }

    /// A connection has ended, and both sides are told; those that cannot tell connections apart never are.
    pub(super) fn is_down(&mut self, node: usize, peer: PeerId) {
        self.down.insert((node, peer));
        self.congested.retain(|(at, route)| (*at, route.peer) != (node, peer));
        self.hints.remove(&(node, peer));
        let of_peer = |key: &Key| (key.0, key.1) == (node, peer);
        for (_, requests) in self.requests.iter_mut().filter(|(key, _)| of_peer(key)) {
            requests.retain(|request| !request.is_finished);
        }
    }

    /// A server has said its last word: it has not begun with what nothing was heard of.
    pub(super) fn is_gone(&mut self, node: usize, peer: PeerId) {
        for (_, call) in self.calls.range_mut((node, 0)..=(node, u64::MAX)) {
            call.server_is_gone(peer);
        }
    }

    /// Whether a server takes no more requests.
    pub(super) fn is_stopping(&self, node: usize) -> bool {
        self.stopping.contains(&node)
    }

    /// A server has said that it drops nothing.
    pub(super) fn is_lossless(&mut self, node: usize, peer: PeerId) {
        self.lossless.insert((node, peer));
    }

    /// A server takes no more requests.
    pub(super) fn stops(&mut self, node: usize) {
        self.stopping.insert(node);
    }

    /// A server forgets everything.
    pub(super) fn restarts(&mut self, now: Instant, node: usize) {
        self.nodes[node].thaws(now);
        self.stopping.remove(&node);
        self.requests.retain(|key, _| key.0 != node);
        self.refused.retain(|key, _| key.0 != node);
        self.hints.retain(|key, _| key.0 != node);
        self.congested.retain(|(at, _)| *at != node);
    }

    /// A client listens again, with nothing to listen for.
    pub(super) fn thaws(&mut self, now: Instant, node: usize) {
        self.nodes[node].thaws(now);
    }

    /// A route is congested, or not any more.
    pub(super) fn congested(&mut self, now: Instant, node: usize, route: Route, is: bool) {
        self.congested.retain(|other| *other != (node, route.clone()));
        for (key, requests) in &mut self.requests {
            if key.0 == node && Route::of(key.1, &key.2) == route {
                requests.iter_mut().for_each(|request| request.drained(now));
            }
        }
        if is {
            self.congested.push((node, route));
        }
    }

    fn is_congested(&self, node: usize, peer: PeerId, envelope: &Envelope) -> bool {
        !self.congested.is_empty() && self.congested.contains(&(node, Route::of(peer, envelope)))
    }

    /// A node has done all that it can do for now.
    pub(super) fn idle(&mut self, now: Instant, node: usize) {
        for (_, call) in self.calls.range((node, 0)..=(node, u64::MAX)) {
            call.check_idle();
        }
        let Self { nodes, requests, congested, .. } = self;
        for ((at, peer, envelope, _), requests) in requests {
            let is_congested = || congested.contains(&(node, Route::of(*peer, envelope)));
            if *at == node && (congested.is_empty() || !is_congested()) {
                requests.iter_mut().for_each(|request| request.check_idle(now, &nodes[node]));
            }
        }
    }

    /// What should have happened by now, everywhere.
    pub(super) fn check(&mut self, now: Instant) {
        for ((node, _), call) in &self.calls {
            if !self.nodes[*node].is_frozen(now) {
                call.check(now, &self.nodes[*node]);
            }
        }
        for ((node, peer, envelope, _), requests) in &self.requests {
            let is_gone = self.down.contains(&(*node, *peer));
            if !is_gone && !self.nodes[*node].is_frozen(now) {
                let is_congested = self.is_congested(*node, *peer, envelope);
                requests.iter().for_each(|one| one.check(now, &self.nodes[*node], is_congested));
            }
        }
    }
}

/// Whom a server's application works for.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) peer: PeerId,
    pub(super) envelope: Envelope,
    pub(super) token: u64,
}

impl Caller {
    fn is_at(&self, node: usize, key: &Key) -> bool {
        (key.0, key.1, &key.2) == (node, self.peer, &self.envelope)
    }
}

/// As which version somebody speaks who says this (ZRPC-8.1).
fn version(event: &Event) -> u64 {
    event.header.version.number().unwrap_or(1)
}

fn decode(payload: &bytes::Bytes) -> Event {
    Event::decode(payload, &Limits::default()).expect("nobody sends garbage here")
}

fn number(args: &Args) -> u64 {
    super::raw_event::value(args)[0].as_u64().expect("a grant is a number")
}

/// Clients find their calls by the bytes of an id, whatever its type.
fn content(id: &MessageId) -> Vec<u8> {
    id.content().to_vec()
}
