//! How much memory methods take for their arguments and answers while they run: whether one more may run beside them.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use bytestring::ByteString;
use foldhash::fast::RandomState;
use zerorpc_proto::RequestId;

/// So many methods begin of which it is not known what they answer, whatever the number of processors: one caller may have
/// asked for all of them, and for 10 MB from each.
const UNKNOWN: usize = 2;
/// When no method has ended for so long, twice as many may run: they wait for something else than processors.
/// Shown by the tests of memory in tests/tests/memory, which bound what is kept and how long others wait.
const STEP: Duration = Duration::from_millis(100);
/// Of so many methods it is remembered what they answer. Beyond that it is learned anew. Not measured: a bound, more than
/// services have, against names that callers make up.
const KNOWN: usize = 1024;

/// What the methods that run have taken, and are going to answer, by what they have answered before.
///
/// A server starts a thread for each request that waits behind others, as fast as it can. If each of a thousand makes
/// an answer of 10 MB, that is 20 GB before the first of them has been sent, and whoever asks for something else waits
/// until all of them have had their share of the processors. So those that answer much begin with as many as there are
/// processors. Each that ends without having been kept waiting for one makes it one more, and each that was halves it. Of
/// those of which nothing is known, a few begin.
#[derive(Debug)]
pub(crate) struct Load {
    /// How much each method has answered; less counts for later ones, by and by.
    answers: HashMap<ByteString, usize, RandomState>,
    /// How much those that run take.
    expected: usize,
    /// How much of that was given to them.
    given: usize,
    /// How many run that take or answer much, or are not known.
    heavy: usize,
    /// How many of those may.
    most_heavy: usize,
    /// How many may in any case.
    few: usize,
    /// How many run of which nothing is known.
    unknown: usize,
    /// How many of those may.
    most_unknown: usize,
    /// When more of those may run, though none has ended.
    due: Option<Instant>,
    /// Requests that wait for others to end, in the order in which they came.
    waiting: VecDeque<Waiting>,
    /// What may be expected, beside what is kept already.
    most: usize,
}

/// A request that waits for others to end.
#[derive(Debug)]
struct Waiting {
    id: RequestId,
    method: ByteString,
    /// How many bytes of arguments it has.
    args: usize,
}

/// What one method that runs counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    is_heavy: bool,
    /// Nothing is known of what it answers.
    is_unknown: bool,
    bytes: usize,
    /// How much of that was given to it.
    given: usize,
}

impl Share {
    /// Whether it matters how many of these run.
    pub(crate) fn is_heavy(self) -> bool {
        self.is_heavy
    }

    /// Of what never takes much.
    pub(crate) const NONE: Self = Self { is_heavy: false, is_unknown: false, bytes: 0, given: 0 };

    /// Whether an answer of this size is news: not a little one of what is known to answer little.
    pub(crate) fn is_news(self, size: usize) -> bool {
        self.is_heavy || worth_a_thought(size) > 0
    }

    /// How many bytes its answer is expected to take, as a value and encoded.
    pub(crate) fn answer(self) -> usize {
        self.bytes - self.given.saturating_mul(2)
    }
}

impl Load {
    pub(crate) fn new(total_bytes: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let few = processors.max(2);
        Self {
            answers: HashMap::default(),
            expected: 0,
            given: 0,
            heavy: 0,
            most_heavy: few,
            few,
            unknown: 0,
            most_unknown: UNKNOWN,
            due: None,
            waiting: VecDeque::new(),
            most: total_bytes / 4 * 3,
        }
    }

    /// Lets a method run, or has its request wait for others to end. One alone always runs.
    pub(crate) fn admit(
        &mut self,
        id: RequestId,
        method: &ByteString,
        args: usize,
        retained: usize,
    ) -> Option<Share> {
        let share = self.share(method, args);
        if !share.is_heavy {
            return Some(share);
        }
        if !self.has_room(&share, retained) {
            self.waiting.push_back(Waiting { id, method: method.clone(), args });
            self.due.get_or_insert_with(|| Instant::now() + STEP);
            return None;
        }
        self.heavy += 1;
        self.unknown += usize::from(share.is_unknown);
        self.expected += share.bytes;
        self.given += share.given;
        Some(share)
    }

    /// What a method would count with so many bytes of arguments.
    fn share(&self, method: &ByteString, args: usize) -> Share {
        let answer = self.answers.get(method).copied();
        let given = worth_a_thought(args);
        // Each value, and its encoded form.
        let bytes = answer.unwrap_or(0).saturating_add(given).saturating_mul(2);
        let is_unknown = answer.is_none() && given == 0;
        Share { is_heavy: is_unknown || bytes > 0, is_unknown, bytes, given }
    }

    fn has_room(&self, share: &Share, retained: usize) -> bool {
        let sum = self.expected.saturating_add(retained).saturating_add(share.bytes);
        self.heavy == 0
            || self.heavy < self.most_heavy
                && (!share.is_unknown || self.unknown < self.most_unknown)
                && (share.bytes == 0 || self.expected == 0 || sum <= self.most)
    }

    /// A method has ended, which may have been kept waiting for a processor.
    pub(crate) fn release(&mut self, share: &Share, was_held_up: bool) {
        if !share.is_heavy {
            return;
        }
        self.withdraw(share);
        if share.is_unknown {
            self.most_unknown = UNKNOWN;
        }
        self.most_heavy = match was_held_up {
            true => self.few.max(self.most_heavy / 2),
            // No more than are there to run.
            false => self.most_heavy.min(self.heavy + 1 + self.few) + 1,
        };
        self.due = None;
    }

    /// A method is not run after all.
    pub(crate) fn withdraw(&mut self, share: &Share) {
        if share.is_heavy {
            self.heavy -= 1;
            self.unknown -= usize::from(share.is_unknown);
            self.expected -= share.bytes;
            self.given -= share.given;
        }
    }

    /// How much those that run have made of their arguments, about, as far as it is to count among what all peers may make
    /// a server keep: where it is more than a quarter, it is few requests that are large.
    pub(crate) fn decoded(&self) -> usize {
        self.given.min(self.most / 3)
    }

    /// How much a method has answered.
    pub(crate) fn learn(&mut self, method: &ByteString, size: usize) {
        let size = worth_a_thought(size);
        match self.answers.get_mut(method) {
            Some(known) => *known = size.max(*known - *known / 16),
            None => {
                if self.answers.len() >= KNOWN {
                    self.answers.clear();
                }
                // Not the message that it came in.
                self.answers.insert(ByteString::from(&**method), size);
            }
        }
    }

    /// When requests are to be looked at again that wait.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Lets more run if nothing has happened for long enough; true if so.
    pub(crate) fn expire(&mut self) -> bool {
        if self.due.is_none_or(|due| due > Instant::now()) {
            return false;
        }
        self.due = None;
        self.most_heavy = self.heavy.max(self.few).saturating_mul(2);
        self.most_unknown = self.unknown.max(UNKNOWN).saturating_mul(2);
        true
    }

    /// Requests that may run now, as far as it can be known; those that can't after all come back.
    pub(crate) fn take_waiting(&mut self, retained: usize) -> impl Iterator<Item = RequestId> {
        let room = self.most_heavy.saturating_sub(self.heavy);
        let mut sum = self.expected.saturating_add(retained);
        let mut unknown = self.unknown;
        let mut fits = |waiting: &&Waiting| {
            let share = self.share(&waiting.method, waiting.args);
            sum = sum.saturating_add(share.bytes);
            unknown += usize::from(share.is_unknown);
            (share.bytes == 0 || sum <= self.most)
                && (!share.is_unknown || unknown <= self.most_unknown)
        };
        let fitting = self.waiting.iter().take(room).take_while(|next| fits(next)).count();
        let next = fitting.max(usize::from(self.heavy == 0)).min(self.waiting.len());
        if next < self.waiting.len() {
            self.due.get_or_insert_with(|| Instant::now() + STEP);
        }
        self.waiting.drain(..next).map(|waiting| waiting.id)
    }

    /// Takes all that wait, without any of them to run.
    pub(crate) fn take_unbegun(&mut self) -> impl Iterator<Item = RequestId> {
        self.due = None;
        self.waiting.drain(..).map(|waiting| waiting.id)
    }

    /// Whether requests wait.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// How much something counts: little things, nothing.
fn worth_a_thought(size: usize) -> usize {
    /// A thousand methods at a time that take as much have a quarter of what is kept in all by default.
    const LITTLE: usize = 256 << 10;
    if size < LITTLE { 0 } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerorpc_proto::{Config, Multipart, Notice, PeerId, Session};

    /// Names of requests, which a session alone can make.
    fn ids(count: u8) -> Vec<RequestId> {
        let mut session = Session::new(Config::server(1));
        let now = Instant::now();
        let request =
            |number| [b"\x93\x82\xaamessage_id", &[number][..], b"\xa1v\x03\xa1f\x90"].concat();
        for number in 0..count {
            let message = Multipart::direct(request(number).into());
            session.handle_message(now, PeerId::new(1), message);
        }
        let ids = std::iter::from_fn(|| session.poll_notice()).map(|notice| match notice {
            Notice::Requested(id) => id,
            other => panic!("{other:?}"),
        });
        let ids: Vec<_> = ids.collect();
        assert_eq!(ids.len(), usize::from(count));
        ids
    }

    fn admitted(load: &mut Load, ids: &[RequestId], method: &ByteString) -> Vec<Share> {
        ids.iter().filter_map(|id| load.admit(*id, method, 0, 0)).collect()
    }

    #[test]
    fn what_is_not_known_runs_a_few_at_a_time_until_it_is() {
        let (ids, echo) = (ids(100), ByteString::from_static("echo"));
        let mut load = Load { few: 5, most_heavy: 5, most_unknown: 5, ..Load::new(400 << 20) };
        let shares = admitted(&mut load, &ids, &echo);
        assert_eq!(shares.len(), 5);
        load.learn(&echo, 1000);
        load.release(&shares[0], true);
        // What is known to be little is not bounded, whatever is kept.
        let mut waiting = load.take_waiting(1 << 30).collect::<Vec<_>>();
        while load.has_waiting() {
            assert!(waiting.iter().all(|id| load.admit(*id, &echo, 0, 1 << 30).is_some()));
            load.take_waiting(1 << 30).for_each(|id| waiting.push(id));
        }
        assert_eq!(waiting, ids[5..], "in the order in which they came");
    }

    #[test]
    fn what_answers_much_is_bounded_by_its_sum() {
        let (ids, blob) = (ids(40), ByteString::from_static("blob"));
        let mut load = Load { few: 100, most_heavy: 100, ..Load::new(400 << 20) };
        load.learn(&blob, 10 << 20);
        // Fifteen times twice ten fit into three quarters of four hundred.
        let shares = admitted(&mut load, &ids, &blob);
        assert_eq!(shares.len(), 15);
        assert_eq!(load.take_waiting(0).next(), None);
        load.release(&shares[0], false);
        assert_eq!(load.take_waiting(0).collect::<Vec<_>>(), ids[15..16]);
        assert_eq!(load.take_waiting(100 << 20).next(), None, "what is kept already counts");
    }

    #[test]
    fn one_alone_always_runs() {
        let (ids, blob) = (ids(2), ByteString::from_static("blob"));
        let mut load = Load::new(1 << 20);
        load.learn(&blob, 10 << 20);
        let first = load.admit(ids[0], &blob, 0, 500 << 20).expect("it is alone");
        assert!(load.admit(ids[1], &blob, 0, 500 << 20).is_none());
        assert_eq!(load.take_waiting(500 << 20).next(), None);
        load.release(&first, false);
        assert_eq!(load.take_waiting(500 << 20).next(), Some(ids[1]));
    }

    #[test]
    fn arguments_count_as_well() {
        let (ids, sum) = (ids(40), ByteString::from_static("sum"));
        for is_known in [false, true] {
            let mut load = Load { few: 100, most_heavy: 100, ..Load::new(400 << 20) };
            if is_known {
                load.learn(&sum, 8);
            }
            let mut admit = |id: &RequestId| load.admit(*id, &sum, 10 << 20, 0);
            let shares: Vec<_> = ids.iter().filter_map(&mut admit).collect();
            assert_eq!(shares.len(), 15, "{is_known}");
            load.release(&shares[0], false);
            assert_eq!(load.take_waiting(0).collect::<Vec<_>>(), ids[15..16]);
            assert!(load.admit(ids[39], &sum, 1000, 1 << 30).is_some(), "it is little");
        }
    }

    #[test]
    fn as_many_run_as_there_are_processors_for() {
        let (ids, blob) = (ids(100), ByteString::from_static("blob"));
        for (was_held_up, most) in [(true, 4), (false, 32)] {
            let mut load = Load { few: 4, most_heavy: 4, ..Load::new(1 << 40) };
            load.learn(&blob, 10 << 20);
            let mut running = admitted(&mut load, &ids, &blob);
            for _ in 0..28 {
                let share = running.remove(0);
                load.release(&share, was_held_up);
                let next: Vec<_> = load.take_waiting(0).collect();
                running.extend(admitted(&mut load, &next, &blob));
            }
            assert_eq!(running.len(), most, "{was_held_up}");
        }
    }

    #[test]
    fn more_run_when_none_ends() {
        let (ids, slow) = (ids(40), ByteString::from_static("slow"));
        let mut load = Load { few: 4, most_heavy: 4, most_unknown: 4, ..Load::new(1 << 30) };
        assert_eq!(admitted(&mut load, &ids, &slow).len(), 4);
        assert!(!load.expire(), "it is too early");
        for running in [8, 16, 32] {
            load.due = Some(Instant::now());
            assert!(load.expire());
            let next: Vec<_> = load.take_waiting(0).collect();
            assert_eq!(admitted(&mut load, &next, &slow).len(), running / 2);
        }
    }
}
