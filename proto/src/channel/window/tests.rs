mod parts;

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { items: 10_000, bytes: 4 << 20, room: 1 << 28 };
const TRIP: Duration = Duration::from_millis(50);

/// An instant to count from, as good as any.
#[expect(clippy::disallowed_methods, reason = "tests count from some instant")]
fn epoch() -> Instant {
    static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *EPOCH
}

/// Asks while so many wait.
fn ask(window: &mut Window, waiting: usize, now: Option<Instant>, bounds: Bounds) -> Option<u32> {
    let more = window.is_grant_due().then(|| window.next_grant(waiting, now, bounds)).flatten();
    window.ask(waiting, now);
    more
}

#[test]
fn grants_are_the_references() {
    for mut window in [Window::fixed(100), Window::growing(100)] {
        let mut grants = Vec::new();
        for item in 0..300 {
            // The next item is there whenever it is asked for.
            if let Some(more) = ask(&mut window, 1, Some(epoch()), BOUNDS) {
                grants.push((item, more));
            }
            window.arrived(Some(epoch()));
            window.consume(10);
        }
        assert_eq!(grants[..4], [(1, 100), (52, 51), (103, 51), (154, 51)]);
    }
}

#[test]
fn a_window_of_one_moves() {
    let mut window = Window::fixed(1);
    let ask = |window: &mut Window| ask(window, 0, Some(epoch()), BOUNDS);
    assert_eq!(ask(&mut window), None);
    for _ in 0..3 {
        window.consume(10);
        assert_eq!(ask(&mut window), Some(1));
        assert_eq!(ask(&mut window), None);
    }
}

/// A sender, a path in both directions, and a reader, in microseconds.
struct Stream {
    window: Window,
    bounds: Bounds,
    /// Grants are set, not added.
    assigns: bool,
    credit: u64,
    /// How long the sender makes an item, and the reader takes over one.
    pace: u64,
    reading: u64,
    /// How long an item is on its way, and a grant back.
    trip: Duration,
    /// How much of that is left of each.
    items: VecDeque<u64>,
    grants: VecDeque<(u64, u64)>,
    inbox: usize,
    sent: u64,
    read: u64,
    weight: usize,
    next: u64,
    next_read: u64,
    clock: u64,
    /// The most that was ahead of the reader.
    ahead: u64,
}

impl Stream {
    fn new(assigns: bool, pace: u64, reading: u64) -> Self {
        Self {
            window: Window::growing(100),
            bounds: BOUNDS,
            assigns,
            credit: 1,
            pace,
            reading,
            trip: TRIP / 2,
            items: VecDeque::new(),
            grants: VecDeque::new(),
            inbox: 0,
            sent: 0,
            read: 0,
            weight: 74,
            next: 0,
            next_read: 0,
            clock: 0,
            ahead: 0,
        }
    }

    fn now(&self) -> Instant {
        epoch() + Duration::from_micros(self.clock)
    }

    /// What happens next; false when nothing ever will.
    fn step(&mut self) -> bool {
        let can_send = (self.credit > 0).then_some(self.next);
        let can_read = (self.inbox > 0).then_some(self.next_read);
        let (grant, item) = (self.grants.front().map(|(at, _)| *at), self.items.front().copied());
        let next = [grant, can_send, item, can_read].into_iter().flatten().min();
        let Some(next) = next else { return false };
        self.clock = self.clock.max(next);
        if grant == Some(next) {
            let (_, more) = self.grants.pop_front().expect("a grant");
            self.credit = if self.assigns { more } else { self.credit + more };
            self.next = self.next.max(self.clock);
        } else if can_send == Some(next) {
            (self.credit, self.sent, self.next) =
                (self.credit - 1, self.sent + 1, next + self.pace);
            self.items.push_back(self.clock + self.trip.as_micros() as u64);
        } else if item == Some(next) {
            self.items.pop_front();
            self.window.arrived(Some(self.now()));
            if self.inbox == 0 {
                self.next_read = self.next_read.max(self.clock);
            }
            self.inbox += 1;
        } else {
            self.take();
        }
        self.ahead = self.ahead.max(self.sent - self.read);
        true
    }

    /// The reader takes an item, and asks for the next if it is not there.
    fn take(&mut self) {
        self.ask();
        self.inbox -= 1;
        self.read += 1;
        self.window.consume(self.weight);
        self.next_read = self.clock + self.reading;
        if self.inbox == 0 {
            self.ask();
        }
    }

    fn ask(&mut self) {
        let room = self.bounds.room.saturating_sub(self.window.reserved());
        let (now, bounds) = (self.now(), Bounds { room, ..self.bounds });
        if let Some(more) = ask(&mut self.window, self.inbox, Some(now), bounds) {
            self.grants.push_back((self.clock + self.trip.as_micros() as u64, u64::from(more)));
        }
    }

    /// How many items are read in so many seconds.
    fn run(&mut self, seconds: u64) -> u64 {
        let (before, end) = (self.read, self.clock + seconds * 1_000_000);
        while self.clock < end {
            assert!(
                self.step(),
                "stands still for ever after {} items: {:?}",
                self.read,
                self.window
            );
        }
        self.read - before
    }
}

#[test]
fn a_reader_that_waits_gets_what_the_path_carries() {
    for (assigns, pace) in [(false, 20), (false, 100), (false, 1000), (true, 100), (true, 1000)] {
        let mut stream = Stream::new(assigns, pace, 0);
        stream.run(5);
        let carried = 10_000_000 / pace;
        let read = stream.run(10);
        assert!(read * 10 >= carried * 9, "{read} of {carried}, adds: {}", !assigns);
        if !assigns {
            // Twice what is on its way, and as much again because it doubles.
            let most = 100.max(4 * 50_000 / pace);
            assert!(stream.ahead <= most, "{} ahead, {carried} carried", stream.ahead);
        }
    }
}

/// However many items it asks for and finds none: its server has credit all the time.
#[test]
fn a_slow_sender_is_given_no_more() {
    for pace in [2_000, 10_000, 1_000_000] {
        let mut stream = Stream::new(false, pace, 0);
        stream.run(pace / 10);
        assert_eq!(stream.window.size(), 100);
    }
}

#[test]
fn a_reader_that_becomes_slow_has_the_window_back_where_it_started() {
    for assigns in [false, true] {
        let mut stream = Stream::new(assigns, 10, 0);
        stream.run(5);
        assert_eq!(stream.window.size(), 10_000);
        stream.reading = 5_000;
        stream.run(200);
        assert_eq!(stream.window.size(), 100);
        stream.ahead = 0;
        stream.run(10);
        assert!(stream.ahead <= 101, "{} ahead", stream.ahead);
        // And back.
        stream.reading = 0;
        stream.run(5);
        assert_eq!(stream.window.size(), 10_000);
    }
}

#[test]
fn what_is_ahead_is_bounded_in_bytes() {
    for (bytes, room, most) in [(1 << 20, 1 << 28, 1048), (1 << 30, 1 << 18, 362), (0, 0, 100)] {
        let mut stream = Stream::new(false, 10, 0);
        stream.bounds = Bounds { bytes, room, ..BOUNDS };
        stream.weight = 1000;
        stream.run(5);
        assert_eq!(stream.window.size(), most);
        assert_eq!(stream.window.reserved(), (most as usize - 100) * 1000);
        assert_eq!(stream.window.close(), (most as usize - 100) * 1000);
        assert_eq!(stream.window.reserved(), 0);
    }
}

proptest! {
    /// A sender that obeys never is more than the window and one ahead, and never stalls for good.
    #[test]
    fn sender_and_receiver_agree(
        size in 1_u32..300,
        reads in prop::collection::vec(any::<bool>(), 0..2000),
    ) {
        let (mut credit, mut window) = (Credit::new(), Window::fixed(size));
        let (mut sent, mut consumed) = (0_u32, 0_u32);
        for read in reads {
            if read {
                if let Some(more) = ask(&mut window, (sent - consumed) as usize, None, BOUNDS) {
                    credit.grant(more);
                }
                if consumed < sent {
                    window.consume(10);
                    consumed += 1;
                } else {
                    prop_assert!(!credit.is_empty(), "nothing to read and nothing may be sent");
                }
            } else if credit.take() {
                sent += 1;
            }
            prop_assert!(sent - consumed <= size + 1);
        }
    }

    /// Whatever happens in whatever order, with items of any size, bounds that come and go, and a sender of either kind.
    #[test]
    fn no_window_outgrows_its_bounds_or_starves_its_sender(
        assigns in any::<bool>(),
        start in 3_u32..120,
        items in 1_u32..500,
        course in prop::collection::vec((0_u8..5, 0_u32..100, 0_usize..5_000), 0..200),
    ) {
        let mut stream = Stream::new(assigns, 0, 0);
        stream.window = Window::growing(start);
        stream.bounds = Bounds { items, bytes: 1 << 20, room: 1 << 19 };
        for (what, times, weight) in course {
            stream.weight = weight;
            for _ in 0..times {
                let before = stream.window.size();
                let is_read = what == 4;
                match what {
                    0 if stream.credit > 0 => {
                        (stream.credit, stream.sent) = (stream.credit - 1, stream.sent + 1);
                        stream.items.push_back(0);
                    }
                    1 if !stream.items.is_empty() => {
                        stream.items.pop_front();
                        stream.window.arrived(Some(stream.now()));
                        stream.inbox += 1;
                    }
                    2 => if let Some((_, more)) = stream.grants.pop_front() {
                        stream.credit = if assigns { more } else { stream.credit + more };
                    },
                    3 => stream.clock += 1 + weight as u64,
                    4 if stream.inbox > 0 => stream.take(),
                    4 => stream.ask(),
                    _ => {}
                }
                let (size, out) = (stream.window.size(), stream.window.outstanding);
                prop_assert!(size <= items.max(start) && size >= start.min(size));
                prop_assert!(stream.window.most_unread() <= items.max(start));
                prop_assert!(stream.sent - stream.read <= u64::from(out), "more is here than was granted");
                prop_assert!(size <= before || is_read, "it grows when its reader asks");
            }
        }
        // Whatever came before, all the rest comes through.
        let before = stream.read;
        for _ in 0..100 {
            while stream.inbox > 0 || !stream.items.is_empty() {
                prop_assert!(stream.step());
            }
            stream.ask();
            prop_assert!(stream.step(), "stands still for ever: {:?}", stream.window);
        }
        prop_assert!(stream.read > before);
    }

    #[test]
    fn no_credit_is_lost(grants in prop::collection::vec(any::<u32>(), 0..50)) {
        let mut credit = Credit::new();
        for more in &grants {
            credit.grant(*more);
        }
        prop_assert_eq!(credit.available, 1 + grants.into_iter().map(u64::from).sum::<u64>());
    }
}
