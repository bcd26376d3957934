//! Calls to any peer, and peers that go while something waits for them.

use std::time::Duration;

use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, DEFAULT_HEARTBEAT, PeerEvent, PeerId, Route, Target,
};
use zerorpc_tests::world::{
    raw_event::{RawEvent, read},
    test_session::TestSession,
};

const PEER: PeerId = PeerId::new(1);

fn client_of(peers: u64) -> TestSession {
    let mut client = TestSession::new(Config::client(1));
    for peer in 1..=peers {
        let now = client.now();
        client.session.handle_peer_event(now, PeerEvent::Up(PeerId::new(peer)));
    }
    client
}

fn open(client: &mut TestSession) -> CallId {
    let now = client.now();
    let options = CallOptions::new().timeout(Duration::from_secs(1));
    client.session.open(now, Target::Any, "f", Args::NONE, &options).expect("few calls")
}

#[test]
fn a_call_that_is_over_counts_for_no_peer() {
    let mut client = client_of(1);
    let over = open(&mut client);
    let later = client.now() + Duration::from_secs(2);
    client.session.handle_timeout(later);
    assert_eq!(client.session.poll_transmit(), None, "it timed out before it was sent");
    client.session.handle_peer_event(later, PeerEvent::Up(PeerId::new(2)));
    open(&mut client);
    let first = client.session.poll_transmit().expect("a request");
    assert_eq!(first.to, PEER, "the one that has waited longest, both having no calls");
    assert!(matches!(client.recv(over), Some(Answer::Lost(_))));
}

#[test]
fn congestion_ends_with_its_connection() {
    let mut server = TestSession::new(Config::server(1));
    let now = server.now();
    let route = Route { peer: PEER, identity: None };
    server.session.handle_peer_event(server.now(), PeerEvent::Congested(route, 0));
    let held = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    server.serve(held).reply(Args::NIL).expect("no stream has begun");
    assert_eq!(server.session.poll_transmit(), None, "held back");
    server.session.handle_peer_event(now, PeerEvent::Down(PEER, "gone".into()));
    assert_eq!(server.session.open_channels(), 0);
    let id = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    server.serve(id).reply(Args::NIL).expect("no stream has begun");
    assert!(server.session.poll_transmit().is_some(), "what is gone is not congested");
}

#[test]
fn a_returned_request_is_sent_once_more_and_answered_there() {
    let mut client = client_of(2);
    let call = open(&mut client);
    let request = client.session.poll_transmit().expect("a request");
    let (now, gone) = (client.now(), request.to);
    let id = read(&request).header.message_id.expect("requests have an id");
    client
        .session
        .handle_peer_event(now, PeerEvent::Returned(request.token.expect("it may come back")));
    client.session.handle_peer_event(now, PeerEvent::Down(gone, "gone".into()));
    let again = client.session.poll_transmit().expect("the request again");
    assert_eq!(
        (again.payload.to_bytes(), client.session.poll_transmit()),
        (request.payload.to_bytes(), None)
    );
    assert_ne!(again.to, gone);
    let id = Value::Binary(id.content().to_vec());
    let answer = RawEvent::on(id, "OK", Value::Array(vec![Value::Nil]));
    client.hear(gone, &answer).expect("nobody's");
    assert_eq!(client.recv(call), None);
    client.hear(again.to, &answer).expect("an answer");
    assert_eq!(client.recv(call), Some(Answer::Value(Args::NIL)));
    assert_eq!(client.session.open_channels(), 0);
}

/// A transport may tell of the end of a connection before what was still to be read from it.
#[test]
fn what_is_heard_after_the_end_of_a_connection_keeps_no_call_open() {
    let mut client = client_of(1);
    let (now, options) = (client.now(), CallOptions::new().timeout(None));
    let call = client.session.open(now, Target::Any, "f", Args::NONE, &options).expect("one call");
    let request = client.session.poll_transmit().expect("a request");
    let id = read(&request).header.message_id.expect("requests have an id");
    let id = Value::Binary(id.content().to_vec());
    client.session.handle_peer_event(now, PeerEvent::Down(PEER, "gone".into()));
    client.hear(PEER, &RawEvent::on(id, "STREAM", 7.into())).expect("an item");
    assert_eq!(client.recv(call), Some(Answer::Item(Args::encode(&7).expect("a number"))));
    assert!(matches!(client.recv(call), Some(Answer::Lost(_))), "nothing more can come");
    assert_eq!(client.session.open_channels(), 0);
}

#[test]
fn a_returned_request_of_any_size_is_sent_again() {
    let limits = zerorpc_proto::Limits::default().message_bytes(1000);
    let mut client = TestSession::new(Config::client(1).limits(limits));
    let now = client.now();
    client.session.handle_peer_event(now, PeerEvent::Up(PEER));
    let large = Args::encode_params(&("x".repeat(5000),)).expect("a text");
    let options = CallOptions::default();
    client.session.open(now, Target::Any, "f", large, &options).expect("few calls");
    let request = client.session.poll_transmit().expect("a request");
    client
        .session
        .handle_peer_event(now, PeerEvent::Returned(request.token.expect("it may come back")));
    let again = client.session.poll_transmit().map(|again| again.payload);
    assert_eq!(again, Some(request.payload), "limits are for what peers send");
}

#[test]
fn a_route_may_be_congested_again_and_again() {
    let mut server = TestSession::new(Config::server(1));
    let id = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    server.hear(PEER, &RawEvent::grant("id", 100)).expect("credit");
    let route = Route { peer: PEER, identity: None };
    for _ in 0..3 {
        server.session.handle_peer_event(server.now(), PeerEvent::Congested(route.clone(), 0));
        server.serve(id).send(Args::NIL).expect("credit");
        server.settle();
        assert_eq!(server.take_names(), [""; 0], "held back");
        server.session.handle_peer_event(server.now(), PeerEvent::Drained(route.clone()));
        server.settle();
        assert_eq!(server.take_names(), ["STREAM"]);
    }
}

/// Opens a call to anybody that only silence ends.
fn open_patiently(client: &mut TestSession) {
    let now = client.now();
    let options = CallOptions::new().timeout(None);
    client.session.open(now, Target::Any, "f", Args::NONE, &options).expect("few calls");
    client.settle();
}

/// The next connection to be ended.
fn ended(test_session: &mut TestSession) -> Option<PeerId> {
    test_session.session.poll_disconnect().map(|(peer, _)| peer)
}

fn happens(client: &mut TestSession, event: PeerEvent) {
    let now = client.now();
    client.session.handle_peer_event(now, event);
    client.settle();
}

#[test]
fn a_connection_that_has_died_is_told_of_with_the_first_call_that_is_lost() {
    let mut client = client_of(1);
    open_patiently(&mut client);
    client.pass(DEFAULT_HEARTBEAT);
    assert_eq!(ended(&mut client), None, "it may still be answered");
    open_patiently(&mut client);
    client.pass(DEFAULT_HEARTBEAT);
    assert_eq!(ended(&mut client), Some(PEER));
    assert_eq!(ended(&mut client), None, "it is told once");
    happens(&mut client, PeerEvent::Down(PEER, "gone".into()));
    happens(&mut client, PeerEvent::Up(PeerId::new(2)));
    client.sent.clear();
    open_patiently(&mut client);
    assert_eq!(requested(&mut client), [2]);
}

#[test]
fn a_peer_that_is_heard_of_keeps_its_connection() {
    for (peers, at, kept) in [(1, 1, true), (2, 1, false), (2, 3, true)] {
        let mut client = client_of(peers);
        open_patiently(&mut client);
        for interval in 1..=2 {
            client.pass(DEFAULT_HEARTBEAT);
            if interval == at {
                client.hear(PEER, &RawEvent::beat("nobody's")).expect("late, but sound");
            }
        }
        if at == 3 {
            client.hear(PEER, &RawEvent::beat("nobody's")).expect("late, but sound");
        }
        assert_eq!(client.session.open_channels(), 1, "the loss is to be read");
        // Of one among many it is not remembered when it was heard, and making a connection anew does no harm to a
        // peer without calls.
        let told = ended(&mut client);
        assert_eq!(told, if kept { None } else { Some(PEER) }, "{peers} peers, heard at {at}");
    }
}

#[test]
fn servers_are_told_of_no_callers() {
    let mut server = TestSession::new(Config::server(1));
    happens(&mut server, PeerEvent::Up(PEER));
    server.request(PEER, &RawEvent::request("id", "f", vec![]));
    server.hear(PEER, &RawEvent::beat("id")).expect("a beat");
    server.pass(4 * DEFAULT_HEARTBEAT);
    assert_eq!(server.session.open_channels(), 0);
    assert_eq!(ended(&mut server), None);
}

/// Receivers of the requests so far.
fn requested(client: &mut TestSession) -> Vec<u64> {
    let requests = client.sent.drain(..).filter(|sent| sent.event.name == *"f");
    requests.map(|sent| sent.to.number().expect("a name")).collect()
}

#[test]
fn who_waits_for_room_takes_a_silent_peer_when_no_other_is_left() {
    const SECOND: PeerId = PeerId::new(2);
    type Event = fn(&mut TestSession);
    let cases: [(&str, Event); 2] = [
        ("it goes", |client| {
            client.session.handle_peer_event(client.now(), PeerEvent::Down(SECOND, "gone".into()));
        }),
        ("it falls silent", |client| client.pass(2 * DEFAULT_HEARTBEAT)),
    ];
    for (what, event) in cases {
        let mut client = client_of(2);
        open_patiently(&mut client);
        client.pass(DEFAULT_HEARTBEAT);
        open_patiently(&mut client);
        assert_eq!(requested(&mut client), [1, 2]);
        client.pass(DEFAULT_HEARTBEAT);
        // By now the first peer has lost its call by its silence.
        client.session.handle_peer_event(
            client.now(),
            PeerEvent::Congested(Route { peer: SECOND, identity: None }, 0),
        );
        open_patiently(&mut client);
        assert_eq!(requested(&mut client), [0; 0], "{what}: the second one will have room again");
        event(&mut client);
        client.settle();
        assert_eq!(requested(&mut client), [1], "{what}");
    }
}

/// What a call said while its route was congested was said to a peer that it has left since.
#[test]
fn a_call_that_has_gone_to_another_peer_beats_there() {
    let mut client = client_of(1);
    let now = client.now();
    let (first, second) = (PEER, PeerId::new(2));
    let call = client.session.open(now, Target::Any, "f", Args::NONE, &CallOptions::default());
    let call = call.expect("few calls");
    client.settle();
    let congest = |client: &mut TestSession, peer| {
        let event = PeerEvent::Congested(Route::from(peer), 0);
        client.session.handle_peer_event(client.now(), event);
    };
    let beats_to = |client: &mut TestSession, peer| {
        let beats =
            client.sent.drain(..).filter(|sent| sent.to == peer && sent.event.name == *"_zpc_hb");
        beats.count()
    };
    congest(&mut client, first);
    client.pass(DEFAULT_HEARTBEAT);
    assert_eq!(beats_to(&mut client, first), 1, "one beat goes all the same");
    client.session.handle_peer_event(now, PeerEvent::Up(second));
    client.session.handle_peer_event(client.now(), PeerEvent::Gone(first));
    client.session.handle_peer_event(client.now(), PeerEvent::Down(first, "gone".into()));
    client.settle();
    assert_eq!(client.session.call(call).and_then(|call| call.peer()), Some(second));
    congest(&mut client, second);
    client.pass(DEFAULT_HEARTBEAT);
    assert_eq!(beats_to(&mut client, second), 1, "one goes here as well");
}
