//! READY and ERROR: what stands between greeting and messages.

use rmpv::Value;

use super::served::{ends_or_serves, others_are_served, serves};
use crate::{
    case::{Case, Level},
    event::{Event, shown_bytes},
    failure::{Failure, ensure},
    raw::{
        Bytes, Framing, Handshake, Peer, find_property,
        frame::{COMMAND, LONG, command, property},
    },
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    Case::server(
        Level::Must,
        "handshake.ready.unprompted",
        "ZRPC-14.19",
        "READY follows the greetings without waiting for that of the peer.",
        |trial| greeted(trial)?.expect_ready().map(drop),
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "handshake.ready.socket-type",
        "ZRPC-14.19",
        "READY of a server has the property Socket-Type, which is ROUTER.",
        socket_type,
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "handshake.ready.form",
        "ZRPC-14.11",
        "READY is a frame with the flag of commands, and neither MORE nor reserved bits.",
        form,
    )
    .needing(&[]),
    Case::server(
        Level::Must,
        "handshake.split",
        "ZRPC-14.14",
        "READY comes byte by byte, and a call is answered behind it.",
        split,
    ),
    Case::server(
        Level::Must,
        "handshake.long-form",
        "ZRPC-14.12",
        "READY comes as a frame with eight bytes of length, and a call is answered behind it.",
        |trial| {
            let mut bytes = greeted(trial)?;
            let ready = Handshake::new("DEALER").ready();
            bytes.send(&Framing::V2.frame(COMMAND | LONG, &ready[2..]))?;
            bytes.expect_ready()?;
            serves(trial, &mut bytes.shaken())
        },
    ),
    Case::server(
        Level::Must,
        "handshake.property.unknown",
        "ZRPC-14.21",
        "READY has properties that nobody knows, in front of the known ones, one twice and one of 3000 bytes.",
        |trial| {
            let handshake = Handshake::new("DEALER")
                .property("Resource", "here")
                .property("X-Odd", "1")
                .property("X-Odd", "")
                .property("X-Long", vec![b'x'; 3000])
                .property(vec![b'n'; 255], "name of 255 bytes");
            connected_as(trial, &handshake).and_then(|mut peer| serves(trial, &mut peer))
        },
    ),
    Case::server(
        Level::Should,
        "handshake.property.case",
        "ZRPC-14.22",
        "READY has `socket-type` and `IDENTITY`: names of properties are compared without regard to case.",
        |trial| {
            let handshake =
                Handshake::new("").property("socket-type", "DEALER").property("IDENTITY", "Case");
            connected_as(trial, &handshake).and_then(|mut peer| serves(trial, &mut peer))
        },
    ),
    Case::server(
        Level::May,
        "handshake.property.case-counts",
        "ZRPC-14.22",
        "A wrong socket type ends the connection if its name is written `socket-type`, too.",
        |trial| refused(trial, &Handshake::new("").property("socket-type", "PUB").ready()),
    ),
    Case::server(
        Level::Should,
        "handshake.type.missing",
        "ZRPC-14.25",
        "READY without Socket-Type, and without any property, is taken.",
        |trial| {
            let handshake = Handshake::new("");
            connected_as(trial, &handshake).and_then(|mut peer| serves(trial, &mut peer))?;
            let handshake = Handshake::new("").property("Identity", "no-type");
            connected_as(trial, &handshake).and_then(|mut peer| serves(trial, &mut peer))
        },
    ),
    Case::server(
        Level::Must,
        "handshake.type.right",
        "ZRPC-14.23",
        "DEALER, REQ and ROUTER go with a ROUTER.",
        |trial| {
            for kind in ["DEALER", "REQ", "ROUTER"] {
                connected_as(trial, &Handshake::new(kind))
                    .and_then(|mut peer| serves(trial, &mut peer))
                    .map_err(|failure| failure.during(format!("a {kind}")))?;
            }
            Ok(())
        },
    ),
    Case::server(
        Level::Must,
        "handshake.type.wrong",
        "ZRPC-14.23",
        "Socket types that do not go with a ROUTER end the connection, those that nobody knows, too.",
        |trial| {
            for kind in ["REP", "PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "PAIR", "FOO"] {
                refused(trial, &Handshake::new(kind).ready())
                    .map_err(|failure| failure.during(format!("the socket type {kind}")))?;
            }
            Ok(())
        },
    ),
    Case::server(
        Level::Must,
        "handshake.type.exact",
        "ZRPC-14.22",
        "Socket types are compared exactly: dealer, DEALERS and an empty one are none.",
        |trial| {
            for kind in ["dealer", "DEALERS", "DEALE", ""] {
                let ready = Handshake::new("").property("Socket-Type", kind).ready();
                refused(trial, &ready)
                    .map_err(|failure| failure.during(format!("the socket type {kind:?}")))?;
            }
            Ok(())
        },
    ),
    Case::server(
        Level::Must,
        "handshake.ready.broken",
        "ZRPC-14.24",
        "READY with a byte too many, or with lengths beyond its end, ends the connection.",
        broken,
    ),
    Case::server(
        Level::May,
        "handshake.ready.empty-name",
        "ZRPC-14.24",
        "A property without a name may be taken or refused; others are served anyway.",
        |trial| {
            let mut bytes = greeted(trial)?;
            bytes.offer(&Handshake::new("DEALER").property("", "value").ready(), trial.soon());
            ends_or_serves(trial, bytes.shaken_after_ready())
        },
    ),
    Case::server(
        Level::Must,
        "handshake.ready.instead",
        "ZRPC-14.26",
        "A message, PING, `ready` or a command of another mechanism in place of READY ends the connection.",
        instead,
    ),
    Case::server(
        Level::Must,
        "handshake.error",
        "ZRPC-14.27",
        "ERROR in place of READY ends the connection, with a reason, without one, and broken.",
        |trial| {
            for reason in [&b"\x05sorry"[..], b"\0", b"", b"\xffshort"] {
                refused(trial, &Framing::V2.frame(COMMAND, &command("ERROR", reason)))
                    .map_err(|failure| failure.during(format!("ERROR {}", shown_bytes(reason))))?;
            }
            Ok(())
        },
    ),
    Case::server(
        Level::Should,
        "handshake.ready.bounded",
        "ZRPC-14.28",
        "A READY that announces a gigabyte ends the connection when a megabyte of it has come.",
        bounded,
    ),
    Case::server(
        Level::Should,
        "handshake.message.early",
        "ZRPC-14.20",
        "A request that comes together with READY, before the server's has been read, is answered. (libzmq may end the \
         connection.)",
        early,
    ),
];

/// A connection behind both greetings.
fn greeted(trial: &mut Trial) -> Result<Bytes, Failure> {
    let mut bytes = trial.connect_bytes()?;
    bytes.send(&Handshake::new("DEALER").greeting())?;
    bytes.expect_greeting()?;
    Ok(bytes)
}

fn connected_as(trial: &mut Trial, handshake: &Handshake) -> Result<Peer, Failure> {
    trial.connect_bytes()?.shake_hands_as(handshake)
}

/// These bytes in place of READY end the connection, and others are served.
fn refused(trial: &mut Trial, bytes: &[u8]) -> Result<(), Failure> {
    let mut peer = greeted(trial)?;
    peer.offer(bytes, trial.soon());
    peer.expect_close(trial.soon())?;
    others_are_served(trial)
}

fn socket_type(trial: &mut Trial) -> Result<(), Failure> {
    let properties = greeted(trial)?.expect_ready()?;
    let seen = find_property(&properties, "Socket-Type");
    ensure(
        seen == Some(b"ROUTER"),
        "Socket-Type to be ROUTER",
        seen.map_or_else(|| "no Socket-Type".to_owned(), shown_bytes),
    )
}

fn form(trial: &mut Trial) -> Result<(), Failure> {
    let frame = greeted(trial)?
        .receive_frame(Framing::V2, trial.soon())?
        .ok_or_else(|| Failure::new("READY", "silence"))?;
    ensure(
        frame.flags & !LONG == COMMAND,
        "the flags 04 (or 06)",
        format!("{:02x} in front of {}", frame.flags, frame.as_command()),
    )
}

fn split(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = greeted(trial)?;
    let ready = Handshake::new("DEALER").ready();
    let pause = std::time::Duration::from_millis(3);
    bytes.send_split(&ready, &vec![1; ready.len()], pause)?;
    bytes.expect_ready()?;
    serves(trial, &mut bytes.shaken())
}

fn broken(trial: &mut Trial) -> Result<(), Failure> {
    let kind = property(b"Socket-Type", b"DEALER");
    let with = |more: &[u8]| [&kind, more].concat();
    let broken: [(&str, Vec<u8>); 6] = [
        ("a byte too many", with(b"\x01")),
        ("a name beyond the end", with(b"\x10X-Odd")),
        ("a length of a value that is cut off", with(b"\x05X-Odd\0\0")),
        ("a value beyond the end", with(b"\x05X-Odd\0\0\0\x02a")),
        ("a value of 2 GiB", with(b"\x05X-Odd\x80\0\0\0a")),
        ("a value of 4 GiB", with(b"\x05X-Odd\xff\xff\xff\xffa")),
    ];
    for (words, data) in broken {
        refused(trial, &Framing::V2.frame(COMMAND, &command("READY", &data)))
            .map_err(|failure| failure.during(words))?;
    }
    Ok(())
}

fn instead(trial: &mut Trial) -> Result<(), Failure> {
    let request = Event::new("id", "echo", vec![Value::from(1)]).encode();
    let kind = property(b"Socket-Type", b"DEALER");
    let instead = [
        ("a message", [Framing::V2.frame(1, b""), Framing::V2.frame(0, &request)].concat()),
        ("PING", Framing::V2.frame(COMMAND, &command("PING", b"\0\0"))),
        ("ready", Framing::V2.frame(COMMAND, &command("ready", &kind))),
        ("HELLO", Framing::V2.frame(COMMAND, &command("HELLO", b"\x01u\x01p"))),
        ("INITIATE", Framing::V2.frame(COMMAND, &command("INITIATE", &kind))),
        ("a command without a name", Framing::V2.frame(COMMAND, b"\0")),
        ("a command without anything", Framing::V2.frame(COMMAND, b"")),
        ("a name beyond the end", Framing::V2.frame(COMMAND, b"\x20READY")),
    ];
    for (words, bytes) in instead {
        refused(trial, &bytes).map_err(|failure| failure.during(words))?;
    }
    Ok(())
}

fn bounded(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = greeted(trial)?;
    bytes.offer(&Framing::V2.header(COMMAND, 1 << 30), trial.soon());
    bytes.offer(b"\x05READY\x05X-Odd\x3f\xff\0\0", trial.soon());
    for _ in 0..16 {
        if !bytes.offer(&[b'x'; 64 * 1024], trial.soon()) {
            break;
        }
    }
    bytes.expect_close(trial.soon())?;
    others_are_served(trial)
}

fn early(trial: &mut Trial) -> Result<(), Failure> {
    let mut bytes = greeted(trial)?;
    let request = Event::new("early", "echo", vec![Value::from("x")]).encode();
    let message = [Framing::V2.frame(1, b""), Framing::V2.frame(0, &request)].concat();
    bytes.send(&[Handshake::new("DEALER").ready(), message].concat())?;
    bytes.expect_ready()?;
    let mut peer = bytes.shaken();
    peer.expect_answer(&"early".into(), trial.soon())?;
    serves(trial, &mut peer)
}
