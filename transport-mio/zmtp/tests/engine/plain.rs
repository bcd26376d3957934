//! PLAIN, from both sides.

use zerorpc_proto::transport::{PlainCredentials, Security, SocketKind::Dealer};
use zerorpc_zmtp::{Blame, EngineConfig, SocketType, Violation};

use crate::support::{command, config, greeting, plain_server, play, property};

fn client() -> EngineConfig {
    let credentials = PlainCredentials::new("admin", "secret").expect("short");
    config(Dealer).security(Security::PlainClient(credentials))
}

fn server() -> EngineConfig {
    plain_server(b"admin", b"secret")
}

fn script(server: bool, commands: &[Vec<u8>]) -> Vec<u8> {
    [greeting([3, 1], "PLAIN", server), commands.concat()].concat()
}

fn properties(socket_type: &str) -> Vec<u8> {
    property("Socket-Type", socket_type.as_bytes())
}

const HELLO: &[u8] = b"\x05admin\x06secret";

#[test]
fn the_client_says_who_it_is() {
    let commands = [command("WELCOME", b""), command("READY", &properties("ROUTER"))];
    let outcome = play(&client(), &script(true, &commands));
    assert_eq!(outcome.peer().socket_type, Some(SocketType::Router));
    let ours =
        [properties("DEALER"), property("Identity", b""), property("X-Goaway", b"1")].concat();
    let expected =
        [greeting([3, 1], "PLAIN", false), command("HELLO", HELLO), command("INITIATE", &ours)];
    assert_eq!(outcome.output, expected.concat());
}

#[test]
fn the_server_looks_at_it() {
    let commands = [command("HELLO", HELLO), command("INITIATE", &properties("DEALER"))];
    let outcome = play(&server(), &script(false, &commands));
    assert_eq!(outcome.peer().socket_type, Some(SocketType::Dealer));
    let ours = [
        properties("ROUTER"),
        property("Identity", b""),
        property("X-Goaway", b"1"),
        property("X-Lossless", b"1"),
    ]
    .concat();
    let expected =
        [greeting([3, 1], "PLAIN", true), command("WELCOME", b""), command("READY", &ours)];
    assert_eq!(outcome.output, expected.concat());
}

#[test]
fn wrong_credentials_are_told_as_400() {
    for hello in [&b"\x05admin\x05wrong"[..], b"\0\0", b"\x05admin\0"] {
        let outcome = play(&server(), &script(false, &[command("HELLO", hello)]));
        assert!(matches!(outcome.violation(), Violation::BadCredentials { .. }));
        assert_eq!(outcome.violation().blame(), Blame::Settings);
        assert!(outcome.output.ends_with(&command("ERROR", b"\x03400")));
    }
}

#[test]
fn what_the_server_refuses() {
    let malformed = || Violation::Malformed {
        command: "HELLO",
        reason: "it is not a user name and a password",
    };
    let out_of_turn = |expected, got: &str| Violation::OutOfTurn { expected, got: got.to_owned() };
    let hello = command("HELLO", HELLO);
    let table = [
        (vec![command("HELLO", b"")], malformed()),
        (vec![command("HELLO", b"\x05admin")], malformed()),
        (vec![command("HELLO", b"\x05admin\x06secre")], malformed()),
        (vec![command("HELLO", b"\x05admin\x06secretx")], malformed()),
        (vec![command("INITIATE", b"")], out_of_turn("HELLO", "INITIATE")),
        (vec![command("READY", b"")], out_of_turn("HELLO", "READY")),
        (vec![hello.clone(), hello.clone()], out_of_turn("INITIATE", "HELLO")),
        (vec![hello.clone(), command("READY", b"")], out_of_turn("INITIATE", "READY")),
        (vec![command("ERROR", b"\x03abc")], Violation::Refused { reason: "abc".to_owned() }),
    ];
    for (commands, expected) in table {
        assert_eq!(play(&server(), &script(false, &commands)).end, Err(expected));
    }
    let wrong_type = [hello, command("INITIATE", &properties("PUB"))];
    let outcome = play(&server(), &script(false, &wrong_type));
    assert!(matches!(outcome.violation(), Violation::SocketType { .. }));
    assert!(!outcome.output.windows(6).any(|window| window == b"\x05READY"));
}

#[test]
fn what_the_client_refuses() {
    let welcome = command("WELCOME", b"");
    let table = [
        (vec![command("WELCOME", b"x")], "a broken WELCOME"),
        (vec![command("READY", b"")], "READY in the handshake where WELCOME"),
        (vec![command("HELLO", HELLO)], "HELLO in the handshake where WELCOME"),
        (vec![welcome.clone(), welcome.clone()], "WELCOME in the handshake where READY"),
        (vec![command("ERROR", b"\x03400")], "refused the connection: \"400\""),
        // As libzmq's PLAIN writes it.
        (vec![b"\x04\x09^RROR\x03400".to_vec()], "refused the connection: \"400\""),
        (vec![welcome, command("ERROR", b"\x03400")], "refused the connection: \"400\""),
    ];
    for (commands, words) in table {
        let text = play(&client(), &script(true, &commands)).violation().to_string();
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn passwords_are_not_shown_and_have_255_bytes() {
    assert!(!format!("{:?}", client()).contains("secret"));
    assert!(PlainCredentials::new("a".repeat(255), "b".repeat(255)).is_some());
    assert!(PlainCredentials::new("a".repeat(256), "").is_none());
    assert!(PlainCredentials::new("", "b".repeat(256)).is_none());
}
