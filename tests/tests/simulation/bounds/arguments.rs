//! What requests that are being answered take: arguments, as they came and as methods have them, and answers in the making.

use zerorpc_proto::{PeerEvent, RemoteError, RequestId};
use zerorpc_tests::world::test_session::TestSession;

use super::{
    GREEDY, KILOBYTE, NEIGHBOUR, answer, nothing_is_kept_when_all_have_gone, request, requested,
    server,
};

/// Starts what may run of these requests, and takes its arguments; which ones.
pub(super) fn start(server: &mut TestSession, ids: &[RequestId]) -> Vec<RequestId> {
    let started = ids.iter().filter(|id| {
        let is_started = server.serve(**id).start();
        if is_started {
            server.serve(**id).take_args();
        }
        is_started
    });
    started.copied().collect()
}

#[test]
fn arguments_count_until_their_requests_are_answered() {
    let mut server = server(160 * KILOBYTE, 1 << 30);
    let ids: Vec<_> = (0..5).map(|id| server.request(GREEDY, &request(id, 15_000))).collect();
    requested(&mut server);
    // Beyond half of what may be kept, further ones wait, small ones as well: nobody is overtaken.
    assert_eq!(start(&mut server, &ids), ids[..3]);
    let small = server.request(GREEDY, &request(5, 1));
    assert_eq!(start(&mut server, &[small, ids[3], ids[4], small]), []);
    assert!(server.session.retained_bytes() > 5 * 15_000, "what was taken is counted");
    let neighbours = server.request(NEIGHBOUR, &request(0, 1));
    assert_eq!(start(&mut server, &[neighbours]), [neighbours]);
    requested(&mut server);
    // A stream takes its arguments until it ends.
    server.serve(ids[0]).send(answer(1)).expect("there is credit");
    server.settle();
    assert_eq!(requested(&mut server), []);
    server.serve(ids[0]).finish();
    server.settle();
    assert_eq!(requested(&mut server), [ids[3]]);
    // Who comes meanwhile does not get its place.
    let late = server.request(GREEDY, &request(6, 1));
    requested(&mut server);
    assert_eq!(start(&mut server, &[late, ids[3]]), [ids[3]]);
    // All others end: there is room for all that wait, in the order in which they came.
    for id in &ids[1..4] {
        server.serve(*id).finish();
    }
    server.settle();
    let next = requested(&mut server);
    assert_eq!(next, [ids[4], small, late]);
    assert_eq!(start(&mut server, &next), next);
    nothing_is_kept_when_all_have_gone(&mut server);
}

/// What waits counts once, and what is taken twice: to take everything at once would be too much.
#[test]
fn few_arguments_are_taken_as_long_as_requests_that_wait_use_all_up() {
    let mut server = server(160 * KILOBYTE, 1 << 30);
    let ids: Vec<_> = (0..9).map(|id| server.request(GREEDY, &request(id, 15_000))).collect();
    requested(&mut server);
    let mut running = start(&mut server, &ids);
    assert_eq!(running, ids[..1]);
    // Each that ends makes room for more.
    let mut most = 0;
    for ended in 0..ids.len() {
        server.serve(running.remove(0)).finish();
        server.settle();
        let next = requested(&mut server);
        running.extend(start(&mut server, &next));
        most = most.max(running.len());
        let waiting = ids.len() - 1 - ended - running.len();
        assert!((waiting + 2 * running.len()) * 15_000 <= 160 * KILOBYTE, "{waiting} wait");
    }
    assert_eq!((running.len(), most), (0, 3));
}

/// An answer is a value and its encoded form before it waits for anybody to read it.
#[test]
fn answers_in_the_making_count_as_arguments_do() {
    let mut server = server(160 * KILOBYTE, 1 << 30);
    let ids: Vec<_> = (0..6).map(|id| server.request(GREEDY, &request(id, 1))).collect();
    requested(&mut server);
    ids.iter().for_each(|id| server.serve(*id).expect_bytes(50_000));
    // The second one makes it more than half of what may be kept.
    assert_eq!(start(&mut server, &ids), ids[..2]);
    server.serve(ids[0]).reply(answer(25_000)).expect("no stream has begun");
    server.settle();
    assert_eq!(requested(&mut server), ids[2..3]);
    assert_eq!(start(&mut server, &ids[2..3]), ids[2..3]);
    let now = server.now();
    server.session.handle_peer_event(now, PeerEvent::Down(GREEDY, "gone".into()));
    server.settle();
    server.session.check_invariants();
}

/// A request that waits for its arguments' room alone has nobody to wait for.
#[test]
fn one_is_always_answered_however_much_waits() {
    let mut server = server(10 * KILOBYTE, 1 << 30);
    let large = server.request(GREEDY, &request(0, 100 * KILOBYTE));
    let neighbours = server.request(NEIGHBOUR, &request(0, 9 * KILOBYTE));
    assert_eq!(start(&mut server, &[large, neighbours]), [large, neighbours]);
}

#[test]
fn arguments_alone_may_be_of_any_size() {
    let mut server = server(16 * KILOBYTE, 1 << 30);
    let large = server.request(GREEDY, &request(0, 100 * KILOBYTE));
    assert_eq!(start(&mut server, &[large]), [large]);
    // Others wait for it, and are not refused.
    let small: Vec<_> = (1..5).map(|id| server.request(GREEDY, &request(id, 1000))).collect();
    assert_eq!(start(&mut server, &small), []);
    requested(&mut server);
    server.serve(large).fail(RemoteError::new("E", ""));
    server.settle();
    assert_eq!(requested(&mut server), small);
    assert_eq!(start(&mut server, &small), small);
}
