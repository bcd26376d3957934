//! Broken input over real sockets: it costs its sender something, and nobody else anything.

use std::time::Duration;

use bytes::Bytes;
use zerorpc::{CallOptions, Error};
use zerorpc_proto::{Event, Limits, name};
use zerorpc_tests::{service::eventually, transports::Pair, vectors};

zerorpc_tests::over_each_pair![
    a_server_serves_on_whatever_it_is_sent,
    a_flood_of_garbage_delays_nobody_for_long,
    a_caller_that_never_reads_is_alone_with_it,
    a_client_outlives_the_answers_of_a_broken_server,
    a_server_that_ignores_credit_ends_its_own_stream,
];

const SECOND: Duration = Duration::from_secs(1);

fn raw(kind: zmq::SocketType) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).expect("a socket");
    socket.set_linger(0).expect("an option");
    socket.set_rcvtimeo(30_000).expect("an option");
    socket.set_sndtimeo(30_000).expect("an option");
    socket
}

fn a_server_serves_on_whatever_it_is_sent(pair: Pair) {
    let interval = SECOND / 5;
    let (server, _) = pair.serve_with(|builder| builder.heartbeat(interval));
    let client = pair.client_of(&server);
    let hostile = raw(zmq::DEALER);
    hostile.connect(&server.endpoints()[0]).expect("a connection");
    let broken = vectors::load("broken");
    assert!(broken.len() > 50, "the vectors are there");
    for (number, vector) in broken.iter().enumerate() {
        if vector.frames.is_empty() {
            continue;
        }
        let frames: Vec<&[u8]> = vector.frames.iter().map(|frame| &frame[..]).collect();
        hostile.send_multipart(frames, 0).expect(&vector.name);
        let number = i64::try_from(number).expect("few vectors");
        assert_eq!(client.call("add", (number, 1)), Ok(number + 1), "after {}", vector.name);
    }
    // The same connection is still served, too.
    hostile
        .send_multipart([&b""[..], b"\x93\x81\xaamessage_id\xa3end\xa3add\x92\x01\x02"], 0)
        .expect("sent");
    loop {
        let frames = hostile.recv_multipart(0).expect("an answer comes");
        let payload = Bytes::from(frames.last().expect("frames").clone());
        let event = Event::decode(&payload, &Limits::default()).expect("answers are well-formed");
        if event.header.response_to.is_some_and(|id| id.content() == b"end")
            && *event.name == *name::OK
        {
            break;
        }
    }
}

fn a_flood_of_garbage_delays_nobody_for_long(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    let endpoint = server.endpoints()[0].clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let hostile = raw(zmq::DEALER);
            hostile.connect(&endpoint).expect("a connection");
            for _ in 0..50_000 {
                hostile.send_multipart([&b""[..], b"\x93\xc1garbage"], 0).expect("sent");
            }
        });
        for call in 0..200 {
            assert_eq!(client.call("add", (call, 1)), Ok(call + 1));
        }
    });
}

fn a_caller_that_never_reads_is_alone_with_it(pair: Pair) {
    let interval = SECOND;
    let (server, seen) = pair.serve_with(|builder| builder.heartbeat(interval));
    let deaf = raw(zmq::DEALER);
    deaf.set_rcvhwm(1).expect("an option");
    deaf.connect(&server.endpoints()[0]).expect("a connection");
    // A stream with endless credit, and a thousand calls; nothing is ever received.
    deaf.send_multipart(
        [&b""[..], b"\x93\x82\xaamessage_id\xa1s\xa1v\x03\xa7numbers\x91\xce\x00\xff\xff\xff"],
        0,
    )
    .expect("sent");
    let grant = b"\x93\x83\xaamessage_id\xa1g\xa1v\x03\xabresponse_to\xa1s\xa9_zpc_more\x91\xce\xff\xff\xff\xff";
    deaf.send_multipart([&b""[..], grant], 0).expect("sent");
    for _ in 0..1000 {
        let call = b"\x93\x82\xaamessage_id\xa1c\xa1v\x03\xa4echo\x91\xa5hello";
        deaf.send_multipart([&b""[..], call], 0).expect("sent");
    }
    let client = pair.client_with(&server, |builder| builder.heartbeat(interval));
    for call in 0..100 {
        assert_eq!(client.call("add", (call, 1)), Ok(call + 1));
    }
    // The stream ends by silence: the deaf caller does not beat either. Until then it is held back.
    eventually("the stream ends", || {
        let produced = seen.produced.load(std::sync::atomic::Ordering::SeqCst);
        std::thread::sleep(4 * interval);
        produced == seen.produced.load(std::sync::atomic::Ordering::SeqCst)
    });
    let produced = seen.produced.load(std::sync::atomic::Ordering::SeqCst);
    assert!(produced < 2_000_000, "{produced} items were produced for nobody");
    assert_eq!(client.call("add", (1, 1)), Ok(2));
}

type IsRight = fn(&Error) -> bool;

fn a_client_outlives_the_answers_of_a_broken_server(pair: Pair) {
    let server = raw(zmq::ROUTER);
    server.bind("tcp://127.0.0.1:*").expect("a free port");
    let endpoint = server.get_last_endpoint().expect("bound").expect("text");
    let client = pair.connect(&endpoint);
    // What the server answers; `{}` stands for the id of the request.
    let answers: [(&str, &[u8], IsRight); 7] = [
        ("OK without a value", b"\xa2OK\x90", |error| matches!(error, Error::BadAnswer { .. })),
        ("an unknown event", b"\xa3WTF\x91\x01", |error| matches!(error, Error::BadAnswer { .. })),
        ("a lie about lengths", b"\xa2OK\xdd\xff\xff\xff\xff", |error| {
            matches!(error, Error::BadAnswer { .. })
        }),
        ("text that is none", b"\xa2OK\x91\xa2\xff\xff", |error| {
            matches!(error, Error::BadAnswer { .. })
        }),
        ("an error of one text", b"\xa3ERR\x91\xa3why", |error| {
            matches!(error, Error::Remote { .. })
        }),
        ("an error of numbers", b"\xa3ERR\x93\x01\x02\x03", |error| {
            matches!(error, Error::Remote { .. })
        }),
        ("another type", b"\xa2OK\x91\xa3abc", |error| matches!(error, Error::Decode { .. })),
    ];
    std::thread::scope(|scope| {
        let calls = scope.spawn(|| {
            let options = CallOptions::new().timeout(30 * SECOND);
            answers.map(|_| client.with(options.clone()).call::<i64>("add", (1, 2)))
        });
        for (_, answer, _) in &answers {
            let request = server.recv_multipart(0).expect("a request comes");
            let payload = Bytes::from(request[2].clone());
            let event = Event::decode(&payload, &Limits::default()).expect("our own event");
            let id = event.header.message_id.expect("requests have one");
            // Garbage first, which belongs to nobody.
            for noise in [
                &b"\xc1"[..],
                b"",
                b"\x93\x80\xa2OK\xc0",
                b"\x93\x81\xabresponse_to\x90\xa2OK\x91\x01",
            ] {
                server.send_multipart([&request[0][..], b"", noise], 0).expect("sent");
            }
            let head = [b"\x93\x82\xaamessage_id\xa1m\xabresponse_to", id.as_encoded()].concat();
            let payload = [&head[..], *answer].concat();
            server.send_multipart([&request[0][..], b"", &payload], 0).expect("sent");
        }
        let results = calls.join().expect("no panic");
        for (result, (what, _, is_right)) in results.iter().zip(&answers) {
            let error = result.as_ref().expect_err(what);
            assert!(is_right(error), "{what}: {error:?}");
        }
    });
}

fn a_server_that_ignores_credit_ends_its_own_stream(pair: Pair) {
    let server = raw(zmq::ROUTER);
    server.bind("tcp://127.0.0.1:*").expect("a free port");
    let endpoint = server.get_last_endpoint().expect("bound").expect("text");
    let client = pair.connect(&endpoint);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let request = server.recv_multipart(0).expect("a request comes");
            let payload = Bytes::from(request[2].clone());
            let event = Event::decode(&payload, &Limits::default()).expect("our own event");
            let id = event.header.message_id.expect("requests have one");
            let head = [b"\x93\x82\xaamessage_id\xa1m\xabresponse_to", id.as_encoded()].concat();
            let item = [&head[..], b"\xa6STREAM\x01"].concat();
            for _ in 0..20_000 {
                server.send_multipart([&request[0][..], b"", &item], 0).expect("sent");
            }
            // Kept open until the client is done.
            let _ = server.recv_multipart(0);
        });
        let mut stream = client.stream::<u64>("numbers", (1,)).expect("a stream");
        eventually("the stream is cut off, with what came before", || {
            matches!(stream.next(), Some(Err(Error::BadAnswer { .. })))
        });
        drop(stream);
        let options = CallOptions::new().timeout(SECOND / 10);
        let _nobody_answers = client.with(options).call::<()>("end", ());
    });
}
