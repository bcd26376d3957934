//! Events and payloads on their way between the session and the socket: a fault spoils them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_proto::{Envelope, Multipart, Payload, PeerId, Transmit};

use super::{
    event::Event,
    fault::{Hook, OfEvents},
    memory::{Later, Memory},
};

/// All that a fault does to messages.
#[derive(Debug)]
pub(crate) struct Tamper {
    hooks: &'static [Hook],
    is_needed: bool,
    is_deaf: bool,
    memory: Memory,
    /// Who used an id last.
    owners: HashMap<String, (PeerId, Envelope)>,
    scheduled: Vec<Scheduled>,
}

#[derive(Debug)]
struct Scheduled {
    at: Instant,
    peer: PeerId,
    envelope: Envelope,
    later: Later,
}

/// What is due.
#[derive(Debug)]
pub(crate) enum Due {
    Send(Transmit),
    Receive(PeerId, Multipart),
}

impl Tamper {
    pub(crate) fn new(hooks: &'static [Hook], now: Instant, interval: Duration) -> Self {
        Self {
            hooks,
            is_needed: hooks.iter().any(Hook::is_of_messages),
            is_deaf: false,
            memory: Memory::new(now, interval),
            owners: HashMap::new(),
            scheduled: Vec::new(),
        }
    }

    /// What leaves in the place of a message, where these are there.
    pub(crate) fn outgoing(
        &mut self,
        now: Instant,
        message: Transmit,
        peers: &[PeerId],
    ) -> Vec<Transmit> {
        if !self.is_needed {
            return vec![message];
        }
        let Some(event) = Event::decode(&message.payload.to_bytes()) else { return vec![message] };
        self.memory.now = now;
        self.memory.note(&event, false);
        let owner = self.owner(&event).unwrap_or((message.to, message.envelope.clone()));
        let events = self.changed(event, |hook| match hook {
            Hook::Out(change) => Some(*change),
            _ => None,
        });
        self.schedule(now, message.to, &message.envelope);
        let mut token = message.token;
        let mut transmits = Vec::new();
        for event in events {
            for to in self.receivers(&event, owner.0, peers) {
                let mut sent = transmit(to, owner.1.clone(), event.clone());
                sent.token = token.take();
                transmits.push(sent);
            }
        }
        transmits
    }

    fn receivers(&mut self, event: &Event, to: PeerId, peers: &[PeerId]) -> Vec<PeerId> {
        let mut routes = self.hooks.iter().filter_map(|hook| match hook {
            Hook::Routes(route) => Some(*route),
            _ => None,
        });
        routes.next().map_or(vec![to], |route| route(&mut self.memory, event, to, peers))
    }

    fn owner(&self, event: &Event) -> Option<(PeerId, Envelope)> {
        if !self.hooks.iter().any(|hook| matches!(hook, Hook::KeyedByIdAlone)) {
            return None;
        }
        self.owners.get(&format!("{:?}", event.channel())).cloned()
    }

    /// What comes in the place of a message.
    pub(crate) fn incoming(
        &mut self,
        now: Instant,
        from: PeerId,
        message: Multipart,
    ) -> Vec<Multipart> {
        if !self.is_needed {
            return vec![message];
        }
        let payload = &message.payload;
        for hook in self.hooks {
            match hook {
                Hook::Dies(is) if is(payload) => std::process::exit(70),
                Hook::Deaf(is) if is(payload) => self.is_deaf = true,
                Hook::Ignores(is) if is(payload) => return Vec::new(),
                _ => {}
            }
        }
        if self.is_deaf {
            return Vec::new();
        }
        let Some(event) = Event::decode(payload) else { return vec![message] };
        self.memory.now = now;
        self.memory.note(&event, true);
        if event.is_request() {
            let owner = (from, message.envelope.clone());
            self.owners.insert(format!("{:?}", event.channel()), owner);
        }
        if !self.hooks.iter().any(|hook| matches!(hook, Hook::In(_))) {
            return vec![message];
        }
        let events = self.changed(event, |hook| match hook {
            Hook::In(change) => Some(*change),
            _ => None,
        });
        self.schedule(now, from, &message.envelope);
        let envelope = &message.envelope;
        let multipart =
            |event: Event| Multipart { envelope: envelope.clone(), payload: event.encode() };
        events.into_iter().map(multipart).collect()
    }

    /// What the hooks that are put in at `place` make of an event, one after the other.
    fn changed(&mut self, event: Event, place: fn(&Hook) -> Option<OfEvents>) -> Vec<Event> {
        self.hooks.iter().filter_map(place).fold(vec![event], |events, change| {
            events.into_iter().flat_map(|event| change(&mut self.memory, event)).collect()
        })
    }

    fn schedule(&mut self, now: Instant, peer: PeerId, envelope: &Envelope) {
        for later in self.memory.later.drain(..) {
            let (at, envelope) = (now + later.after, envelope.clone());
            self.scheduled.push(Scheduled { at, peer, envelope, later });
        }
    }

    /// When there is something due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.scheduled.iter().map(|scheduled| scheduled.at).min()
    }

    /// The next event that is due.
    pub(crate) fn poll_due(&mut self, now: Instant) -> Option<Due> {
        loop {
            let due = self.scheduled.iter().enumerate().filter(|(_, next)| next.at <= now);
            let (index, _) = due.min_by_key(|(_, next)| next.at)?;
            let Scheduled { peer, envelope, later, .. } = self.scheduled.remove(index);
            if later.while_open && !self.memory.is_open(&later.event) {
                continue;
            }
            return Some(if later.is_incoming {
                Due::Receive(peer, Multipart { envelope, payload: later.event.encode() })
            } else {
                Due::Send(transmit(peer, envelope, later.event))
            });
        }
    }
}

fn transmit(to: PeerId, envelope: Envelope, event: Event) -> Transmit {
    Transmit::new(to, envelope, Payload { head: event.encode(), body: Bytes::new() })
}
