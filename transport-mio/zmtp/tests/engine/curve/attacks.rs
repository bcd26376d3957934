//! What ends a connection, and nothing else.

use zerorpc_proto::transport::{
    PlainCredentials, SecretKey, Security,
    SocketKind::{Dealer, Router},
};
use zerorpc_zmtp::{Engine, Violation, ZmtpEvent, ZmtpVersion, key_pair};

use super::{curve_client, curve_server, raw::RawClient, server_keys};
use crate::support::{
    SIGNATURE, command, config, engine, events, feed, frame, greeting, message, output,
    plain_server, play, v2,
};

const HELLO: [u8; 32] = [21; 32];
const OTHER: [u8; 32] = [22; 32];

/// A server, and a client that has had its WELCOME.
fn met() -> (Engine, RawClient) {
    let (mut server, mut client) = (engine(&curve_server(1)), RawClient::new(HELLO));
    client.meet(&mut server);
    (server, client)
}

/// A server, and a client that is in.
fn connected() -> (Engine, RawClient) {
    let (mut server, mut client) = (engine(&curve_server(1)), RawClient::new(HELLO));
    client.connect(&mut server);
    (server, client)
}

/// Ends a server's connection, without a word and without an event.
fn ends(server: &mut Engine, bytes: &[u8], what: &str) -> Violation {
    let violation = feed(server, bytes).expect_err(what);
    assert_eq!(events(server), [], "{what}");
    assert_eq!(output(server), b"", "{what}");
    assert_eq!(server.partial_bytes(), 0, "{what}");
    violation
}

#[test]
fn handshakes_cannot_be_replayed() {
    let (mut server, client) = met();
    let initiate = command("INITIATE", &client.initiate(&client.truth()));
    feed(&mut server, &initiate).expect("an INITIATE");
    let ready = output(&mut server);
    assert!(matches!(&events(&mut server)[..], [ZmtpEvent::Ready(_)]));

    // INITIATE once more, on the same connection.
    assert_eq!(ends(&mut server, &initiate, "INITIATE again"), Violation::Plaintext);
    // HELLO once more, on the same connection and on another; with it comes nothing but a WELCOME that only its client reads.
    let (mut server, client) = met();
    let hello = command("HELLO", &client.hello());
    let expected = Violation::OutOfTurn { expected: "INITIATE", got: "HELLO".to_owned() };
    assert_eq!(ends(&mut server, &hello, "HELLO again"), expected);
    let mut server = engine(&curve_server(2));
    feed(&mut server, &[greeting([3, 1], "CURVE", false), hello].concat()).expect("a HELLO");
    output(&mut server);
    assert_eq!(ends(&mut server, &initiate, "an old INITIATE"), Violation::StaleCookie);

    // What a server said, to a client that has another short-term key.
    let mut server = engine(&curve_server(3));
    let mut first = engine(&curve_client(4));
    let mut second = engine(&curve_client(5));
    feed(&mut first, &output(&mut server)).expect("a signature");
    let mut said = [output(&mut first), Vec::new()];
    for _ in 0..3 {
        feed(&mut server, &said[0]).expect("a client");
        said[1] = output(&mut server);
        if said[1].windows(8).any(|window| window == b"\x07WELCOME") {
            break;
        }
        feed(&mut first, &said[1]).expect("a server");
        said[0] = output(&mut first);
    }
    let at = said[1].windows(10).position(|window| window == b"\x04\xa8\x07WELCOME");
    let welcome = &said[1][at.expect("a WELCOME")..];
    let violation = feed(&mut second, &[&greeting([3, 1], "CURVE", true), welcome].concat());
    assert_eq!(violation, Err(Violation::Unopened { command: "WELCOME" }));
    feed(&mut first, welcome).expect("it is for this one");
    let violation = feed(&mut first, &ready);
    assert_eq!(violation, Err(Violation::Unopened { command: "READY" }));
}

#[test]
fn what_a_client_says_cannot_be_held_against_it() {
    // HELLO, back to where it came from.
    let mut client = engine(&curve_client(1));
    feed(&mut client, &greeting([3, 1], "CURVE", true)).expect("a greeting");
    let hello = output(&mut client).split_off(64);
    let expected = Violation::OutOfTurn { expected: "WELCOME", got: "HELLO".to_owned() };
    assert_eq!(feed(&mut client, &hello), Err(expected));
    assert_eq!(output(&mut client), b"");

    // A message of the server's, back to it.
    let (mut server, _) = connected();
    server.send(["from here".into()]);
    let said = output(&mut server);
    let violation = ends(&mut server, &said, "its own message");
    assert!(matches!(violation, Violation::Replayed | Violation::Unopened { .. }), "{violation}");
}

#[test]
fn cookies_are_good_for_their_own_connection() {
    let (_, old) = met();
    let (_, mut other) = {
        let (mut server, mut client) = (engine(&curve_server(2)), RawClient::new(OTHER));
        client.meet(&mut server);
        (server, client)
    };
    // Of an earlier connection of the same client.
    let (mut server, mut client) = (engine(&curve_server(9)), RawClient::new(HELLO));
    client.meet(&mut server);
    client.cookie = old.cookie.clone();
    let initiate = command("INITIATE", &client.initiate(&client.truth()));
    assert_eq!(ends(&mut server, &initiate, "an old cookie"), Violation::StaleCookie);
    // Of another client, by that client.
    let (mut server, _) = met();
    let initiate = command("INITIATE", &other.initiate(&other.truth()));
    assert_eq!(ends(&mut server, &initiate, "another's"), Violation::StaleCookie);
    // A cookie that is good, with another client's box behind it.
    let (mut server, client) = met();
    other.cookie.clone_from(&client.cookie);
    other.theirs = client.theirs;
    let initiate = command("INITIATE", &other.initiate(&other.truth()));
    let expected = Violation::Unopened { command: "INITIATE" };
    assert_eq!(ends(&mut server, &initiate, "another's box"), expected);
    // A cookie that nobody has made.
    let (mut server, mut client) = met();
    client.cookie = vec![7; 96];
    let initiate = command("INITIATE", &client.initiate(&client.truth()));
    assert_eq!(ends(&mut server, &initiate, "an invented one"), Violation::StaleCookie);
}

#[test]
fn nobody_vouches_for_another() {
    let somebody = || key_pair(SecretKey::new([33; 32]));
    for what in ["another's key", "another's vouch", "another short-term key", "another server"] {
        let (mut server, client) = met();
        let mut claim = client.truth();
        match what {
            "another's key" => claim.known = *somebody().public.as_bytes(),
            "another's vouch" => claim.voucher = somebody(),
            "another short-term key" => claim.vouched[0] = RawClient::new(OTHER).public,
            _ => claim.vouched[1] = *somebody().public.as_bytes(),
        }
        let initiate = command("INITIATE", &client.initiate(&claim));
        assert_eq!(ends(&mut server, &initiate, what), Violation::WrongVouch, "{what}");
    }
    let (mut server, client) = met();
    feed(&mut server, &command("INITIATE", &client.initiate(&client.truth()))).expect("the truth");
}

#[test]
fn nonces_rise() {
    for (numbers, last_is_good) in [
        (&[3, 4, 5][..], true),
        (&[3, 900, u64::MAX], true),
        (&[3, 3], false),
        (&[4, 3], false),
        // That of INITIATE, and lower ones.
        (&[2], false),
        (&[0], false),
        (&[3, u64::MAX, 0], false),
        (&[u64::MAX, u64::MAX], false),
    ] {
        let (mut server, client) = connected();
        let (last, before) = numbers.split_last().expect("there is one");
        for number in before {
            feed(&mut server, &client.message(*number, 0, b"good")).expect("it has risen");
        }
        let good = ZmtpEvent::Message(message(&[b"good"]));
        assert_eq!(events(&mut server), vec![good; before.len()]);
        let last = client.message(*last, 0, b"last");
        if last_is_good {
            feed(&mut server, &last).expect("it has risen");
            assert_eq!(events(&mut server).len(), 1, "{numbers:?}");
        } else {
            assert_eq!(ends(&mut server, &last, "a nonce"), Violation::Replayed, "{numbers:?}");
        }
    }
}

#[test]
fn commands_have_their_length() {
    let cut_off = |data: &[u8]| -> Vec<Vec<u8>> {
        let longer = [data, b"x"].concat();
        (0..data.len()).map(|length| data[..length].to_vec()).chain([longer]).collect()
    };
    let (_, client) = met();
    for data in cut_off(&client.hello()) {
        let mut server = engine(&curve_server(1));
        feed(&mut server, &greeting([3, 1], "CURVE", false)).expect("a greeting");
        output(&mut server);
        let expected = Violation::Malformed { command: "HELLO", reason: "its length is wrong" };
        assert_eq!(ends(&mut server, &command("HELLO", &data), "HELLO"), expected);
    }
    let (mut server, client) = met();
    for data in cut_off(&client.initiate(&client.truth())) {
        ends(&mut server, &command("INITIATE", &data), "INITIATE");
        // The same client to the same server: what has become of the one before changes nothing.
        let mut again = RawClient::new(HELLO);
        server = engine(&curve_server(1));
        again.meet(&mut server);
        assert_eq!(again.cookie, client.cookie);
    }
    feed(&mut server, &command("INITIATE", &client.initiate(&client.truth()))).expect("whole");

    for data in cut_off(&client.message_body(3, 0, b"some content")) {
        let (mut server, _) = connected();
        ends(&mut server, &frame(0, &data), "MESSAGE");
    }
}

#[test]
fn what_is_too_large_is_refused_as_announced() {
    let announced = |flags: u8, size: u64| [&[flags | 2][..], &size.to_be_bytes()].concat();
    let mut server = engine(&curve_server(1));
    feed(&mut server, &greeting([3, 1], "CURVE", false)).expect("a greeting");
    output(&mut server);
    let violation = ends(&mut server, &announced(4, 263), "a large HELLO");
    assert_eq!(violation, Violation::CommandTooLarge { size: 263, limit: 262 });
    let (mut server, _) = met();
    let violation = ends(&mut server, &announced(4, (64 << 10) + 1), "a large INITIATE");
    assert_eq!(violation, Violation::CommandTooLarge { size: (64 << 10) + 1, limit: 64 << 10 });
    let (mut server, _) = connected();
    let limit = 1 << 30;
    let violation = feed(&mut server, &announced(0, limit + 33 + 1)).expect_err("a large frame");
    assert_eq!(violation, Violation::FrameTooLarge { size: limit + 1, limit });
    let (mut server, _) = connected();
    feed(&mut server, &announced(0, limit + 33)).expect("it may be as large");
    assert!(server.partial_bytes() < 100_000, "{}", server.partial_bytes());
}

#[test]
fn bits_that_were_changed_are_noticed() {
    let (_, client) = met();
    let hello = client.hello();
    for at in (0..hello.len()).filter(|at| !(2..74).contains(at)) {
        let mut server = engine(&curve_server(1));
        feed(&mut server, &greeting([3, 1], "CURVE", false)).expect("a greeting");
        output(&mut server);
        let mut changed = hello.clone();
        changed[at] ^= 1;
        ends(&mut server, &command("HELLO", &changed), "HELLO");
    }
    for at in 0..client.initiate(&client.truth()).len() {
        let (mut server, client) = met();
        let mut changed = client.initiate(&client.truth());
        changed[at] ^= 1;
        ends(&mut server, &command("INITIATE", &changed), "INITIATE");
    }
    for at in 0..client.message_body(3, 0, b"some content").len() {
        let (mut server, client) = connected();
        let mut changed = client.message_body(3, 0, b"some content");
        changed[at] ^= 1;
        ends(&mut server, &frame(0, &changed), "MESSAGE");
    }
}

#[test]
fn nothing_goes_on_in_the_clear() {
    let (_, client) = connected();
    for clear in [
        frame(0, b"ping"),
        frame(1, b""),
        frame(0, &[b'x'; 40]),
        frame(0, &[b'x'; 300]),
        command("PING", b"\0\0"),
        command("READY", b""),
        command("ERROR", b"\x03400"),
        command("SUBSCRIBE", b""),
        // The box is good, the flags outside are not for us.
        frame(1, &client.message_body(3, 0, b"body")),
        frame(5, &client.message_body(3, 0, b"body")),
    ] {
        let (mut server, _) = connected();
        let violation = ends(&mut server, &clear, "in the clear");
        assert_eq!(violation, Violation::Plaintext, "{}", clear.escape_ascii());
    }
    // Some send it as the specification says: as a command.
    let (mut server, client) = connected();
    feed(&mut server, &frame(4, &client.message_body(3, 0, b"body"))).expect("a MESSAGE");
    assert_eq!(events(&mut server), [ZmtpEvent::Message(message(&[b"body"]))]);
}

#[test]
fn flags_that_nobody_knows() {
    for flags in [4, 8, 16, 32, 64, 128, 255] {
        let (mut server, client) = connected();
        let violation = ends(&mut server, &client.message(3, flags, b"body"), "flags");
        assert_eq!(violation, Violation::UnknownFlags(flags));
    }
}

#[test]
fn commands_within_boxes_are_commands() {
    let (mut server, client) = connected();
    let first = client.message(3, 1, b"first");
    let ping = client.message(4, 2, b"\x04PING\0\0context");
    let large = client.message(5, 2, &[&b"\x07UNKNOWN"[..], &vec![b'x'; 70_000]].concat());
    let last = client.message(6, 0, b"last");
    feed(&mut server, &[first, ping, large, last].concat()).expect("all of it is sound");
    assert_eq!(events(&mut server), [ZmtpEvent::Message(message(&[b"first", b"last"]))]);
    let pong = output(&mut server);
    // Name, nonce, what proves the box, flags, PONG.
    assert_eq!(pong.len(), 2 + 8 + 8 + 16 + 1 + 5 + 7);
    let large = [&b"\x04PING\0\0"[..], &vec![b'x'; 70_000]].concat();
    let violation = feed(&mut server, &client.message(7, 2, &large)).expect_err("too large");
    assert!(matches!(violation, Violation::CommandTooLarge { .. }), "{violation}");
}

#[test]
fn curve_is_not_talked_away() {
    let server = server_keys().public;
    let plain = PlainCredentials::new("name", "word").expect("short");
    for ours in [curve_client(1), curve_server(1)] {
        for (script, version) in [
            (b"\x01\0".to_vec(), ZmtpVersion::Unversioned),
            ([SIGNATURE, b"\0\x05"].concat(), ZmtpVersion::V1_0),
            (v2(5), ZmtpVersion::V2_0),
        ] {
            let outcome = play(&ours, &script);
            let expected = Violation::Downgrade { version, mechanism: "CURVE" };
            assert_eq!(outcome.violation(), &expected);
            assert!(outcome.output.len() <= 11, "nothing more is told");
        }
        for theirs in ["NULL", "PLAIN", "CURVE2", ""] {
            let outcome = play(&ours, &greeting([3, 1], theirs, false));
            let expected = Violation::Mechanism { ours: "CURVE", theirs: theirs.to_owned() };
            assert_eq!(outcome.violation(), &expected);
            assert!(outcome.output.len() <= 64, "nothing more is told");
        }
    }
    let plain_client = config(Dealer).security(Security::PlainClient(plain));
    for ours in [config(Router), config(Dealer), plain_client, plain_server(b"name", b"word")] {
        let outcome = play(&ours, &greeting([3, 1], "CURVE", false));
        assert!(
            matches!(outcome.violation(), Violation::Mechanism { theirs, .. } if theirs == "CURVE")
        );
        assert!(!outcome.output.windows(32).any(|window| window == server.as_bytes()));
    }
}

#[test]
fn what_is_taken_back_leaves_a_gap() {
    let mut server = engine(&curve_server(1));
    let mut client = engine(&curve_client(2));
    loop {
        let (up, down) = (output(&mut client), output(&mut server));
        if up.is_empty() && down.is_empty() {
            break;
        }
        feed(&mut server, &up).expect("a client");
        feed(&mut client, &down).expect("a server");
    }
    events(&mut server);
    for text in ["first", "second", "third"] {
        client.send([text.into()]);
    }
    // Some bytes of the first are written.
    let mut slices = [std::io::IoSlice::new(&[]); 4];
    let filled = client.output(&mut slices);
    assert!(filled > 0);
    let begun = slices[0][..5].to_vec();
    client.advance(5);
    let unsent = client.take_unsent();
    let texts: Vec<_> = unsent.iter().map(|message| message.frames[0].clone()).collect();
    assert_eq!(texts, ["second", "third"]);
    client.send(["fourth".into()]);
    feed(&mut server, &begun).expect("a beginning");
    let rest = output(&mut client);
    feed(&mut server, &rest).expect("the rest");
    let expected = [&b"first"[..], b"fourth"].map(|text| ZmtpEvent::Message(message(&[text])));
    assert_eq!(events(&mut server), expected);
}
