//! Clients that happen to use the same message id: each has its own channel, its own answers and its own credit.

use std::time::{Duration, Instant};

use rmpv::Value;
use zerorpc::{Args, Limits, SocketOptions, TransportKind};
use zerorpc_proto::{
    Envelope, Event, Header, MessageId, Payload, PeerId, Transmit, Version, name,
    transport::{SocketKind, Transport, Waiter},
};
use zerorpc_tests::peers;

use crate::support::{Ours, SECOND, Theirs};

zerorpc_tests::over_each_transport![
    have_their_own_streams_and_credit,
    get_their_own_answers,
    of_two_types_are_two_channels,
];

/// A DEALER socket on which events are written by hand, all on the channel with the id `same`.
struct Raw(zerorpc_zmq::Parts);

fn same() -> MessageId {
    id(&"same".into())
}

fn id(value: &Value) -> MessageId {
    MessageId::new(Args::encode(value).expect("a value").as_bytes()).expect("a usable id")
}

impl Raw {
    fn connect(endpoint: &str) -> Self {
        let options = SocketOptions::default().linger(Duration::ZERO);
        let mut parts = zerorpc_zmq::open(SocketKind::Dealer, &options).expect("a socket");
        parts.transport.connect(endpoint).expect("a connection");
        Self(parts)
    }

    fn request(&mut self, method: &'static str, args: &[Value]) {
        self.request_as(same(), method, args);
    }

    fn request_as(&mut self, id: MessageId, method: &'static str, args: &[Value]) {
        let header = Header { message_id: Some(id), ..Header::default() };
        self.send(header, method, &args);
    }

    fn grant(&mut self, more: u32) {
        self.grant_as(same(), more);
    }

    fn grant_as(&mut self, id: MessageId, more: u32) {
        let header =
            Header { message_id: Some(same()), response_to: Some(id), ..Header::default() };
        self.send(header, name::MORE, &(more,));
    }

    fn send(&mut self, header: Header, name: &'static str, args: &impl serde::Serialize) {
        let header = Header { version: Version::CURRENT, ..header };
        let args = Args::encode(args).expect("they can be encoded");
        let head = Event { header, name: name.into(), args }.encode();
        let payload = Payload { head, body: bytes::Bytes::new() };
        let message = Transmit::new(PeerId::NAMELESS, Envelope::default(), payload);
        self.0.transport.send(message).expect("the socket works");
    }

    /// The next event that is no heartbeat; `None` when none comes in time.
    fn next(&mut self, patience: Duration) -> Option<(String, Value)> {
        let Event { header, name, args } = self.next_event(patience)?;
        assert_eq!(header.response_to, Some(same()));
        Some((name.to_string(), args.decode().expect("a value")))
    }

    fn next_event(&mut self, patience: Duration) -> Option<Event> {
        let deadline = Instant::now() + patience;
        loop {
            while let Some((_, message)) = self.0.transport.receive().expect("the socket works") {
                let event = Event::decode(&message.payload, &Limits::default()).expect("an event");
                if &*event.name != name::HEARTBEAT {
                    return Some(event);
                }
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            self.0.waiter.wait_until(Some(Instant::now() + left)).expect("it can wait");
        }
    }
}

/// Nothing comes within this time: what would have come is long there.
const QUIET: Duration = Duration::from_millis(300);
/// How long anything may take; machines that run tests are slow and busy.
const SOON: Duration = SECOND.saturating_mul(30);

fn item(number: u64) -> Option<(String, Value)> {
    Some((name::STREAM.to_owned(), number.into()))
}

fn have_their_own_streams_and_credit(kind: TransportKind) {
    let ours = Ours::serve(kind);
    let mut clients = [(); 2].map(|()| Raw::connect(ours.endpoint()));
    for client in &mut clients {
        client.request("numbers", &[300.into()]);
        assert_eq!(client.next(SOON), item(0));
        assert_eq!(client.next(QUIET), None, "a second item needs credit");
    }
    let [first, second] = &mut clients;
    first.grant(5);
    for number in 1..=5 {
        assert_eq!(first.next(SOON), item(number));
    }
    assert_eq!(first.next(QUIET), None, "five were granted");
    assert_eq!(second.next(QUIET), None, "and not to this one");

    second.grant(1_000);
    for number in 1..300 {
        assert_eq!(second.next(SOON), item(number));
    }
    assert_eq!(second.next(SOON), Some((name::STREAM_DONE.to_owned(), Value::Nil)));
    first.grant(1_000);
    for number in 6..300 {
        assert_eq!(first.next(SOON), item(number));
    }
    assert_eq!(first.next(SOON), Some((name::STREAM_DONE.to_owned(), Value::Nil)));
}

fn get_their_own_answers(kind: TransportKind) {
    let ours = Ours::serve(kind);
    let mut clients = [(); 8].map(|()| Raw::connect(ours.endpoint()));
    // Twice: an id is free again when its channel has ended.
    for _ in 0..2 {
        for (number, client) in (0_u64..).zip(&mut clients) {
            client.request("slow_echo", &[number.into(), 0.2.into()]);
        }
        for (number, client) in (0_u64..).zip(&mut clients) {
            let answer = Value::Array(vec![number.into()]);
            assert_eq!(client.next(SOON), Some((name::OK.to_owned(), answer)));
        }
    }
}

/// On one connection, from one caller: with our server and with the reference.
fn of_two_types_are_two_channels(kind: TransportKind) {
    let ours = Ours::serve(kind);
    of_two_types(ours.endpoint());
    if let Some(python) = peers::python() {
        of_two_types(Theirs::serve(&python).process.endpoint());
    }
}

fn of_two_types(endpoint: &str) {
    let mut client = Raw::connect(endpoint);
    let twins = [Value::from("twin"), Value::Binary(b"twin".to_vec())].map(|twin| id(&twin));
    let next = |client: &mut Raw, patience| {
        let Event { header, name, args } = client.next_event(patience)?;
        let answered = header.response_to.expect("an answer").as_encoded().to_vec();
        let twin = twins.iter().position(|twin| twin.as_encoded() == answered).expect("a twin");
        Some((twin, name.to_string(), args.decode::<Option<u64>>().expect("a number, or nil")))
    };
    let item = |twin, number| Some((twin, name::STREAM.to_owned(), Some(number)));
    for (twin, id) in twins.iter().enumerate() {
        client.request_as(id.clone(), "numbers", &[5.into()]);
        assert_eq!(next(&mut client, SOON), item(twin, 0));
    }
    client.grant_as(twins[0].clone(), 2);
    for number in 1..=2 {
        assert_eq!(next(&mut client, SOON), item(0, number));
    }
    assert_eq!(next(&mut client, QUIET), None, "two were granted, to one of them");
    for (twin, from) in [(1, 1), (0, 3)] {
        client.grant_as(twins[twin].clone(), 10);
        for number in from..5 {
            assert_eq!(next(&mut client, SOON), item(twin, number));
        }
        assert_eq!(next(&mut client, SOON), Some((twin, name::STREAM_DONE.to_owned(), None)));
    }
}
