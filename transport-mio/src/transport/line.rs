//! Whose turn it is among strangers, and how much of the time they get.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use zerorpc_proto::transport::PeerAddress;

/// As long as others are at work, strangers get this part of the time, if the latest of them has got in, ...
const BUSY_SHARE: u32 = 16;
/// ... this part, if it has not: a flood takes a twentieth of the calls then, and with a sixteenth of the time a fifth, for
/// caches are cold after each step (tests/examples/flood, docs/testing.md), ...
const FLOOD_SHARE: u32 = 64;
/// ... and this part, where nobody is at work: who begins to work meanwhile finds half of it free.
const IDLE_SHARE: u32 = 2;

/// Others are at work who had a message within this time. After a longer pause, what strangers may do at a time is little
/// beside it.
const LULL: Duration = Duration::from_millis(2);

/// So much time can be saved up for strangers, of which they get their share: 2 ms where others are
/// at work, and half a millisecond in a flood.
const SAVED: Duration = Duration::from_millis(32);

/// So long are strangers seen to before somebody looks whether others have something: little beside a call
/// over a network.
const TURN: Duration = Duration::from_micros(100);

/// So much time is owed at most to accepting, or to handshakes: some turns, so that what is long over does not count.
const OWED: Duration = Duration::from_millis(1);

/// Strangers, and endpoints with somebody to accept, that have something to do. Accepting and handshakes get as much
/// of the time as each other, however many endpoints there are and whatever the steps of each cost. Endpoints take turns, and so
/// do addresses; of one address, the latest comes first: when there are more than can be seen to, it is the one that still
/// waits for it.
#[derive(Debug, Default)]
pub(super) struct Line {
    listeners: VecDeque<usize>,
    addresses: VecDeque<Option<PeerAddress>>,
    /// The slots of strangers that wait, for each address, in the order in which they came here.
    waiting: HashMap<Option<PeerAddress>, BTreeMap<u64, usize>>,
    next_place: u64,
    balance: Balance,
}

/// Whose turn it is where both want it.
#[derive(Debug, Default)]
struct Balance {
    /// How much more of the time accepting has had.
    accepting: Duration,
    /// How much more handshakes have had.
    handshaking: Duration,
}

impl Balance {
    /// One side has had so much more, of which what the other is owed is taken.
    fn spend(&mut self, side: Side, time: Duration) {
        let (own, other) = match side {
            Side::Accepting => (&mut self.accepting, &mut self.handshaking),
            Side::Handshaking => (&mut self.handshaking, &mut self.accepting),
        };
        let settled = time.min(*other);
        *other -= settled;
        // Nobody is owed more for a time in which nobody wanted it.
        *own = (*own + time - settled).min(OWED);
    }
}

/// Who has a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Those that are to be accepted.
    Accepting,
    /// Those that were.
    Handshaking,
}

/// Where a stranger stands in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    address: Option<PeerAddress>,
    number: u64,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty() && self.addresses.is_empty()
    }

    /// Whether strangers are in line.
    pub(super) fn has_strangers(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Adds an endpoint with somebody to accept, which must not be in line.
    pub(super) fn add_listener(&mut self, slot: usize) {
        self.listeners.push_back(slot);
    }

    /// Adds a stranger, which must not be in line.
    pub(super) fn add(&mut self, slot: usize, address: Option<PeerAddress>) -> Place {
        self.next_place += 1;
        let waiting = self.waiting.entry(address).or_default();
        if waiting.is_empty() {
            self.addresses.push_back(address);
        }
        waiting.insert(self.next_place, slot);
        Place { address, number: self.next_place }
    }

    /// Has a stranger leave the line.
    pub(super) fn remove(&mut self, place: Place) {
        if let Some(waiting) = self.waiting.get_mut(&place.address)
            && waiting.remove(&place.number).is_some()
            && waiting.is_empty()
        {
            self.waiting.remove(&place.address);
            self.addresses.retain(|address| *address != place.address);
        }
    }

    /// The slot whose turn it is. None is accepted unless `is_open`.
    pub(super) fn next(&mut self, is_open: bool) -> Option<(Side, usize)> {
        let first = if self.balance.accepting > Duration::ZERO {
            Side::Handshaking
        } else {
            Side::Accepting
        };
        let accepting = |line: &mut Self| {
            let slot = is_open.then(|| line.listeners.pop_front())?;
            Some((Side::Accepting, slot?))
        };
        let handshaking = |line: &mut Self| Some((Side::Handshaking, line.next_handshaking()?));
        match first {
            Side::Accepting => accepting(self).or_else(|| handshaking(self)),
            Side::Handshaking => handshaking(self).or_else(|| accepting(self)),
        }
    }

    /// Takes note of what a turn took.
    pub(super) fn spend(&mut self, side: Side, time: Duration) {
        self.balance.spend(side, time);
    }

    fn next_handshaking(&mut self) -> Option<usize> {
        let address = self.addresses.pop_front()?;
        let waiting = self.waiting.get_mut(&address)?;
        let (_, slot) = waiting.pop_last()?;
        if waiting.is_empty() {
            self.waiting.remove(&address);
        } else {
            self.addresses.push_back(address);
        }
        Some(slot)
    }
}

/// The part of the time that strangers get.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// When others had a message last.
    busy: Option<Instant>,
    /// The latest stranger whose handshake ended did not get in.
    in_vain: bool,
    /// When strangers may go on.
    free: Option<Instant>,
}

impl Share {
    /// Others have a message.
    pub(super) fn note_busy(&mut self, now: Instant) {
        self.busy = Some(now);
    }

    /// A handshake is over, and the stranger is in, or it was in vain.
    pub(super) fn note_handshake(&mut self, in_vain: bool) {
        self.in_vain = in_vain;
    }

    /// When strangers may go on.
    pub(super) fn free(&self) -> Option<Instant> {
        self.free
    }

    pub(super) fn is_free(&self, now: Instant) -> bool {
        self.free.is_none_or(|free| free <= now)
    }

    /// Takes note of a step that took so much of the processor's time.
    pub(super) fn spend(&mut self, now: Instant, time: Duration) {
        // A step that takes longer is no pause.
        let is_busy =
            self.busy.is_some_and(|busy| now.saturating_duration_since(busy) < LULL + time);
        let share = match (is_busy, self.in_vain) {
            (true, true) => FLOOD_SHARE,
            (true, false) => BUSY_SHARE,
            (false, _) => IDLE_SHARE,
        };
        let earliest = now.checked_sub(SAVED).unwrap_or(now);
        let free = self.free.map_or(earliest, |free| free.max(earliest));
        self.free = Some(free + time * share);
    }
}

/// A turn of strangers: goes on as long as they may, but not long at a time.
#[derive(Debug)]
pub(super) struct Turn {
    until: Instant,
    /// What the thread had worked when the step began.
    worked: Duration,
}

impl Turn {
    /// `worked` is for how long this thread has been at work.
    pub(super) fn begin(now: Instant, worked: Duration) -> Self {
        Self { until: now + TURN, worked }
    }

    /// Takes note of a step, which began when the latest one was over; what it took.
    pub(super) fn step(&mut self, now: Instant, worked: Duration, share: &mut Share) -> Duration {
        let took = worked.saturating_sub(self.worked);
        share.spend(now, took);
        self.worked = worked;
        took
    }

    /// Whether there is time for another step.
    pub(super) fn goes_on(&self, now: Instant, share: &Share) -> bool {
        now < self.until && share.is_free(now)
    }
}

/// For how long this thread has been at work: time in which it was kept off the processor is not the strangers' doing.
pub(super) fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> Option<PeerAddress> {
        Some(PeerAddress::of([10, 0, 0, number].into()))
    }

    /// In which order slots come, where each turn takes as long.
    fn order(line: &mut Line) -> Vec<usize> {
        let next = || {
            let (side, slot) = line.next(true)?;
            line.spend(side, Duration::from_micros(20));
            Some(slot)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn addresses_take_turns_and_the_latest_comes_first() {
        let mut line = Line::default();
        for slot in 10..14 {
            line.add(slot, address(1));
        }
        line.add_listener(99);
        line.add(20, address(2));
        line.add(30, None);
        line.add(31, None);
        assert_eq!(order(&mut line), [99, 13, 20, 31, 12, 30, 11, 10]);
        assert!(line.is_empty() && line.waiting.is_empty());
    }

    /// A step of a handshake costs as much as four connections that are accepted, at one of many endpoints.
    #[test]
    fn those_that_are_in_get_on_however_many_endpoints_there_are() {
        let mut line = Line::default();
        (0..100).for_each(|slot| line.add_listener(slot));
        for slot in 100..200 {
            line.add(slot, address(1));
        }
        let (mut accepted, mut steps) = (0, 0);
        while steps < 10 {
            let (side, slot) = line.next(true).expect("all wait");
            match side {
                Side::Accepting => {
                    accepted += 1;
                    line.add_listener(slot);
                    line.spend(side, Duration::from_micros(20));
                }
                Side::Handshaking => {
                    steps += 1;
                    line.spend(side, Duration::from_micros(80));
                }
            }
        }
        assert!((36..=44).contains(&accepted), "{accepted}");
    }

    #[test]
    fn nobody_is_accepted_where_there_is_no_room() {
        let mut line = Line::default();
        line.add_listener(1);
        line.add(2, None);
        assert_eq!(line.next(false), Some((Side::Handshaking, 2)));
        assert_eq!((line.next(false), line.is_empty()), (None, false));
        // What those have had who were alone is not held against them.
        line.spend(Side::Handshaking, Duration::from_secs(60));
        line.spend(Side::Accepting, OWED);
        line.spend(Side::Accepting, Duration::from_micros(1));
        line.add(3, None);
        assert_eq!(line.next(true), Some((Side::Handshaking, 3)));
        assert_eq!(line.next(true), Some((Side::Accepting, 1)));
    }

    #[test]
    fn who_leaves_the_line_is_not_called() {
        let mut line = Line::default();
        let [first, second, alone] =
            [(10, 1), (11, 1), (20, 2)].map(|(slot, host)| line.add(slot, address(host)));
        line.remove(alone);
        line.remove(second);
        line.add(12, address(1));
        line.remove(first);
        assert_eq!(order(&mut line), [12]);
        line.remove(first);
        assert!(line.is_empty() && line.waiting.is_empty());
    }

    /// How much time strangers get within a second, if there is always one who wants it, in steps of so long. Peers pause for
    /// so long between their messages. The stranger before them got in, or came in vain.
    fn spent(start: Instant, step: Duration, pause: Duration, in_vain: bool) -> Duration {
        let share = &mut Share::default();
        share.note_handshake(!in_vain);
        share.note_handshake(in_vain);
        let (mut now, mut spent) = (start, Duration::ZERO);
        let mut message = start;
        while now < start + Duration::from_secs(1) {
            if now >= message {
                share.note_busy(now);
                message = now + pause;
            }
            if !share.is_free(now) {
                // What peers have to say takes as long.
                now += Duration::from_micros(20);
                continue;
            }
            let mut turn = Turn::begin(now, now - start);
            let begun = now;
            now += step;
            while {
                turn.step(now, now - start, share);
                turn.goes_on(now, share)
            } {
                now += step;
            }
            assert!(now - begun < TURN + step, "a turn is a short one");
            spent += now - begun;
        }
        spent
    }

    #[test]
    fn strangers_get_their_share_however_long_their_steps_are() {
        let start = Instant::now() + Duration::from_secs(60);
        for micros in [1, 30, 100, 1000, 4000] {
            let step = Duration::from_micros(micros);
            let kinds = [(false, BUSY_SHARE, 0.05, 0.4), (true, FLOOD_SHARE, 0.01, 0.35)];
            for (in_vain, share, least_busy, least_idle) in kinds {
                let busy = spent(start, step, Duration::ZERO, in_vain).as_secs_f64();
                // What was saved up, and the last step, come on top.
                let most = 1.0 / f64::from(share) + 0.002 + step.as_secs_f64();
                assert!((least_busy..most).contains(&busy), "{step:?}, {in_vain}: {busy}");
                let idle = spent(start, step, Duration::from_secs(2), in_vain).as_secs_f64();
                assert!((least_idle..0.55).contains(&idle), "{step:?}, {in_vain}: {idle}");
            }
        }
        // A few messages leave them nearly all of what they would have without.
        let pause = Duration::from_millis(20);
        let few = spent(start, Duration::from_micros(30), pause, false).as_secs_f64();
        assert!((0.35..0.55).contains(&few), "{few}");
    }
}
