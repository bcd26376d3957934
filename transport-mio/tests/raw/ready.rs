//! What may stand in READY, and in its place.

use zerorpc_proto::transport::SocketKind::Router;

use crate::target::{Of, Raw, command, frame, greeting, is_closed, property, ready, stands};

#[test]
fn handshakes_that_pass() {
    let dealer = property("Socket-Type", b"DEALER");
    let table = [
        (Of::Both, "the least", command("READY", b"")),
        (Of::Both, "an unknown property", [&dealer[..], &property("X-Any", b"thing")].concat()),
        (Of::Both, "a resource", [&dealer[..], &property("Resource", b"a/b")].concat()),
        (Of::Both, "names in small letters", property("socket-type", b"DEALER")),
        (Of::Both, "the type twice", [&dealer[..], &dealer].concat()),
        (
            Of::Both,
            "two identities",
            [&dealer[..], &property("Identity", b"a"), &property("Identity", b"b")].concat(),
        ),
        (Of::Both, "a name of no length", [&dealer[..], &property("", b"value")].concat()),
        (Of::Both, "an empty value", [&dealer[..], &property("X-Any", b"")].concat()),
    ];
    for (of, what, properties) in table {
        let says = if properties.starts_with(b"\x04") {
            properties
        } else {
            command("READY", &properties)
        };
        for (mut target, address) in of.targets(Router) {
            let mut raw = Raw::connect(&address);
            raw.say(&greeting([3, 1], "NULL"));
            raw.say(&says);
            stands(what, &mut target, &mut raw);
        }
    }
}

#[test]
fn ready_need_not_be_a_command() {
    for (mut target, address) in Of::Both.targets(Router) {
        let mut says = ready("DEALER");
        says[0] = 0;
        let mut raw = Raw::connect(&address);
        raw.say(&greeting([3, 1], "NULL"));
        raw.say(&says);
        stands("READY in a message", &mut target, &mut raw);
    }
}

#[test]
fn handshakes_that_fail() {
    let dealer = property("Socket-Type", b"DEALER");
    let with = |more: &[u8]| command("READY", &[&dealer[..], more].concat());
    let table = [
        (Of::Both, "a type that does not go with ours", ready("PUSH")),
        (Of::Both, "a type of its own", ready("TELEPHONE")),
        (Of::Both, "a type in small letters", ready("dealer")),
        (Of::Both, "a type with a tail", ready("DEALERS")),
        (Of::Both, "no type", ready("")),
        (Of::Both, "a trailing byte", with(b"\x05")),
        (Of::Both, "a name beyond the end", with(b"\x05abc")),
        (Of::Both, "no length of the value", with(b"\x01x\0\0")),
        (Of::Both, "a value beyond the end", with(b"\x01x\0\0\0\x05abc")),
        (Of::Both, "a value of 2^31 bytes", with(b"\x01x\x80\0\0\0abc")),
        (Of::Both, "a value of 2^32 - 1 bytes", with(b"\x01x\xff\xff\xff\xffabc")),
        (Of::Both, "ready in small letters", command("ready", &dealer)),
        (Of::Both, "another command", command("PING", b"\0\0")),
        (Of::Both, "a command of another mechanism", command("HELLO", b"\x01a\x01b")),
        (Of::Both, "a message", frame(0, b"hello")),
        // libzmq leaves the connection as it is.
        (Of::Ours, "an error", command("ERROR", b"\x03why")),
        (Of::Both, "an error that goes beyond its end", command("ERROR", b"\x09why")),
        (Of::Both, "a name that goes beyond its end", frame(4, b"\x09READY")),
        (Of::Both, "nothing", frame(4, b"")),
        // libzmq has no limits for these two, and compares the names of properties exactly.
        (Of::Ours, "more than a handshake needs", [&[6][..], &70_000_u64.to_be_bytes()].concat()),
        (Of::Ours, "an identity that is too long", {
            let body = [b"\x05READY", &property("Identity", &[b'x'; 256])[..]].concat();
            [&[6][..], &(body.len() as u64).to_be_bytes(), &body].concat()
        }),
        (Of::Ours, "a wrong type under a small name", {
            command("READY", &property("socket-type", b"PUSH"))
        }),
    ];
    for (of, what, says) in table {
        for (mut target, address) in of.targets(Router) {
            let mut raw = Raw::connect(&address);
            raw.say(&greeting([3, 1], "NULL"));
            raw.say(&says);
            is_closed(what, &mut target, &mut raw);
            assert!(target.payloads().is_empty(), "{}: {what}", target.name());
        }
    }
}

#[test]
fn a_peer_that_does_not_fit_is_told() {
    let (mut target, address) = crate::target::Target::ours(Router).bound();
    let mut raw = Raw::connect(&address);
    raw.say(&greeting([3, 1], "NULL"));
    raw.say(&ready("PUSH"));
    is_closed("the end", &mut target, &mut raw);
    let words = b"\x05ERROR\x18Incompatible socket type";
    assert!(raw.heard.ends_with(words), "{}", raw.heard.escape_ascii());
}
