//! The parts of a window, each alone.

use super::*;

#[test]
fn credit_is_for_as_many_as_were_granted() {
    let mut credit = Credit::new();
    for (granted, available) in [(0, 1), (2, 2), (9, 9), (0, 0)] {
        credit.grant(granted);
        for _ in 0..available {
            assert!(!credit.is_empty());
            assert!(credit.take());
        }
        assert!(credit.is_empty(), "{granted} were granted, {available} taken");
        assert!(!credit.take());
    }
}

#[test]
fn as_many_may_wait_as_were_ever_granted() {
    let mut window = Window::growing(100);
    for (size, outstanding, most) in [(100, 1, 100), (100, 100, 100), (100, 300, 300)] {
        (window.size, window.outstanding) = (size, outstanding);
        assert_eq!(window.most_unread(), most);
    }
}

#[test]
fn waits_at_the_edge_are_told_from_others() {
    // How many are known to be lost; waits in milliseconds, each with how many had not come; the longest at the edge, the
    // longest other one, and how many had not come then.
    type Case<'a> = (u32, &'a [(u64, u32)], u64, u64, u32);
    let cases: [Case<'_>; 9] = [
        (0, &[(10, 0)], 10, 0, 0),
        (0, &[(10, 0), (7, 0)], 10, 0, 0),
        (5, &[(10, 0)], 10, 0, 0),
        (5, &[(10, 5)], 10, 0, 0),
        (5, &[(10, 3)], 0, 10, 3),
        (5, &[(10, 3), (7, 4)], 0, 10, 3),
        (5, &[(10, 3), (10, 4)], 0, 10, 3),
        (5, &[(7, 3), (10, 4)], 0, 10, 4),
        (5, &[(7, 3), (8, 5), (9, 0)], 9, 7, 3),
    ];
    for (lost, waits, at_edge, other, missing) in cases {
        let mut growth = Growth { lost, ..Growth::new(100, 50, epoch()) };
        for (wait, missing) in waits {
            growth.note_wait(Duration::from_millis(*wait), *missing);
        }
        let seen = (growth.longest_wait, growth.longest_other, growth.missing);
        let expected = (Duration::from_millis(at_edge), Duration::from_millis(other), missing);
        assert_eq!(seen, expected, "{lost} lost, {waits:?}");
    }
}

#[test]
fn a_grant_forgets_what_was_seen_but_not_what_is_lost() {
    let mut growth =
        Growth { lost: 5, reserved: 77, items: 3, bytes: 9, ..Growth::new(100, 50, epoch()) };
    growth.note_wait(TRIP, 3);
    growth.begin(9, epoch() + TRIP);
    assert_eq!((growth.start, growth.latest, growth.granted_at), (100, 9, epoch() + TRIP));
    assert_eq!((growth.lost, growth.reserved), (5, 77));
    assert_eq!((growth.items, growth.bytes, growth.least), (0, 0, u32::MAX));
    assert_eq!((growth.longest_other, growth.missing), (Duration::ZERO, 0));
}
