//! Strangers: connections that others have made, as long as their handshake is not over. How many there may be, and what
//! became of them.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::{
    AcceptLimits, AcceptRate, AcceptStats, Networks, PeerAddress, SocketOptions,
};

/// Among so many of the oldest is looked for one whose address has many. Not measured: a bound on what a newcomer costs.
const OLDEST: usize = 64;

/// So many steps of handshakes are made before another one is ended for somebody new, if so many can be made: whoever has
/// something to say gets through, however many come at once, and those that say it in crumbs keep nobody out. Several times as
/// many as CURVE takes.
const STEPS: u32 = 16;

/// What was accepted, from the first to the last.
#[derive(Debug)]
pub(super) struct Strangers {
    limits: AcceptLimits,
    networks: Networks,
    rate: Option<Bucket>,
    /// Those in their handshake, the oldest first.
    ages: BTreeMap<u64, Stranger>,
    next_age: u64,
    /// How many steps of handshakes were made since somebody came.
    steps: u32,
    /// None was ended so in this turn.
    is_fresh: bool,
    /// Connections of each address.
    addresses: HashMap<PeerAddress, Tally>,
    pub(super) stats: AcceptStats,
}

#[derive(Debug, Clone, Copy)]
struct Stranger {
    slot: usize,
    address: Option<PeerAddress>,
}

#[derive(Debug, Default)]
struct Tally {
    connections: usize,
    handshakes: usize,
}

/// A connection that others have made, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// For whom; nobody in particular over ipc.
    pub(crate) address: Option<PeerAddress>,
    /// When it came, among others; `None` once its handshake is over.
    pub(crate) age: Option<u64>,
}

/// Why a connection is closed as soon as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Network,
    Connections,
    PerAddress,
}

impl Refusal {
    pub(super) fn words(self, limits: &AcceptLimits) -> String {
        let number = |limit: Option<usize>| limit.unwrap_or_default();
        match self {
            Self::Network => "its network may not connect".to_owned(),
            Self::Connections => {
                format!("there are as many connections as may be ({})", number(limits.connections))
            }
            Self::PerAddress => format!(
                "its address has as many connections as it may ({})",
                number(limits.connections_per_address)
            ),
        }
    }
}

impl Strangers {
    pub(super) fn new(options: &SocketOptions) -> Self {
        Self {
            limits: options.accept_limits.clone(),
            networks: options.networks.clone(),
            rate: options.accept_limits.rate.map(Bucket::new),
            ages: BTreeMap::new(),
            next_age: 0,
            steps: 0,
            is_fresh: true,
            addresses: HashMap::new(),
            stats: AcceptStats::default(),
        }
    }

    pub(super) fn limits(&self) -> &AcceptLimits {
        &self.limits
    }

    /// When the next connection may be accepted, if not now.
    pub(super) fn wait_of_rate(&self, now: Instant) -> Option<Instant> {
        self.rate.as_ref()?.wait(now)
    }

    /// Whether a connection from there may come in; if not, it is counted as refused.
    pub(super) fn screen(&mut self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let refused = &mut self.stats.refused;
        if let Some(address) = address {
            if !self.networks.admits(address) {
                refused.network += 1;
                return Err(Refusal::Network);
            }
            let there = self.addresses.get(&PeerAddress::of(address));
            let there = there.map_or(0, |tally| tally.connections);
            if self.limits.connections_per_address.is_some_and(|limit| there >= limit) {
                refused.per_address += 1;
                return Err(Refusal::PerAddress);
            }
        }
        let is_full = self.limits.connections.is_some_and(|limit| self.stats.connections >= limit);
        if is_full && self.ages.is_empty() {
            refused.connections += 1;
            return Err(Refusal::Connections);
        }
        Ok(())
    }

    /// It is the turn of strangers: those of which something has come since the last turn are in line.
    pub(super) fn begin_turn(&mut self) {
        self.is_fresh = true;
    }

    /// A handshake is about to make a step.
    pub(super) fn note_step(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// A handshake is ended for somebody new.
    pub(super) fn note_displaced(&mut self) {
        self.is_fresh = false;
    }

    /// Whether one more may come in now; others may stand in line, which have something to do.
    pub(super) fn may_one_more_come(&self, others_wait: bool) -> bool {
        let may_displace = self.steps >= STEPS || self.is_fresh && !others_wait;
        may_displace || !self.are_full()
    }

    /// Whether half of the places are taken.
    pub(super) fn are_many(&self) -> bool {
        self.ages.len() >= self.limits.handshakes / 2
    }

    /// Whether a stranger has to make room before another one comes.
    fn are_full(&self) -> bool {
        let is_full = self.limits.connections.is_some_and(|limit| self.stats.connections >= limit);
        !self.ages.is_empty() && (is_full || self.ages.len() >= self.limits.handshakes.max(1))
    }

    /// The slot of a stranger that has to make room before another one comes, if any has to.
    pub(super) fn in_the_way(&self) -> Option<usize> {
        self.are_full().then(|| self.most_dispensable())?
    }

    /// The slot of the stranger that is to go first: of the oldest, one whose address has the most, so that those who come
    /// in masses make room for each other.
    pub(super) fn most_dispensable(&self) -> Option<usize> {
        let handshakes = |stranger: &Stranger| {
            let tally = stranger.address.and_then(|address| self.addresses.get(&address));
            tally.map_or(0, |tally| tally.handshakes)
        };
        let oldest: Vec<&Stranger> = self.ages.values().take(OLDEST).collect();
        // Of those that are alike, the oldest: the last one, this way round.
        oldest.into_iter().rev().max_by_key(|stranger| handshakes(stranger)).map(|it| it.slot)
    }

    /// Takes up one that came in.
    pub(super) fn add(&mut self, slot: usize, address: Option<IpAddr>, now: Instant) -> Accepted {
        if let Some(rate) = &mut self.rate {
            rate.take(now);
        }
        let address = address.map(PeerAddress::of);
        if let Some(address) = address {
            let tally = self.addresses.entry(address).or_default();
            tally.connections += 1;
            tally.handshakes += 1;
        }
        self.steps = 0;
        self.next_age += 1;
        self.ages.insert(self.next_age, Stranger { slot, address });
        self.stats.accepted += 1;
        self.stats.connections += 1;
        self.stats.in_handshake = self.ages.len();
        Accepted { address, age: Some(self.next_age) }
    }

    /// Takes note that one has come through its handshake.
    pub(super) fn establish(&mut self, accepted: &mut Accepted) {
        if let Some(age) = accepted.age.take() {
            self.stats.established += 1;
            self.end_handshake(age, accepted.address);
        }
    }

    /// Takes note that a connection has ended.
    pub(super) fn remove(&mut self, accepted: Accepted) {
        if let Some(age) = accepted.age {
            self.end_handshake(age, accepted.address);
        }
        self.stats.connections -= 1;
        if let Some(address) = accepted.address
            && let Some(tally) = self.addresses.get_mut(&address)
        {
            tally.connections -= 1;
            if tally.connections == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    fn end_handshake(&mut self, age: u64, address: Option<PeerAddress>) {
        self.ages.remove(&age);
        self.stats.in_handshake = self.ages.len();
        if let Some(tally) = address.and_then(|address| self.addresses.get_mut(&address)) {
            tally.handshakes -= 1;
        }
    }
}

/// So many in a second, and so many at once (the generic cell rate algorithm).
#[derive(Debug)]
struct Bucket {
    /// What one costs.
    period: Duration,
    /// What can be saved up, but for one.
    burst: Duration,
    /// When all would have come, had they come evenly.
    even: Option<Instant>,
}

impl Bucket {
    fn new(rate: AcceptRate) -> Self {
        let period = Duration::from_secs(1) / rate.per_second.max(1);
        Self { period, burst: period * (rate.burst.max(1) - 1), even: None }
    }

    fn wait(&self, now: Instant) -> Option<Instant> {
        let at = self.even?.checked_sub(self.burst)?;
        (at > now).then_some(at)
    }

    fn take(&mut self, now: Instant) {
        self.even = Some(self.even.map_or(now, |even| even.max(now)) + self.period);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_come_at_once_and_then_so_many_in_a_second() {
        let (mut bucket, start) = (Bucket::new(AcceptRate::new(10).burst(5)), Instant::now());
        let mut now = start;
        let mut took = Vec::new();
        while now < start + Duration::from_millis(1001) {
            match bucket.wait(now) {
                None => {
                    bucket.take(now);
                    took.push((now - start).as_millis());
                }
                Some(at) => now = at,
            }
        }
        assert_eq!(took, [0, 0, 0, 0, 0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
        let later = start + Duration::from_secs(60);
        let burst = std::iter::from_fn(|| bucket.wait(later).is_none().then(|| bucket.take(later)));
        assert_eq!(burst.count(), 5, "no more is saved up");
    }

    #[test]
    fn nothing_is_kept_of_those_that_have_gone() {
        let limits = AcceptLimits::new().connections_per_address(2).connections(3);
        let mut strangers = Strangers::new(&SocketOptions::new().accept_limits(limits));
        let (now, address) = (Instant::now(), |host| Some(IpAddr::from([10, 0, 0, host])));
        let mut first = strangers.add(1, address(1), now);
        let second = strangers.add(2, address(1), now);
        assert_eq!(strangers.screen(address(1)), Err(Refusal::PerAddress));
        assert_eq!((strangers.screen(address(2)), strangers.in_the_way()), (Ok(()), None));
        strangers.establish(&mut first);
        strangers.establish(&mut first);
        let mut third = strangers.add(3, None, now);
        assert_eq!(strangers.in_the_way(), Some(2), "of an address with two");
        strangers.remove(second);
        let mut fourth = strangers.add(4, address(2), now);
        strangers.establish(&mut third);
        strangers.establish(&mut fourth);
        assert_eq!(strangers.screen(address(3)), Err(Refusal::Connections));
        for accepted in [first, third, fourth] {
            strangers.remove(accepted);
        }
        assert!(strangers.ages.is_empty() && strangers.addresses.is_empty());
        let stats = &strangers.stats;
        assert_eq!((stats.accepted, stats.established, stats.connections), (4, 3, 0));
        assert_eq!((stats.refused.per_address, stats.refused.connections), (1, 1));
    }
}
