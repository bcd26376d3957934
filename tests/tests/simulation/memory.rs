//! What a session keeps is counted, and what is counted is bounded, whatever a peer sends.

use std::time::Instant;

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, Event, Limits, Loss, Malformed, Multipart, Notice,
    PeerEvent, PeerId, PeerMisbehaved, RemoteError, Session,
};
use zerorpc_tests::world::{
    raw_event::{RawEvent, read},
    test_session::hear,
};

const PEER: PeerId = PeerId::new(1);
const MEGABYTE: usize = 1 << 20;

fn limits() -> Limits {
    Limits::default().total_bytes(10 * MEGABYTE)
}

fn server() -> Session {
    Session::new(Config::server(1).limits(limits()))
}

fn client() -> Session {
    Session::new(Config::client(1).limits(limits()))
}

fn junk() -> Value {
    Value::Binary(vec![7; MEGABYTE])
}

/// Opens and transmits a call; returns the id that its answers carry.
fn open(session: &mut Session, now: Instant) -> (CallId, Value) {
    let call = session.open(now, PEER, "f", Args::NONE, &CallOptions::default());
    let id = read(&session.poll_transmit().expect("the request")).header.message_id;
    let id = id.expect("requests have an id").content().to_vec();
    (call.expect("few calls"), Value::Binary(id))
}

#[test]
fn whatever_part_of_a_request_is_large_is_counted() {
    let identities = |frame: usize| {
        let frames = vec![Bytes::from(vec![1; frame]), Bytes::new(), Bytes::new()];
        Multipart::from_frames(None, frames).expect("frames").envelope
    };
    let with_args = |n: u32| RawEvent::request(n, "f", vec![junk()]).message();
    let with_key = |n: u32| RawEvent::request(n, "f", vec![]).with("k", junk()).message();
    let with_name = |n: u32| RawEvent::request(n, &"f".repeat(MEGABYTE), vec![]).message();
    let with_envelope = |n: u32| Multipart {
        envelope: identities(MEGABYTE),
        ..RawEvent::request(n, "f", vec![]).message()
    };
    let cases: [(&str, &dyn Fn(u32) -> Multipart); 4] = [
        ("arguments", &with_args),
        ("a header key", &with_key),
        ("the name", &with_name),
        ("the envelope", &with_envelope),
    ];
    for (what, message) in cases {
        let (mut session, now) = (server(), Instant::now());
        let results: Vec<_> = (0..20).map(|n| hear(&mut session, now, PEER, message(n))).collect();
        let refused = results.iter().position(Result::is_err).expect(what);
        assert!((9..=10).contains(&refused), "{what}: refused after {refused}");
        assert!(matches!(results[refused], Err(PeerMisbehaved::TooManyBytes(_))), "{what}");
        assert!(session.buffered_bytes() <= limits().total_bytes, "{what}");
        assert_eq!(session.open_channels(), refused, "{what}");
        session.handle_peer_event(now, PeerEvent::Down(PEER, "gone".into()));
        assert_eq!((session.open_channels(), session.buffered_bytes()), (0, 0), "{what}");
    }
}

#[test]
fn a_small_part_does_not_keep_a_large_message() {
    let (mut session, now) = (server(), Instant::now());
    let with_tail: Bytes =
        [&RawEvent::request(1, "f", vec![]).payload()[..], &[0; MEGABYTE]].concat().into();
    let with_args = RawEvent::request(2, "f", vec![junk()]).with("k", 1).payload();
    for payload in [with_tail, with_args] {
        hear(&mut session, now, PEER, Multipart::direct(payload.clone())).expect("a sound request");
        let Some(Notice::Requested(id)) = session.poll_notice() else { panic!("a request") };
        let mut request = session.request(id).expect("it has just come");
        assert_eq!(request.method(), "f");
        drop(request.take_args());
        assert_eq!(request.take_args(), Args::NIL);
        assert!(payload.is_unique(), "the arguments were taken, nothing else is large");
        assert!(session.buffered_bytes() < 100);
    }

    let (mut session, now) = (client(), Instant::now());
    let (call, id) = open(&mut session, now);
    let item = RawEvent::on(id, "STREAM", Value::Nil).with("k", junk()).payload();
    hear(&mut session, now, PEER, Multipart::direct(item.clone())).expect("a sound item");
    assert!(item.is_unique(), "a small item does not keep its large header");
    assert_eq!(session.buffered_bytes(), 1);
    assert_eq!(session.call(call).and_then(|mut call| call.recv()), Some(Answer::Item(Args::NIL)));
}

#[test]
fn a_refusal_does_not_keep_its_request() {
    let (mut session, now) = (server(), Instant::now());
    session.stop_accepting();
    let refused = RawEvent::request(1, "f", vec![junk()]).payload();
    hear(&mut session, now, PEER, Multipart::direct(refused.clone())).expect("no fault of his");
    let unnamed = RawEvent::request(2, "f", vec![junk()]).with_name(5).payload();
    hear(&mut session, now, PEER, Multipart::direct(unnamed.clone()))
        .expect_err("a request without a name");
    assert!(refused.is_unique() && unnamed.is_unique());
    let answers: Vec<_> = std::iter::from_fn(|| session.poll_transmit()).collect();
    assert_eq!(answers.len(), 2, "both are told");
}

#[test]
fn refusals_are_bounded() {
    let (mut session, now) = (server(), Instant::now());
    session.stop_accepting();
    for n in 0..5000_u32 {
        let request = RawEvent::request(n, "f", vec![]).message();
        hear(&mut session, now, PEER, request).expect("no fault of his");
    }
    let answers = std::iter::from_fn(|| session.poll_transmit()).count();
    assert!((1..=1024).contains(&answers), "{answers}");
}

#[test]
fn results_are_bounded_over_all_calls() {
    let (mut session, now) = (client(), Instant::now());
    let calls: Vec<_> = (0..20).map(|_| open(&mut session, now)).collect();
    for (_, id) in &calls {
        let result = RawEvent::on(id.clone(), "OK", Value::Array(vec![junk()])).message();
        let _ = hear(&mut session, now, PEER, result);
        assert!(session.buffered_bytes() <= limits().total_bytes);
    }
    let mut lost = 0;
    for (call, _) in calls {
        match session.call(call).and_then(|mut call| call.recv()) {
            Some(Answer::Value(_)) => {}
            Some(Answer::Lost(Loss::Overflow)) => lost += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lost, 11, "nine megabytes and their markers fit into ten");
    assert_eq!((session.open_channels(), session.buffered_bytes()), (0, 0));
}

#[test]
fn an_end_that_says_little_always_has_room() {
    let (mut session, now) = (client(), Instant::now());
    let (call, id) = open(&mut session, now);
    let fill = Value::Binary(vec![7; limits().total_bytes - 5]);
    for event in
        [RawEvent::on(id.clone(), "STREAM", fill), RawEvent::on(id, "STREAM_DONE", Value::Nil)]
    {
        hear(&mut session, now, PEER, event.message()).expect("a sound event");
    }
    assert_eq!(session.buffered_bytes(), limits().total_bytes);
    let mut answers = std::iter::from_fn(|| session.call(call)?.recv());
    assert!(matches!(answers.next(), Some(Answer::Item(_))));
    assert_eq!(answers.next(), Some(Answer::End));
}

#[test]
fn a_strange_event_is_not_quoted_at_length() {
    let (mut session, now) = (client(), Instant::now());
    let (call, id) = open(&mut session, now);
    let strange = RawEvent::on(id, &"é".repeat(MEGABYTE), Value::Nil).message();
    hear(&mut session, now, PEER, strange).expect("the reference calls that a pattern");
    let Some(Answer::Lost(Loss::NoPattern { event })) =
        session.call(call).and_then(|mut call| call.recv())
    else {
        panic!("no answer starts like that")
    };
    assert!(event.starts_with("éé") && event.len() < 300, "{} bytes", event.len());
}

#[test]
fn a_failure_of_millions_of_elements_costs_three() {
    let (mut session, now) = (client(), Instant::now());
    let (call, id) = open(&mut session, now);
    let mut elements = vec![Value::Nil; 2_000_000];
    elements[..3].clone_from_slice(&["E".into(), "m".into(), "t".into()]);
    let failure = RawEvent::on(id, "ERR", Value::Array(elements)).message();
    hear(&mut session, now, PEER, failure).expect("a sound event");
    assert_eq!(session.buffered_bytes(), 3);
    let expected = RemoteError::new("E", "m").with_traceback("t");
    let answer = session.call(call).and_then(|mut call| call.recv());
    assert_eq!(answer, Some(Answer::Failed(expected.into())));
}

#[test]
fn a_header_has_a_thousand_keys_at_most() {
    let header = |keys: u32| {
        let event = RawEvent::request("id", "f", vec![]);
        let event = (0..keys).fold(event, |event, key| event.with(key, key));
        Event::decode(&event.payload(), &Limits::default())
    };
    assert_eq!(header(1000).expect("few keys").header.context.len(), 1000);
    let broken = header(1100).map(|_| ()).expect_err("too many keys");
    assert!(matches!(broken.reason, Malformed::TooManyKeys(_)), "{broken}");
}

#[test]
fn answers_may_be_as_deep_as_the_limits_allow() {
    // The answer is written by recursion, which takes more stack than a test has.
    let test = std::thread::Builder::new().stack_size(64 << 20).spawn(a_deep_answer_is_taken);
    test.expect("a thread").join().expect("it is taken");
}

fn a_deep_answer_is_taken() {
    let limits = Limits::default().depth(2000);
    let mut session = Session::new(Config::client(1).limits(limits));
    let now = Instant::now();
    let (call, id) = open(&mut session, now);
    let deep = (0..1500).fold(Value::Nil, |inner, _| Value::Array(vec![inner]));
    let result = RawEvent::on(id, "OK", Value::Array(vec![deep])).message();
    hear(&mut session, now, PEER, result).expect("within the limits");
    let answer = session.call(call).and_then(|mut call| call.recv());
    assert!(matches!(answer, Some(Answer::Value(_))), "{answer:?}");
}
