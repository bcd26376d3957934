//! Servers that stop, and where the calls go that reach them all the same.

use std::time::Duration;

use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, Loss, Multipart, Notice, PeerEvent, PeerId, Target,
};
use zerorpc_tests::world::{raw_event::RawEvent, test_session::TestSession};

const ONE: PeerId = PeerId::new(1);
const TWO: PeerId = PeerId::new(2);
const TIMEOUT: Duration = Duration::from_secs(10);

fn client_of(peers: &[PeerId]) -> TestSession {
    let mut client = TestSession::new(Config::client(1));
    for peer in peers {
        let now = client.now();
        client.session.handle_peer_event(now, PeerEvent::Up(*peer));
    }
    client
}

fn call(client: &mut TestSession, to: impl Into<Target>) -> CallId {
    let now = client.now();
    let options = CallOptions::new().timeout(TIMEOUT);
    let call = client.session.open(now, to, "f", Args::NONE, &options).expect("few calls");
    client.settle();
    call
}

/// When requests were sent since this was last asked, in milliseconds, and to whom.
fn requested(client: &mut TestSession) -> Vec<(u128, u64)> {
    let requests = client.sent.drain(..).filter(|sent| sent.event.name == *"f");
    requests.map(|sent| (sent.at.as_millis(), sent.to.number().unwrap_or_default())).collect()
}

/// What a server that is stopping says to the latest request.
fn turned_down(client: &TestSession) -> Multipart {
    let request = client.sent.iter().rfind(|sent| sent.event.name == *"f").expect("a request");
    let mut server = TestSession::new(Config::server(1));
    server.session.stop_accepting();
    let message = Multipart::direct(request.event.encode());
    server.hear_message(ONE, message).expect("it is turned down");
    let answer = server.sent.pop().expect("an answer");
    assert_eq!((&*answer.event.name, server.notices.len()), ("ERR", 0));
    Multipart::direct(answer.event.encode())
}

fn id_of_latest(client: &TestSession) -> Value {
    let request = client.sent.iter().rfind(|sent| sent.event.name == *"f").expect("a request");
    let id = request.event.header.message_id.as_ref().expect("a request has an id");
    rmpv::decode::read_value(&mut id.as_encoded()).expect("an id")
}

#[test]
fn a_request_that_is_turned_down_goes_to_another_server_at_once() {
    let mut client = client_of(&[ONE, TWO]);
    let id = call(&mut client, Target::Any);
    let (refusal, asked) = (turned_down(&client), id_of_latest(&client));
    assert_eq!(requested(&mut client), [(0, 1)]);
    client.hear_message(ONE, refusal).expect("a sound event");
    assert_eq!(requested(&mut client), [(0, 2)]);
    assert_eq!((client.notices.len(), client.recv(id)), (0, None), "nobody is told");
    client.hear(TWO, &RawEvent::on(asked, "OK", Value::Array(vec![7.into()]))).expect("an answer");
    assert!(matches!(client.recv(id), Some(Answer::Value(_))));
}

/// A queue on the way may have it come twice.
#[test]
fn a_request_that_is_turned_down_twice_at_once_is_sent_again_all_the_same() {
    let mut client = client_of(&[]);
    let id = call(&mut client, PeerId::NAMELESS);
    let (refusal, asked) = (turned_down(&client), id_of_latest(&client));
    client.hear_message(PeerId::NAMELESS, refusal.clone()).expect("a sound event");
    let again = turned_down(&client);
    for _ in 0..2 {
        client.hear_message(PeerId::NAMELESS, again.clone()).expect("a sound event");
    }
    assert_eq!((client.notices.len(), client.recv(id)), (0, None), "nobody is told");
    client.pass(Duration::from_millis(100));
    assert_eq!(requested(&mut client).len(), 3);
    let answer = RawEvent::on(asked, "OK", Value::Array(vec![7.into()]));
    client.hear(PeerId::NAMELESS, &answer).expect("an answer");
    assert!(matches!(client.recv(id), Some(Answer::Value(_))));
}

#[test]
fn where_there_is_one_server_alone_it_is_tried_again_until_time_is_up() {
    for (to, from) in [(Target::Any, ONE), (PeerId::NAMELESS.into(), PeerId::NAMELESS)] {
        let mut client = client_of(&[ONE]);
        let id = call(&mut client, to);
        let mut times = Vec::new();
        while client.clock() < TIMEOUT {
            if client.sent.iter().any(|sent| sent.event.name == *"f") {
                let refusal = turned_down(&client);
                times.extend(requested(&mut client).iter().map(|(at, _)| *at));
                client.hear_message(from, refusal).expect("a sound event");
            } else {
                client.pass(Duration::from_millis(1));
            }
        }
        let expected =
            [0, 0, 50, 150, 350, 750, 1550, 2550, 3550, 4550, 5550, 6550, 7550, 8550, 9550];
        assert_eq!(times, expected, "{to}");
        assert_eq!(client.recv(id), Some(Answer::Lost(Loss::NotSent { after: TIMEOUT })));
        client.pass(TIMEOUT);
        assert_eq!(requested(&mut client), [], "what was given up is not sent");
        assert_eq!(client.session.open_channels(), 0);
    }
}

/// What makes an error of the service's own look like it, or comes too late to be it.
#[test]
fn errors_of_services_are_no_reason_to_try_again() {
    let error = |id: &Value| {
        let words = ["ServerStopping", "the service's own words", ""];
        RawEvent::on(id.clone(), "ERR", Value::Array(words.map(Value::from).to_vec()))
    };
    let returned = |id: &Value| error(id).with("_zpc_returned", true);
    type Say<'a> = &'a dyn Fn(&mut TestSession, &Value);
    let hear = |client: &mut TestSession, event: RawEvent| client.hear(ONE, &event).expect("sound");
    let table: [(&str, Target, Say<'_>); 4] = [
        ("the name alone", Target::Any, &|client, id| hear(client, error(id))),
        ("the key, but not true", Target::Any, &|client, id| {
            hear(client, error(id).with("_zpc_returned", 1));
        }),
        ("behind an item", Target::Any, &|client, id| {
            hear(client, RawEvent::on(id.clone(), "STREAM", Value::Nil));
            hear(client, returned(id));
        }),
        ("a call to this server alone", ONE.into(), &|client, id| hear(client, returned(id))),
    ];
    for (what, to, say) in table {
        let mut client = client_of(&[ONE, TWO]);
        let id = call(&mut client, to);
        let asked = id_of_latest(&client);
        assert_eq!(requested(&mut client), [(0, 1)], "{what}");
        say(&mut client, &asked);
        let answers: Vec<_> = std::iter::from_fn(|| client.recv(id)).collect();
        assert!(matches!(answers.last(), Some(Answer::Failed(_))), "{what}: {answers:?}");
        assert_eq!(requested(&mut client), [], "{what}");
    }
}

#[test]
fn a_server_that_goes_away_gets_no_new_calls_and_ends_those_it_has() {
    let mut client = client_of(&[ONE, TWO]);
    let running = call(&mut client, Target::Any);
    let asked = id_of_latest(&client);
    let now = client.now();
    client.session.handle_peer_event(now, PeerEvent::GoingAway(ONE));
    for _ in 0..3 {
        call(&mut client, Target::Any);
    }
    assert_eq!(requested(&mut client), [(0, 1), (0, 2), (0, 2), (0, 2)]);
    client.session.handle_peer_event(now, PeerEvent::GoingAway(TWO));
    call(&mut client, Target::Any);
    assert_eq!(requested(&mut client), [], "nobody wants it");
    client.hear(ONE, &RawEvent::on(asked, "OK", Value::Array(vec![7.into()]))).expect("an answer");
    assert!(matches!(client.recv(running), Some(Answer::Value(_))));
    let ended = client.session.poll_disconnect().map(|(peer, _)| peer);
    assert_eq!((ended, client.session.poll_disconnect()), (Some(ONE), None));
    client.session.handle_peer_event(now, PeerEvent::Down(ONE, "gone".into()));
    client.session.handle_peer_event(now, PeerEvent::Up(PeerId::new(3)));
    client.settle();
    assert_eq!(requested(&mut client), [(0, 3)]);
}

#[test]
fn what_a_server_has_never_looked_at_goes_to_another_when_it_is_gone() {
    let mut client = client_of(&[ONE]);
    let [begun, unseen] = [(); 2].map(|()| {
        let id = call(&mut client, Target::Any);
        (id, id_of_latest(&client))
    });
    client.hear(ONE, &RawEvent::beat(begun.1)).expect("a beat");
    requested(&mut client);
    let now = client.now();
    client.session.handle_peer_event(now, PeerEvent::GoingAway(ONE));
    client.session.handle_peer_event(now, PeerEvent::Gone(ONE));
    client.session.handle_peer_event(now, PeerEvent::Down(ONE, "gone".into()));
    assert_eq!(
        client.recv(begun.0),
        Some(Answer::Lost(Loss::Disconnected { reason: "gone".into() }))
    );
    assert_eq!(client.recv(unseen.0), None);
    client.session.handle_peer_event(now, PeerEvent::Up(TWO));
    client.settle();
    assert_eq!(requested(&mut client), [(0, 2)]);
    client.hear(TWO, &RawEvent::on(unseen.1, "OK", Value::Array(vec![7.into()]))).expect("sound");
    assert!(matches!(client.recv(unseen.0), Some(Answer::Value(_))));
}

/// A call that has waited for long, and is turned down at the end of its server's grace.
#[test]
fn a_request_that_was_not_begun_can_be_turned_down_later() {
    for (size, is_kept) in [(100, true), (100_000, false)] {
        let mut client = client_of(&[ONE, TWO]);
        let now = client.now();
        let args = Args::encode_params(&("x".repeat(size),)).expect("text");
        let id = client.session.open(now, Target::Any, "f", args, &CallOptions::default());
        client.settle();
        let request = client.sent.last().expect("a request").event.encode();
        let mut server = TestSession::new(Config::server(1));
        server.hear_message(ONE, Multipart::direct(request)).expect("a sound request");
        let Some((_, Notice::Requested(request))) = server.notices.pop() else { panic!("asked") };
        let asked = id_of_latest(&client);
        requested(&mut client);
        client.hear(ONE, &RawEvent::beat(asked)).expect("a beat");
        server.serve(request).refuse();
        server.settle();
        assert_eq!(server.session.open_channels(), 0);
        let answer = server.sent.pop().expect("an answer").event.encode();
        client.hear_message(ONE, Multipart::direct(answer)).expect("a sound event");
        // What is large is let go with the first sign that the server has it.
        assert_eq!(requested(&mut client).len(), usize::from(is_kept), "{size} bytes");
        let id = id.expect("few calls");
        assert_eq!(matches!(client.recv(id), Some(Answer::Failed(_))), !is_kept, "{size} bytes");
    }
}
