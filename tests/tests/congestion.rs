//! Routes that are congested hold back answers, not signs of life, and never those of other routes.

use std::time::{Duration, Instant};

use zerorpc_proto::{
    Args, Config, Envelope, Event, Limits, Multipart, Notice, PeerEvent, PeerId, RemoteError,
    Route, Session, Transmit, name,
};
use zerorpc_tests::world::test_session::hear;

fn request(id: u8, envelope: &Envelope) -> Multipart {
    let header = [b"\x82\xaamessage_id\xa1".as_slice(), &[id], b"\xa1v\x03"].concat();
    let payload = [&[0x93], header.as_slice(), b"\xa1f\x90"].concat();
    Multipart { envelope: envelope.clone(), payload: payload.into() }
}

fn sent(session: &mut Session) -> Vec<(Envelope, String)> {
    std::iter::from_fn(|| session.poll_transmit())
        .map(|Transmit { envelope, payload, .. }| {
            let event =
                Event::decode(&payload.to_bytes(), &Limits::default()).expect("our own event");
            (envelope, event.name.to_string())
        })
        .collect()
}

#[test]
fn only_beats_leave_on_a_congested_route() {
    let start = Instant::now();
    let mut server = Session::new(Config::server(1));
    let envelope =
        |name: &'static str| Envelope::from_iter([bytes::Bytes::from_static(name.as_bytes())]);
    let (slow, quick) = (envelope("slow"), envelope("quick"));
    let mut requests = Vec::new();
    for (id, envelope) in [(b'a', &slow), (b'b', &slow), (b'c', &quick)] {
        hear(&mut server, start, PeerId::NAMELESS, request(id, envelope)).expect("a request");
        match server.poll_notice() {
            Some(Notice::Requested(id)) => requests.push(id),
            other => panic!("{other:?}"),
        }
    }
    let route = Route::of(PeerId::NAMELESS, &slow);
    server.handle_peer_event(start, PeerEvent::Congested(route.clone(), 0));
    // The first slow request and the quick one are answered, the second slow one goes on.
    for id in [requests[0], requests[2]] {
        server.request(id).expect("open").reply(Args::NIL).expect("no stream");
    }
    assert_eq!(sent(&mut server), [(quick.clone(), name::OK.to_owned())]);
    server.handle_timeout(start + Duration::from_secs(5));
    let beat = (slow.clone(), name::HEARTBEAT.to_owned());
    assert_eq!(sent(&mut server), [beat.clone(), beat], "both channels of the slow peer live on");
    server.request(requests[1]).expect("open").reply(Args::NIL).expect("no stream");
    assert_eq!(sent(&mut server), []);
    server.handle_peer_event(start, PeerEvent::Drained(route));
    let answer = (slow, name::OK.to_owned());
    assert_eq!(sent(&mut server), [answer.clone(), answer]);
    assert_eq!(server.open_channels(), 0);
}

#[test]
fn answers_that_pile_up_are_told_of_and_end_with_their_peer() {
    let start = Instant::now();
    let limits = Limits::default().peer_bytes(15_000);
    let mut server = Session::new(Config::server(1).limits(limits));
    let envelope = |name: &'static [u8]| Envelope::from_iter([bytes::Bytes::from_static(name)]);
    let (slow, quick) = (envelope(b"slow"), envelope(b"quick"));
    let route = Route::of(PeerId::NAMELESS, &slow);
    server.handle_peer_event(start, PeerEvent::Congested(route.clone(), 0));
    for id in 0..10 {
        hear(&mut server, start, PeerId::NAMELESS, request(id, &slow)).expect("a request");
        let Some(Notice::Requested(id)) = server.poll_notice() else { panic!("a request") };
        let value = Args::encode(&"x".repeat(3_000)).expect("encodes");
        server.request(id).expect("open").reply(value).expect("no stream");
        assert_eq!(sent(&mut server), []);
    }
    assert!(server.has_crowded_routes());
    let crowded = server.crowded_routes();
    assert_eq!(crowded.len(), 1);
    assert!(crowded[0].0 == route && crowded[0].1 > 30_000, "{crowded:?}");
    hear(&mut server, start, PeerId::NAMELESS, request(0, &quick)).expect("a request");
    let failure = RemoteError::new("ServerBusy", "too much");
    server.dismiss(start, &route, &failure);
    assert_eq!((server.open_channels(), server.crowded_routes()), (1, vec![]));
    let told = sent(&mut server);
    assert_eq!(told, vec![(slow, name::ERR.to_owned()); 10], "each request is answered");
    let Some(Notice::Requested(id)) = server.poll_notice() else { panic!("a request") };
    server.request(id).expect("open").reply(Args::NIL).expect("no stream");
    assert_eq!(sent(&mut server), [(quick, name::OK.to_owned())]);
    assert_eq!((server.open_channels(), server.retained_bytes()), (0, 0));
}
