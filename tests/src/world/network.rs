//! Connections: they delay, keep the order, stall, fall silent, and break.

use std::{collections::BTreeMap, time::Duration, time::Instant};

use bytes::Bytes;
use zerorpc_proto::Token;

use super::prng::Prng;

/// How a connection behaves.
#[derive(Debug, Clone, Default)]
pub struct LinkProfile {
    /// How long a message is on its way at least.
    pub latency: Duration,
    /// How much longer it may be.
    pub jitter: Duration,
    /// How long it takes to put one on its way: the next waits as long.
    pub per_message: Duration,
}

/// One connection between two nodes.
#[derive(Debug)]
pub(super) struct Link {
    /// The node that connected, and the one that had bound.
    pub(super) ends: [usize; 2],
    pub(super) up: bool,
    /// A black hole: everything is swallowed, and nobody is told.
    pub(super) silent: bool,
    /// Everything is swallowed before.
    pub(super) parted_until: Instant,
    /// Nothing moves before.
    pub(super) stalled_until: Instant,
    /// So many of the next messages are lost,
    pub(super) lose: u32,
    /// and so many come twice.
    pub(super) repeat: u32,
    /// Something was lost on it.
    pub(super) lossy: bool,
    pub(super) profile: LinkProfile,
    /// When the next message can be put on its way, in either direction.
    free: [Instant; 2],
    /// When the last message arrives, in either direction.
    last: [Instant; 2],
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) link: usize,
    pub(super) to: usize,
    /// When the first byte of it leaves.
    pub(super) leaves: Instant,
    /// What names it for whoever has sent it.
    pub(super) token: Option<Token>,
    pub(super) frames: Vec<Bytes>,
}

/// All connections, those of the past included: their numbers are not used again.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) links: Vec<Link>,
    flights: BTreeMap<(Instant, u64), Flight>,
    sent: u64,
}

impl Network {
    pub(super) fn connect(
        &mut self,
        now: Instant,
        ends: [usize; 2],
        profile: LinkProfile,
    ) -> usize {
        self.links.push(Link {
            ends,
            up: true,
            silent: false,
            parted_until: now,
            stalled_until: now,
            lose: 0,
            repeat: 0,
            lossy: false,
            profile,
            free: [now; 2],
            last: [now; 2],
        });
        self.links.len() - 1
    }

    pub(super) fn send(
        &mut self,
        prng: &mut Prng,
        now: Instant,
        number: usize,
        from: usize,
        frames: Vec<Bytes>,
        token: Option<Token>,
    ) {
        let link = &mut self.links[number];
        if !link.up || link.silent || now < link.parted_until {
            link.lossy = true;
            return;
        }
        if link.lose > 0 {
            link.lose -= 1;
            link.lossy = true;
            return;
        }
        let way = usize::from(link.ends[1] == from);
        let jitter = prng.below(link.profile.jitter.as_micros() as u64 + 1);
        let takes = link.profile.latency + Duration::from_micros(jitter);
        link.free[way] = now.max(link.stalled_until).max(link.free[way]) + link.profile.per_message;
        let arrival = (link.free[way] + takes).max(link.last[way]);
        link.last[way] = arrival;
        let (to, leaves) = (link.ends[1 - way], link.free[way]);
        let times = 1 + u32::from(link.repeat > 0);
        link.repeat = link.repeat.saturating_sub(1);
        for _ in 0..times {
            self.sent += 1;
            let flight = Flight { link: number, to, leaves, token, frames: frames.clone() };
            self.flights.insert((arrival, self.sent), flight);
        }
    }

    /// Breaks a connection. The messages of which no byte has left.
    pub(super) fn cut(&mut self, now: Instant, number: usize) -> Vec<Flight> {
        self.links[number].up = false;
        let lost = self.flights.extract_if(.., |_, flight| flight.link == number);
        lost.map(|(_, flight)| flight).filter(|flight| flight.leaves > now).collect()
    }

    /// Whether all that was sent to the node that has made a connection has come.
    pub(super) fn has_all(&self, number: usize) -> bool {
        let link = &self.links[number];
        let is_for_it = |flight: &Flight| flight.link == number && flight.to == link.ends[0];
        !link.lossy && !self.flights.values().any(is_for_it)
    }

    pub(super) fn silence(&mut self, number: usize) {
        self.links[number].silent = true;
        self.links[number].lossy = true;
        self.flights.retain(|_, flight| flight.link != number);
    }

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.flights.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn arrived(&mut self, now: Instant) -> Option<Flight> {
        self.next_arrival().filter(|at| *at <= now)?;
        self.flights.pop_first().map(|(_, flight)| flight)
    }
}
