//! Routes that are congested hold back answers, not signs of life, and never those of other routes.

use std::time::{Duration, Instant};

use zerorpc_proto::{
    Args, Config, Envelope, Event, Limits, Multipart, Notice, PeerEvent, PeerId, RemoteError,
    Route, Session, Transmit, name,
};
use zerorpc_tests::world::test_session::hear;

fn request(id: u8, envelope: &Envelope) -> Multipart {
    request_with(id, envelope, b"\x90")
}

fn request_with(id: u8, envelope: &Envelope, args: &[u8]) -> Multipart {
    let payload = [b"\x93\x82\xaamessage_id\xa1", &[id][..], b"\xa1v\x03\xa1f", args].concat();
    Multipart { envelope: envelope.clone(), payload: payload.into() }
}

/// Credit for one item of this request.
fn grant(id: u8, envelope: &Envelope) -> Multipart {
    let header = [b"\x83\xaamessage_id\xa1g\xa1v\x03\xabresponse_to\xa1", &[id][..]].concat();
    let payload = [&[0x93], header.as_slice(), b"\xa9_zpc_more\x91\x01"].concat();
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

/// A stream that goes on takes its part again of what may be kept, where others wait and nothing is read.
#[test]
fn a_stream_that_goes_on_may_be_one_too_many() {
    let start = Instant::now();
    let mut server = Session::new(Config::server(1).limits(Limits::default().peer_bytes(30_000)));
    let peer = Envelope::from_iter([bytes::Bytes::from_static(b"slow")]);
    let [stream, second, third, ..] = [b'a', b'b', b'c', b'd', b'e'].map(|id| {
        let args = [&b"\x91\xc5\x10\x00"[..], &[0; 0x1000]].concat();
        hear(&mut server, start, PeerId::NAMELESS, request_with(id, &peer, &args))
            .expect("a request");
        let Some(Notice::Requested(id)) = server.poll_notice() else { panic!("a request") };
        id
    });
    assert!(server.request(stream).expect("open").start());
    for waiting in [second, third] {
        assert!(!server.request(waiting).expect("open").start(), "there is no room for it");
    }
    let congested = PeerEvent::Congested(Route::of(PeerId::NAMELESS, &peer), 1_000);
    server.handle_peer_event(start, congested);
    assert_eq!(server.crowded_routes().len(), 1);
    let mut request = server.request(stream).expect("open");
    request.send(Args::NIL).expect("the first item needs no grant");
    request.send(Args::NIL).expect_err("there is no credit");
    assert_eq!(server.crowded_routes(), [], "it stands still, and the second may run");
    hear(&mut server, start, PeerId::NAMELESS, grant(b'a', &peer)).expect("a grant");
    assert_eq!(server.crowded_routes().len(), 1);
}
