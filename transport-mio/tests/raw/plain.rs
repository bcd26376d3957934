//! PLAIN, from both sides.

use std::{net::TcpListener, sync::Arc};

use zerorpc_proto::transport::{
    AuthRequest, Authenticator, Credential, Denied, PlainCredentials, Security,
    SocketKind::{Dealer, Router},
    SocketOptions,
};

use crate::connections::{accept, is_reported_and_retried};
use crate::target::{
    Of, Raw, SIGNATURE, Target, command, frame, greeting, handshake, hears, is_closed, property,
    stands, until,
};

const HELLO: &[u8] = b"\x05admin\x06secret";

/// Sockets that are bound and want `admin` to say `secret`.
fn servers(of: Of) -> Vec<(Target, String)> {
    let authenticator: Arc<dyn Authenticator> =
        Arc::new(|request: &AuthRequest<'_>| match &request.credential {
            Credential::Password { username: b"admin", password, .. } if password.is(b"secret") => {
                Ok("admin".to_owned())
            }
            _ => Err(Denied::new("unknown user or wrong password")),
        });
    let options =
        SocketOptions::default().security(Security::PlainServer).authenticator(authenticator);
    let mut targets = vec![Target::ours_with(Router, options)];
    if of == Of::Both {
        let target = Target::libzmq(Router);
        let Target::Libzmq { socket, .. } = &target else { panic!("it is libzmq") };
        socket.set_plain_server(true).expect("an option");
        targets.push(target);
    }
    targets.into_iter().map(Target::bound).collect()
}

/// Sockets that connect as `admin`, with their first connection.
fn clients(of: Of) -> Vec<(Target, TcpListener, Raw)> {
    let credentials = PlainCredentials::new("admin", "secret").expect("short");
    let options = SocketOptions::default().security(Security::PlainClient(credentials));
    let mut targets = vec![Target::ours_with(Dealer, options)];
    if of == Of::Both {
        let target = Target::libzmq(Dealer);
        let Target::Libzmq { socket, .. } = &target else { panic!("it is libzmq") };
        socket.set_plain_username(Some("admin")).expect("an option");
        socket.set_plain_password(Some("secret")).expect("an option");
        targets.push(target);
    }
    let with_connection = |mut target: Target| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        target.connect(&listener.local_addr().expect("bound").to_string());
        let raw = accept(&mut target, &listener);
        (target, listener, raw)
    };
    targets.into_iter().map(with_connection).collect()
}

fn properties(socket_type: &str) -> Vec<u8> {
    [property("Socket-Type", socket_type.as_bytes()), property("Identity", b"")].concat()
}

/// Waits until exactly these commands were heard behind the greeting, in which libzmq's server does not say that it
/// is one.
fn answers(what: &str, target: &mut Target, raw: &mut Raw, expected: &[u8]) {
    until(what, target, raw, |target, raw| target.common(&raw.heard).len() >= 64 + expected.len());
    let (heard, expected) = (target.common(&raw.heard), expected.escape_ascii());
    let heard = heard[64..].escape_ascii();
    assert_eq!(heard.to_string(), expected.to_string(), "{}: {what}", target.name());
}

#[test]
fn who_has_the_password_comes_in() {
    for (mut target, address) in servers(Of::Both) {
        let mut raw = Raw::connect(&address);
        raw.say(&[greeting([3, 1], "PLAIN"), command("HELLO", HELLO)].concat());
        let welcome = command("WELCOME", b"");
        answers("HELLO", &mut target, &mut raw, &welcome);
        raw.say(&command("INITIATE", &properties("DEALER")));
        let ready = command("READY", &properties("ROUTER"));
        answers("INITIATE", &mut target, &mut raw, &[welcome, ready].concat());
        assert_eq!(stands("messages", &mut target, &mut raw), [b""; 0]);
    }
}

#[test]
fn our_server_says_that_it_is_one() {
    for (mut target, address) in servers(Of::Ours) {
        let mut raw = Raw::connect(&address);
        raw.say(&greeting([3, 1], "PLAIN"));
        let mut expected = greeting([3, 1], "PLAIN");
        expected[32] = 1;
        hears("a greeting", &mut target, &mut raw, &expected);
    }
}

// libzmq misspells its answer: `^RROR`, with `^` where the length and the `E` of the name belong.
#[test]
fn who_has_not_is_told() {
    for hello in [&b"\x05admin\x05wrong"[..], b"\x05admin\0", b"\0\0"] {
        for (mut target, address) in servers(Of::Ours) {
            let mut raw = Raw::connect(&address);
            raw.say(&[greeting([3, 1], "PLAIN"), command("HELLO", hello)].concat());
            answers("an error", &mut target, &mut raw, &command("ERROR", b"\x03400"));
            is_closed("the end", &mut target, &mut raw);
        }
    }
}

#[test]
fn what_the_server_refuses() {
    let plain = |commands: &[Vec<u8>]| [greeting([3, 1], "PLAIN"), commands.concat()].concat();
    let hello = command("HELLO", HELLO);
    let table = [
        (Of::Both, "HELLO with nothing", plain(&[command("HELLO", b"")])),
        (Of::Both, "no password", plain(&[command("HELLO", b"\x05admin")])),
        (Of::Both, "a short name", plain(&[command("HELLO", b"\x09admin")])),
        (Of::Both, "a short password", plain(&[command("HELLO", b"\x05admin\x06secre")])),
        (Of::Both, "a trailing byte", plain(&[command("HELLO", b"\x05admin\x06secretx")])),
        (Of::Both, "hello in small letters", plain(&[command("hello", HELLO)])),
        (Of::Both, "INITIATE at once", plain(&[command("INITIATE", &properties("DEALER"))])),
        (Of::Both, "READY, as in NULL", plain(&[command("READY", &properties("DEALER"))])),
        (Of::Both, "a message", plain(&[frame(0, b"hello")])),
        (Of::Both, "HELLO twice", plain(&[hello.clone(), hello.clone()])),
        (Of::Both, "a type that does not fit", {
            plain(&[hello.clone(), command("INITIATE", &properties("PUSH"))])
        }),
        (Of::Both, "a broken INITIATE", plain(&[hello, command("INITIATE", b"\x05abc")])),
        (Of::Both, "NULL", handshake(1, "DEALER")),
        (Of::Both, "2.0", [SIGNATURE, b"\x01\x05\0\0"].concat()),
        (Of::Both, "1.0 with a version", [SIGNATURE, b"\0\x05\x01\0"].concat()),
        (Of::Both, "1.0", b"\x01\0".to_vec()),
    ];
    for (of, what, says) in table {
        for (mut target, address) in servers(of) {
            let mut raw = Raw::connect(&address);
            raw.say(&says);
            // Behind the door nobody listens.
            raw.say(b"\x01\0\0\x05hello");
            is_closed(what, &mut target, &mut raw);
            assert!(target.payloads().is_empty(), "{}: {what}", target.name());
        }
    }
}

#[test]
fn the_client_says_who_it_is() {
    for (mut target, _listener, mut raw) in clients(Of::Both) {
        raw.say(&greeting([3, 1], "PLAIN"));
        let mut expected = [greeting([3, 1], "PLAIN"), command("HELLO", HELLO)].concat();
        hears("HELLO", &mut target, &mut raw, &expected);
        raw.say(&command("WELCOME", b""));
        expected.extend_from_slice(&command("INITIATE", &properties("DEALER")));
        hears("INITIATE", &mut target, &mut raw, &expected);
        raw.say(&command("READY", &properties("ROUTER")));
        assert_eq!(stands("messages", &mut target, &mut raw), [b""; 0]);
        raw.heard.clear();
        target.send("hello");
        hears("a message", &mut target, &mut raw, b"\x01\0\0\x05hello");
    }
}

#[test]
fn what_the_client_refuses() {
    let plain = |commands: &[Vec<u8>]| [greeting([3, 1], "PLAIN"), commands.concat()].concat();
    let (welcome, error) = (command("WELCOME", b""), command("ERROR", b"\x03400"));
    let table = [
        (Of::Both, "data in WELCOME", plain(&[command("WELCOME", b"x")]), "a broken WELCOME"),
        (Of::Both, "READY at once", plain(&[command("READY", b"")]), "READY in the handshake"),
        (Of::Both, "HELLO", plain(&[command("HELLO", HELLO)]), "HELLO in the handshake"),
        (Of::Both, "WELCOME twice", plain(&[welcome.clone(), welcome.clone()]), "where READY"),
        (
            Of::Both,
            "a type that does not fit",
            { plain(&[welcome.clone(), command("READY", &properties("PUSH"))]) },
            "socket is a PUSH",
        ),
        (Of::Both, "ERROR", plain(std::slice::from_ref(&error)), "\"400\""),
        (Of::Both, "ERROR after WELCOME", plain(&[welcome, error]), "\"400\""),
        (Of::Ours, "libzmq's misspelt ERROR", plain(&[frame(4, b"^RROR\x03400")]), "\"400\""),
        (Of::Both, "NULL", handshake(1, "ROUTER"), "mechanism is NULL"),
        (Of::Both, "2.0", [SIGNATURE, b"\x01\x06\0\0"].concat(), "speaks ZMTP 2.0"),
        (Of::Both, "1.0", b"\x01\0".to_vec(), "speaks ZMTP 1.0"),
    ];
    for (of, what, says, reason) in table {
        for (mut target, listener, mut raw) in clients(of) {
            raw.say(&says);
            is_closed(what, &mut target, &mut raw);
            if matches!(target, Target::Ours { .. }) {
                let _again = accept(&mut target, &listener);
                is_reported_and_retried(what, reason, &mut target);
            }
        }
    }
}
