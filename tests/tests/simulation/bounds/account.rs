//! What waits in the session and in the transport is one peer's: it has one account.

use zerorpc_proto::{PeerEvent, PeerMisbehaved};

use super::{GREEDY, KILOBYTE, drain, request, requested, route, run, server};

#[test]
fn what_waits_in_the_transport_counts_until_there_is_room() {
    let mut server = server(80 * KILOBYTE, 1 << 30);
    let full = PeerEvent::Congested(route(GREEDY), 30 * KILOBYTE);
    server.session.handle_peer_event(server.now(), full);
    let first = server.request(GREEDY, &request(0, 1));
    assert_eq!(run(&mut server, [first], 1), 1);
    // The account is there now, and the transport says again how much waits there when it is handed a beat.
    let full = PeerEvent::Congested(route(GREEDY), 30 * KILOBYTE);
    server.session.handle_peer_event(server.now(), full);
    let ids: Vec<_> = (1..20).map(|id| server.request(GREEDY, &request(id, 1))).collect();
    assert_eq!(run(&mut server, ids, 6 * KILOBYTE), 2, "to half of what may be kept");
    let crowded = server.session.crowded_routes();
    let [(_, bytes)] = crowded[..] else { panic!("one is crowded: {crowded:?}") };
    assert!((42 * KILOBYTE..44 * KILOBYTE).contains(&bytes), "{bytes}");
    requested(&mut server);
    drain(&mut server);
    let mut answered = 3;
    assert_eq!(server.take_names().len(), answered);
    while answered < 20 {
        let again = requested(&mut server);
        assert!(!again.is_empty(), "those that wait are told of");
        answered += run(&mut server, again, 6 * KILOBYTE);
        server.take_names();
    }
    assert!(server.session.crowded_routes().is_empty());
}

/// As where no answer has left the session, and all wait in the transport.
#[test]
fn room_in_the_transport_alone_lets_requests_go_on() {
    let mut server = server(80 * KILOBYTE, 1 << 30);
    let ids: Vec<_> = (0..7).map(|id| server.request(GREEDY, &request(id, 8 * KILOBYTE))).collect();
    requested(&mut server);
    let full = PeerEvent::Congested(route(GREEDY), 30 * KILOBYTE);
    server.session.handle_peer_event(server.now(), full);
    assert_eq!(run(&mut server, ids.clone(), 1), 0, "all that may be kept is");
    let refused = server.hear(GREEDY, &request(7, KILOBYTE));
    assert!(matches!(refused, Err(PeerMisbehaved::TooManyBytes(_))), "{refused:?}");
    assert_eq!(server.session.crowded_routes().len(), 1, "as long as it does not read");
    drain(&mut server);
    assert_eq!(server.session.crowded_routes(), []);
    // So many as there is room for, as they came and as methods take them.
    assert_eq!(requested(&mut server), ids[..1]);
}

#[test]
fn one_answer_in_the_transport_may_be_of_any_size() {
    let mut server = server(80 * KILOBYTE, 1 << 30);
    let id = server.request(GREEDY, &request(0, 1));
    let full = PeerEvent::Congested(route(GREEDY), 1000 * KILOBYTE);
    server.session.handle_peer_event(server.now(), full);
    assert_eq!(run(&mut server, [id], 1), 1, "small ones behind it are run");
    assert_eq!(server.session.crowded_routes(), []);
    server.hear(GREEDY, &request(1, 30 * KILOBYTE)).expect("half is for requests");
}

/// Many small requests take more than what they carry.
#[test]
fn open_requests_count() {
    let mut server = server(80 * KILOBYTE, 1 << 30);
    let refused = (0..1000).find(|id| server.hear(GREEDY, &request(*id, 1)).is_err());
    assert!(refused.is_some_and(|refused| (100..130).contains(&refused)), "{refused:?}");
}
