//! How much of what a link carries a stream gets, and how far its producer is ahead (protocol section 6).

use std::{collections::VecDeque, time::Duration};

use rmpv::Value;
use zerorpc_proto::{Answer, CallId, CallOptions, Config, Limits, Loss, PeerEvent, PeerId};
use zerorpc_tests::world::{
    LinkProfile, NodeId, World, epoch,
    manner::Manner,
    prng::Prng,
    raw_event::{RawEvent, value},
    task::Task,
    test_session::TestSession,
};

const PEER: PeerId = PeerId::new(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A link with such a round trip, that carries a thousand messages a second.
fn link(round_trip: Duration) -> LinkProfile {
    LinkProfile { latency: round_trip / 2, per_message: MILLISECOND, ..LinkProfile::default() }
}

/// The most that servers may be ahead that may drop items.
const MOST_UNCERTAIN: u64 = 500;

const CARRIED: u64 = 1000;

/// A client, and a server that makes items as fast as they are taken.
fn world(profile: LinkProfile) -> (World, NodeId, NodeId) {
    let mut world = World::new(Prng::new());
    let server = world.add_server(Config::server(1), false);
    let client = world.add_client(Config::client(2), false);
    world.connect(client, server, profile);
    (world, client, server)
}

/// How long it takes to read so many items.
fn time_of(profile: &LinkProfile, items: u64, ahead: bool, jolts: bool) -> Duration {
    let (mut world, client, _) = world(profile.clone());
    let manner = Manner { ahead, ..Manner::default() };
    world.call(client, Task::Items(items), manner);
    while world.client(client).is_busy() {
        world.pass(SECOND / 5);
        if jolts {
            let time = Duration::from_millis(world.prng.below(20));
            world.stall(client, time);
        }
    }
    let outcome = &world.client(client).outcomes[0];
    assert_eq!(outcome.got, outcome.task.answers(outcome.token));
    world.clock()
}

#[test]
fn a_stream_gets_what_its_link_carries() {
    for (milliseconds, carried) in [(50, CARRIED), (200, CARRIED), (50, 20 * CARRIED)] {
        for (jitter, jolts) in [(0, false), (10, true)] {
            // In a hurry, what comes in the wrong order or late weighs more than any window.
            if jolts && carried > CARRIED {
                continue;
            }
            let per_message = SECOND / u32::try_from(carried).expect("a small number");
            let profile = LinkProfile { per_message, ..link(milliseconds * MILLISECOND) };
            let profile = LinkProfile { jitter: jitter * MILLISECOND, ..profile };
            for ahead in [false, true] {
                let items = (5_000 * carried / CARRIED) as f64;
                let [some, more] =
                    [3_000, 8_000].map(|n| time_of(&profile, n * carried / CARRIED, ahead, jolts));
                let carried = carried as f64 * (more - some).as_secs_f64();
                // Of the time with jolts, a twentieth is lost on the average.
                let share = if jolts { 0.85 } else { 0.9 };
                let found = items / carried;
                assert!(found > share, "{found:.2} with {milliseconds} ms, {jitter} ms of jitter");
            }
        }
    }
}

#[test]
fn a_stream_after_a_cut_is_as_fast_as_the_one_before() {
    let profile = link(50 * MILLISECOND);
    let (mut world, client, server) = world(profile.clone());
    for _ in 0..4 {
        world.call(client, Task::Items(1_000_000), Manner::default());
        world.pass(10 * SECOND);
        world.cut(client);
        world.pass(SECOND);
        let outcome = world.client(client).outcomes.last().expect("the stream has ended").clone();
        assert!(matches!(outcome.got.last(), Some(Answer::Lost(Loss::Disconnected { .. }))));
        let items = outcome.got.len() as u64;
        assert!(items * 10 > 10 * CARRIED * 9, "{items} of {}", 10 * CARRIED);
        assert!(world.sessions().all(|session| session.retained_bytes() == 0));
        world.connect(client, server, profile.clone());
    }
}

/// A server of another make, on the other side of a link.
struct ForeignStream {
    call: CallId,
    id: Value,
    /// What is granted replaces what there is.
    assigns: bool,
    credit: u64,
    sent: u64,
    read: u64,
    /// When they arrive, in milliseconds.
    items: VecDeque<u64>,
    grants: VecDeque<(u64, u64)>,
}

/// A client of ours, streams from foreign servers, and links that carry an item of each every millisecond.
struct Foreigners {
    client: TestSession,
    streams: Vec<ForeignStream>,
    clock: u64,
    /// On the way there or back.
    trip: u64,
    item: Value,
    /// A reader looks for an item once in so many milliseconds, or never.
    reads: Option<u64>,
}

impl Foreigners {
    /// Servers of which it is known that nothing drops what they send ahead.
    fn new(assigns: impl IntoIterator<Item = bool>, round_trip: u64, limits: Limits) -> Self {
        let mut foreigners = Self::uncertain(assigns, round_trip, limits);
        let session = &mut foreigners.client.session;
        session.handle_peer_event(epoch(), PeerEvent::Lossless(PEER));
        foreigners
    }

    fn uncertain(assigns: impl IntoIterator<Item = bool>, round_trip: u64, limits: Limits) -> Self {
        let mut client = TestSession::new(Config::client(1).heartbeat(None).limits(limits));
        let mut open = |assigns| {
            let (call, id) = client.open(PEER, &CallOptions::new());
            let (items, grants) = (VecDeque::new(), VecDeque::new());
            ForeignStream { call, id, assigns, credit: 1, sent: 0, read: 0, items, grants }
        };
        let streams = assigns.into_iter().map(&mut open).collect();
        let (trip, item) = (round_trip / 2, Value::from(7));
        Self { client, streams, clock: 0, trip, item, reads: Some(1) }
    }

    fn run(&mut self, time: Duration) {
        let end = self.clock + time.as_millis() as u64;
        while self.clock < end {
            self.clock += 1;
            self.client.pass(MILLISECOND);
            for at in 0..self.streams.len() {
                self.step(at);
            }
        }
    }

    fn step(&mut self, at: usize) {
        let stream = &mut self.streams[at];
        while let Some((_, more)) = stream.grants.pop_front_if(|(due, _)| *due <= self.clock) {
            stream.credit = if stream.assigns { more } else { stream.credit + more };
        }
        if stream.credit > 0 {
            (stream.credit, stream.sent) = (stream.credit - 1, stream.sent + 1);
            stream.items.push_back(self.clock + self.trip);
        }
        while stream.items.pop_front_if(|due| *due <= self.clock).is_some() {
            let item = RawEvent::on(stream.id.clone(), "STREAM", self.item.clone());
            self.client.hear(PEER, &item).expect("within its credit");
        }
        if self.reads.is_none_or(|pace| !self.clock.is_multiple_of(pace)) {
            return;
        }
        while let Some(answer) = self.client.recv(stream.call) {
            assert!(matches!(answer, Answer::Item(_)), "{answer:?}");
            stream.read += 1;
            if self.reads != Some(1) {
                break;
            }
        }
        for sent in self.client.sent.drain(..).filter(|sent| sent.event.name == *"_zpc_more") {
            let args = value(&sent.event.args);
            let more = args.as_array().and_then(|args| args[0].as_u64()).expect("a grant");
            stream.grants.push_back((self.clock + self.trip, more));
        }
    }

    fn ahead(&self, at: usize) -> u64 {
        self.streams[at].sent - self.streams[at].read
    }
}

#[test]
fn a_foreign_server_is_let_send_what_its_link_carries() {
    for assigns in [false, true] {
        for round_trip in [50, 200] {
            let mut foreigners = Foreigners::new([assigns], round_trip, Limits::default());
            foreigners.run(10 * SECOND);
            let before = foreigners.streams[0].read;
            foreigners.run(10 * SECOND);
            let read = foreigners.streams[0].read - before;
            let carried = 10 * CARRIED;
            assert!(read * 10 >= carried * 9, "{read}, assigns: {assigns}, {round_trip} ms");
        }
    }
}

#[test]
fn a_server_that_may_drop_items_is_let_send_few_ahead() {
    for (are_lossless, most) in [(false, MOST_UNCERTAIN + 1), (true, 10_001)] {
        let new = if are_lossless { Foreigners::new } else { Foreigners::uncertain };
        let mut foreigners = new([false], 4000, Limits::default());
        let mut most_seen = 0;
        for _ in 0..600 {
            foreigners.run(SECOND / 10);
            most_seen = most_seen.max(foreigners.ahead(0));
        }
        assert!(most_seen <= most, "{most_seen} ahead");
        assert!(most_seen > 2 * 101, "{most_seen} ahead: it has not grown");
        assert_eq!(most_seen > MOST_UNCERTAIN + 1, are_lossless);
    }
}

#[test]
fn a_reader_that_becomes_slow_slows_its_server_whatever_it_is() {
    // A window is never smaller than twice what may be lost by who forgets what it had.
    for (assigns, most) in [(false, 101), (true, 5001)] {
        let mut foreigners = Foreigners::new([assigns], 200, Limits::default());
        foreigners.run(10 * SECOND);
        foreigners.reads = Some(25);
        foreigners.run(100 * SECOND);
        for _ in 0..100 {
            foreigners.run(SECOND / 10);
            assert!(foreigners.ahead(0) <= most, "{} ahead", foreigners.ahead(0));
        }
        foreigners.reads = None;
        foreigners.run(SECOND);
        let (ahead, sent) = (foreigners.ahead(0), foreigners.streams[0].sent);
        foreigners.run(10 * SECOND);
        assert_eq!((foreigners.ahead(0), foreigners.streams[0].sent), (ahead, sent));
        foreigners.reads = Some(1);
        foreigners.run(10 * SECOND);
        let before = foreigners.streams[0].read;
        foreigners.run(10 * SECOND);
        let read = foreigners.streams[0].read - before;
        assert!(read >= 9 * CARRIED, "{read} of {} after that, assigns: {assigns}", 10 * CARRIED);
    }
}

/// All readers stop at once, when all windows have grown.
#[test]
fn what_many_servers_may_send_has_room() {
    let item = Value::from("x".repeat(995));
    let limits = Limits::default().total_bytes(4 << 20);
    let mut foreigners = Foreigners::new((0..20).map(|at| at % 2 == 1), 200, limits);
    foreigners.item = item;
    foreigners.run(4 * SECOND);
    foreigners.reads = None;
    foreigners.run(10 * SECOND);
    assert!(foreigners.streams.iter().all(|stream| stream.items.is_empty()));
    let buffered = foreigners.client.session.buffered_bytes();
    let (first, grown) = (100 * 1000, 1 << 20);
    assert!(buffered > 10 * first + grown / 2, "{buffered}: they have not grown");
    assert!(buffered <= 20 * first + grown, "{buffered}");
    foreigners.reads = Some(1);
    foreigners.run(4 * SECOND);
    assert!(foreigners.streams.iter().all(|stream| stream.read + 300 > stream.sent));
}

#[test]
fn a_fixed_number_of_slots_stays() {
    for (slots, most) in [(10, 11), (100, 101)] {
        let mut foreigners = Foreigners::new([], 50, Limits::default());
        let (call, id) = foreigners.client.open(PEER, &CallOptions::new().slots(slots));
        let (items, grants) = (VecDeque::new(), VecDeque::new());
        let assigns = false;
        let stream =
            ForeignStream { call, id, assigns, credit: 1, sent: 0, read: 0, items, grants };
        foreigners.streams.push(stream);
        for _ in 0..100 {
            foreigners.run(SECOND / 20);
            assert!(foreigners.ahead(0) <= most, "{} ahead", foreigners.ahead(0));
        }
    }
}
