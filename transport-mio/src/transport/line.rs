//! Whose turn it is among strangers, and how much of the time they get.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use zerorpc_proto::transport::PeerAddress;

/// As long as others are at work, strangers get this part of the time ...
const BUSY_SHARE: u32 = 16;
/// ... and else this part.
const IDLE_SHARE: u32 = 2;

/// Others are at work who had a message within this time.
const LULL: Duration = Duration::from_millis(50);

/// So much time can be saved up for strangers, of which they get their share.
const SAVED: Duration = Duration::from_millis(32);

/// So long are strangers seen to before somebody looks whether others have something.
const TURN: Duration = Duration::from_micros(100);

/// Strangers, and endpoints with somebody at the door, that have something to do. Endpoints and addresses take turns, and of
/// one address, the latest comes first: when there are more than can be seen to, it is the one that still waits for it.
#[derive(Debug, Default)]
pub(super) struct Line {
    turns: VecDeque<Party>,
    /// The slots of strangers that wait, for each address, in the order in which they came here.
    waiting: HashMap<Option<PeerAddress>, BTreeMap<u64, usize>>,
    next_place: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    Listener(usize),
    Address(Option<PeerAddress>),
}

/// Where a stranger stands in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    address: Option<PeerAddress>,
    number: u64,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether strangers are in line.
    pub(super) fn has_strangers(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Adds an endpoint with somebody at the door, which must not be in line.
    pub(super) fn add_listener(&mut self, slot: usize) {
        self.turns.push_back(Party::Listener(slot));
    }

    /// Adds a stranger, which must not be in line.
    pub(super) fn add(&mut self, slot: usize, address: Option<PeerAddress>) -> Place {
        self.next_place += 1;
        let waiting = self.waiting.entry(address).or_default();
        if waiting.is_empty() {
            self.turns.push_back(Party::Address(address));
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
            self.turns.retain(|party| *party != Party::Address(place.address));
        }
    }

    /// The slot whose turn it is.
    pub(super) fn next(&mut self) -> Option<usize> {
        let party = self.turns.pop_front()?;
        let address = match party {
            Party::Listener(slot) => return Some(slot),
            Party::Address(address) => address,
        };
        let waiting = self.waiting.get_mut(&address)?;
        let (_, slot) = waiting.pop_last()?;
        if waiting.is_empty() {
            self.waiting.remove(&address);
        } else {
            self.turns.push_back(party);
        }
        Some(slot)
    }
}

/// The part of the time that strangers get.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// When others had a message last.
    busy: Option<Instant>,
    /// When strangers may go on.
    free: Option<Instant>,
}

impl Share {
    /// Others have a message.
    pub(super) fn note_busy(&mut self, now: Instant) {
        self.busy = Some(now);
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
        let is_busy = self.busy.is_some_and(|busy| now.saturating_duration_since(busy) < LULL);
        let share = if is_busy { BUSY_SHARE } else { IDLE_SHARE };
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

    /// Takes note of a step, which began when the latest one was over; whether there is time for another.
    pub(super) fn step(&mut self, now: Instant, worked: Duration, share: &mut Share) -> bool {
        share.spend(now, worked.saturating_sub(self.worked));
        self.worked = worked;
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

    fn order(line: &mut Line) -> Vec<usize> {
        std::iter::from_fn(|| line.next()).collect()
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
        assert_eq!(order(&mut line), [13, 99, 20, 31, 12, 30, 11, 10]);
        assert!(line.is_empty() && line.waiting.is_empty());
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

    /// How much time strangers get within a second, if there is always one who wants it, in steps of so long.
    fn spent(share: &mut Share, start: Instant, step: Duration, is_busy: bool) -> Duration {
        let (mut now, mut spent) = (start, Duration::ZERO);
        while now < start + Duration::from_secs(1) {
            if is_busy {
                share.note_busy(now);
            }
            if !share.is_free(now) {
                // What peers have to say takes as long.
                now += Duration::from_micros(20);
                continue;
            }
            let mut turn = Turn::begin(now, now - start);
            let begun = now;
            now += step;
            while turn.step(now, now - start, share) {
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
            let busy = spent(&mut Share::default(), start, step, true).as_secs_f64();
            // What was saved up, and the last step, come on top.
            let most = 1.0 / f64::from(BUSY_SHARE) + 0.002 + step.as_secs_f64();
            assert!((0.05..most).contains(&busy), "{step:?}: {busy}");
            let idle = spent(&mut Share::default(), start, step, false).as_secs_f64();
            assert!((0.4..0.55).contains(&idle), "{step:?}: {idle}");
        }
    }
}
