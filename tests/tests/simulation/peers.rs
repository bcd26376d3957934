//! Peers of any number, known or not, and what happens to them in any order.

use std::time::Duration;

use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, HeartbeatMode, Loss, Notice, PeerEvent, PeerId,
    PeerMisbehaved, Route, Target,
};
use zerorpc_tests::world::{raw_event::RawEvent, test_session::TestSession};

/// Numbers that somebody may hold for special ones, and the peer that has none.
const PEERS: [PeerId; 5] = [
    PeerId::new(0),
    PeerId::new(1),
    PeerId::new(u64::MAX - 1),
    PeerId::new(u64::MAX),
    PeerId::NAMELESS,
];

fn down(peer: PeerId) -> PeerEvent {
    PeerEvent::Down(peer, "gone".into())
}

fn lost() -> Answer {
    Answer::Lost(Loss::Disconnected { reason: "gone".into() })
}

fn open(client: &mut TestSession, to: impl Into<Target>) -> CallId {
    let now = client.now();
    client.session.open(now, to, "f", Args::NONE, &CallOptions::default()).expect("few calls")
}

fn happens(side: &mut TestSession, event: PeerEvent) {
    let now = side.now();
    side.session.handle_peer_event(now, event);
}

#[test]
fn every_number_is_a_peer_like_others() {
    for (place, peer) in PEERS.into_iter().enumerate() {
        assert!(PEERS[..place].iter().all(|other| *other != peer), "{peer}");
        let mut client = TestSession::new(Config::client(1));
        let call = open(&mut client, peer);
        assert_eq!(client.session.poll_transmit().map(|transmit| transmit.to), Some(peer));
        happens(&mut client, PeerEvent::Congested(Route::from(peer), 0));
        happens(&mut client, down(peer));
        happens(&mut client, PeerEvent::Congested(Route::from(peer), 0));
        assert_eq!(client.recv(call), Some(lost()), "{peer}");

        let mut server = TestSession::new(Config::server(1));
        let id = server.request(peer, &RawEvent::request("id", "f", vec![]));
        server.serve(id).send(Args::NIL).expect("room for one");
        happens(&mut server, PeerEvent::Congested(Route::from(peer), 0));
        assert!(server.serve(id).send(Args::NIL).is_err(), "no credit");
        happens(&mut server, down(peer));
        for event in
            [PeerEvent::Congested(Route::from(peer), 0), PeerEvent::Drained(Route::from(peer))]
        {
            happens(&mut server, event);
            assert_eq!(server.session.poll_transmit(), None);
        }
        for mut side in [client, server] {
            side.settle();
            let session = side.session;
            assert_eq!((session.open_channels(), session.retained_bytes()), (0, 0), "{peer}");
        }
    }
}

/// What is said of peers that nobody has heard of, or that are gone, changes nothing.
#[test]
fn strangers_change_nothing() {
    for peer in PEERS {
        let mut client = TestSession::new(Config::client(1));
        happens(&mut client, PeerEvent::Up(PeerId::new(7)));
        let call = open(&mut client, Target::Any);
        let returned = client.session.poll_transmit().expect("a request");
        let events = [
            down(peer),
            PeerEvent::GoingAway(peer),
            PeerEvent::Gone(peer),
            PeerEvent::Drained(Route::from(peer)),
            PeerEvent::Congested(Route::from(peer), 0),
            PeerEvent::Congested(Route::from(peer), 0),
            PeerEvent::Drained(Route::from(peer)),
            PeerEvent::Drained(Route::from(peer)),
            down(peer),
        ];
        for event in events {
            happens(&mut client, event);
        }
        assert_eq!((client.session.poll_transmit(), client.recv(call)), (None, None), "{peer}");
        happens(&mut client, PeerEvent::Returned(returned.token.expect("a request")));
        let again = client.session.poll_transmit().map(|again| (again.to, again.payload));
        assert_eq!(again, Some((returned.to, returned.payload)), "{peer}");
    }
}

/// However the events of a connection's end follow each other, what its peer did not get goes elsewhere, once, and what it may
/// have got is lost.
#[test]
fn the_end_of_a_connection_is_told_in_any_order() {
    const ORDERS: [[usize; 4]; 6] =
        [[0, 1, 2, 3], [3, 2, 1, 0], [3, 0, 1, 2], [0, 3, 1, 2], [1, 3, 2, 0], [3, 1, 0, 2]];
    let [one, two] = [0, u64::MAX].map(PeerId::new);
    for is_last_word in [true, false] {
        for order in ORDERS {
            let mut client = TestSession::new(Config::client(1));
            happens(&mut client, PeerEvent::Up(one));
            let [returned, unseen, begun, elsewhere] =
                [Target::Any, Target::Any, Target::Any, Target::Peer(one)].map(|to| {
                    let call = open(&mut client, to);
                    (call, client.session.poll_transmit().expect("a request"))
                });
            let id =
                zerorpc_tests::world::raw_event::read(&begun.1).header.message_id.expect("an id");
            let id = rmpv::Value::Binary(id.content().to_vec());
            client.hear(one, &RawEvent::beat(id)).expect("a beat");
            happens(&mut client, PeerEvent::Up(two));
            let events = [
                Some(PeerEvent::Returned(returned.1.token.expect("a request"))),
                Some(PeerEvent::GoingAway(one)),
                is_last_word.then_some(PeerEvent::Gone(one)),
                Some(down(one)),
            ];
            for event in order.map(|place| events[place].clone()).into_iter().flatten() {
                happens(&mut client, event);
                client.session.poll_transmit().inspect(|again| assert_eq!(again.to, two));
            }
            client.settle();
            assert_eq!(client.recv(returned.0), None, "{order:?}: it is with the other");
            let expected = (!is_last_word).then(lost);
            assert_eq!(client.recv(unseen.0), expected, "{order:?}");
            assert_eq!(client.recv(begun.0), Some(lost()), "{order:?}");
            assert_eq!(client.recv(elsewhere.0), Some(lost()), "{order:?}");
        }
    }
}

#[test]
fn a_lost_connection_is_told_of_without_being_asked() {
    let mut client = TestSession::new(Config::client(1));
    happens(&mut client, PeerEvent::Up(PeerId::new(0)));
    let call = open(&mut client, Target::Any);
    client.session.poll_transmit().expect("a request");
    happens(&mut client, down(PeerId::new(0)));
    assert_eq!(client.session.poll_notice(), Some(Notice::CallLost(call)));
    assert_eq!(client.session.poll_notice(), None);
    assert_eq!(client.recv(call), Some(lost()));
}

/// What waits for a server hears that none lets it in, unless one has; what is out waits for its answer.
#[test]
fn calls_that_wait_hear_that_nobody_lets_them_in() {
    let nameless = Target::Peer(PeerId::NAMELESS);
    for (to, is_up, is_settled, is_lost) in [
        (Target::Any, false, true, true),
        (Target::Any, true, false, false),
        (nameless, false, false, true),
        (nameless, false, true, false),
    ] {
        let mut client = TestSession::new(Config::client(1));
        if is_up {
            happens(&mut client, PeerEvent::Up(PeerId::new(1)));
        }
        let call = open(&mut client, to);
        if is_settled {
            client.settle();
        }
        happens(&mut client, PeerEvent::Denied("not on the list".into()));
        let lost = Answer::Lost(Loss::Denied { reason: "not on the list".into() });
        assert_eq!(client.recv(call), is_lost.then_some(lost), "{to:?}, {is_up}, {is_settled}");
        assert!(!client.session.has_unassigned());
    }
}

/// Where a peer need not be heard of before its answers, a call that times out says nothing of it as long as others wait.
#[test]
fn calls_that_time_out_end_no_connection_for_which_others_wait() {
    let (peer, interval) = (PeerId::new(1), Duration::from_secs(1));
    let to_it = Target::Peer(peer);
    for (first, other, is_ended) in [
        (Target::Any, None, true),
        (Target::Any, Some(Target::Any), false),
        (Target::Any, Some(to_it), false),
        (to_it, Some(Target::Any), false),
    ] {
        let config = Config::client(1).heartbeat(Some(interval));
        let mut client = TestSession::new(config.heartbeat_mode(HeartbeatMode::Passive));
        happens(&mut client, PeerEvent::Up(peer));
        for (to, timeout) in [(Some(first), 2 * interval), (other, 9 * interval)] {
            let (now, options) = (client.now(), CallOptions::new().timeout(Some(timeout)));
            let open = |to| client.session.open(now, to, "f", Args::NONE, &options);
            assert!(to.map(open).is_none_or(|opened| opened.is_ok()));
        }
        client.pass(3 * interval);
        let ended = client.session.poll_disconnect().map(|(peer, _)| peer);
        assert_eq!(ended, is_ended.then_some(peer), "{first:?}, {other:?}");
    }
}

/// Peers decide how often they break the protocol: what is told of it does not grow with that.
#[test]
fn misbehaviour_is_counted_and_bounded() {
    const TIMES: u64 = 10_000;
    let mut server = TestSession::new(Config::server(1));
    let (now, empty) = (server.now(), server.session.retained_bytes());
    let garbage = zerorpc_proto::Multipart::direct(bytes::Bytes::from_static(b"\xc1"));
    let unnamed = RawEvent::request("id", "f", vec![]).without("message_id");
    for time in 0..TIMES {
        server.session.handle_message(now, PeerId::new(1), garbage.clone());
        server.session.handle_message(now, PeerId::new(2), unnamed.message());
        server.session.handle_message(now, PeerId::new(3 + time), garbage.clone());
    }
    assert_eq!(server.session.misbehaviours(), 3 * TIMES);
    assert_eq!(server.session.retained_bytes(), empty);
    let told: Vec<_> = std::iter::from_fn(|| server.session.poll_notice()).collect();
    assert!(told.len() < 100, "{}", told.len());
    for (peer, place) in [(1, 0), (2, 1)] {
        let Notice::Misbehaved { peer: who, how: PeerMisbehaved::Malformed(_), times } =
            told[place]
        else {
            panic!("{:?}", told[place]);
        };
        assert_eq!((who, times), (PeerId::new(peer), TIMES));
    }
    server.session.handle_message(now, PeerId::new(1), garbage);
    assert_eq!(std::iter::from_fn(|| server.session.poll_notice()).count(), 1, "it is told again");
}

/// Whatever was sent once more since, and whatever another session has sent, does not come back.
#[test]
fn names_of_another_session_or_of_another_time_name_nothing() {
    let sessions = [1, 2, u128::MAX].map(|seed| {
        let mut both = TestSession::new(Config::server(seed));
        happens(&mut both, PeerEvent::Up(PeerId::new(0)));
        let call = open(&mut both, Target::Any);
        let token = both.session.poll_transmit().and_then(|sent| sent.token).expect("a request");
        let request = both.request(PeerId::new(0), &RawEvent::request("id", "f", vec![]));
        (both, call, request, token)
    });
    let names: Vec<_> =
        sessions.iter().map(|(_, call, request, token)| (*call, *request, *token)).collect();
    for (own, (mut both, ..)) in sessions.into_iter().enumerate() {
        for (other, (call, request, token)) in names.iter().enumerate() {
            assert_eq!(both.session.call(*call).is_some(), own == other, "{own} and {other}");
            assert_eq!(both.session.request(*request).is_some(), own == other, "{own} and {other}");
            for again in [own == other, false] {
                happens(&mut both, PeerEvent::Returned(*token));
                assert_eq!(both.session.poll_transmit().is_some(), again, "{own} and {other}");
            }
        }
        let (call, request, _) = names[own];
        both.session.call(call).expect("its own").cancel();
        both.session.request(request).expect("its own").finish();
        both.settle();
        open(&mut both, Target::Any);
        both.request(PeerId::new(0), &RawEvent::request("id", "f", vec![]));
        assert!(both.session.call(call).is_none() && both.session.request(request).is_none());
    }
}
