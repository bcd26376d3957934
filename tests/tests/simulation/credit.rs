//! Who may send how much, with peers that add credit and peers that assign it (protocol section 6).

use std::{collections::VecDeque, time::Duration};

use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, Limits, Loss, Notice, PeerId, PeerMisbehaved,
    RemoteError, RequestId,
};
use zerorpc_tests::world::{
    prng::Prng,
    raw_event::{RawEvent, value},
    test_session::TestSession,
};

const PEER: PeerId = PeerId::new(1);

fn server_with(limits: Limits) -> TestSession {
    TestSession::new(Config::server(1).limits(limits))
}

/// A server that was asked for a stream by `"id"`.
fn streaming(limits: Limits) -> (TestSession, RequestId) {
    let mut server = server_with(limits);
    let id = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    (server, id)
}

fn item(number: u64) -> Args {
    Args::encode(&number).expect("a number")
}

/// Sends as many items as are taken, with a look at what was transmitted after each.
fn send_all(server: &mut TestSession, id: RequestId, next: &mut u64) -> u64 {
    let before = *next;
    while server.serve(id).send(item(*next)).is_ok() {
        *next += 1;
        server.settle();
        assert!(*next < before + 10_100, "credit without end");
    }
    *next - before
}

fn grant(server: &mut TestSession, more: impl Into<Value>) {
    server
        .hear(PEER, &RawEvent::grant("id", more))
        .expect("grants of any kind are no misbehaviour");
}

fn writable(server: &mut TestSession) -> bool {
    std::mem::take(&mut server.notices).iter().any(|(_, n)| matches!(n, Notice::Writable(_)))
}

#[test]
fn what_grants_what() {
    for (more, items) in [
        (Value::from(5), 5),
        (Value::from(2.9), 2),
        (Value::from(0), 0),
        (Value::from(-5), 0),
        (Value::from(i64::MIN), 0),
        (Value::from("5"), 0),
        (Value::Nil, 0),
        (Value::F64(f64::NAN), 0),
        (Value::F64(f64::NEG_INFINITY), 0),
        (Value::from(10_000), 10_000),
    ] {
        let (mut server, id) = streaming(Limits::default());
        let mut next = 0;
        assert_eq!(send_all(&mut server, id, &mut next), 1, "every side may send one");
        grant(&mut server, more.clone());
        assert_eq!(writable(&mut server), items > 0, "{more}");
        assert_eq!(send_all(&mut server, id, &mut next), items, "{more}");
    }
}

#[test]
fn grants_add_and_none_is_lost() {
    let (mut server, id) = streaming(Limits::default());
    let mut next = 0;
    grant(&mut server, 3);
    grant(&mut server, 4);
    assert_eq!(send_all(&mut server, id, &mut next), 8);
    for more in [Value::from(u64::MAX), Value::F64(f64::INFINITY), Value::from(10)] {
        for _ in 0..100 {
            grant(&mut server, more.clone());
        }
    }
    for number in 0..10_000 {
        server.serve(id).send(item(number)).expect("there is no end of it");
        server.settle();
    }
}

#[test]
fn version_2_grants_in_beats() {
    for (version, items) in [(1, 7), (2, 7), (3, 0), (4, 0)] {
        let mut server = server_with(Limits::default());
        let request = RawEvent::request("id", "f", vec![]).version(version);
        let id = server.request(PEER, &request);
        let mut next = 0;
        send_all(&mut server, id, &mut next);
        let beat = RawEvent::on("id", "_zpc_hb", Value::Array(vec![7.into()])).version(version);
        server.hear(PEER, &beat).expect("a beat");
        assert_eq!(send_all(&mut server, id, &mut next), items, "version {version}");
    }
}

#[test]
fn accepted_items_are_bounded_whatever_is_granted() {
    let (mut server, id) = streaming(Limits::default().unsent_items(10));
    grant(&mut server, 1_000_000);
    let mut accepted = 0;
    while server.serve(id).send(item(accepted)).is_ok() {
        accepted += 1;
    }
    assert_eq!(accepted, 10);
    server.notices.clear();
    let mut transmitted = 0;
    while !server.notices.iter().any(|(_, notice)| *notice == Notice::Writable(id)) {
        assert!(server.session.poll_transmit().is_some(), "room is told before the last item left");
        transmitted += 1;
        server.notices.extend(server.session.poll_notice().map(|n| (Duration::ZERO, n)));
    }
    assert_eq!(transmitted, 5, "told once, when half has left");
}

#[test]
fn an_end_waits_for_credit_and_holds_nobody_up() {
    type End = fn(&mut TestSession, RequestId);
    let ends: [(&str, End); 2] = [
        ("STREAM_DONE", |server, id| server.serve(id).finish()),
        ("ERR", |server, id| server.serve(id).fail(RemoteError::new("E", "m"))),
    ];
    for (name, end) in ends {
        let (mut server, id) = streaming(Limits::default());
        send_all(&mut server, id, &mut 0);
        let other = server.request(PEER, &RawEvent::request("other", "f", vec![]));
        server.sent.clear();
        end(&mut server, id);
        server.settle();
        assert!(server.session.request(id).is_none(), "answered");
        assert_eq!(server.take_names(), [""; 0], "{name} has no credit yet");
        server.serve(other).reply(Args::NIL).expect("no stream has begun");
        server.settle();
        assert_eq!(server.take_names(), ["OK"], "the neighbour");
        grant(&mut server, 1);
        assert_eq!(server.take_names(), [name]);
        assert_eq!((server.session.open_channels(), server.session.buffered_bytes()), (0, 0));
        grant(&mut server, 100);
        assert_eq!(server.take_names(), [""; 0], "a late grant");
    }
}

#[test]
fn an_end_that_never_gets_credit_ends_with_its_caller() {
    let (mut server, id) = streaming(Limits::default());
    send_all(&mut server, id, &mut 0);
    server.serve(id).finish();
    server.notices.clear();
    server.hear(PEER, &RawEvent::beat("id")).expect("a beat");
    server.pass(3 * zerorpc_proto::DEFAULT_HEARTBEAT);
    assert_eq!(server.session.open_channels(), 0);
    assert_eq!(server.notices, [], "the application was done with it");
}

#[test]
fn a_stream_without_heartbeats_waits_for_credit_only_so_long() {
    let stalled = Duration::from_secs(600);
    for finish in [false, true] {
        let mut server = server_with(Limits::default().stalled(stalled));
        let id = server.request(PEER, &RawEvent::request("id", "f", vec![]).version(1));
        let mut next = 0;
        send_all(&mut server, id, &mut next);
        server.pass(stalled / 2);
        grant(&mut server, 1);
        send_all(&mut server, id, &mut next);
        if finish {
            server.serve(id).finish();
        }
        server.notices.clear();
        server.pass(stalled - Duration::from_secs(1));
        assert_eq!(server.session.open_channels(), 1, "counted from the last credit");
        server.pass(Duration::from_secs(1));
        let lost = Notice::RequestLost(id, Loss::Stalled { after: stalled });
        let notices: Vec<_> = server.notices.iter().map(|(_, notice)| notice.clone()).collect();
        assert_eq!(notices, if finish { vec![] } else { vec![lost] });
        assert_eq!(server.session.open_channels(), 0);
    }
}

/// Node's rule: whenever less than half is queued, `100 - queued`, for every event that it handles.
#[test]
fn nodes_noisy_grants_lose_and_double_nothing() {
    let mut prng = Prng::new();
    for total in [1, 2, 100, 101, 260, 5000] {
        let (mut server, id) = streaming(Limits::default());
        let (mut next, mut queued, mut got) = (0, VecDeque::new(), Vec::new());
        while (got.len() as u64) < total {
            while next < total && server.serve(id).send(item(next)).is_ok() {
                next += 1;
            }
            server.settle();
            queued.extend(server.sent.drain(..).map(|sent| sent.event.args));
            for _ in 0..1 + prng.below(60) {
                got.extend(queued.pop_front());
                if queued.len() < 50 {
                    grant(&mut server, 100 - queued.len() as u64);
                }
            }
            assert!(server.session.open_channels() == 1);
        }
        let expected: Vec<_> = (0..total).map(item).collect();
        assert_eq!(got, expected);
        server.serve(id).finish();
        server.settle();
        assert_eq!(server.take_names().last().map(String::as_str), Some("STREAM_DONE"));
        for _ in 0..300 {
            grant(&mut server, 100);
        }
        assert_eq!((server.session.open_channels(), server.sent.len()), (0, 0));
    }
}

/// A foreign server on the other side of our client, with a slow network between them.
struct ForeignServer {
    assigns: bool,
    credit: u64,
    sent: u64,
    grants: VecDeque<u64>,
    items: VecDeque<u64>,
}

impl ForeignServer {
    fn step(&mut self, prng: &mut Prng, total: u64) {
        if prng.chance(50)
            && let Some(more) = self.grants.pop_front()
        {
            self.credit = if self.assigns { more } else { self.credit + more };
        }
        if self.credit > 0 && self.sent < total {
            self.credit -= 1;
            self.items.push_back(self.sent);
            self.sent += 1;
        }
    }
}

fn collect_grants(client: &mut TestSession, server: &mut ForeignServer) {
    for sent in client.sent.drain(..).filter(|sent| sent.event.name == *"_zpc_more") {
        let args = value(&sent.event.args);
        server.grants.extend(args.as_array().and_then(|args| args[0].as_u64()));
    }
}

#[test]
fn a_stream_from_a_peer_that_adds_or_assigns_neither_stalls_nor_overruns() {
    const TOTAL: u64 = 1500;
    let mut prng = Prng::new();
    for assigns in [false, true] {
        for slots in [1, 2, 3, 4, 7, 99, 100, 1000] {
            let mut client = TestSession::new(Config::client(1).heartbeat(None));
            let options = CallOptions::new().slots(slots);
            let (call, id) = client.open(PEER, &options);
            let (grants, items) = (VecDeque::new(), VecDeque::new());
            let mut server = ForeignServer { assigns, credit: 1, sent: 0, grants, items };
            let mut consumed = 0;
            let mut idle = 0;
            while consumed < TOTAL {
                server.step(&mut prng, TOTAL);
                if prng.chance(50)
                    && let Some(number) = server.items.pop_front()
                {
                    let item = RawEvent::on(id.clone(), "STREAM", number.into());
                    client.hear(PEER, &item).expect("within its credit");
                }
                idle += 1;
                if prng.chance(50)
                    && let Some(answer) = client.recv(call)
                {
                    assert_eq!(answer, Answer::Item(item(consumed)));
                    (consumed, idle) = (consumed + 1, 0);
                }
                collect_grants(&mut client, &mut server);
                let ahead = server.sent - consumed;
                assert!(ahead <= u64::from(slots) + 1, "{ahead} ahead, {slots} slots");
                assert!(idle < 1000, "stalled at {consumed}: assigns {assigns}, {slots} slots");
            }
        }
    }
}

/// Items taken ahead are granted for when they are asked for, and not before.
#[test]
fn reading_ahead_grants_the_same_at_the_same_time() {
    let mut prng = Prng::new();
    for slots in [1, 2, 3, 7, 100] {
        let options = CallOptions::new().slots(slots);
        let mut readers = [(); 2].map(|()| TestSession::new(Config::client(1)));
        let calls = readers.each_mut().map(|reader| reader.open(PEER, &options));
        let mut ahead = VecDeque::new();
        let (mut credit, mut sent, mut consumed) = (1, 0, 0);
        while consumed < 500 {
            for _ in 0..prng.below(credit + 1) {
                for (reader, (_, id)) in readers.iter_mut().zip(&calls) {
                    let item = RawEvent::on(id.clone(), "STREAM", Value::from(sent));
                    reader.hear(PEER, &item).expect("within its credit");
                }
                (credit, sent) = (credit - 1, sent + 1);
            }
            let [(plain, _), (eager, _)] = calls;
            let [one, other] = &mut readers;
            let expected = one.recv(plain);
            let found = ahead.pop_front().map(Answer::Item).or_else(|| {
                let found = other.recv(eager);
                let mut call = other.session.call(eager).expect("the stream goes on");
                call.recv_ahead(&mut ahead, prng.below(20) as usize);
                found
            });
            assert_eq!(found, expected);
            consumed += u64::from(found.is_some());
            let [expected, found] = readers.each_mut().map(|reader| {
                let grants = reader.sent.drain(..).map(|sent| value(&sent.event.args));
                grants.collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{slots} slots, {consumed} consumed");
            let granted = |grant: &Value| grant.as_array().and_then(|args| args[0].as_u64());
            credit += found.iter().filter_map(granted).sum::<u64>();
        }
        let [unread, none] = readers.each_ref().map(|reader| reader.session.buffered_bytes());
        assert!(none <= unread, "what was taken is not counted: {none} of {unread}");
    }
}

#[test]
fn a_reader_that_does_not_read_grants_nothing() {
    let mut client = TestSession::new(Config::client(1));
    let (call, id) = client.open(PEER, &CallOptions::default());
    client.hear(PEER, &RawEvent::on(id.clone(), "STREAM", Value::Nil)).expect("an item");
    assert_eq!(client.take_names(), [""; 0]);
    client.recv(call).expect("the item");
    assert_eq!(client.take_names(), [""; 0], "not before the next one is asked for");
    assert_eq!(client.recv(call), None);
    assert_eq!(client.take_names(), ["_zpc_more"]);
}

#[test]
fn plain_answers_are_not_answered_by_grants() {
    for (name, args) in [
        ("OK", Value::Array(vec![Value::Nil])),
        ("ERR", Value::Array(vec!["E".into(), "m".into(), "t".into()])),
        ("STREAM_DONE", Value::Nil),
    ] {
        let mut client = TestSession::new(Config::client(1));
        let (call, id) = client.open(PEER, &CallOptions::default());
        client.hear(PEER, &RawEvent::on(id, name, args)).expect("an answer");
        assert!(client.recv(call).is_some_and(|answer| answer.is_last()));
        assert_eq!(client.recv(call), None);
        assert_eq!(client.take_names(), [""; 0]);
    }
}

#[test]
fn a_server_that_ignores_credit_loses_that_call_alone() {
    for (slots, most) in [(100, 150), (500, 501)] {
        let limits = Limits::default().buffered_events(150);
        let mut client = TestSession::new(Config::client(1).limits(limits));
        let options = CallOptions::new().slots(slots);
        let (flooded, id) = client.open(PEER, &options);
        let (neighbour, other) = client.open(PEER, &options);
        let flood = RawEvent::on(id, "STREAM", Value::from("item"));
        for _ in 0..most {
            client.hear(PEER, &flood).expect("within the limit");
        }
        assert_eq!(client.hear(PEER, &flood), Err(PeerMisbehaved::Overflow));
        client.hear(PEER, &flood).expect("late events are no news");
        let answers: Vec<_> = std::iter::from_fn(|| client.recv(flooded)).collect();
        assert_eq!(answers.len(), most + 1, "what came before can be read");
        assert_eq!(answers.last(), Some(&Answer::Lost(Loss::Overflow)));
        good_answer(&mut client, neighbour, other);
    }
}

fn good_answer(client: &mut TestSession, call: CallId, id: Value) {
    client.hear(PEER, &RawEvent::on(id, "OK", Value::Array(vec![Value::Nil]))).expect("an answer");
    assert_eq!(client.recv(call), Some(Answer::Value(Args::NIL)));
    assert_eq!((client.session.open_channels(), client.session.buffered_bytes()), (0, 0));
}
