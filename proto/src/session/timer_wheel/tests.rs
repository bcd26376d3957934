use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{Answer, Args, CallOptions, Config, PeerEvent, PeerId, Target, session::CallId};

const TICK: Duration = Duration::from_nanos(1 << TICK_BITS);
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const NOBODY: Target = Target::Any;

/// The only clock reading of these tests: a base for arithmetic.
#[expect(clippy::disallowed_methods, reason = "tests need some instant to start from")]
fn epoch() -> Instant {
    Instant::now()
}

fn session(heartbeat: Option<Duration>) -> Session {
    Session::new(Config { heartbeat, ..Config::client(1) })
}

fn open(session: &mut Session, now: Instant, to: Target, timeout: Option<Duration>) -> CallId {
    let options = CallOptions::new().timeout(timeout);
    let args = Args::encode(&((),)).expect("has a form");
    session.open(now, to, "method", args, &options).expect("there is room")
}

/// A session of calls for which nothing is due, whose wheel is used directly.
struct Bare {
    session: Session,
    calls: Vec<ChannelKey>,
    epoch: Instant,
}

impl Bare {
    fn new(calls: usize) -> Self {
        let (mut session, epoch) = (session(None), epoch());
        let calls = (0..calls).map(|_| open(&mut session, epoch, NOBODY, None).0).collect();
        session.timers.begin(Some(epoch));
        Self { session, calls, epoch }
    }

    fn schedule(&mut self, call: usize, after: Duration) {
        let Session { timers, store, .. } = &mut self.session;
        timers.schedule(self.calls[call], self.epoch + after, store);
    }

    fn remove(&mut self, call: usize) {
        let Session { timers, store, .. } = &mut self.session;
        timers.remove(self.calls[call], store);
    }

    /// All that are due, by their numbers.
    fn due(&mut self, after: Duration) -> Vec<usize> {
        let Session { timers, store, .. } = &mut self.session;
        let popped = std::iter::from_fn(|| timers.pop_due(self.epoch + after, store));
        let number =
            |at| self.calls.iter().position(|call| *call == at).expect("it is one of them");
        let mut due: Vec<usize> = popped.map(number).collect();
        timers.first = timers.find_first();
        due.sort_unstable();
        due
    }

    /// When something is due first, since the beginning.
    fn first(&self) -> Option<Duration> {
        self.session.timers.first().map(|at| at - self.epoch)
    }

    fn check(&self) {
        #[cfg(feature = "invariants")]
        self.session.timers.check_invariants(&self.session.store);
    }
}

#[test]
fn buckets_are_for_the_ticks_from_the_current_one_on() {
    let mut bare = Bare::new(1);
    for current in [0, 1, 63, 64, 1000, 1023, 1024, 5000] {
        bare.session.timers.current = current;
        for (ahead, bucket) in [
            (0, Some(current)),
            (1, Some(current + 1)),
            (1023, Some(current + 1023)),
            (1024, None),
            (1 << 40, None),
        ] {
            for within in [Duration::ZERO, TICK - Duration::from_nanos(1)] {
                let tick = u32::try_from(current + ahead).unwrap_or(u32::MAX);
                let at = bare.epoch + TICK * tick + within;
                assert_eq!(bare.session.timers.tick_of(at), u64::from(tick));
                let expected = bucket.map_or(OVERFLOW, |tick| (tick % BUCKETS) as u16);
                assert_eq!(bare.session.timers.bucket_of(at), expected, "{current} + {ahead}");
            }
        }
        // What should have been looked at before is looked at next.
        let late = bare.session.timers.bucket_of(bare.epoch);
        assert_eq!(u64::from(late), current % BUCKETS);
    }
}

#[test]
fn the_next_bucket_is_found_all_around() {
    for (current, occupied, next) in [
        (0, &[][..], None),
        (0, &[0], Some(0)),
        (0, &[1023], Some(1023)),
        (1, &[0], Some(0)),
        (5, &[4, 6], Some(6)),
        (5, &[4], Some(4)),
        (64, &[63], Some(63)),
        (64, &[63, 64], Some(64)),
        (70, &[65, 69], Some(65)),
        (70, &[65, 127], Some(127)),
        (70, &[65, 128], Some(128)),
        (1023, &[0, 1022], Some(0)),
        (1024 + 70, &[65, 80, 300], Some(80)),
    ] {
        let mut timers = TimerWheel { current, ..TimerWheel::default() };
        for bucket in occupied {
            timers.occupied[bucket / 64] |= 1 << (bucket % 64);
        }
        assert_eq!(timers.next_bucket(), next, "{occupied:?} from {current}");
    }
}

#[test]
fn what_is_due_first_is_known_exactly_while_nothing_is_taken_out() {
    let mut bare = Bare::new(4);
    assert_eq!((bare.first(), bare.due(SECOND)), (None, vec![]));
    for (call, ms, first) in [(0, 9000, 9000), (1, 700, 700), (2, 701, 700), (3, 20_000, 700)] {
        bare.schedule(call, MS * ms);
        assert_eq!(bare.first(), Some(MS * first));
        bare.check();
    }
    // In one bucket, one after the other; then from afar.
    for (ms, due, first) in [
        (699, &[][..], Some(700)),
        (700, &[1], Some(701)),
        (701, &[2], Some(9000)),
        (8999, &[], Some(9000)),
        (9000, &[0], Some(20_000)),
        (19_999, &[], Some(20_000)),
        (30_000, &[3], None),
    ] {
        assert_eq!(bare.due(MS * ms), due, "{ms}");
        assert_eq!(bare.first(), first.map(|ms| MS * ms), "{ms}");
        bare.check();
    }
}

#[test]
fn a_channel_moves_forward_only() {
    let mut bare = Bare::new(2);
    bare.schedule(0, 5 * SECOND);
    bare.schedule(0, 6 * SECOND);
    bare.schedule(1, 9 * SECOND);
    assert_eq!(bare.due(5 * SECOND), [0], "where it stands it is looked at");
    bare.schedule(1, 6 * SECOND);
    assert_eq!(bare.first(), Some(6 * SECOND));
    assert_eq!(bare.due(6 * SECOND), [1]);
    assert_eq!(bare.due(20 * SECOND), [0; 0]);
    bare.schedule(0, 30 * SECOND);
    bare.remove(0);
    assert_eq!(bare.first(), None, "nobody is there");
    bare.remove(0);
    bare.check();
}

#[test]
fn a_bucket_that_was_crowded_gives_its_memory_back() {
    for (calls, is_kept) in [(1, true), (64, true), (65, false), (200, false)] {
        let mut bare = Bare::new(calls);
        (0..calls).for_each(|call| bare.schedule(call, SECOND));
        let bucket = usize::from(bare.session.timers.bucket_of(bare.epoch + SECOND));
        assert_eq!(bare.due(SECOND).len(), calls);
        let capacity = bare.session.timers.buckets[bucket].entries.capacity();
        assert_eq!(capacity > 0, is_kept, "{calls}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Schedule(usize, u64),
    Remove(usize),
    Pass(u64),
}

const CALLS: usize = 100;

/// Up to twenty seconds in nanoseconds: around the edges of ticks, and anywhere.
fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0..2400_u64, 0..3_u64).prop_map(|(tick, ahead)| (tick << TICK_BITS) + ahead),
        0..20_000_000_000_u64,
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..CALLS, nanos()).prop_map(|(call, after)| Step::Schedule(call, after)),
        1 => (0..CALLS).prop_map(Step::Remove),
        1 => nanos().prop_map(|after| Step::Pass(after / 4)),
    ];
    vec(step, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Each channel comes out when it is due, once, however they are mixed.
    #[test]
    fn what_is_due_comes_out(steps in steps()) {
        let mut bare = Bare::new(CALLS);
        let (mut model, mut now) = (BTreeMap::new(), Duration::ZERO);
        let mut is_exact = true;
        for step in steps {
            match step {
                Step::Schedule(call, after) => {
                    let at = now + Duration::from_nanos(after);
                    bare.schedule(call, at);
                    is_exact &= !model.contains_key(&call);
                    let stands = model.entry(call).or_insert(at);
                    *stands = at.min(*stands);
                }
                Step::Remove(call) => {
                    bare.remove(call);
                    is_exact &= model.remove(&call).is_none();
                }
                Step::Pass(after) => {
                    now += Duration::from_nanos(after);
                    let due = bare.due(now);
                    let is_due = |at: &Duration| *at <= now;
                    let expected: Vec<usize> =
                        model.iter().filter(|(_, at)| is_due(at)).map(|(call, _)| *call).collect();
                    prop_assert_eq!(due, expected);
                    model.retain(|_, at| !is_due(at));
                }
            }
            bare.check();
            let earliest = model.values().min().copied();
            match is_exact {
                true => prop_assert_eq!(bare.first(), earliest),
                // What was taken out may have been the first; then it is looked at too early.
                false => prop_assert!(earliest.is_none_or(|at| bare.first() <= Some(at))),
            }
        }
    }
}

/// The next answer of a call.
fn answer(session: &mut Session, call: CallId) -> Option<Answer> {
    session.call(call)?.recv()
}

#[test]
fn calls_time_out_when_they_said() {
    let (start, mut session) = (epoch(), session(None));
    assert_eq!(session.poll_timeout(), None);
    session.handle_timeout(start);
    let near = open(&mut session, start, NOBODY, Some(SECOND));
    let far = open(&mut session, start, NOBODY, Some(60 * SECOND));
    let endless = open(&mut session, start, NOBODY, None);
    for (now, expired, next) in [
        (SECOND - Duration::from_nanos(1), None, Some(SECOND)),
        (SECOND, Some((near, SECOND)), Some(60 * SECOND)),
        (59 * SECOND, None, Some(60 * SECOND)),
        // Later than it was due, as it mostly is.
        (61 * SECOND, Some((far, 60 * SECOND)), None),
        (1000 * SECOND, None, None),
    ] {
        session.handle_timeout(start + now);
        let found = [near, far, endless].map(|call| answer(&mut session, call));
        let expected = [near, far, endless].map(|call| {
            let (_, after) = expired.filter(|(expired, _)| *expired == call)?;
            Some(Answer::Lost(Loss::NotSent { after }))
        });
        assert_eq!(found, expected, "{now:?}");
        assert_eq!(session.poll_timeout(), next.map(|next| start + next), "{now:?}");
    }
    assert_eq!(session.open_channels(), 1);
}

/// A session whose peer is up, and a call that was sent to it.
fn sent(start: Instant, timeout: Option<Duration>) -> (Session, CallId) {
    let mut session = session(Some(SECOND));
    let peer = PeerId::new(1);
    session.handle_peer_event(start, PeerEvent::Up(peer));
    let call = open(&mut session, start, NOBODY, timeout);
    assert!(session.poll_transmit().is_some(), "the request");
    assert!(session.poll_transmit().is_none());
    (session, call)
}

#[test]
fn a_call_beats_and_is_lost_by_silence() {
    let start = epoch();
    let (mut session, call) = sent(start, None);
    for (tenth, beats, lost) in [
        (5, false, false),
        (10, true, false),
        (15, false, false),
        (19, false, false),
        (20, false, true),
    ] {
        session.handle_timeout(start + 100 * MS * tenth);
        assert_eq!(session.poll_transmit().is_some(), beats, "{tenth}");
        let silent = Answer::Lost(Loss::Silent { after: 2 * SECOND });
        assert_eq!(answer(&mut session, call), lost.then_some(silent), "{tenth}");
    }
    assert_eq!((session.open_channels(), session.poll_timeout()), (0, None));
}

#[test]
fn a_call_that_was_sent_times_out_between_its_beats() {
    let start = epoch();
    let (mut session, call) = sent(start, Some(1500 * MS));
    for (ms, beats, lost, next) in [
        (1000, true, false, Some(1500)),
        (1499, false, false, Some(1500)),
        (1500, false, true, None),
    ] {
        session.handle_timeout(start + MS * ms);
        assert_eq!(session.poll_transmit().is_some(), beats, "{ms}");
        let late = Answer::Lost(Loss::TimedOut { after: 1500 * MS });
        assert_eq!(answer(&mut session, call), lost.then_some(late), "{ms}");
        assert_eq!(session.poll_timeout(), next.map(|ms| start + MS * ms), "{ms}");
    }
}

#[test]
fn a_request_that_came_back_is_sent_again_at_its_time() {
    let start = epoch();
    let (mut session, call) = sent(start, None);
    let Some(Role::Client(state)) = session.store.get_mut(call.0).map(|it| &mut it.role) else {
        panic!("it is open")
    };
    (state.is_sent, state.retry) = (false, Some(start + 300 * MS));
    session.reschedule(call.0);
    assert_eq!(session.poll_timeout(), Some(start + 300 * MS));
    for (ms, is_sent) in [(299, false), (300, true), (301, false)] {
        session.handle_timeout(start + MS * ms);
        assert_eq!(session.poll_transmit().is_some(), is_sent, "{ms}");
    }
}

/// A passive caller may be silent itself, and so may its peer: one call that times out is not the end of the others.
#[test]
fn a_time_out_beside_other_calls_ends_no_connection_where_silence_is_not_counted() {
    let start = epoch();
    for (others, is_ended) in [(0, true), (1, false)] {
        let mut session = Session::new(Config {
            heartbeat: Some(SECOND),
            heartbeat_mode: HeartbeatMode::Passive,
            ..Config::client(1)
        });
        session.handle_peer_event(start, PeerEvent::Up(PeerId::new(1)));
        open(&mut session, start, NOBODY, Some(2 * SECOND));
        for _ in 0..others {
            open(&mut session, start, NOBODY, None);
        }
        while session.poll_transmit().is_some() {}
        session.handle_timeout(start + 2 * SECOND);
        assert_eq!(session.poll_disconnect().is_some(), is_ended, "{others} others");
    }
}

#[test]
fn what_was_slept_through_is_added_to_what_is_due() {
    let start = epoch();
    let (mut session, call) = sent(start, None);
    // Due was a beat after a second; a quarter of an interval is not counted.
    session.handle_timeout(start + 100 * SECOND);
    assert!(session.poll_transmit().is_none(), "there is time to read what has come meanwhile");
    assert_eq!(session.poll_timeout(), Some(start + 100 * SECOND + 250 * MS));
    session.handle_timeout(start + 100 * SECOND + 250 * MS);
    assert!(session.poll_transmit().is_some(), "the beat");
    assert_eq!(answer(&mut session, call), None);
}
