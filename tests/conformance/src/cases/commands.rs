//! Commands behind the handshake: PING and PONG, and those that mean nothing.

use std::time::{Duration, Instant};

use rmpv::Value;

use super::served::{ends_or_serves, others_are_served, serves};
use crate::{
    case::{Case, Level, Sharing},
    event::shown_bytes,
    failure::{Failure, ensure},
    memory::Before,
    raw::{
        Framing, Handshake, Version,
        frame::{COMMAND, MORE, command, property},
    },
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    Case::server(
        Level::Must,
        "commands.ping",
        "ZRPC-14.30",
        "PING is answered by PONG with its context, of 0, 1, 3 and 16 bytes.",
        ping,
    )
    .needing(&[]),
    Case::server(
        Level::Should,
        "commands.ping.burst",
        "ZRPC-14.30",
        "Eight PINGs that come with one write are answered in order.",
        ping_burst,
    )
    .needing(&[]),
    Case::server(
        Level::Should,
        "commands.ping.3-0",
        "ZRPC-14.30",
        "A peer that says it speaks 3.0 and sends PING all the same, as libzmq 4.2 does, is answered.",
        |trial| {
            let handshake = Handshake::new("DEALER").version(Version::V3(3, 0));
            let mut peer = trial.connect_bytes()?.shake_hands_as(&handshake)?;
            peer.send_command("PING", b"\0\0old")?;
            let pong = peer.expect_command("PONG", trial.soon())?;
            ensure(pong.data == b"old", "the context", shown_bytes(&pong.data))
        },
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "commands.ping.too-long",
        "ZRPC-14.30",
        "A context of more than 16 bytes comes back whole, cut off or not at all, and without bytes that were not sent.",
        ping_too_long,
    ),
    Case::server(
        Level::Must,
        "commands.ping.too-short",
        "ZRPC-14.31",
        "A PING without a whole TTL is ignored, or ends the connection; no byte of the server's memory comes back. (libzmq \
         4.3.5 sends 16 of them.)",
        ping_too_short,
    ),
    Case::server(
        Level::Should,
        "commands.ping.ttl",
        "ZRPC-14.32",
        "A second of silence behind a PING with a TTL of one second ends the connection.",
        |trial| {
            let mut peer = trial.connect()?;
            peer.leave_pings();
            peer.send_command("PING", b"\0\x0a")?;
            peer.expect_command("PONG", trial.soon())?;
            peer.expect_close(Duration::from_secs(4))
        },
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "commands.ping.ttl-kept",
        "ZRPC-14.32",
        "A connection that says something within each TTL stays, and so does one whose TTL is 0.",
        ttl_kept,
    )
    .needing(&[]),
    Case::server(
        Level::Should,
        "commands.ping.ttl-long",
        "ZRPC-14.32",
        "A TTL of 70 s is one: six seconds of silence do not end the connection. (libzmq counts modulo 65.5 s.)",
        |trial| {
            let mut peer = trial.connect()?;
            peer.leave_pings();
            peer.send_command("PING", &700_u16.to_be_bytes())?;
            peer.expect_command("PONG", trial.soon())?;
            stays(&mut peer, Duration::from_secs(6))
        },
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "commands.ping.unread",
        "ZRPC-14.33",
        "A caller sends PINGs by the million and reads no PONG: what waits for it takes no memory.",
        ping_unread,
    )
    .sharing(Sharing::Alone),
    Case::server(
        Level::Must,
        "commands.unknown",
        "ZRPC-14.34",
        "Commands that nobody knows are ignored, with data, without, and with a PONG that nobody asked for.",
        |trial| {
            let commands = [("UNKNOWN", &b"data"[..]), ("X", b""), ("PONG", b"what?"), ("LATER", &[0; 300])];
            serves_behind(trial, &commands)
        },
    ),
    Case::server(
        Level::Must,
        "commands.broken",
        "ZRPC-14.10",
        "Commands without a name, or with one beyond their end, are ignored, or end their connection alone.",
        |trial| {
            for body in [&b""[..], b"\0", b"\x20PING", b"\xff"] {
                let mut peer = trial.connect()?;
                peer.send_frame(COMMAND, body)?;
                ends_or_serves(trial, peer)
                    .map_err(|failure| failure.during(format!("the command {}", shown_bytes(body))))?;
            }
            Ok(())
        },
    ),
    Case::server(
        Level::Must,
        "commands.subscribe",
        "ZRPC-14.35",
        "SUBSCRIBE and CANCEL mean nothing to a ROUTER: calls behind them are answered.",
        |trial| serves_behind(trial, &[("SUBSCRIBE", b""), ("CANCEL", b"topic")]),
    ),
    Case::server(
        Level::Should,
        "commands.subscribe.between",
        "ZRPC-14.35",
        "SUBSCRIBE between the frames of a request does not become one of them. (libzmq hands it to the application.)",
        subscribe_between,
    ),
    Case::server(
        Level::Must,
        "commands.handshake-again",
        "ZRPC-14.27",
        "READY and ERROR behind the handshake are ignored.",
        |trial| {
            let ready = property(b"Socket-Type", b"PUB");
            serves_behind(trial, &[("READY", &ready), ("ERROR", b"\x05sorry")])
        },
    ),
    Case::server(
        Level::Should,
        "commands.large",
        "ZRPC-14.61",
        "A command of 256 MiB is skipped, or ends its connection; it takes no memory, and others are served.",
        large,
    )
    .sharing(Sharing::Alone),
    Case::server(
        Level::Must,
        "commands.error.only-3-1",
        "ZRPC-5.22",
        "To a peer of 3.0 no ERROR is sent behind the handshake, whatever ends its connection: some hand it to applications.",
        error_only_3_1,
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "commands.goaway.unasked",
        "ZRPC-5.21",
        "To a peer whose READY lacks `X-Goaway: 1` no GOAWAY is sent, nor another command but PING and PONG.",
        goaway_unasked,
    ),
];

/// A call behind each of these commands gives what it should.
fn serves_behind(trial: &mut Trial, commands: &[(&str, &[u8])]) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for (name, data) in commands {
        peer.send_command(name, data)?;
        serves(trial, &mut peer).map_err(|failure| failure.during(name))?;
    }
    Ok(())
}

fn ping(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for context in [&b""[..], b"1", b"ctx", b"\0\xff16 bytes ctx\x01\0"] {
        peer.send_command("PING", &[b"\0\0", context].concat())?;
        let pong = peer.expect_command("PONG", trial.soon())?;
        ensure(
            pong.data == context,
            format!("PONG with {}", shown_bytes(context)),
            format!("PONG with {}", shown_bytes(&pong.data)),
        )?;
    }
    Ok(())
}

fn ping_burst(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let one = |number: u8| Framing::V2.frame(COMMAND, &command("PING", &[0, 0, number]));
    peer.bytes().send(&(1..=8).flat_map(one).collect::<Vec<_>>())?;
    for number in 1..=8 {
        let pong = peer
            .expect_command("PONG", trial.soon())
            .map_err(|failure| failure.during(format!("PONG {number} of 8")))?;
        ensure(pong.data == [number], format!("PONG {number}"), shown_bytes(&pong.data))?;
    }
    Ok(())
}

fn ping_too_long(trial: &mut Trial) -> Result<(), Failure> {
    for length in [17, 64, 255, 1000] {
        let context: Vec<u8> = (0..length).map(|place: u16| place.to_be_bytes()[1] | 1).collect();
        let mut peer = trial.connect()?;
        peer.send_command("PING", &[b"\0\0", &context[..]].concat())?;
        if let Ok(pong) = peer.expect_command("PONG", trial.moment()) {
            ensure(
                context.starts_with(&pong.data),
                "nothing but the context, or the beginning of it",
                shown_bytes(&pong.data),
            )?;
        }
        ends_or_serves(trial, peer)?;
    }
    Ok(())
}

fn ping_too_short(trial: &mut Trial) -> Result<(), Failure> {
    for data in [&b""[..], b"\0"] {
        let mut peer = trial.connect()?;
        peer.send_command("PING", data)?;
        let pong = peer.expect_command("PONG", trial.moment());
        if let Ok(pong) = pong {
            ensure(
                pong.data.is_empty(),
                "no answer, or one without a context",
                format!("PONG with {} bytes: {}", pong.data.len(), shown_bytes(&pong.data)),
            )?;
        }
        ends_or_serves(trial, peer)?;
    }
    Ok(())
}

/// The connection is open after so long a silence.
fn stays(peer: &mut crate::raw::Peer, during: Duration) -> Result<(), Failure> {
    // Its commands (PING, for one) may come.
    match peer.receive_frames(during) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(Failure::new("no message", "one came")),
        Err(failure) => {
            let expected = format!("the connection to stay open through a silence of {during:?}");
            Err(Failure::new(expected, failure.seen))
        }
    }
}

fn ttl_kept(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    peer.leave_pings();
    for _ in 0..8 {
        peer.send_command("PING", b"\0\x0f")?;
        peer.expect_command("PONG", trial.soon())
            .map_err(|failure| failure.during("PINGs each 0.3 s with a TTL of 1.5 s"))?;
        stays(&mut peer, Duration::from_millis(300))?;
    }
    let mut peer = trial.connect()?;
    peer.leave_pings();
    peer.send_command("PING", b"\0\0")?;
    peer.expect_command("PONG", trial.soon())?;
    stays(&mut peer, Duration::from_secs(2))
}

fn ping_unread(trial: &mut Trial) -> Result<(), Failure> {
    others_are_served(trial)?;
    let before = Before::of(trial)?;
    let mut peer = trial.connect()?;
    let pings = Framing::V2.frame(COMMAND, b"\x04PING\0\0sixteen bytes 16").repeat(10_000);
    let start = Instant::now();
    for _ in 0..400 {
        // A server that waits until its PONGs are read is as good as one that drops them.
        if !peer.bytes().offer(&pings, Duration::from_secs(1)) || start.elapsed() > trial.soon() * 4
        {
            break;
        }
        others_are_served(trial)?;
    }
    others_are_served(trial)?;
    before.expect_growth_below(trial, 64)
}

fn subscribe_between(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for name in ["SUBSCRIBE", "CANCEL"] {
        let (channel, request) = peer.new_request("echo", vec![Value::from("between")]);
        peer.send_frame(MORE, b"envelope")?;
        peer.send_command(name, b"topic")?;
        peer.send_frame(MORE, b"")?;
        peer.send_frame(0, &request.encode())?;
        peer.expect_answer_behind(&[b"envelope"], &channel, trial.soon())
            .map_err(|failure| failure.during(name))?;
    }
    Ok(())
}

fn large(trial: &mut Trial) -> Result<(), Failure> {
    others_are_served(trial)?;
    let before = Before::of(trial)?;
    let mut peer = trial.connect()?;
    let mut sent = peer.bytes().offer(&Framing::V2.header(COMMAND, 256 << 20), trial.soon())
        && peer.bytes().offer(b"\x07UNKNOWN", trial.soon());
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..128 {
        sent = sent && peer.bytes().offer(&piece, trial.soon());
    }
    before.expect_growth_below(trial, 64)?;
    others_are_served(trial)
}

fn error_only_3_1(trial: &mut Trial) -> Result<(), Failure> {
    let reasons = [
        ("a frame of 2^62 bytes", Framing::V2.header(0, 1 << 62)),
        ("a frame of 2^63 bytes", Framing::V2.header(0, 1 << 63)),
        ("a command of 2^40 bytes", Framing::V2.header(COMMAND, 1 << 40)),
        ("a TTL that is over", Framing::V2.frame(COMMAND, &command("PING", &[0, 1]))),
    ];
    for (reason, bytes) in reasons {
        let handshake = Handshake::new("DEALER").version(Version::V3(3, 0));
        let mut peer = trial.connect_bytes()?.shake_hands_as(&handshake)?;
        peer.bytes().send(&bytes)?;
        // Whether it ends the connection is for other cases.
        let _ = peer.receive_frames(Duration::from_secs(1));
        if let Some(error) = peer.take_commands().iter().find(|said| said.name == "ERROR") {
            return Err(Failure::new(
                "the end of the connection without a word",
                error.to_string(),
            )
            .during(reason));
        }
    }
    Ok(())
}

fn goaway_unasked(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    serves(trial, &mut peer)?;
    peer.receive_frames(trial.moment())?;
    let odd = peer
        .take_commands()
        .into_iter()
        .find(|said| !matches!(said.name.as_str(), "PING" | "PONG"));
    ensure(odd.is_none(), "no command", odd.map(|said| said.to_string()).unwrap_or_default())
}
