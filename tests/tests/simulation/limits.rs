//! Every limit, with a neighbour who does not notice; and who is who.

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallOptions, Config, Limits, Malformed, Multipart, Notice, OpenError, PeerEvent,
    PeerId, PeerMisbehaved, RemoteError, Session,
};
use zerorpc_tests::world::{
    raw_event::{RawEvent, read, value},
    test_session::{TestSession, hear},
};

const HOSTILE: PeerId = PeerId::new(1);
const NEIGHBOUR: PeerId = PeerId::new(2);

fn server(limits: Limits) -> TestSession {
    TestSession::new(Config::server(1).limits(limits))
}

fn request(id: impl Into<Value>) -> RawEvent {
    RawEvent::request(id, "f", vec![])
}

/// What was sent to whom, and is forgotten: receiver, channel and name, with the class of errors.
fn answers(server: &mut TestSession) -> Vec<(PeerId, Value, String)> {
    let answer = |sent: zerorpc_tests::world::test_session::Sent| {
        let id = sent.event.header.response_to.expect("servers only answer");
        let id = rmpv::decode::read_value(&mut id.as_encoded()).expect("ids are well-formed");
        let class = match value(&sent.event.args) {
            Value::Array(args) if sent.event.name == *"ERR" => format!(" {}", args[0]),
            _ => String::new(),
        };
        (sent.to, id, format!("{}{class}", sent.event.name))
    };
    server.sent.drain(..).map(answer).collect()
}

/// A call from a neighbour is served to its end.
fn neighbour_is_served(server: &mut TestSession) {
    let id = server.request(NEIGHBOUR, &request("neighbour"));
    server.serve(id).reply(Args::NIL).expect("no stream has begun");
    server.settle();
    assert_eq!(answers(server), [(NEIGHBOUR, "neighbour".into(), "OK".into())]);
}

#[test]
fn channels_of_one_peer() {
    let mut server = server(Limits::default().channels_per_peer(3));
    let open: Vec<_> = (0..3).map(|number| server.request(HOSTILE, &request(number))).collect();
    let refused = server.hear(HOSTILE, &request(3));
    assert_eq!(refused, Err(PeerMisbehaved::TooManyChannels(3)));
    assert_eq!(answers(&mut server), [(HOSTILE, 3.into(), "ERR \"ServerBusy\"".into())]);
    neighbour_is_served(&mut server);
    server.serve(open[0]).finish();
    server.settle();
    server.request(HOSTILE, &request(4));
}

#[test]
fn channels_of_one_routing_id_behind_a_router() {
    let mut server = server(Limits::default().channels_per_peer(3));
    let from = |router: &'static [u8], number: u32| {
        let frames = vec![Bytes::new(), request(number).payload()];
        Multipart::from_frames(Some(Bytes::from_static(router)), frames).expect("frames")
    };
    for number in 0..3 {
        server.hear_message(PeerId::NAMELESS, from(b"one", number)).expect("within the limit");
    }
    let refused = server.hear_message(PeerId::NAMELESS, from(b"one", 3));
    assert_eq!(refused, Err(PeerMisbehaved::TooManyChannels(3)));
    server.hear_message(PeerId::NAMELESS, from(b"two", 3)).expect("another peer");
}

#[test]
fn channels_in_total() {
    let limits = Limits::default().channels(4);
    let mut server = server(limits);
    let open: Vec<_> =
        (0..4).map(|n| server.request(PeerId::new(10 + n), &request("id"))).collect();
    assert_eq!(server.hear(HOSTILE, &request("id")), Err(PeerMisbehaved::TooManyChannels(4)));
    assert_eq!(answers(&mut server), [(HOSTILE, "id".into(), "ERR \"ServerBusy\"".into())]);
    let now = server.now();
    let call = server.session.open(now, NEIGHBOUR, "f", Args::NONE, &CallOptions::default());
    assert_eq!(call, Err(OpenError::TooManyChannels(4)));
    for id in open {
        server.serve(id).reply(Args::NIL).expect("those that are open go on");
    }
    server.settle();
    assert_eq!(answers(&mut server).len(), 4);
    neighbour_is_served(&mut server);
}

#[test]
fn message_size_depth_and_elements() {
    let nested = |depth| (0..depth).fold(Value::Nil, |inner, _| Value::Array(vec![inner]));
    let limits = Limits::default().message_bytes(1000).depth(10).elements(60);
    for (what, args, reason, answered) in [
        ("size", Value::Binary(vec![0; 2000]), Malformed::TooLarge(1000), false),
        ("depth", nested(11), Malformed::TooDeep(10), true),
        ("elements", Value::Array(vec![Value::Nil; 100]), Malformed::TooManyElements(60), true),
    ] {
        let mut server = server(limits.clone());
        let heard = server.hear(HOSTILE, &request("id").with_args(args));
        assert_eq!(heard, Err(PeerMisbehaved::Malformed(reason)), "{what}");
        assert_eq!(
            !answers(&mut server).is_empty(),
            answered,
            "{what}: told where the id is known"
        );
        neighbour_is_served(&mut server);
        assert_eq!((server.session.open_channels(), server.session.buffered_bytes()), (0, 0));
    }
    let mut server = server(limits);
    for args in [nested(9), Value::Array(vec![Value::Nil; 50]), Value::Binary(vec![0; 900])] {
        let id = server.request(HOSTILE, &request("id").with_args(args.clone()));
        assert_eq!(value(&server.serve(id).args()), args, "just within the limits");
    }
}

#[test]
fn buffered_bytes_of_all_callers_together() {
    let mut server = server(Limits::default().total_bytes(10_000));
    let large = |id: u32| request(id).with_args(Value::Array(vec![Value::Binary(vec![0; 4000])]));
    let first = server.request(HOSTILE, &large(0));
    server.request(HOSTILE, &large(1));
    assert!(matches!(server.hear(HOSTILE, &large(2)), Err(PeerMisbehaved::TooManyBytes(_))));
    assert_eq!(answers(&mut server), [(HOSTILE, 2.into(), "ERR \"ServerBusy\"".into())]);
    neighbour_is_served(&mut server);
    server.serve(first).take_args();
    server.request(HOSTILE, &large(3));
}

#[test]
fn no_requests_after_stop_accepting() {
    let mut server = server(Limits::default());
    let open = server.request(HOSTILE, &request("before"));
    server.session.stop_accepting();
    server.hear(HOSTILE, &request("after")).expect("not the peer's fault");
    server.hear(HOSTILE, &RawEvent::beat("before")).expect("a beat");
    assert_eq!(answers(&mut server), [(HOSTILE, "after".into(), "ERR \"ServerStopping\"".into())]);
    server.serve(open).reply(Args::NIL).expect("those that are open go on");
    server.settle();
    assert_eq!(answers(&mut server), [(HOSTILE, "before".into(), "OK".into())]);
}

#[test]
fn a_session_that_only_calls_takes_no_requests() {
    let mut client = TestSession::new(Config::client(1));
    assert_eq!(client.hear(HOSTILE, &request("id")), Err(PeerMisbehaved::NotAccepting));
    client.hear(HOSTILE, &RawEvent::beat("id").without("response_to")).expect("a habit of some");
    assert_eq!((client.sent.len(), client.session.open_channels()), (0, 0));
}

/// Three callers with one id: two peers, and a third behind a proxy of the first.
#[test]
fn equal_ids_are_not_mixed_up() {
    let mut server = server(Limits::default());
    let proxied = |event: RawEvent| {
        let frames = vec![Bytes::from_static(b"far"), Bytes::new(), event.payload()];
        Multipart::from_frames(None, frames).expect("frames")
    };
    let near = server.request(HOSTILE, &request("id"));
    let other = server.request(NEIGHBOUR, &request("id"));
    server.hear_message(HOSTILE, proxied(request("id"))).expect("a request");
    let Some((_, Notice::Requested(far))) = server.notices.pop() else { panic!("a request") };
    for id in [near, other, far] {
        server.serve(id).send(Args::NIL).expect("every side may send one");
    }
    server.settle();
    server.sent.clear();
    for (id, grant) in [
        (other, (NEIGHBOUR, RawEvent::grant("id", 1).message())),
        (far, (HOSTILE, proxied(RawEvent::grant("id", 1)))),
        (near, (HOSTILE, RawEvent::grant("id", 1).message())),
    ] {
        for id in [near, other, far] {
            server.serve(id).send(Args::NIL).expect_err("no credit");
        }
        server.hear_message(grant.0, grant.1).expect("credit");
        let mut request = server.serve(id);
        let (peer, envelope) = (request.peer(), request.envelope());
        request.send(Args::NIL).expect("this channel has credit, and no other");
        let sent = server.session.poll_transmit().expect("the item");
        assert_eq!((sent.to, sent.envelope), (peer, envelope));
    }
    let now = server.now();
    server.session.handle_peer_event(now, PeerEvent::Down(HOSTILE, "gone".into()));
    assert!(server.session.request(near).is_none() && server.session.request(far).is_none());
    assert!(server.session.request(other).is_some());
}

#[test]
fn an_answer_from_elsewhere_is_nobodys() {
    let mut client = TestSession::new(Config::client(1));
    let (call, id) = client.open(NEIGHBOUR, &CallOptions::default());
    let forged = RawEvent::on(id.clone(), "OK", Value::Array(vec![7.into()]));
    client.hear(HOSTILE, &forged).expect("late or forged, it is ignored");
    assert_eq!(client.recv(call), None);
    client.hear(NEIGHBOUR, &RawEvent::on(id, "OK", Value::Array(vec![8.into()]))).expect("his own");
    assert_eq!(
        client.recv(call).map(|a| matches!(a, Answer::Value(v) if value(&v) == 8.into())),
        Some(true)
    );
}

/// The second one gets what comes; the first one still gets its answer.
#[test]
fn one_id_twice_in_flight() {
    let mut server = server(Limits::default());
    let first = server.request(HOSTILE, &request("id"));
    let second = server.request(HOSTILE, &request("id"));
    server.serve(second).reply(Args::NIL).expect("no stream has begun");
    server.serve(first).reply(Args::NIL).expect("no stream has begun");
    server.settle();
    assert_eq!(answers(&mut server).len(), 2);
    assert_eq!(server.session.open_channels(), 0);
    server.request(HOSTILE, &request("id"));
}

#[test]
fn ids_are_echoed_in_their_own_type() {
    for id in [
        Value::from("text"),
        Value::Binary(b"bytes".to_vec()),
        Value::from(0),
        Value::from(-7),
        Value::from(u64::MAX),
        Value::from(1.5),
        Value::from(true),
        Value::Ext(5, vec![1, 2, 3]),
        Value::from(""),
    ] {
        let mut server = server(Limits::default());
        let request = server.request(HOSTILE, &request(id.clone()));
        server.hear(HOSTILE, &RawEvent::grant(id.clone(), 1)).expect("credit");
        server.serve(request).send(Args::NIL).expect("credit");
        server.serve(request).fail(RemoteError::new("E", "m"));
        server.settle();
        let names = ["STREAM", "ERR \"E\""];
        let expected = names.map(|name| (HOSTILE, id.clone(), name.to_owned()));
        assert_eq!(answers(&mut server), expected);
    }
}

/// Text and bytes are told apart, as the reference does: what is said on one channel is nothing to the other.
#[test]
fn ids_that_differ_in_their_type_alone_are_two_channels() {
    let twins = [Value::from("twin"), Value::Binary(b"twin".to_vec())];
    let mut server = server(Limits::default());
    let [text, bytes] = twins.clone().map(|id| {
        let request = server.request(HOSTILE, &request(id));
        server.serve(request).send(Args::NIL).expect("every side may send one");
        request
    });
    server.hear(HOSTILE, &RawEvent::grant(twins[0].clone(), 2)).expect("credit");
    server.serve(bytes).send(Args::NIL).expect_err("it was for the other one");
    server.serve(text).send(Args::NIL).expect("credit");
    server.serve(text).finish();
    server.settle();
    // Its end is none to the other one, and what comes for it afterwards is late.
    server.hear(HOSTILE, &RawEvent::grant(twins[0].clone(), 2)).expect("late, but sound");
    server.serve(bytes).send(Args::NIL).expect_err("this one was as well");
    server.hear(HOSTILE, &RawEvent::grant(twins[1].clone(), 2)).expect("credit");
    server.serve(bytes).send(Args::NIL).expect("credit");
    server.serve(bytes).finish();
    server.settle();
    let sent = answers(&mut server).into_iter().map(|(_, id, name)| (id, name));
    let [text, bytes] = twins;
    let event = |id: &Value, name: &str| (id.clone(), name.to_owned());
    let expected = [
        event(&text, "STREAM"),
        event(&bytes, "STREAM"),
        event(&text, "STREAM"),
        event(&text, "STREAM_DONE"),
        event(&bytes, "STREAM"),
        event(&bytes, "STREAM_DONE"),
    ];
    assert_eq!(sent.collect::<Vec<_>>(), expected);
}

/// Handles of what is gone, in any order and without any polling between.
#[test]
fn methods_come_in_any_order() {
    let mut server = server(Limits::default());
    let now = server.now();
    for number in 0..50_u32 {
        hear(&mut server.session, now, HOSTILE, request(number).message()).expect("a request");
        server.session.handle_timeout(now);
    }
    let ids: Vec<_> = std::iter::from_fn(|| server.session.poll_notice())
        .map(|notice| match notice {
            Notice::Requested(id) => id,
            other => panic!("{other:?}"),
        })
        .collect();
    for id in ids.iter().step_by(2) {
        server.serve(*id).finish();
    }
    server.session.handle_peer_event(now, PeerEvent::Down(HOSTILE, "gone".into()));
    assert!(ids.iter().all(|id| server.session.request(*id).is_none()));
    assert_eq!(server.session.poll_transmit(), None, "what was queued went with its peer");
    let lost = std::iter::from_fn(|| server.session.poll_notice()).count();
    assert_eq!(lost, 25, "those that were not answered");
    assert_eq!((server.session.open_channels(), server.session.poll_timeout()), (0, None));
    // A slot that is used again does not bring the old handles back.
    server.request(HOSTILE, &request("new"));
    assert!(ids.iter().all(|id| server.session.request(*id).is_none()));
}

#[test]
fn context_keys_travel_with_requests_and_answers_alone() {
    let mut context = zerorpc_proto::Context::new();
    context.insert("trace_id", "t").expect("a text");
    let options = CallOptions::new().context(context.clone());
    let mut client = Session::new(Config::client(1));
    let mut server = server(Limits::default());
    client.open(server.now(), HOSTILE, "f", Args::NONE, &options).expect("few calls");
    let request = client.poll_transmit().expect("the request");
    let message = Multipart::direct(request.payload.to_bytes());
    server.hear_message(HOSTILE, message).expect("a request");
    let Some((_, Notice::Requested(id))) = server.notices.pop() else { panic!("a request") };
    assert_eq!(server.serve(id).context().get("trace_id"), Ok(Some("t")));
    server.serve(id).set_reply_context(context.clone());
    server.serve(id).send(Args::NIL).expect("every side may send one");
    server.pass(zerorpc_proto::DEFAULT_HEARTBEAT);
    let response = read(&request).header.message_id.expect("requests have an id");
    let id_value = Value::Binary(response.content().to_vec());
    server.hear(HOSTILE, &RawEvent::grant(id_value, 1)).expect("credit");
    server.serve(id).finish();
    server.settle();
    let with: Vec<_> = server
        .sent
        .iter()
        .map(|sent| (&*sent.event.name, sent.event.header.context == context))
        .collect();
    assert_eq!(with, [("STREAM", true), ("_zpc_hb", false), ("STREAM_DONE", true)]);
}
