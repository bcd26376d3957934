//! Connections that die without a word: nothing comes over them any more, and nobody says so.

use std::{thread, time::Duration};

use rmpv::Value;
use zerorpc::{Client, ClientBuilder, Error, Limits, Loss};
use zerorpc_proto::Event;
use zerorpc_tests::{proxy::Proxy, service::eventually, world::raw_event::RawEvent};

use crate::support::{Site, builder, until_up};

/// Heartbeats of tests in which silence loses calls: long enough that a busy machine does not seem silent.
const INTERVAL: Duration = Duration::from_millis(700);

fn client_of(middlebox: &Proxy, options: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    let builder = builder().heartbeat(INTERVAL).connect(&middlebox.endpoint());
    let client = options(builder).build().expect("a client");
    until_up(&client, 1);
    client
}

fn note(client: &Client, number: u64) -> Result<String, Error> {
    client.call("note", (number, 0))
}

#[test]
fn a_client_dials_anew_when_its_only_connection_has_died() {
    let site = Site::new(1);
    let middlebox = Proxy::before([site.endpoint()]);
    let client = client_of(&middlebox, |builder| builder);
    // More than once, with a call and with a stream.
    for round in 1..=4 {
        let mut stream = client.stream::<u64>("items", (round, 1_000_000, 0)).expect("a stream");
        assert_eq!(stream.next(), Some(Ok(0)));
        middlebox.forget();
        let error = match round % 2 {
            0 => stream.find_map(Result::err).expect("it ends"),
            _ => {
                drop(stream);
                note(&client, round).expect_err("nothing comes over this connection")
            }
        };
        let silent = Loss::Silent { after: 2 * INTERVAL };
        assert!(matches!(&error, Error::LostRemote { loss, .. } if *loss == silent), "{error}");
        for number in 0..8 {
            assert_eq!(note(&client, number).as_ref(), Ok(&site.name), "in round {round}");
        }
        assert_eq!(middlebox.accepted(), round as usize + 1, "one new connection");
    }
}

#[test]
fn calls_with_little_time_do_not_keep_a_dead_connection() {
    let site = Site::new(1);
    let middlebox = Proxy::before([site.endpoint()]);
    let client = client_of(&middlebox, |builder| builder.timeout(INTERVAL));
    middlebox.forget();
    thread::scope(|scope| {
        // One of them is always open.
        for _ in 0..3 {
            scope.spawn(|| eventually("calls are answered again", || note(&client, 1).is_ok()));
        }
    });
    assert_eq!(middlebox.accepted(), 2, "one new connection");
}

#[test]
fn others_are_asked_while_a_dead_connection_is_made_anew() {
    let sites = [1, 2].map(Site::new);
    let middlebox = Proxy::before([sites[0].endpoint()]);
    let client = client_of(&middlebox, |builder| builder.connect(sites[1].endpoint()));
    until_up(&client, 2);
    middlebox.forget();
    let lost = (0..20).filter(|number| note(&client, *number).is_err()).count();
    assert_eq!(lost, 1, "the one that went there first");
    eventually("both answer again", || note(&client, 20).is_ok_and(|name| name == sites[0].name));
    assert_eq!(middlebox.accepted(), 2, "one new connection");
}

#[test]
fn of_several_remotes_the_silent_one_is_named() {
    let sites = [1, 2, 3].map(Site::new);
    let middleboxes = sites.each_ref().map(|site| Proxy::before([site.endpoint()]));
    let builder = middleboxes.iter().fold(builder().heartbeat(INTERVAL), |builder, middlebox| {
        builder.connect(&middlebox.endpoint())
    });
    let client = builder.build().expect("a client");
    until_up(&client, 3);
    for silent in &middleboxes {
        silent.forget();
        let error = (0..20).find_map(|number| note(&client, number).err()).expect("one is lost");
        let Error::LostRemote { endpoint, loss: Loss::Silent { .. }, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*endpoint, silent.endpoint());
        assert!(error.to_string().contains(&silent.endpoint()), "{error}");
        eventually("it is there again", || silent.accepted() > 1 && note(&client, 20).is_ok());
    }
}

/// A server that is silent about one call and not about others has a connection that lives.
#[test]
fn a_connection_with_other_news_is_kept() {
    let socket = zmq::Context::new().socket(zmq::ROUTER).expect("a socket");
    socket.set_rcvtimeo(30_000).expect("an option");
    socket.set_linger(0).expect("an option");
    socket.bind("tcp://127.0.0.1:*").expect("a free port");
    let endpoint = socket.get_last_endpoint().expect("bound").expect("text");
    let client = builder().heartbeat(INTERVAL).connect(&endpoint).build().expect("a client");
    thread::scope(|scope| {
        let forgotten = scope.spawn(|| client.call::<String>("forgotten", ()));
        let streamed = scope.spawn(|| {
            let stream = client.stream::<u64>("items", ()).expect("a stream");
            stream.map(|item| item.expect("an item")).collect::<Vec<_>>()
        });
        let (caller, stream) = loop {
            let (caller, Event { header, name, .. }) = next(&socket);
            if name == *"items" {
                break (caller, header.message_id.expect("an id"));
            }
        };
        let say = |name, args| {
            let id = Value::Binary(stream.content().to_vec());
            let answer = RawEvent::on(id, name, args).payload();
            socket.send_multipart([&caller[..], b"", &answer], 0).expect("it is sent");
        };
        // The stream hears something for each beat of it, the other call nothing at all.
        for item in 0..6 {
            say("STREAM", item.into());
            while let (_, Event { header, name, .. }) = next(&socket)
                && (name != *"_zpc_hb" || header.response_to.as_ref() != Some(&stream))
            {
            }
        }
        say("STREAM_DONE", Value::Nil);
        let error = forgotten.join().expect("no panic").expect_err("nobody answers it");
        assert!(matches!(error, Error::LostRemote { loss: Loss::Silent { .. }, .. }), "{error}");
        assert_eq!(streamed.join().expect("no panic"), [0, 1, 2, 3, 4, 5]);
    });
}

/// What a caller says next, and who it is.
fn next(socket: &zmq::Socket) -> (Vec<u8>, Event) {
    let mut frames = socket.recv_multipart(0).expect("something comes");
    let payload = frames.pop().expect("a payload").into();
    let event = Event::decode(&payload, &Limits::default()).expect("an event");
    (frames.swap_remove(0), event)
}
