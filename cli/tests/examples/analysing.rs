//! Connections that were listened to.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    thread::{self, JoinHandle},
};

use crate::{
    start,
    support::{example, zerorpc},
};

/// Passes on what comes, until its end, and keeps it.
fn pass_on(mut from: TcpStream, mut to: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        // A connection that breaks has ended.
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        seen
    })
}

/// What the command and a server say to each other: from the client, and from the server.
fn listen_in(words: &[&str]) -> [Vec<u8>; 2] {
    let (_server, endpoint) = start("calculator", &["serve", "tcp://127.0.0.1:*"]);
    let between = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint_between = format!("tcp://{}", between.local_addr().expect("its address"));
    let client = zerorpc(&[&["--json", endpoint_between.as_str()], words].concat());
    let (client_side, _) = between.accept().expect("the command connects");
    let server_side = TcpStream::connect(endpoint.trim_start_matches("tcp://")).expect("a server");
    let clone = |stream: &TcpStream| stream.try_clone().expect("a second handle");
    let from_client = pass_on(clone(&client_side), clone(&server_side));
    let from_server = pass_on(server_side, client_side);
    client.succeed();
    [from_client, from_server].map(|seen| seen.join().expect("it does not panic"))
}

#[track_caller]
fn analyse(capture: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), capture).expect("it can be written");
    example("analyse", &[file.path().to_str().expect("plain characters")]).succeed()
}

#[test]
fn a_capture_is_read_from_its_beginning() {
    let [from_client, from_server] = listen_in(&["add", "20", "22"]);
    let said = analyse(&from_client);
    assert!(said.starts_with("ZMTP 3.1, said by a socket of the kind DEALER\n"), "{said}");
    assert!(said.contains(" a request: add[20, 22]\n"), "{said}");
    let said = analyse(&from_server);
    assert!(said.starts_with("ZMTP 3.1, said by a socket of the kind ROUTER\n"), "{said}");
    assert!(said.contains(" in answer: OK[42]\n"), "{said}");
}

#[test]
fn a_capture_is_read_from_the_middle() {
    let [_, from_server] = listen_in(&["add", "20", "22"]);
    // The greeting's 64 bytes, and some of the handshake.
    let said = analyse(&from_server[70..]);
    assert!(said.starts_with("(the first "), "{said}");
    assert!(said.contains(" in answer: OK[42]\n"), "{said}");
}
