use super::*;

fn queue(mode: Mode, pool_size: usize, calls: u64) -> CallQueue {
    let mut queue = CallQueue::new(pool_size);
    queue.set_mode(mode);
    for number in 1..=calls {
        let frame = |number: u64| vec![Bytes::from(number.to_string())];
        let (given, _) = queue.push(&format!("m{number}"), Instant::now(), frame);
        assert_eq!(given, number);
    }
    queue
}

/// The numbers of all calls that the child may be given now.
fn sent(queue: &mut CallQueue) -> Vec<u64> {
    let frames = std::iter::from_fn(|| queue.send_next());
    frames.map(|frame| String::from_utf8_lossy(&frame[0]).parse().expect("a number")).collect()
}

#[test]
fn the_child_is_given_what_it_may_have() {
    let now = Instant::now();
    for (mode, pool_size, at_first) in [
        (Mode::Serial, 1024, AHEAD as u64),
        (Mode::Serial, 3, 3),
        (Mode::Threads(4), 1024, 4),
        (Mode::Threads(4), 2, 2),
        (Mode::Greenlets, 1024, 100),
        (Mode::Greenlets, 7, 7),
    ] {
        let mut queue = queue(mode, pool_size, 100);
        assert_eq!(sent(&mut queue), (1..=at_first).collect::<Vec<_>>(), "{mode:?} {pool_size}");
        let more = |queue: &mut CallQueue| sent(queue).len() as u64;
        let place = u64::from(at_first < 100);
        // One that has ended makes place for another, and so does one that streams.
        assert!(queue.end(1).is_some());
        assert_eq!(more(&mut queue), place, "{mode:?} {pool_size}");
        assert!(queue.streams(2, now).is_some());
        assert_eq!(more(&mut queue), place, "{mode:?} {pool_size}");
        // One of the event loop takes no place of plain calls, but counts as one in progress.
        queue.asynchronous(3, now);
        let is_full = pool_size as u64 == at_first;
        assert_eq!(more(&mut queue), if is_full { 0 } else { place }, "{mode:?} {pool_size}");
        if mode != Mode::Serial && pool_size > 3 {
            queue.begun(4, now);
            assert_eq!(more(&mut queue), 0, "{mode:?} {pool_size}");
        }
    }
}

#[test]
fn a_child_that_dies_takes_only_what_it_had_begun() {
    let now = Instant::now();
    for (mode, running, lost) in [
        // Of plain calls, the one that its main thread was at.
        (Mode::Serial, Some(3), 3),
        (Mode::Serial, Some(1), 2),
        (Mode::Serial, None, 2),
        // Those that it has said it had begun.
        (Mode::Threads(8), None, 3),
        (Mode::Greenlets, Some(5), 3),
    ] {
        let mut queue = queue(mode, 1024, 10);
        assert_eq!(sent(&mut queue).len(), if mode == Mode::Threads(8) { 8 } else { 10 });
        queue.streams(1, now);
        queue.asynchronous(2, now);
        if mode != Mode::Serial {
            queue.begun(3, now);
        }
        assert_eq!(queue.take_begun(running).len(), lost, "{mode:?} {running:?}");
        let left: Vec<u64> = (1..=10).filter(|number| queue.mailbox(*number).is_some()).collect();
        assert_eq!(left.len(), 10 - lost);
        assert_eq!(queue.wanted(), left.len());
        // In their order, before those that come later.
        queue.push("later", now, |_| vec![Bytes::from("11")]);
        let again = sent(&mut queue);
        assert!(left.starts_with(&again[..again.len().min(left.len())]), "{again:?}");
    }
}

#[test]
fn cancelled_calls_are_never_sent() {
    let mut queue = queue(Mode::Threads(1), 1024, 3);
    assert_eq!(sent(&mut queue), [1]);
    assert!(matches!(queue.cancel(2), Cancelled::Removed(_)));
    assert!(matches!(queue.cancel(2), Cancelled::Ended));
    assert!(matches!(queue.cancel(1), Cancelled::ByChild));
    assert_eq!(queue.wanted(), 1);
    assert!(queue.end(1).is_some());
    assert_eq!(sent(&mut queue), [3]);
    assert!(queue.end(3).is_some());
    assert!(queue.end(3).is_none());
    assert!(!queue.has_unbegun());
    assert_eq!(queue.wanted(), 0);
}

#[test]
fn calls_that_have_waited_for_too_long_are_taken_out() {
    let mut queue = queue(Mode::Serial, 1024, 2);
    let between = Instant::now();
    queue.push("later", between + Duration::from_secs(1), |_| vec![Bytes::from("3")]);
    assert_eq!(queue.take_waiting(Some(between)).len(), 2);
    assert_eq!(queue.take_waiting(Some(between)).len(), 0);
    assert_eq!(sent(&mut queue), [3]);
    assert_eq!(queue.take_waiting(None).len(), 0);
}

#[test]
fn only_what_was_not_begun_is_taken_back() {
    let now = Instant::now();
    let mut queue = queue(Mode::Serial, 1024, 40);
    assert_eq!(sent(&mut queue).len(), AHEAD);
    let (waiting, ahead) = queue.withdraw(Some(1));
    assert_eq!((waiting.len(), ahead.len()), (40 - AHEAD, AHEAD - 1), "one runs");
    assert!(!queue.is_withdrawn(1) && queue.is_withdrawn(2) && queue.is_withdrawn(3));
    // They began before the child heard of it.
    queue.asynchronous(2, now);
    queue.streams(3, now);
    assert!(!queue.is_withdrawn(2) && !queue.is_withdrawn(3));
    for mode in [Mode::Threads(40), Mode::Greenlets] {
        let mut queue = self::queue(mode, 30, 40);
        assert_eq!(sent(&mut queue).len(), 30);
        let (waiting, ahead) = queue.withdraw(None);
        assert_eq!((waiting.len(), ahead.len()), (10, 0), "what was sent has begun");
    }
}

#[test]
fn a_jam_names_what_runs() {
    /// What is too long for calls to wait; no time passes here.
    const TOO_LONG: Duration = Duration::from_secs(5);
    let start = Instant::now();
    let late = start + 2 * TOO_LONG;
    let jam = |queue: &CallQueue, at, running| {
        queue.jam(at, TOO_LONG, running).map(|jam| (jam.method, jam.waiting))
    };
    let mut serial = queue(Mode::Serial, 1024, 3);
    sent(&mut serial);
    assert_eq!(jam(&serial, start, Some(1)), None, "nobody has waited for long");
    assert_eq!(jam(&serial, late, Some(1)), Some(("m1".to_owned(), 2)));
    assert_eq!(jam(&serial, late, None), None, "nothing runs");
    // A stream may be what the others wait for.
    serial.streams(2, start);
    assert_eq!(jam(&serial, late, Some(2)), Some(("m2".to_owned(), 2)));

    let mut threads = queue(Mode::Threads(2), 1024, 5);
    sent(&mut threads);
    threads.begun(2, start);
    threads.begun(1, start + TOO_LONG);
    assert_eq!(jam(&threads, late, None), Some(("m2".to_owned(), 3)));
    assert_eq!(jam(&queue(Mode::Serial, 1024, 0), late, None), None);
}
