//! PING, PONG and what they promise.

use std::time::{Duration, Instant};

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{Dealer, Pub, Pull, Push, Router, Sub};
use zerorpc_zmtp::{Blame, Engine, EngineConfig, Heartbeat, Violation, ZmtpEvent};

use crate::support::{
    command, config, frame, greeting, modern, output, play_after, property, ready, v2,
};

#[test]
fn answers_in_every_kind_of_socket() {
    let table: [(&[u8], Option<&[u8]>); 9] = [
        (b"\0\0", Some(b"")),
        (b"\0\0abc", Some(b"abc")),
        (b"\0\0\0\0", Some(b"\0\0")),
        (b"\0\x640123456789abcdef", Some(b"0123456789abcdef")),
        (b"\0\x640123456789abcdefg", Some(b"0123456789abcdef")),
        (b"\xff\xff", Some(b"")),
        (b"\0", None),
        (b"", None),
        (&[0; 60_000], Some(&[0; 16])),
    ];
    for (kind, theirs) in
        [(Router, "DEALER"), (Push, "PULL"), (Pull, "PUSH"), (Pub, "SUB"), (Sub, "PUB")]
    {
        for (body, context) in table {
            for minor in [0, 1] {
                let script = command("PING", body);
                let outcome = play_after(&config(kind), &modern(minor, theirs), &script);
                let expected = context.map_or(vec![], |context| command("PONG", context));
                assert_eq!((outcome.end, outcome.output), (Ok(()), expected));
                assert_eq!(outcome.events, []);
            }
        }
    }
}

#[test]
fn answers_come_in_order_and_before_messages() {
    let mut engine = ready(&config(Dealer), &modern(1, "ROUTER"));
    engine.send([Bytes::from("one")]);
    let pings = [command("PING", b"\0\0a"), command("PING", b"\0\0b")].concat();
    engine.handle_chunk(Instant::now(), pings.into()).expect("sound");
    engine.send([Bytes::from("two")]);
    let expected =
        [command("PONG", b"a"), command("PONG", b"b"), frame(0, b"one"), frame(0, b"two")];
    assert_eq!(output(&mut engine), expected.concat());
}

#[test]
fn an_answer_does_not_cut_a_message_in_two() {
    let mut engine = ready(&config(Dealer), &modern(1, "ROUTER"));
    engine.send([Bytes::new(), Bytes::from(vec![b'x'; 10_000])]);
    let mut slices = [std::io::IoSlice::new(&[]); 1];
    assert_eq!(engine.output(&mut slices), 1);
    engine.advance(3);
    let ping = command("PING", b"\0\0a");
    engine.handle_chunk(Instant::now(), ping.into()).expect("sound");
    let rest = output(&mut engine);
    let message = [frame(1, b""), frame(0, &[b'x'; 10_000])].concat();
    assert_eq!(rest, [&message[3..], &command("PONG", b"a")].concat());
}

#[test]
fn commands_between_frames_are_obeyed_and_what_is_unknown_is_not() {
    let script = [
        frame(1, b"a"),
        command("PING", b"\0\0x"),
        frame(1, b"b"),
        command("PONG", b"unasked"),
        command("LATER", b"than 3.1"),
        frame(4, b"\x09SUB"),
        frame(4, b""),
        frame(4, &[b'x'; 300]),
        frame(0, b"c"),
    ];
    let outcome = play_after(&config(Router), &modern(1, "DEALER"), &script.concat());
    assert_eq!(outcome.messages(), [[b"a", b"b", b"c"]]);
    assert_eq!(outcome.output, command("PONG", b"x"));
}

#[test]
fn unknown_commands_of_any_size_are_passed_over() {
    for size in [65_536, 65_537, 70_000, 200_000] {
        let script = [
            frame(1, b"a"),
            command("LATER", &vec![b'x'; size - 6]),
            command("PING", b"\0\0x"),
            frame(4, &vec![0; size]),
            frame(4, &vec![255; size]),
            frame(0, b"b"),
        ];
        for minor in [0, 1] {
            let outcome = play_after(&config(Router), &modern(minor, "DEALER"), &script.concat());
            assert_eq!((&outcome.end, outcome.messages()), (&Ok(()), vec![vec![&b"a"[..], b"b"]]));
            assert_eq!(outcome.output, command("PONG", b"x"));
        }
    }
}

#[test]
fn known_commands_keep_their_bounds() {
    let size = 65_537;
    let refused = Violation::CommandTooLarge { size, limit: 65_536 };
    for name in ["PING", "PONG", "SUBSCRIBE", "CANCEL", "GOAWAY", "ERROR", "READY"] {
        let script = command(name, &vec![0; size as usize - name.len() - 1]);
        let outcome = play_after(&config(Router), &modern(1, "DEALER"), &script);
        assert_eq!(outcome.end, Err(refused.clone()), "{name}");
    }
}

fn at(engine: &mut Engine, now: Instant, bytes: &[u8]) {
    engine.handle_chunk(now, Bytes::copy_from_slice(bytes)).expect("sound");
}

#[test]
fn a_ttl_is_a_promise_until_something_comes() {
    let start = Instant::now();
    for tenths in [1u16, 700, 65535] {
        let ttl = Duration::from_millis(u64::from(tenths) * 100);
        let ping = command("PING", &tenths.to_be_bytes());
        let mut engine = ready(&config(Router), &modern(1, "DEALER"));
        at(&mut engine, start + ttl, &ping);
        assert_eq!(engine.poll_timeout(), Some(start + ttl * 2));
        engine.handle_timeout(start + ttl * 2 - Duration::from_millis(1)).expect("not yet");

        for traffic in [&frame(0, b"")[..], &command("PONG", b""), b"\0"] {
            let mut engine = ready(&config(Router), &modern(1, "DEALER"));
            at(&mut engine, start, &ping);
            at(&mut engine, start, traffic);
            assert_eq!(engine.poll_timeout(), None, "anything at all keeps it");
        }
        let violation = engine.handle_timeout(start + ttl * 2).expect_err("silence");
        assert_eq!(violation, Violation::TtlExpired(ttl));
        assert_eq!(violation.blame(), Blame::Silence);
    }
    let mut engine = ready(&config(Router), &modern(1, "DEALER"));
    let both = [command("PING", b"\0\x01"), frame(0, b"")].concat();
    at(&mut engine, start, &both);
    assert_eq!(engine.poll_timeout(), None, "in one chunk as well");
    at(&mut engine, start, &command("PING", b"\0\0"));
    assert_eq!(engine.poll_timeout(), None, "zero promises nothing");
}

fn beating() -> EngineConfig {
    let heartbeat = Heartbeat::every(Duration::from_secs(2))
        .timeout(Duration::from_secs(5))
        .ttl(Duration::from_millis(7050));
    config(Dealer).heartbeat(heartbeat)
}

const SECOND: Duration = Duration::from_secs(1);

/// The PING of [`beating`].
fn ping() -> Vec<u8> {
    command("PING", b"\0\x46")
}

#[test]
fn an_idle_peer_is_asked_and_given_up() {
    let mut engine = ready(&beating(), &modern(1, "ROUTER"));
    let first = engine.poll_timeout().expect("a beat is due");
    engine.handle_timeout(first - SECOND).expect("early");
    assert_eq!(output(&mut engine), b"");
    engine.handle_timeout(first).expect("a beat");
    assert_eq!(output(&mut engine), ping());

    // Anything counts as an answer; the next PING follows when nothing was heard for the interval.
    at(&mut engine, first + SECOND, &command("PONG", b""));
    engine.handle_timeout(first + SECOND * 2).expect("a look");
    assert_eq!(output(&mut engine), b"");
    assert_eq!(engine.poll_timeout(), Some(first + SECOND * 3));
    engine.handle_timeout(first + SECOND * 3).expect("a beat");
    engine.handle_timeout(first + SECOND * 5).expect("a beat");
    assert_eq!(output(&mut engine), ping(), "one PING waits, not two");
    engine.handle_timeout(first + SECOND * 7).expect("still waiting");
    assert_eq!(engine.poll_timeout(), Some(first + SECOND * 8));
    let violation = engine.handle_timeout(first + SECOND * 8);
    assert_eq!(violation, Err(Violation::HeartbeatTimeout(SECOND * 5)));
}

#[test]
fn traffic_in_both_directions_needs_no_pings() {
    let mut engine = ready(&beating(), &modern(1, "ROUTER"));
    let mut now = engine.poll_timeout().expect("a beat is due") - SECOND * 2;
    for _ in 0..100 {
        now += SECOND / 2;
        at(&mut engine, now, &frame(0, b"theirs"));
        engine.send([Bytes::from("ours")]);
        assert_eq!(output(&mut engine), frame(0, b"ours"));
        engine.handle_timeout(now).expect("all is well");
    }
    assert_eq!(output(&mut engine), b"");
}

/// The peer was promised to hear us, whether it has anything to say or not.
#[test]
fn who_only_listens_is_heard_within_the_ttl() {
    let mut engine = ready(&beating(), &modern(1, "ROUTER"));
    let start = engine.poll_timeout().expect("a beat is due");
    let (mut now, mut spoke) = (start, start);
    while now < start + SECOND * 60 {
        at(&mut engine, now, &frame(0, b"theirs"));
        engine.handle_timeout(now).expect("all is well");
        if !output(&mut engine).is_empty() {
            spoke = now;
        }
        assert!(now - spoke < Duration::from_secs(7), "silent since {:?}", now - spoke);
        now += SECOND / 2;
    }
}

/// A large message takes its time on a slow line, and the PING is behind it.
#[test]
fn who_takes_what_is_written_is_there() {
    let mut engine = ready(&beating(), &modern(1, "ROUTER"));
    let mut now = engine.poll_timeout().expect("a beat is due");
    engine.send([Bytes::from(vec![b'x'; 1_000_000])]);
    for _ in 0..20 {
        let mut slices = [std::io::IoSlice::new(&[]); 3];
        assert!(engine.output(&mut slices) > 0);
        engine.advance(1000);
        engine.handle_timeout(now).expect("it takes some");
        now += SECOND * 2;
    }
    let until = now + SECOND * 10;
    let lost = std::iter::from_fn(|| {
        now += SECOND;
        (now <= until).then(|| engine.handle_timeout(now).err())
    });
    assert_eq!(lost.flatten().next(), Some(Violation::HeartbeatTimeout(SECOND * 5)));
}

#[test]
fn who_only_sends_gives_nobody_up() {
    for (kind, theirs) in [(Push, "PULL"), (Pub, "SUB")] {
        let config = beating().kind(kind);
        let mut engine = ready(&config, &modern(1, theirs));
        for _ in 0..50 {
            let due = engine.poll_timeout().expect("a beat is due");
            engine.handle_timeout(due).expect("a busy peer says nothing");
            assert_eq!(output(&mut engine), ping(), "{kind:?}");
        }
    }
}

#[test]
fn older_peers_get_no_pings() {
    for handshake in [modern(0, "ROUTER"), v2(6), b"\x01\0".to_vec()] {
        let engine = ready(&beating(), &handshake);
        assert_eq!(engine.poll_timeout(), None);
    }
}

#[test]
fn endless_intervals_are_never() {
    let mut config = beating();
    config.handshake_timeout = Duration::MAX;
    config.heartbeat =
        Some(Heartbeat::every(Duration::MAX).timeout(Duration::MAX).ttl(Duration::MAX));
    let engine = ready(&config, &modern(1, "ROUTER"));
    assert_eq!(engine.poll_timeout(), None);
}

#[test]
fn a_peer_that_is_asked_shows_that_it_is_there_or_is_gone() {
    // Later than all that the engines have seen.
    let (start, within) = (Instant::now() + Duration::from_secs(60), Duration::from_secs(2));
    let mut engine = ready(&config(Router), &modern(1, "DEALER"));
    assert!(engine.probe(start, within));
    assert_eq!(output(&mut engine), command("PING", b"\0\0"));
    assert_eq!(engine.poll_timeout(), Some(start + within));
    // To be asked again meanwhile gives no more time.
    assert!(engine.probe(start + within / 2, within));
    assert_eq!(engine.poll_timeout(), Some(start + within));
    for answer in [command("PONG", b""), frame(0, b"x"), b"\0".to_vec()] {
        let mut engine = ready(&config(Router), &modern(1, "DEALER"));
        engine.probe(start, within);
        at(&mut engine, start + within / 2, &answer);
        assert_eq!(engine.poll_timeout(), None, "anything shows it");
        engine.handle_timeout(start + within * 2).expect("it is there");
    }
    assert_eq!(engine.handle_timeout(start + within), Err(Violation::HeartbeatTimeout(within)));

    // Those that do not know the question are not asked.
    for handshake in [v2(5), b"\x01\0".to_vec(), modern(0, "DEALER")] {
        let mut engine = ready(&config(Router), &handshake);
        assert!(!engine.probe(start, within));
        assert_eq!((output(&mut engine), engine.poll_timeout()), (vec![], None));
    }
    let mut engine = Engine::new(std::sync::Arc::new(config(Router)), start);
    assert!(!engine.probe(start, within), "nobody knows yet what it knows");
}

/// A handshake of a peer that understands GOAWAY.
fn knowing(socket_type: &str) -> Vec<u8> {
    let properties =
        [property("Socket-Type", socket_type.as_bytes()), property("X-Goaway", b"1")].concat();
    [greeting([3, 1], "NULL", false), command("READY", &properties)].concat()
}

#[test]
fn only_who_understands_it_is_told_that_we_go_away() {
    for (handshake, is_told) in [
        (knowing("DEALER"), true),
        (modern(1, "DEALER"), false),
        (modern(0, "DEALER"), false),
        (v2(5), false),
        (b"\x01\0".to_vec(), false),
    ] {
        for (is_last, body) in [(false, &b""[..]), (true, b"\x01")] {
            let mut engine = ready(&config(Router), &handshake);
            let told = if is_last { engine.say_last_word() } else { engine.go_away() };
            assert_eq!(told, is_told);
            let expected = if is_told { command("GOAWAY", body) } else { vec![] };
            assert_eq!(output(&mut engine), expected);
        }
    }
}

#[test]
fn the_last_word_is_behind_all_messages() {
    let mut engine = ready(&config(Router), &knowing("DEALER"));
    engine.send([Bytes::from("answer")]);
    assert!(!engine.say_last_word(), "something waits to be written");
    assert!(engine.go_away(), "this need not wait for it");
    let expected = [command("GOAWAY", b""), frame(0, b"answer")].concat();
    assert_eq!(output(&mut engine), expected);
    assert!(engine.say_last_word());
    assert_eq!(output(&mut engine), command("GOAWAY", b"\x01"));
}

#[test]
fn callers_alone_hear_that_a_peer_goes_away() {
    let script = [frame(0, b"one"), command("GOAWAY", b""), command("GOAWAY", b"\x01")].concat();
    for (kind, theirs, hears) in [(Dealer, "ROUTER", true), (Router, "DEALER", false)] {
        let outcome = play_after(&config(kind), &modern(1, theirs), &script);
        assert_eq!((outcome.end.clone(), outcome.messages()), (Ok(()), vec![vec![&b"one"[..]]]));
        let heard: Vec<bool> = outcome
            .events
            .iter()
            .filter_map(|event| match event {
                ZmtpEvent::GoAway { is_last } => Some(*is_last),
                _ => None,
            })
            .collect();
        assert_eq!(heard, if hears { vec![false, true] } else { vec![] });
    }
}
