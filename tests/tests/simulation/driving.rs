//! Sessions that are driven as their documentation says: nothing stalls, whoever sleeps when he may.

use std::{collections::HashMap, ops::Range};

use zerorpc_proto::{
    Answer, Args, CallOptions, Config, Limits, Multipart, Notice, Output, PeerEvent, PeerId,
    RemoteError, RequestId, Session, Target,
};
use zerorpc_tests::world::epoch;

const PEER: PeerId = PeerId::new(0);

/// A server whose one method counts, to a number that it is told.
struct Counter {
    session: Session,
    /// Streams that are under way.
    streams: HashMap<RequestId, Range<u64>>,
}

impl Counter {
    fn look_at(&mut self, notice: &Notice) {
        match notice {
            Notice::Requested(id) => {
                let request = self.session.request(*id).expect("nobody has given it up");
                let (most,): (u64,) = request.args().decode().expect("a number");
                self.streams.insert(*id, 0..most);
                self.go_on(*id);
            }
            Notice::Writable(id) => self.go_on(*id),
            other => panic!("{other:?}"),
        }
    }

    fn go_on(&mut self, id: RequestId) {
        let numbers = self.streams.get_mut(&id).expect("a stream that is under way");
        let mut request = self.session.request(id).expect("nobody has given it up");
        while request.has_room() {
            let Some(number) = numbers.next() else { return request.finish() };
            request.send(Args::encode(&number).expect("a number")).expect("there is room");
        }
    }
}

/// Does what a server wants; false when it wanted nothing.
fn drive_server(server: &mut Counter, client: &mut Session) -> bool {
    let mut was_idle = true;
    loop {
        match server.session.poll_output() {
            Output::Transmit(message) => {
                let message = Multipart::direct(message.payload.to_bytes());
                client.handle_message(epoch(), PEER, message);
            }
            Output::Notice(notice) => server.look_at(&notice),
            Output::Disconnect { peer, .. } => panic!("{peer} is silent"),
            Output::Wait(_) => {
                assert!(server.session.is_idle());
                assert_eq!(
                    (server.session.poll_notice(), server.session.poll_transmit()),
                    (None, None)
                );
                return !was_idle;
            }
        }
        was_idle = false;
    }
}

/// Does what a client wants, and takes the answers that it has.
fn drive_client(client: &mut Session, server: &mut Session, answers: &mut Vec<Answer>) -> bool {
    let mut was_idle = true;
    loop {
        match client.poll_output() {
            Output::Transmit(message) => {
                let message = Multipart::direct(message.payload.to_bytes());
                server.handle_message(epoch(), PEER, message);
            }
            Output::Notice(Notice::Readable(id)) => {
                answers.extend(std::iter::from_fn(|| client.call(id)?.recv()));
            }
            Output::Notice(other) => panic!("{other:?}"),
            Output::Disconnect { peer, .. } => panic!("{peer} is silent"),
            Output::Wait(_) => {
                assert!(client.is_idle());
                return !was_idle;
            }
        }
        was_idle = false;
    }
}

#[test]
fn a_stream_never_stalls_whatever_its_window() {
    const ITEMS: u64 = 10_000;
    for slots in [1, 2, 3, 64, 100, 127, 128, 129, 1000, 20_000] {
        for unsent_items in [1, 2, 64] {
            let limits = Limits::default().unsent_items(unsent_items);
            let session = Session::new(Config::server(1).limits(limits));
            let mut server = Counter { session, streams: HashMap::new() };
            let mut client = Session::new(Config::client(2));
            let args = Args::encode_params(&(ITEMS,)).expect("a number");
            let options = CallOptions::new().slots(slots);
            client.open(epoch(), PEER, "count", args, &options).expect("few calls");
            let mut answers = Vec::new();
            while drive_client(&mut client, &mut server.session, &mut answers)
                | drive_server(&mut server, &mut client)
            {}
            let what = format!("{slots} slots, {unsent_items} at a time");
            assert_eq!(answers.len() as u64, ITEMS + 1, "{what}");
            assert_eq!(answers.pop(), Some(Answer::End), "{what}");
            for (number, answer) in answers.iter().enumerate() {
                let Answer::Item(item) = answer else { panic!("{what}: {answer:?}") };
                assert_eq!(item.decode(), Ok(number), "{what}");
            }
            assert_eq!((client.open_channels(), server.session.open_channels()), (0, 0), "{what}");
        }
    }
}

#[test]
fn room_is_told_of_without_an_item_that_was_turned_away() {
    let session = Session::new(Config::server(1));
    let mut server = Counter { session, streams: HashMap::new() };
    let request = zerorpc_tests::world::raw_event::RawEvent::request("id", "count", vec![5.into()]);
    server.session.handle_message(epoch(), PEER, request.message());
    let Output::Notice(Notice::Requested(id)) = server.session.poll_output() else { panic!() };
    let mut request = server.session.request(id).expect("a request");
    assert!(request.has_room(), "for one item");
    request.send(Args::NIL).expect("there is room");
    assert!(!request.has_room() && request.send(Args::NIL).is_err());
    let grant = zerorpc_tests::world::raw_event::RawEvent::grant("id", 5);
    server.session.handle_message(epoch(), PEER, grant.message());
    let told: Vec<_> = std::iter::from_fn(|| server.session.poll_notice()).collect();
    assert_eq!(told, [Notice::Writable(id)]);
    assert!(server.session.request(id).expect("a request").has_room());
}

/// Whatever comes in, a session that has something to do does not say that it is idle.
#[test]
fn idle_means_idle() {
    let mut client = Session::new(Config::client(1));
    assert!(client.is_idle());
    let now = epoch();
    let call = client.open(now, Target::Any, "f", Args::NONE, &CallOptions::new()).expect("a call");
    assert!(!client.is_idle());
    assert!(matches!(client.poll_output(), Output::Wait(Some(_))), "no peer is there");
    assert!(client.is_idle());
    client.handle_peer_event(now, PeerEvent::Up(PEER));
    assert!(!client.is_idle());
    assert!(matches!(client.poll_output(), Output::Transmit(_)));
    assert!(matches!(client.poll_output(), Output::Wait(Some(_))));
    client.handle_peer_event(now, PeerEvent::Down(PEER, "gone".into()));
    assert!(!client.is_idle(), "it is not told yet that the call is lost");
    assert_eq!(client.poll_output(), Output::Notice(Notice::CallLost(call)));
    assert_eq!(client.poll_output(), Output::Wait(None));
    assert!(client.is_idle());
    client.handle_message(now, PEER, Multipart::direct("garbage".into()));
    assert!(!client.is_idle());
    assert!(matches!(client.poll_output(), Output::Notice(Notice::Misbehaved { .. })));
    assert!(client.is_idle());
}

#[test]
fn what_a_method_ended_with_is_an_error_that_can_be_shown() {
    let failure = RemoteError::new("ValueError", "no such thing");
    let error: Box<dyn std::error::Error> = Box::new(failure);
    assert_eq!(error.to_string(), "ValueError: no such thing");
}
