use super::*;

const LONGEST: Duration = Duration::from_secs(10);

/// The only clock reading of these tests: a base for arithmetic.
#[expect(clippy::disallowed_methods, reason = "tests need some instant to start from")]
fn epoch() -> Instant {
    Instant::now()
}

/// The next connection to be ended.
fn told(peers: &mut Peers) -> Option<PeerId> {
    peers.poll_disconnect().map(|(peer, _)| peer)
}

fn assign(peers: &mut Peers, has_room: impl Fn(PeerId) -> bool) -> Option<PeerId> {
    peers.assign(None, has_room)
}

#[test]
fn the_least_busy_peer_is_next_and_equals_take_turns() {
    let mut peers = Peers::new(1);
    assert_eq!(assign(&mut peers, |_| true), None);
    let [a, b, c] = [1, 2, 3].map(PeerId::new);
    for peer in [a, b, c] {
        peers.up(peer);
    }
    let mut next = || assign(&mut peers, |_| true);
    assert_eq!([next(), next(), next(), next()], [a, b, c, a].map(Some));
    peers.release(c);
    assert_eq!(assign(&mut peers, |_| true), Some(c), "it has the fewest");
    peers.release(a);
    peers.release(b);
    assert_eq!(
        assign(&mut peers, |peer| peer != b),
        Some(a),
        "one call each but for b, a longest ago"
    );
    peers.down(c);
    peers.release(c);
    assert_eq!(assign(&mut peers, |_| true), Some(b));
}

#[test]
fn a_silent_peer_is_asked_last_until_it_is_heard() {
    let now = epoch();
    let mut peers = Peers::new(1);
    let [a, b] = [1, 2].map(PeerId::new);
    for peer in [a, b] {
        peers.up(peer);
    }
    assert_eq!(assign(&mut peers, |_| true), Some(a));
    peers.lost_by_silence(a, now, LONGEST);
    peers.release(a);
    for _ in 0..3 {
        assert_eq!(assign(&mut peers, |_| true), Some(b), "though it has more calls");
    }
    assert_eq!(assign(&mut peers, |peer| peer != b), None, "b will have room again");
    peers.lost_by_silence(b, now, LONGEST);
    assert_eq!(assign(&mut peers, |_| true), Some(a), "no other is left");
    assert!(peers.heard(now, b));
    assert!(!peers.heard(now, b), "it is no news any more");
    assert_eq!(assign(&mut peers, |_| true), Some(b));
    peers.down(b);
    assert_eq!(assign(&mut peers, |_| true), Some(a));
    peers.down(a);
    peers.up(a);
    assert!(!peers.heard(now, a), "a new connection begins anew");
    peers.lost_by_silence(b, now, LONGEST);
    assert_eq!(assign(&mut peers, |_| true), Some(a));
}

#[test]
fn a_silent_peer_is_useless_once_its_last_call_has_ended() {
    let (mut peers, now) = (Peers::new(1), epoch());
    let [a, b] = [1, 2].map(PeerId::new);
    for peer in [a, b] {
        peers.up(peer);
    }
    for peer in [a, b, a] {
        assert_eq!(assign(&mut peers, |_| true), Some(peer));
    }
    let lose = |peers: &mut Peers, peer, after| {
        peers.lost_by_silence(peer, now + Duration::from_secs(after), LONGEST);
        peers.release(peer);
        told(peers)
    };
    assert_eq!(lose(&mut peers, a, 0), None, "another call is open there");
    peers.release(a);
    assert_eq!(told(&mut peers), Some(a), "however that has ended");
    assert_eq!(told(&mut peers), None, "it is told once");
    assert_eq!(lose(&mut peers, b, 1), Some(b));
    for peer in [a, a, b] {
        peers.down(peer);
        peers.up(peer);
    }
    assert_eq!(told(&mut peers), None);
    assert_eq!(assign(&mut peers, |_| true), Some(a));
    peers.lost_by_silence(a, now, LONGEST);
    assert!(peers.heard(now, a));
    peers.release(a);
    assert_eq!(told(&mut peers), None, "it was heard before");
}

#[test]
fn the_only_peer_is_given_up_with_the_first_call_that_its_silence_loses() {
    let (mut peers, start, a) = (Peers::new(1), epoch(), PeerId::new(1));
    let at = |after| start + Duration::from_secs(after);
    peers.up(a);
    for second in 0..25 {
        assert_eq!(peers.assign(Some(at(second)), |_| true), Some(a));
        if second >= 10 {
            peers.lost_by_silence(a, at(second), LONGEST);
            peers.release(a);
            let given_up = (second == 10).then_some(a);
            assert_eq!(told(&mut peers), given_up, "after {second} s");
        }
    }
}

#[test]
fn a_peer_that_goes_away_is_asked_nothing_and_ended_when_idle() {
    let mut peers = Peers::new(1);
    let [a, b, c] = [1, 2, 3].map(PeerId::new);
    for peer in [a, b, c] {
        peers.up(peer);
    }
    for peer in [a, b] {
        assert_eq!(assign(&mut peers, |_| true), Some(peer));
    }
    for peer in [a, c, c, PeerId::new(9)] {
        peers.going_away(peer);
    }
    assert_eq!(told(&mut peers), Some(c), "nothing is open there");
    assert_eq!(told(&mut peers), None);
    for _ in 0..3 {
        assert_eq!(assign(&mut peers, |_| true), Some(b));
    }
    peers.release(a);
    assert_eq!(told(&mut peers), Some(a));
    peers.going_away(b);
    assert_eq!(assign(&mut peers, |_| true), None, "nobody is left");
    peers.down(b);
    for _ in 0..4 {
        peers.release(b);
    }
    assert_eq!(told(&mut peers), None, "it is gone already");
    peers.up(PeerId::new(4));
    assert_eq!(assign(&mut peers, |_| true), Some(PeerId::new(4)));
}

#[test]
fn what_a_peer_says_that_goes_away_keeps_no_other() {
    let (mut peers, now) = (Peers::new(1), epoch());
    let [a, b] = [1, 2].map(PeerId::new);
    peers.up(a);
    peers.up(b);
    assert_eq!(assign(&mut peers, |_| true), Some(a));
    peers.going_away(a);
    assert_eq!(peers.assign(Some(now), |_| true), Some(b));
    peers.heard(now + LONGEST, a);
    peers.lost_by_silence(b, now + LONGEST, LONGEST);
    assert_eq!(told(&mut peers), Some(b));
}

#[test]
fn a_lone_peer_is_known_to_be_there_by_whatever_is_heard_of_it() {
    let (mut peers, start, a) = (Peers::new(1), epoch(), PeerId::new(1));
    let at = |after| start + Duration::from_secs(after);
    peers.up(a);
    peers.assign(Some(at(0)), |_| true);
    peers.heard(at(5), a);
    peers.lost_by_silence(a, at(10), LONGEST);
    peers.release(a);
    assert_eq!(told(&mut peers), None, "it has forgotten one call, no more");
    // Calls that are given three seconds each.
    for (asked, useless) in [(100, None), (103, None), (106, None), (109, Some(a))] {
        peers.assign(Some(at(asked)), |_| true);
        peers.lost_by_timeout(a, at(asked + 3), LONGEST, false);
        peers.release(a);
        assert_eq!(told(&mut peers), useless, "{asked}");
    }
    // Two of which one is slow, where nothing is to be heard of it before its answer.
    peers.down(a);
    peers.up(a);
    for asked in [200, 215, 230] {
        peers.assign(Some(at(200)), |_| true);
        peers.assign(Some(at(asked)), |_| true);
        peers.lost_by_timeout(a, at(asked + 15), LONGEST, true);
        peers.release(a);
        assert_eq!(told(&mut peers), None);
    }
}

#[test]
fn a_peer_that_is_told_of_anew_stays_with_the_calls_that_it_has() {
    let mut peers = Peers::new(1);
    let [a, b] = [1, 2].map(PeerId::new);
    peers.up(a);
    assert_eq!(assign(&mut peers, |_| true), Some(a));
    peers.going_away(a);
    peers.up(a);
    peers.up(b);
    assert_eq!(assign(&mut peers, |_| true), Some(b), "the first one has a call already");
    peers.release(a);
    assert_eq!(told(&mut peers), None, "it goes no more");
    assert_eq!(assign(&mut peers, |_| true), Some(a));
}

#[test]
fn a_connection_is_to_be_ended_once_whatever_the_reasons() {
    let mut peers = Peers::new(1);
    let (a, start) = (PeerId::new(1), epoch());
    peers.up(a);
    peers.assign(Some(start), |_| true);
    peers.lost_by_silence(a, start + LONGEST, LONGEST);
    peers.release(a);
    peers.going_away(a);
    assert_eq!([told(&mut peers), told(&mut peers)], [Some(a), None], "silent, idle and going");
}
