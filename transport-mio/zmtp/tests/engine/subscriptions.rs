//! SUBSCRIBE and CANCEL, as commands and as messages.

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{Dealer, Pub, Pull, Push, Router, Sub};
use zerorpc_zmtp::ZmtpEvent;

use crate::support::{
    SIGNATURE, command, config, engine, feed, frame, message, modern, output, play_after, ready, v2,
};

fn subscribe(topic: &'static str) -> ZmtpEvent {
    ZmtpEvent::Subscribe(Bytes::from(topic))
}

fn cancel(topic: &'static str) -> ZmtpEvent {
    ZmtpEvent::Cancel(Bytes::from(topic))
}

#[test]
fn a_publisher_takes_both_forms_from_any_version() {
    let table = [
        (command("SUBSCRIBE", b"topic"), vec![subscribe("topic")]),
        (command("SUBSCRIBE", b""), vec![subscribe("")]),
        (command("CANCEL", b"topic"), vec![cancel("topic")]),
        (frame(0, b"\x01topic"), vec![subscribe("topic")]),
        (frame(0, b"\x01"), vec![subscribe("")]),
        (frame(0, b"\0topic"), vec![cancel("topic")]),
        (frame(0, b"\x02topic"), vec![]),
        (frame(0, b"topic"), vec![]),
        (frame(0, b""), vec![]),
        ([frame(1, b"\x01a"), frame(0, b"\x01b")].concat(), vec![subscribe("a"), subscribe("b")]),
        (command("subscribe", b"topic"), vec![]),
    ];
    for (script, expected) in table {
        for minor in [0, 1] {
            let outcome = play_after(&config(Pub), &modern(minor, "SUB"), &script);
            assert_eq!(outcome.events, expected, "{}", script.escape_ascii());
        }
        if script[0] & 4 == 0 {
            assert_eq!(play_after(&config(Pub), &v2(2), &script).events, expected);
        }
    }
}

#[test]
fn other_sockets_hear_nothing_of_commands() {
    let script = [command("SUBSCRIBE", b"topic"), command("CANCEL", b"topic")].concat();
    for (kind, theirs) in
        [(Dealer, "DEALER"), (Router, "DEALER"), (Push, "PULL"), (Pull, "PUSH"), (Sub, "PUB")]
    {
        let outcome = play_after(&config(kind), &modern(1, theirs), &script);
        assert_eq!((outcome.end, outcome.events), (Ok(()), vec![]), "{kind:?}");
    }
    // A message is a message.
    let outcome = play_after(&config(Router), &modern(1, "DEALER"), &frame(0, b"\x01topic"));
    assert_eq!(outcome.events, [ZmtpEvent::Message(message(&[b"\x01topic"]))]);
    let outcome = play_after(&config(Push), &modern(1, "PULL"), &frame(0, b"hello"));
    assert_eq!(outcome.events, [], "a PUSH socket receives nothing");
}

#[test]
fn a_subscriber_speaks_as_the_publisher_understands() {
    let table = [
        (modern(1, "PUB"), command("SUBSCRIBE", b"ab"), command("CANCEL", b"ab")),
        (modern(0, "PUB"), frame(0, b"\x01ab"), frame(0, b"\0ab")),
        (v2(1), frame(0, b"\x01ab"), frame(0, b"\0ab")),
        ([SIGNATURE, b"\0\x01\x01\0"].concat(), b"\x04\0\x01ab".to_vec(), b"\x04\0\0ab".to_vec()),
        (b"\x01\0".to_vec(), vec![], vec![]),
    ];
    for (handshake, begins, ends) in table {
        let mut engine = ready(&config(Sub), &handshake);
        engine.subscribe(b"ab");
        assert_eq!(output(&mut engine), begins);
        engine.cancel(b"ab");
        assert_eq!(output(&mut engine), ends);
    }
}

#[test]
fn subscriptions_made_before_the_handshake_follow_it() {
    let mut engine = engine(&config(Sub));
    engine.subscribe(b"a");
    engine.subscribe(b"b");
    engine.cancel(b"a");
    feed(&mut engine, &modern(1, "PUB")).expect("sound");
    let expected =
        [command("SUBSCRIBE", b"a"), command("SUBSCRIBE", b"b"), command("CANCEL", b"a")].concat();
    assert!(output(&mut engine).ends_with(&expected));
}
