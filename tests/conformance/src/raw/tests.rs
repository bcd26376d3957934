//! The raw peer against itself, over loopback.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
    time::Duration,
};

use rmpv::Value;

use super::{
    Bytes, Framing, Handshake, Peer, Version, find_property,
    frame::{COMMAND, LONG, MORE},
    signature,
};
use crate::{event::Event, failure::Failure, transcript::Transcript};

/// How long anything may take; machines that run tests are slow and busy.
const SOON: Duration = Duration::from_secs(20);
/// Nothing comes within this time: what would have come is long there.
const MOMENT: Duration = Duration::from_millis(50);

/// A connection, both of its ends, and what is written about it.
fn pair() -> (Bytes, Bytes, Transcript) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a port");
    let address = listener.local_addr().expect("it listens");
    let transcript = Transcript::default();
    let caller = Bytes::connect(address, transcript.clone(), 1).expect("it accepts");
    let (stream, _) = listener.accept().expect("somebody connects");
    let server = Bytes::from_stream(stream, transcript.clone(), 2).expect("it is open");
    (caller, server, transcript)
}

/// Both ends behind a handshake.
fn peers(handshake: Handshake) -> (Peer, Peer, Transcript) {
    let (caller, server, transcript) = pair();
    let thread = thread::spawn(move || caller.shake_hands_as(&handshake));
    let server = server.shake_hands("ROUTER").expect("it shakes hands");
    (thread.join().expect("no panic").expect("it shakes hands"), server, transcript)
}

#[test]
fn a_call_and_its_transcript() {
    let (mut caller, mut server, transcript) = peers(Handshake::new("DEALER").identity("me"));
    let thread = thread::spawn(move || caller.call("echo", vec![Value::from("x")], SOON));
    let request = server.expect_request(SOON).expect("it comes");
    assert_eq!((request.name(), request.first()), ("echo", Some(&Value::from("x"))));
    server.answer(&request, "_zpc_hb", vec![Value::from(0)]).expect("it is open");
    server.answer(&request, "OK", vec![Value::from("y")]).expect("it is open");
    assert_eq!(thread.join().expect("no panic").expect("it is answered"), Value::from("y"));
    let written = transcript.render();
    for words in ["\"echo\"", "\"OK\"", "_zpc_hb", "READY", "Socket-Type"] {
        assert!(written.contains(words), "{words} in\n{written}");
    }
}

#[test]
fn properties_of_ready_are_told() {
    let (mut caller, mut server, _) = pair();
    let handshake = Handshake::new("DEALER").property("X-Odd", "1").identity(vec![7; 255]);
    caller.send_split(&handshake.greeting(), &[1, 10, 3], MOMENT / 50).expect("it is open");
    caller.send(&handshake.ready()).expect("it is open");
    let greeting = server.expect_greeting().expect("it is one");
    assert_eq!(greeting[..10], signature(255));
    let properties = server.expect_ready().expect("it is one");
    assert_eq!(find_property(&properties, "SOCKET-TYPE"), Some(&b"DEALER"[..]));
    assert_eq!(find_property(&properties, "x-odd"), Some(&b"1"[..]));
    assert_eq!(find_property(&properties, "Identity").map(<[u8]>::len), Some(255));
}

#[test]
fn older_versions() {
    for version in [Version::V1_0Signed, Version::V2_0] {
        let (caller, mut server, _) = pair();
        let thread = thread::spawn(move || {
            let handshake = Handshake::new("DEALER").version(version).identity("ab");
            let mut peer = caller.shake_hands_as(&handshake)?;
            peer.send_frames(&[b"", &b"text"[..]])?;
            peer.receive_frames(SOON)
        });
        server.send(&signature(0)).expect("it is open");
        server.expect(&signature(2), SOON).expect("a signature");
        let (revision, framing) = match version {
            Version::V2_0 => (1, Framing::V2),
            _ => (0, Framing::V1),
        };
        server.send(&[3, 6]).expect("it is open");
        server.expect(&[revision, 5], SOON).expect("a revision and the type of a DEALER");
        server.send(&framing.frame(0, b"")).expect("it is open");
        server.expect(&framing.frame(0, b"ab"), SOON).expect("an identity");
        server.expect(&framing.frame(MORE, b""), SOON).expect("a delimiter");
        server.expect(&framing.frame(0, b"text"), SOON).expect("a payload");
        server.send(&framing.frame(MORE | LONG, b"")).expect("it is open");
        server.send(&framing.frame(0, &[1; 300])).expect("it is open");
        let frames = thread.join().expect("no panic").expect("it is open").expect("they come");
        assert_eq!(frames, [vec![], vec![1; 300]]);
    }
}

#[test]
fn pings_are_answered_between_frames_of_a_message() {
    let (mut caller, mut server, _) = peers(Handshake::new("DEALER"));
    caller.send_frame(MORE, b"").expect("it is open");
    caller.send_frame(COMMAND, b"\x04PING\0\x01ctx").expect("it is open");
    caller.send_frame(LONG, b"text").expect("it is open");
    let frames = server.receive_frames(SOON).expect("it is open").expect("it is whole");
    assert_eq!(frames, [&b""[..], b"text"]);
    assert_eq!(caller.expect_command("PONG", SOON).expect("it comes").data, b"ctx");
    assert_eq!(server.take_commands().len(), 1);
    server.leave_pings();
    caller.send_command("PING", b"\0\0").expect("it is open");
    assert!(server.receive_frames(MOMENT).expect("it is open").is_none());
    caller.expect_silence(MOMENT).expect("no PONG comes");
}

#[test]
fn envelopes_are_compared() {
    let (mut caller, mut server, _) = peers(Handshake::new("DEALER"));
    let event = Event::new("id", "OK", vec![Value::Nil]).on(&Value::from("channel"));
    let channel = Value::from("channel");
    server.send_frames(&[b"a", &b"b"[..], b"", &event.encode()]).expect("it is open");
    caller.expect_answer_behind(&[b"a", b"b"], &channel, SOON).expect("it is the same");
    server.send_frames(&[b"b", &b"a"[..], b"", &event.encode()]).expect("it is open");
    let failure = caller.expect_answer_behind(&[b"a", b"b"], &channel, SOON).expect_err("not it");
    assert!(failure.to_string().contains("b\"b\" b\"a\""), "{failure}");
}

#[test]
fn silence_and_ends_are_told_apart() {
    let (mut caller, mut server, _) = pair();
    caller.expect_silence(MOMENT).expect("nothing is said");
    let failure = caller.expect_close(MOMENT).expect_err("it is open");
    assert_eq!(failure.seen, "it is open");
    server.send(b"abc").expect("it is open");
    let failure = caller.receive(4, MOMENT).expect_err("there are three");
    assert_eq!(failure.seen, "silence after b\"abc\"");
    server.finish();
    let failure = caller.receive(4, SOON).expect_err("there are three");
    assert_eq!(failure.seen, "the end of the connection after b\"abc\"");
    assert_eq!(caller.read_to_end(SOON).expect("it has ended"), b"abc");
    assert!(caller.ends(MOMENT) && caller.expect_silence(MOMENT).is_err());
}

#[test]
fn what_cannot_be_read_is_a_failure() {
    let hostile: [&[u8]; 5] = [
        b"\x02\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x05ab",
        b"\x04\x05\x09PING",
        b"\x00\x01\xc1",
        b"\x01\x00\x00\x04\x93\x80\xa1\xff",
    ];
    for bytes in hostile {
        let (mut caller, server, _) = peers(Handshake::new("DEALER"));
        let thread = thread::spawn(move || -> Result<Event, Failure> {
            let mut server = server;
            server.expect_event(SOON)
        });
        caller.bytes().send(bytes).expect("it is open");
        caller.bytes().finish();
        thread.join().expect("no panic").expect_err("that is no event");
    }
}
