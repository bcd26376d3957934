//! Calls that are open to any peer: who gets them, and what becomes of them when peers go.

use std::time::{Duration, Instant};

use bytes::Bytes;
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, Envelope, Loss, Multipart, PeerEvent, PeerId,
    Session, Target, Transmit,
};
use zerorpc_tests::world::test_session::hear;

fn open(client: &mut Session, now: Instant) -> CallId {
    client.open(now, Target::Any, "f", Args::NONE, &CallOptions::default()).expect("a call")
}

fn sent(client: &mut Session) -> Vec<Transmit> {
    std::iter::from_fn(|| client.poll_transmit()).collect()
}

fn peers(client: &mut Session) -> Vec<u64> {
    sent(client).iter().map(|message| message.to.number().expect("a name")).collect()
}

#[test]
fn they_go_to_whoever_is_up_evenly() {
    let now = Instant::now();
    let mut client = Session::new(Config::client(1));
    let first = open(&mut client, now);
    assert_eq!(peers(&mut client), [0; 0], "nobody is there");
    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(1)));
    assert_eq!(peers(&mut client), [1]);
    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(2)));
    for _ in 0..3 {
        open(&mut client, now);
    }
    assert_eq!(peers(&mut client), [2, 1, 2], "two each");
    client.call(first).expect("open").cancel();
    assert_eq!(peers(&mut client), [1], "the beat by which its server learns of that");
    open(&mut client, now);
    assert_eq!(peers(&mut client), [1]);
}

#[test]
fn a_peer_that_goes_loses_its_calls_at_once_and_gets_no_others() {
    let now = Instant::now();
    let mut client = Session::new(Config::client(1));
    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(1)));
    let lost = open(&mut client, now);
    assert_eq!(peers(&mut client), [1]);
    client.handle_peer_event(now, PeerEvent::Down(PeerId::new(1), "gone".into()));
    assert_eq!(
        client.call(lost).expect("unread").recv(),
        Some(Answer::Lost(Loss::Disconnected { reason: "gone".into() }))
    );
    open(&mut client, now);
    assert_eq!(peers(&mut client), [0; 0]);
    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(2)));
    assert_eq!(peers(&mut client), [2]);
}

#[test]
fn a_request_that_was_not_written_moves_on() {
    let now = Instant::now();
    let mut client = Session::new(Config::client(1));
    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(1)));
    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(2)));
    open(&mut client, now);
    let message = sent(&mut client).pop().expect("the request");
    assert_eq!(message.to, PeerId::new(1));
    client.handle_peer_event(now, PeerEvent::Returned(message.token.expect("a request")));
    client.handle_peer_event(now, PeerEvent::Down(PeerId::new(1), "gone".into()));
    let again = sent(&mut client).pop().expect("the same request");
    assert_eq!((again.to, again.payload), (PeerId::new(2), message.payload));
}

#[test]
fn the_time_limit_holds_without_any_peer() {
    let now = Instant::now();
    let mut client = Session::new(Config::client(1));
    let call = open(&mut client, now);
    assert_eq!(peers(&mut client), [0; 0]);
    client.handle_timeout(now + Duration::from_secs(30));
    let answer = client.call(call).expect("unread").recv();
    assert!(matches!(answer, Some(Answer::Lost(Loss::NotSent { .. }))), "{answer:?}");
    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(1)));
    assert_eq!(peers(&mut client), [0; 0], "what was given up is not sent");
}

/// Lets time pass, in which everything is done when it is due: what is slept through is no silence.
fn pass_to(client: &mut Session, end: Instant) {
    while let Some(due) = client.poll_timeout().filter(|due| *due <= end) {
        client.handle_timeout(due);
        peers(client);
    }
}

#[test]
fn a_peer_lost_by_silence_is_asked_again_when_it_is_heard() {
    let start = Instant::now();
    let interval = Duration::from_secs(5);
    let mut client = Session::new(Config::client(1));
    client.handle_peer_event(start, PeerEvent::Up(PeerId::new(1)));
    let lost = open(&mut client, start);
    assert_eq!(peers(&mut client), [1]);
    client.handle_peer_event(start, PeerEvent::Up(PeerId::new(2)));

    let now = start + 2 * interval;
    pass_to(&mut client, now);
    let answer = client.call(lost).expect("unread").recv();
    assert!(matches!(answer, Some(Answer::Lost(Loss::Silent { .. }))), "{answer:?}");
    for _ in 0..3 {
        open(&mut client, now);
    }
    assert_eq!(peers(&mut client), [2, 2, 2], "the silent one has no calls, and gets none");

    // Whatever it says, as late as it comes: it is there again.
    let late = Multipart { envelope: Envelope::default(), payload: Bytes::from_static(LATE_BEAT) };
    hear(&mut client, now, PeerId::new(1), late).expect("nothing is wrong with it");
    for _ in 0..3 {
        open(&mut client, now);
    }
    assert_eq!(peers(&mut client), [1, 1, 1]);
}

/// A beat on a channel that is gone.
const LATE_BEAT: &[u8] =
    b"\x93\x83\xaamessage_id\xa1m\xa1v\x03\xabresponse_to\xa1x\xa7_zpc_hb\x91\x00";

#[test]
fn silent_peers_are_used_when_there_are_no_others() {
    let start = Instant::now();
    let mut client = Session::new(Config::client(1));
    for peer in [1, 2] {
        client.handle_peer_event(start, PeerEvent::Up(PeerId::new(peer)));
        open(&mut client, start);
    }
    assert_eq!(peers(&mut client), [1, 2]);
    let now = start + Duration::from_secs(10);
    pass_to(&mut client, now);
    open(&mut client, now);
    assert_eq!(peers(&mut client), [1]);
    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(3)));
    open(&mut client, now);
    open(&mut client, now);
    assert_eq!(peers(&mut client), [3, 3]);
    client.handle_peer_event(now, PeerEvent::Down(PeerId::new(3), "gone".into()));
    open(&mut client, now);
    assert_eq!(peers(&mut client), [2]);
}

#[test]
fn calls_that_nobody_lets_in_end_at_once_unless_somebody_is_there() {
    let now = Instant::now();
    let mut client = Session::new(Config::client(1));
    let denied = || PeerEvent::Denied("not on the list".into());
    let waiting = open(&mut client, now);
    assert_eq!(peers(&mut client), [0; 0]);
    assert!(client.has_unassigned());
    client.handle_peer_event(now, denied());
    let reason = "not on the list".into();
    let answer = client.call(waiting).expect("unread").recv();
    assert_eq!(answer, Some(Answer::Lost(Loss::Denied { reason })));
    assert!(!client.has_unassigned());

    client.handle_peer_event(now, PeerEvent::Up(PeerId::new(1)));
    let sent = open(&mut client, now);
    client.handle_peer_event(now, denied());
    assert_eq!(peers(&mut client), [1], "somebody is there");
    client.handle_peer_event(now, denied());
    assert_eq!(client.call(sent).expect("open").recv(), None);
}

#[test]
fn requests_that_wait_for_peers_without_names_end_too_unless_they_have_left() {
    let now = Instant::now();
    let mut client = Session::new(Config::client(1));
    let call = |client: &mut Session| {
        let target = Target::Peer(PeerId::NAMELESS);
        client.open(now, target, "f", Args::NONE, &CallOptions::default()).expect("a call")
    };
    let sent = call(&mut client);
    assert!(client.poll_transmit().is_some());
    let waiting = call(&mut client);
    client.handle_peer_event(now, PeerEvent::Denied("not on the list".into()));
    let reason = "not on the list".into();
    let answer = client.call(waiting).expect("unread").recv();
    assert_eq!(answer, Some(Answer::Lost(Loss::Denied { reason })));
    assert_eq!(client.call(sent).expect("open").recv(), None);
    assert!(client.poll_transmit().is_none(), "it is not sent any more");
}
