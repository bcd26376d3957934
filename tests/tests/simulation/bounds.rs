//! What is kept for each peer, and for all of them, is counted and bounded; what is bounded comes back.

mod account;
mod arguments;
mod chunks;
mod stalled;

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{
    Args, Config, Limits, Multipart, Notice, PeerEvent, PeerId, PeerMisbehaved, RemoteError,
    RequestId, Route, Session,
};
use zerorpc_tests::world::{
    epoch,
    raw_event::RawEvent,
    test_session::{TestSession, hear},
};

const GREEDY: PeerId = PeerId::new(1);
const NEIGHBOUR: PeerId = PeerId::new(2);
const KILOBYTE: usize = 1 << 10;

fn route(peer: PeerId) -> Route {
    Route { peer, identity: None }
}

fn server(peer_bytes: usize, total_bytes: usize) -> TestSession {
    let limits = Limits::default().peer_bytes(peer_bytes).total_bytes(total_bytes);
    TestSession::new(Config::server(1).limits(limits))
}

#[track_caller]
fn nothing_is_kept_when_all_have_gone(server: &mut TestSession) {
    let now = server.now();
    for peer in [GREEDY, NEIGHBOUR] {
        server.session.handle_peer_event(now, PeerEvent::Down(peer, "gone".into()));
    }
    server.settle();
    assert_eq!(server.session.retained_bytes(), 0);
}

fn request(id: u32, bytes: usize) -> RawEvent {
    RawEvent::request(id, "f", vec![Value::Binary(vec![7; bytes])])
}

fn answer(bytes: usize) -> Args {
    Args::encode(&"x".repeat(bytes)).expect("encodes")
}

/// Runs what may run of these requests, each with an answer of so many bytes; how many.
fn run(server: &mut TestSession, ids: impl IntoIterator<Item = RequestId>, bytes: usize) -> usize {
    let mut count = 0;
    for id in ids {
        if server.serve(id).start() {
            server.serve(id).reply(answer(bytes)).expect("no stream has begun");
            server.settle();
            server.settle();
            count += 1;
        }
    }
    count
}

/// A peer has read everything: what waits for it leaves, and what follows from that is told.
fn drain(server: &mut TestSession) {
    server.session.handle_peer_event(server.now(), PeerEvent::Drained(route(GREEDY)));
    server.settle();
    server.settle();
}

/// The requests that were told of, and are not again.
fn requested(server: &mut TestSession) -> Vec<RequestId> {
    let told = server.notices.drain(..).filter_map(|(_, notice)| match notice {
        Notice::Requested(id) => Some(id),
        _ => None,
    });
    told.collect()
}

#[test]
fn the_defaults_are_what_every_target_can_count() {
    let limits = Limits::default();
    assert_eq!((limits.peer_bytes, limits.total_bytes), (40 << 20, 1 << 30));
    for bytes in [limits.peer_bytes, limits.total_bytes, limits.message_bytes] {
        assert!(u32::try_from(bytes).is_ok_and(|bytes| bytes > 0));
    }
}

#[test]
fn requests_of_one_peer_that_wait() {
    let mut server = server(10 * KILOBYTE, 1 << 30);
    let first = server.request(GREEDY, &request(0, 4 * KILOBYTE));
    server.request(GREEDY, &request(1, 4 * KILOBYTE));
    let refused = server.hear(GREEDY, &request(2, 4 * KILOBYTE));
    assert!(matches!(refused, Err(PeerMisbehaved::TooManyBytes(8192..10_000))), "{refused:?}");
    assert_eq!(server.take_names(), ["ERR"]);
    // Whoever has nothing waiting may send what he likes.
    let large = server.request(NEIGHBOUR, &request(3, 40 * KILOBYTE));
    server.hear(NEIGHBOUR, &request(4, 1)).expect_err("one is enough");
    server.serve(large).take_args();
    server.request(NEIGHBOUR, &request(5, 1));
    server.serve(first).take_args();
    server.request(GREEDY, &request(6, 4 * KILOBYTE));
    nothing_is_kept_when_all_have_gone(&mut server);
}

#[test]
fn answers_that_pile_up_hold_requests_back_until_they_have_left() {
    let mut server = server(80 * KILOBYTE, 1 << 30);
    server.session.handle_peer_event(server.now(), PeerEvent::Congested(route(GREEDY), 0));
    let ids: Vec<_> = (0..100).map(|id| server.request(GREEDY, &request(id, 1))).collect();
    // Each is answered before the next one begins: to half of what may be kept.
    assert_eq!(run(&mut server, ids.clone(), 10 * KILOBYTE), 4);
    assert!(server.take_names().is_empty());
    let crowded = server.session.crowded_routes();
    assert_eq!(crowded.iter().map(|(route, _)| route.peer).collect::<Vec<_>>(), [GREEDY]);
    let neighbours = server.request(NEIGHBOUR, &request(0, 1));
    assert_eq!(run(&mut server, [neighbours], 10 * KILOBYTE), 1);
    assert_eq!(server.take_names(), ["OK"]);
    // It has room again, and gets all that it has asked for.
    drain(&mut server);
    let mut answered = server.take_names().len();
    assert_eq!(answered, 4);
    while answered < 100 {
        let again = requested(&mut server);
        assert!(!again.is_empty(), "those that wait are told of");
        let ran = run(&mut server, again, 10 * KILOBYTE);
        assert_eq!(server.take_names(), vec!["OK"; ran]);
        answered += ran;
    }
    assert!(server.session.crowded_routes().is_empty());
    assert_eq!((server.session.open_channels(), server.session.retained_bytes()), (0, 0));
}

#[test]
fn few_run_at_a_time_where_answers_pile_up() {
    let mut server = server(80 * KILOBYTE, 1 << 30);
    let ids: Vec<_> = (0..10).map(|id| server.request(GREEDY, &request(id, 1))).collect();
    server.session.handle_peer_event(server.now(), PeerEvent::Congested(route(GREEDY), 0));
    assert_eq!(run(&mut server, ids[..1].to_vec(), 20 * KILOBYTE), 1);
    let started = ids[1..].iter().filter(|id| server.serve(**id).start()).count();
    assert_eq!(started, 2);
    // One of them ends, another one may begin.
    server.serve(ids[1]).fail(RemoteError::new("E", ""));
    server.settle();
    assert_eq!(requested(&mut server), [ids[3]]);
    assert!(server.serve(ids[3]).start() && !server.serve(ids[4]).start());
    assert!(server.serve(ids[2]).start(), "it has started before");
}

#[test]
fn to_ask_again_changes_nothing() {
    let mut server = server(80 * KILOBYTE, 1 << 30);
    server.session.handle_peer_event(server.now(), PeerEvent::Congested(route(GREEDY), 0));
    let ids: Vec<_> = (0..7).map(|id| server.request(GREEDY, &request(id, 1))).collect();
    assert_eq!(run(&mut server, ids[..4].to_vec(), 10 * KILOBYTE), 4);
    for id in ids[4..].iter().cycle().take(3000) {
        assert!(!server.serve(*id).start());
    }
    server.session.check_invariants();
    requested(&mut server);
    drain(&mut server);
    assert_eq!(requested(&mut server), ids[4..]);
}

#[test]
fn an_answer_alone_may_be_of_any_size() {
    let mut server = server(10 * KILOBYTE, 1 << 30);
    server.session.handle_peer_event(server.now(), PeerEvent::Congested(route(GREEDY), 0));
    let id = server.request(GREEDY, &request(0, 1));
    assert_eq!(run(&mut server, [id], 100 * KILOBYTE), 1);
    assert_eq!(server.session.crowded_routes(), []);
    let more = server.request(GREEDY, &request(1, 1));
    assert_eq!(run(&mut server, [more], 1), 0, "not before that one has left");
    assert_eq!(server.session.crowded_routes().len(), 1);
    drain(&mut server);
    let again = requested(&mut server);
    assert_eq!(run(&mut server, again, 1), 1);
}

#[test]
fn large_items_wait_one_at_a_time_in_each_stream() {
    let mut server = server(100 * KILOBYTE, 1 << 30);
    let id = server.request(GREEDY, &request(0, 1));
    server.hear(GREEDY, &RawEvent::grant(0, 1000)).expect("credit");
    server.session.handle_peer_event(server.now(), PeerEvent::Congested(route(GREEDY), 0));
    let sent = (0..64).take_while(|_| server.serve(id).send(answer(20 * KILOBYTE)).is_ok()).count();
    assert_eq!(sent, 3, "to half of what may be kept");
    drain(&mut server);
    assert!(server.notices.iter().any(|(_, notice)| *notice == Notice::Writable(id)));
    server.serve(id).send(answer(20 * KILOBYTE)).expect("there is room again");
}

#[test]
fn whatever_an_answer_is_made_of_is_counted() {
    let long = "x".repeat(10 * KILOBYTE);
    let failure = RemoteError::new(&*long, &*long).with_traceback(long.clone());
    type Answer<'a> = &'a dyn Fn(&mut TestSession, RequestId);
    let cases: [(&str, usize, Answer<'_>); 3] = [
        ("a value", 10, &|server, id| {
            server.serve(id).reply(answer(10 * KILOBYTE)).expect("no stream has begun");
        }),
        ("an item", 10, &|server, id| {
            server.serve(id).send(answer(10 * KILOBYTE)).expect("there is credit");
        }),
        ("a failure", 30, &|server, id| server.serve(id).fail(failure.clone())),
    ];
    for (what, kilobytes, give) in cases {
        let mut server = server(1 << 20, 1 << 30);
        server.session.handle_peer_event(server.now(), PeerEvent::Congested(route(GREEDY), 0));
        let id = server.request(GREEDY, &request(0, 1));
        let before = server.session.retained_bytes();
        give(&mut server, id);
        server.settle();
        let more = server.session.retained_bytes() - before;
        assert!(
            (kilobytes * KILOBYTE..(kilobytes + 1) * KILOBYTE).contains(&more),
            "{what}: {more}"
        );
        let of_peer: Vec<_> = server.session.retained_by_route().collect();
        assert!(of_peer[0].1 >= more && of_peer[0].0 == route(GREEDY), "{what}: {of_peer:?}");
        let now = server.now();
        server.session.handle_peer_event(now, PeerEvent::Down(GREEDY, "gone".into()));
        server.settle();
        assert_eq!(server.session.retained_bytes(), 0, "{what}");
    }
}

#[test]
fn whoever_is_dismissed_is_told_for_each_request() {
    let mut server = server(10 * KILOBYTE, 1 << 30);
    let ids: Vec<_> = (0..3).map(|id| server.request(GREEDY, &request(id, 1))).collect();
    let other = server.request(NEIGHBOUR, &request(0, 1));
    let now = server.now();
    server.session.dismiss(now, &route(GREEDY), &RemoteError::new("ServerBusy", "too much"));
    server.settle();
    assert!(server.sent.iter().all(|sent| sent.to == GREEDY));
    assert_eq!(server.take_names(), ["ERR"; 3]);
    assert!(ids.iter().all(|id| server.session.request(*id).is_none()));
    let lost = |(_, notice): &(_, Notice)| matches!(notice, Notice::RequestLost(..));
    assert_eq!(server.notices.iter().filter(|notice| lost(notice)).count(), 3);
    server.serve(other).finish();
}

/// Nobody polls, while requests come and their callers go.
#[test]
fn notices_are_bounded_by_the_channels_that_are_open() {
    let mut session = Session::new(Config::server(1));
    let now = epoch();
    for round in 0..10_000_u32 {
        for id in 0..10 {
            let message = RawEvent::request(round * 10 + id, "f", vec![]).message();
            hear(&mut session, now, GREEDY, message).expect("a request");
        }
        session.handle_peer_event(now, PeerEvent::Down(GREEDY, "gone".into()));
        assert!(session.retained_bytes() < 64 * KILOBYTE, "{}", session.retained_bytes());
    }
    assert_eq!(session.poll_notice(), None, "nothing is left of any of them");
    let message = RawEvent::request(0, "f", vec![]).message();
    hear(&mut session, now, GREEDY, message).expect("a request");
    let Some(Notice::Requested(id)) = session.poll_notice() else { panic!("a request") };
    session.handle_peer_event(now, PeerEvent::Down(GREEDY, "gone".into()));
    assert!(matches!(session.poll_notice(), Some(Notice::RequestLost(lost, _)) if lost == id));
}

/// A producer that is turned away and told that there is room, over and over, while nobody polls.
#[test]
fn room_is_told_once_until_it_is_heard() {
    let mut session = Session::new(Config::server(1));
    let now = epoch();
    let message = RawEvent::request(0, "f", vec![]).message();
    hear(&mut session, now, GREEDY, message).expect("a request");
    let Some(Notice::Requested(id)) = session.poll_notice() else { panic!("a request") };
    for _ in 0..1000 {
        while session.request(id).expect("open").send(Args::NIL).is_ok() {}
        let grant = RawEvent::grant(0, 1).message();
        hear(&mut session, now, GREEDY, grant).expect("credit");
        while session.poll_transmit().is_some() {}
    }
    assert_eq!(session.poll_notice(), Some(Notice::Writable(id)));
    assert_eq!(session.poll_notice(), None);
}

#[test]
fn refusals_are_bounded_in_bytes_as_well() {
    let mut session = Session::new(Config::server(1));
    session.stop_accepting();
    let now = epoch();
    let envelope = || {
        let frames = vec![Bytes::from(vec![1; 60 * KILOBYTE]), Bytes::new(), Bytes::new()];
        Multipart::from_frames(None, frames).expect("frames").envelope
    };
    for id in 0..1000_u32 {
        let payload = RawEvent::request(id, "f", vec![]).payload();
        let message = Multipart { envelope: envelope(), payload };
        hear(&mut session, now, GREEDY, message).expect("no fault of his");
    }
    assert!(session.retained_bytes() <= 1 << 20, "{}", session.retained_bytes());
    let told = std::iter::from_fn(|| session.poll_transmit()).count();
    assert!((10..20).contains(&told), "{told}");
    assert_eq!(session.retained_bytes(), 0);
}

/// Nothing holds them back, and each takes along what its request came with.
#[test]
fn beats_and_refusals_with_much_to_return_do_not_leave_on_a_congested_route() {
    let mut server = TestSession::new(Config::server(1));
    let heard = |server: &mut TestSession, id: u32, bytes: usize| {
        let frames = vec![Bytes::from(vec![1; bytes]), Bytes::new(), Bytes::new()];
        let envelope = Multipart::from_frames(None, frames).expect("frames").envelope;
        let payload = RawEvent::request(id, "f", vec![]).payload();
        server.hear_message(GREEDY, Multipart { envelope, payload }).expect("no fault of his");
    };
    let congested = PeerEvent::Congested(route(GREEDY), 0);
    for (id, bytes) in [(0, 10), (1, 60 * KILOBYTE)] {
        heard(&mut server, id, bytes);
    }
    server.session.handle_peer_event(server.now(), congested.clone());
    server.pass(zerorpc_proto::DEFAULT_HEARTBEAT);
    assert_eq!(server.take_names(), ["_zpc_hb"]);
    drain(&mut server);
    assert_eq!(server.take_names(), ["_zpc_hb"], "what was due leaves now");
    server.session.stop_accepting();
    for (is_congested, told) in [(false, &["ERR", "ERR"][..]), (true, &["ERR"])] {
        if is_congested {
            server.session.handle_peer_event(server.now(), congested.clone());
        }
        heard(&mut server, 2, 10);
        heard(&mut server, 3, 60 * KILOBYTE);
        server.settle();
        assert_eq!(server.take_names(), told);
    }
}

#[test]
fn a_congested_channel_beats_once() {
    let mut server = TestSession::new(Config::server(1));
    for id in 0..10 {
        server.request(GREEDY, &request(id, 1));
    }
    server.request(NEIGHBOUR, &request(0, 1));
    server.session.handle_peer_event(server.now(), PeerEvent::Congested(route(GREEDY), 0));
    let interval = zerorpc_proto::DEFAULT_HEARTBEAT;
    let beats = |server: &mut TestSession| {
        let to = |sent: &zerorpc_tests::world::test_session::Sent| sent.to;
        let (greedy, others): (Vec<_>, Vec<_>) =
            server.sent.drain(..).partition(|sent| to(sent) == GREEDY);
        (greedy.len(), others.len())
    };
    server.pass(interval);
    assert_eq!(beats(&mut server), (10, 1));
    for _ in 0..5 {
        server.pass(interval);
        assert_eq!(beats(&mut server), (0, 1));
    }
    drain(&mut server);
    assert_eq!(beats(&mut server), (10, 0), "what was due leaves now");
    server.pass(interval);
    assert_eq!(beats(&mut server), (10, 1));
}
