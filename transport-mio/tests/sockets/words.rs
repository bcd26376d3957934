//! Both sides say what happened.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use zerorpc_proto::transport::SocketKind::{Dealer, Push, Router};
use zerorpc_proto::{
    PeerId,
    transport::{MonitorEvent, Transport},
};

use crate::support::{ANY_PORT, Node, Outcome, hasty, meet, pass, plain, until};

/// Why a connection ended, or never stood, as a socket tells it; waits for such an event.
fn reason(what: &str, nodes: &mut [&mut Node], of: usize, part: &str) -> String {
    until(what, nodes, |nodes| {
        nodes[of].told.iter().find_map(|event| match event {
            MonitorEvent::HandshakeFailed { reason, .. }
            | MonitorEvent::Disconnected { reason, .. } => {
                reason.contains(part).then(|| reason.clone())
            }
            _ => None,
        })
    })
}

fn limited(kind: zerorpc_proto::transport::SocketKind) -> Node {
    Node::with(kind, &hasty().max_frame(1000))
}

#[test]
fn who_sends_too_much_is_told_so() -> Outcome {
    let folder = tempfile::tempdir()?;
    for endpoint in [ANY_PORT.to_owned(), format!("ipc://{}/socket", folder.path().display())] {
        // Of the large one, most is on its way when it is refused.
        for size in [1001, 30 << 20] {
            let mut server = limited(Router);
            let bound = server.parts.transport.bind(&endpoint)?;
            let mut client = Node::connected(Dealer, &bound);
            let (_, called) = meet(&mut server, &mut client);
            client.send(called, vec![b'x'; size]);
            let (gone, told) =
                until("the loss", &mut [&mut server, &mut client], |nodes| nodes[1].down());
            let words = format!("a frame of {size} bytes is over the limit of 1000 bytes");
            assert!(gone == called && told.contains(&words), "{told}");
            assert!(told.starts_with(&bound) && told.contains("max_frame"), "{told}");
            reason("the client's", &mut [&mut client], 0, &words);
            let ours = reason("the server's", &mut [&mut server], 0, "1000");
            assert!(ours.contains(&size.to_string()), "{ours}");

            // The next connection is as good as any.
            let (_, called) = meet(&mut server, &mut client);
            client.send(called, "small");
            assert_eq!(pass(&mut client, &mut server).1.payload, "small");
        }
    }
    Ok(())
}

#[test]
fn too_much_is_refused_either_way_and_without_an_answer_to_wait_for() -> Outcome {
    let (mut server, endpoint) = Node::bound(Router);
    let mut client = limited(Dealer);
    client.parts.transport.connect(&endpoint)?;
    let (caller, _) = meet(&mut server, &mut client);
    server.send(caller, vec![b'x'; 5000]);
    reason("the server's", &mut [&mut client, &mut server], 1, "a frame of 5000 bytes");

    let mut puller = limited(zerorpc_proto::transport::SocketKind::Pull);
    let endpoint = puller.parts.transport.bind(ANY_PORT)?;
    let mut pusher = Node::connected(Push, &endpoint);
    meet(&mut puller, &mut pusher);
    pusher.send(PeerId::NAMELESS, vec![b'x'; 5000]);
    reason("the pusher's", &mut [&mut puller, &mut pusher], 1, "a frame of 5000 bytes");
    Ok(())
}

#[test]
fn libzmq_goes_on_after_words_that_it_does_not_know() -> Outcome {
    let mut server = limited(Router);
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let theirs = plain(zmq::DEALER);
    theirs.connect(&endpoint)?;
    theirs.send_multipart([&b""[..], &vec![b'x'; 1 << 20]], 0)?;
    reason("a refusal", &mut [&mut server], 0, "limit");
    until("it comes again", &mut [&mut server], |nodes| {
        let ups =
            nodes[0].told.iter().filter(|told| matches!(told, MonitorEvent::Connected { .. }));
        (ups.count() == 2).then_some(())
    });
    theirs.send_multipart([&b""[..], b"small"], 0)?;
    let (_, message) = until("a message", &mut [&mut server], |nodes| nodes[0].message());
    assert_eq!(message.payload, "small");
    Ok(())
}

/// Passes connections on to `server`, each with a header in front.
fn proxy(server: &str, header: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("bound"));
    let server = server.trim_start_matches("tcp://").to_owned();
    thread::spawn(move || {
        // It ends with the process.
        for client in listener.incoming() {
            let (Ok(mut client), Ok(mut behind)) = (client, TcpStream::connect(&server)) else {
                return;
            };
            if behind.write_all(header).is_err() {
                continue;
            }
            let (mut back, mut forth) =
                (behind.try_clone().expect("a copy"), client.try_clone().expect("a copy"));
            thread::spawn(move || {
                let _ended = std::io::copy(&mut back, &mut forth);
                let _gone = forth.shutdown(std::net::Shutdown::Write);
            });
            thread::spawn(move || {
                let _ended = std::io::copy(&mut client, &mut behind);
                let _gone = behind.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    endpoint
}

#[test]
fn a_proxy_that_introduces_itself_is_named_on_both_sides() -> Outcome {
    let headers = [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 4242\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xc3\x50\x10\x92",
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    ];
    for header in headers {
        let (mut server, endpoint) = Node::bound(Router);
        let mut client = Node::connected(Dealer, &proxy(&endpoint, header));
        let words = "PROXY protocol";
        let theirs = reason("the client's", &mut [&mut server, &mut client], 1, words);
        let ours = reason("the server's", &mut [&mut server, &mut client], 0, words);
        for told in [ours, theirs] {
            assert!(told.contains("send-proxy"), "{told}");
        }
        // libzmq passes over it, and comes again, as it does when it is closed without a word.
        drop(client);
        let theirs = plain(zmq::DEALER);
        theirs.set_reconnect_ivl(10)?;
        theirs.connect(&proxy(&endpoint, header))?;
        server.told.clear();
        until("several refusals", &mut [&mut server], |nodes| {
            let refused = |told: &&MonitorEvent| matches!(told, MonitorEvent::HandshakeFailed { reason, .. } if reason.contains(words));
            (nodes[0].told.iter().filter(refused).count() > 3).then_some(())
        });
        theirs.connect(&endpoint)?;
        for text in ["one", "two"] {
            theirs.send_multipart([&b""[..], text.as_bytes()], 0)?;
        }
        until("a message", &mut [&mut server], |nodes| nodes[0].message());
    }
    Ok(())
}

#[test]
fn other_protocols_are_called_by_their_names() -> Outcome {
    let table: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP"),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "TLS"),
        (b"SSH-2.0-OpenSSH_9.0\r\n", "SSH"),
        (b"*1\r\n$4\r\nPING\r\n", "Redis"),
        (b"hello?\r\n", "text"),
    ];
    for (opening, name) in table {
        let (mut server, endpoint) = Node::bound(Router);
        let mut stream = TcpStream::connect(endpoint.trim_start_matches("tcp://"))?;
        stream.write_all(opening)?;
        let told = reason(name, &mut [&mut server], 0, name);
        assert!(told.contains("not ZMTP") && told.contains("; "), "{told}");
        // And where we have come to the wrong door ourselves.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut client = Node::connected(Dealer, &format!("tcp://{}", listener.local_addr()?));
        listener.set_nonblocking(true)?;
        let mut stream = until("it comes", &mut [&mut client], |_| listener.accept().ok()).0;
        stream.write_all(opening)?;
        reason(name, &mut [&mut client], 0, name);
    }
    Ok(())
}

#[test]
fn a_door_that_is_shut_in_the_face_has_likely_reasons() -> Outcome {
    for (said, part) in
        [(&b""[..], "before a word was said"), (b"\xff", "in the middle of the handshake")]
    {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut client = Node::connected(Dealer, &format!("tcp://{}", listener.local_addr()?));
        listener.set_nonblocking(true)?;
        let (mut stream, _) = until("it comes", &mut [&mut client], |_| listener.accept().ok());
        stream.set_nonblocking(false)?;
        stream.write_all(said)?;
        // All that it says is read, so that the end is no reset.
        let mut greeting = [0; 10];
        stream.read_exact(&mut greeting)?;
        if !said.is_empty() {
            client.turn();
        }
        drop(stream);
        let told = reason(part, &mut [&mut client], 0, part);
        assert!(told.contains("the server may be stopping"), "{told}");
        let again = |event: &MonitorEvent| matches!(event, MonitorEvent::Retried { reason, .. } if reason.contains(part));
        assert!(client.told.iter().any(again), "the same is told of the next attempt");
    }
    Ok(())
}

#[test]
fn what_is_on_its_way_does_not_take_the_words_away() -> Outcome {
    let mut server = limited(Router);
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("tcp://"))?;
    let mut said = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    said.resize(64, 0);
    said.extend_from_slice(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
    said.extend_from_slice(b"\x02\0\0\0\0\0\x10\0\0");
    said.extend_from_slice(&[b'x'; 200_000]);
    stream.write_all(&said)?;
    stream.set_nonblocking(true)?;
    let mut heard = Vec::new();
    // A reset would be an error, and on many systems all that was heard.
    let end = until("the end", &mut [&mut server], |_| {
        let read = stream.read_to_end(&mut heard);
        Some(read).filter(
            |read| !matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
        )
    });
    end.expect("an end in good order");
    let words = b"a frame of 1048576 bytes is over the limit of 1000 bytes";
    assert!(heard.windows(words.len()).any(|window| window == words), "{}", heard.escape_ascii());
    Ok(())
}
