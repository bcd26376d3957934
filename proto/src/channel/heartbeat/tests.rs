use super::*;

const I: Duration = Duration::from_secs(1);

/// For a caller whose peer has not beaten yet.
const UNKNOWN: Patience = Patience::OfServer { rhythm: Duration::ZERO };

fn times(
    heartbeat: &mut Heartbeat,
    start: Instant,
    heard: &[u32],
    until: u32,
) -> (Vec<u32>, Option<u32>) {
    let mut beats = Vec::new();
    for tenth in 0..=until {
        let now = start + I / 10 * tenth;
        if heard.contains(&tenth) {
            heartbeat.heard(now);
        }
        match heartbeat.poll(now, I) {
            Some(Due::Beat) => beats.push(tenth),
            Some(Due::Lost(_)) => return (beats, Some(tenth)),
            None => {}
        }
    }
    (beats, None)
}

/// The only clock reading of this crate's tests: a base for arithmetic.
#[expect(clippy::disallowed_methods, reason = "tests need some instant to start from")]
fn epoch() -> Instant {
    Instant::now()
}

#[test]
fn active_sides() {
    let start = epoch();
    for (patience, heard, beats, lost) in [
        (Patience::OfCaller, &[][..], &[10][..], Some(20)),
        (UNKNOWN, &[], &[10, 20], Some(30)),
        (UNKNOWN, &[5], &[10, 20], Some(30)),
        (UNKNOWN, &[15], &[10, 20, 30], Some(35)),
        (Patience::OfCaller, &[9, 19, 29], &[10, 20, 30, 40], Some(49)),
    ] {
        let mut heartbeat = Heartbeat::start(start, I, HeartbeatMode::Active, patience);
        let (mut expected, found) = (beats.to_vec(), times(&mut heartbeat, start, heard, 100));
        expected.retain(|beat| lost.is_none_or(|lost| *beat < lost));
        assert_eq!(found, (expected, lost), "{patience:?} {heard:?}");
    }
}

#[test]
fn passive_side_answers_the_first_beat_at_once_and_only_that() {
    let start = epoch();
    let mut heartbeat = Heartbeat::start(start, I, HeartbeatMode::Passive, Patience::OfCaller);
    assert_eq!(times(&mut heartbeat, start, &[3, 7], 1000), (vec![], None));
    let later = start + I * 200;
    assert!(heartbeat.heard_beat(later, I));
    assert!(!heartbeat.heard_beat(later, I));
    assert_eq!(times(&mut heartbeat, later, &[], 100), (vec![10], Some(20)));
}

/// In tenths of an interval: when beats are heard, how long silence may last then, and until when it does.
#[test]
fn callers_are_judged_by_their_own_rhythm() {
    let start = epoch();
    for (patience, beats, silence, lost) in [
        (Patience::WhileConnected, &[][..], 20, None),
        (Patience::WhileConnected, &[4], 20, Some(24)),
        (Patience::WhileConnected, &[10, 20, 30], 20, Some(50)),
        (Patience::WhileConnected, &[200], 400, Some(600)),
        (Patience::WhileConnected, &[200, 200, 200], 400, Some(600)),
        (Patience::WhileConnected, &[20, 30, 55, 65], 50, Some(115)),
        (UNKNOWN, &[], 20, Some(30)),
        (UNKNOWN, &[5], 20, Some(30)),
        (UNKNOWN, &[25], 50, Some(75)),
        (UNKNOWN, &[25, 70], 90, Some(160)),
        (Patience::OfServer { rhythm: I.saturating_mul(4) }, &[], 80, Some(120)),
        (Patience::OfServer { rhythm: I.saturating_mul(4) }, &[40], 80, Some(120)),
        (Patience::OfServer { rhythm: I.saturating_mul(4) }, &[40, 80], 80, Some(160)),
        (Patience::OfCaller, &[19], 20, Some(39)),
    ] {
        let mut heartbeat = Heartbeat::start(start, I, HeartbeatMode::Active, patience);
        let mut end = None;
        for tenth in 0..1000 {
            let now = start + I / 10 * tenth;
            for _ in beats.iter().filter(|beat| **beat == tenth) {
                assert!(!heartbeat.heard_beat(now, I));
            }
            if let Some(Due::Lost(after)) = heartbeat.poll(now, I) {
                assert_eq!(after, I / 10 * silence, "{patience:?} {beats:?}");
                end = Some(tenth);
                break;
            }
        }
        assert_eq!(end, lost, "{patience:?} {beats:?}");
        assert_eq!(heartbeat.counts_silence(), lost.is_some());
    }
}

#[test]
fn switched_off_it_answers_beats_but_no_answers() {
    let start = epoch();
    let mut off = Heartbeat::answering();
    assert!(!off.counts_silence());
    let mut heard = |ms| off.heard_beat(start + Duration::from_millis(ms), Duration::MAX);
    for (ms, answered) in [
        (5000, true),
        (5001, false),
        (5099, false),
        (10_000, true),
        (10_100, true),
        (1_000_000, true),
        (1_005_000, true),
    ] {
        assert_eq!(heard(ms), answered, "{ms}");
    }
    assert_eq!(off.deadline(Duration::MAX), None);
}

/// In tenths of an interval: when it is asked, and when it is to be asked again.
#[test]
fn it_is_to_be_asked_when_a_beat_is_due_or_silence_has_lasted() {
    let start = epoch();
    for (patience, asked, deadline) in [
        (Patience::OfCaller, &[][..], 10),
        (Patience::OfCaller, &[5], 10),
        (Patience::OfCaller, &[10], 20),
        (Patience::OfCaller, &[19], 20),
        (UNKNOWN, &[19], 29),
        (UNKNOWN, &[19, 29], 30),
        (Patience::WhileConnected, &[19, 30], 40),
    ] {
        let mut heartbeat = Heartbeat::start(start, I, HeartbeatMode::Active, patience);
        for tenth in asked {
            let due = heartbeat.poll(start + I / 10 * *tenth, I);
            assert_eq!(due, (*tenth >= 10).then_some(Due::Beat), "{patience:?} {asked:?}");
        }
        let expected = Some(start + I / 10 * deadline);
        assert_eq!(heartbeat.deadline(I), expected, "{patience:?} {asked:?}");
        assert!(heartbeat.beats());
    }
    let mut passive = Heartbeat::start(start, I, HeartbeatMode::Passive, Patience::OfCaller);
    assert_eq!((passive.deadline(I), passive.beats()), (None, false));
    assert!(passive.heard_beat(start, I));
    assert_eq!((passive.deadline(I), passive.beats()), (Some(start + I), true));
    for mute in [Heartbeat::idle(), Heartbeat::answering()] {
        assert_eq!((mute.deadline(I), mute.beats()), (None, false));
    }
}

#[test]
fn idle_is_idle_and_endless_intervals_do_not_overflow() {
    let start = epoch();
    let mut idle = Heartbeat::idle();
    assert!(!idle.heard_beat(start, I));
    assert_eq!(idle.deadline(I), None);
    let mut endless =
        Heartbeat::start(start, Duration::MAX, HeartbeatMode::Active, Patience::OfCaller);
    endless.heard(start);
    assert_eq!(
        (endless.deadline(Duration::MAX), endless.poll(start + I, Duration::MAX)),
        (None, None)
    );
}
