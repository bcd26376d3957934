//! Frames behind the handshake: their forms, their sizes, and messages made of them.

use std::time::Duration;

use rmpv::Value;

use super::served::{ends_or_serves, others_are_served, serves};
use crate::{
    case::{Case, Level, Sharing},
    event::shown,
    failure::{Failure, ensure},
    memory::Before,
    raw::{
        Framing, Peer,
        frame::{COMMAND, LONG, MORE},
    },
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    Case::server(
        Level::Must,
        "frames.split.single-bytes",
        "ZRPC-14.14",
        "A request comes byte by byte, and is answered.",
        |trial| split(trial, 1),
    ),
    Case::server(
        Level::Must,
        "frames.split.within-headers",
        "ZRPC-14.14",
        "Requests come in pieces of 3 and of 7 bytes, which end within headers and bodies, and are answered.",
        |trial| {
            split(trial, 3)?;
            split(trial, 7)
        },
    ),
    Case::server(
        Level::Must,
        "frames.many-at-once",
        "ZRPC-14.14",
        "Fifty requests come with one write, and each is answered.",
        many_at_once,
    ),
    Case::server(
        Level::Must,
        "frames.long-form",
        "ZRPC-14.12",
        "Frames of 0 bytes and of few have eight bytes of length, and the request is answered.",
        long_form,
    ),
    Case::server(
        Level::Must,
        "frames.sizes",
        "ZRPC-14.12",
        "Values are echoed with which the payload is of 200 to 310 bytes, around 64 KiB and 1 MiB: where forms change.",
        sizes,
    ),
    Case::server(
        Level::Must,
        "frames.sent.flags",
        "ZRPC-14.11",
        "Of the flags of answers nothing is set but MORE (on the delimiter) and LONG.",
        |trial| sent(trial, &[10, 100, 300, 70_000], |flags, _| flags & !(MORE | LONG) == 0),
    ),
    Case::server(
        Level::Should,
        "frames.sent.short",
        "ZRPC-14.12",
        "Frames of up to 255 bytes are sent with one byte of length.",
        |trial| sent(trial, &[10, 100], |flags, size| size > 255 || flags & LONG == 0),
    ),
    Case::server(
        Level::Should,
        "frames.large",
        "ZRPC-14.16",
        "A request of nearly 100 MiB, as much as the reference takes, is answered.",
        large,
    )
    .needing(&["add"])
    .sharing(Sharing::Alone),
    Case::server(
        Level::Must,
        "frames.unfinished",
        "ZRPC-14.13",
        "Frames of a message that is not finished when its connection ends are dropped, and not joined to another's.",
        unfinished,
    )
    .needing(&["echo", "record", "recorded"])
    .sharing(Sharing::Own),
    Case::server(
        Level::Must,
        "frames.command-between",
        "ZRPC-14.18",
        "PING and a command that nobody knows come between the frames of a request, which is answered.",
        command_between,
    ),
    Case::server(
        Level::Must,
        "frames.command-with-more",
        "ZRPC-14.17",
        "A command with the flag MORE is ignored, or ends the connection; others are served anyway.",
        |trial| {
            let mut peer = trial.connect()?;
            peer.send_frame(COMMAND | MORE, b"\x04PING\0\0")?;
            ends_or_serves(trial, peer)
        },
    ),
    Case::server(
        Level::Must,
        "frames.reserved-bits",
        "ZRPC-14.17",
        "A request whose frames have reserved bits is read with them ignored, or ends the connection.",
        reserved_bits,
    ),
    Case::server(
        Level::Must,
        "frames.empty-messages",
        "ZRPC-11.1",
        "Messages of one, two and five empty frames are no events; those who sent them are served.",
        |trial| {
            let mut peer = trial.connect()?;
            for count in [1, 2, 5] {
                peer.send_frames(&vec![b""; count])?;
            }
            serves(trial, &mut peer)?;
            others_are_served(trial)
        },
    ),
    Case::server(
        Level::Must,
        "frames.size.impossible",
        "ZRPC-14.15",
        "A frame of 2^63 bytes or more ends its connection and nobody else's.",
        |trial| {
            for size in [1 << 63, u64::MAX, u64::MAX - 8] {
                let mut peer = trial.connect()?;
                peer.bytes().send(&Framing::V2.header(0, size))?;
                peer.bytes().offer(b"some of it", trial.soon());
                peer.expect_close(trial.soon())?;
            }
            others_are_served(trial)
        },
    ),
    Case::server(
        Level::Must,
        "frames.size.announced",
        "ZRPC-14.15",
        "Twenty callers announce frames of 512 MiB and send 16 KiB of them: memory is not taken for what has not come.",
        announced,
    )
    .sharing(Sharing::Alone),
    Case::server(
        Level::Should,
        "frames.size.absurd",
        "ZRPC-14.16",
        "A frame of 2^40 bytes ends its connection when it is announced, or when it becomes too much.",
        absurd,
    )
    .sharing(Sharing::Alone),
    Case::server(
        Level::Should,
        "frames.chain.endless",
        "ZRPC-14.16",
        "A message of frames without end has its connection ended, before a million of them take memory.",
        endless_chain,
    )
    .sharing(Sharing::Alone),
];

fn split(trial: &mut Trial, size: usize) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let (channel, request) = peer.new_request("echo", vec![Value::from("in pieces")]);
    let bytes = peer.message(&[&b""[..], &request.encode()]);
    let sizes = vec![size; bytes.len() / size];
    peer.bytes().send_split(&bytes, &sizes, Duration::from_millis(1))?;
    peer.expect_answer(&channel, trial.soon()).map(drop)
}

fn many_at_once(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let mut open = Vec::new();
    let mut bytes = Vec::new();
    for number in 0..50 {
        let (channel, request) = peer.new_request("echo", vec![Value::from(number)]);
        bytes.extend(peer.message(&[&b""[..], &request.encode()]));
        open.push((channel, Value::from(number)));
    }
    peer.bytes().send(&bytes)?;
    while !open.is_empty() {
        let missing = format!("answers to all of 50 requests ({} are missing)", open.len());
        let answer = peer
            .expect_matching(&missing, trial.soon(), |event| !event.is_upkeep())
            .map_err(|failure| failure.during(&missing))?;
        let place = open.iter().position(|(channel, _)| Some(channel) == answer.response_to());
        let (_, value) = place
            .map(|place| open.swap_remove(place))
            .ok_or_else(|| Failure::new(&missing, answer.to_string()))?;
        ensure(
            answer.name() == "OK" && answer.first() == Some(&value),
            format!("OK with {value}"),
            answer.to_string(),
        )?;
    }
    Ok(())
}

fn long_form(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let (channel, request) = peer.new_request("echo", vec![Value::from("long form")]);
    peer.send_frame(MORE | LONG, b"")?;
    peer.send_frame(LONG, &request.encode())?;
    peer.expect_answer(&channel, trial.soon())?;
    peer.send_frame(MORE | LONG, b"")?;
    let (channel, request) = peer.new_request("echo", vec![Value::from("short form")]);
    peer.send_frame(0, &request.encode())?;
    peer.expect_answer(&channel, trial.soon()).map(drop)
}

fn sizes(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let around = |size: usize| size - 80..size + 10;
    let lengths = (130..240).chain(around(1 << 16).step_by(3)).chain([(1 << 20) - 70, 1 << 20]);
    for length in lengths {
        let value = Value::Binary(vec![b'x'; length]);
        let seen = peer
            .call("echo", vec![value.clone()], trial.soon())
            .map_err(|failure| failure.during(format!("a value of {length} bytes")))?;
        ensure(seen == value, format!("the {length} bytes that were sent"), shown(&seen))?;
    }
    Ok(())
}

/// The frames of answers with values of these sizes are `fine`, by flags and size.
fn sent(
    trial: &mut Trial,
    lengths: &[usize],
    fine: impl Fn(u8, usize) -> bool,
) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for length in lengths {
        peer.request("echo", vec![Value::Binary(vec![b'x'; *length])])?;
        loop {
            let frame = peer.bytes().receive_frame(Framing::V2, trial.soon())?;
            let frame = frame.ok_or_else(|| Failure::new("an answer", "silence"))?;
            if frame.is_command() {
                continue;
            }
            ensure(
                fine(frame.flags, frame.body.len()),
                "other flags",
                format!("{:02x} in front of {} bytes", frame.flags, frame.body.len()),
            )?;
            if !frame.more() {
                break;
            }
        }
    }
    Ok(())
}

fn large(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let within = trial.soon() * 12;
    let args = vec![Value::Binary(vec![b'x'; (100 << 20) - 4096]), Value::from(1)];
    let channel = peer.request("add", args)?;
    // It cannot be added, which is an answer.
    peer.expect_answer(&channel, within)?;
    // Others are served; a method to echo need not be there.
    let mut other = trial.connect()?;
    other.call("add", vec![Value::from(1), Value::from(2)], trial.soon()).map(drop)
}

fn unfinished(trial: &mut Trial) -> Result<(), Failure> {
    for identity in [None, Some("half a message")] {
        let mut handshake = crate::raw::Handshake::new("DEALER");
        if let Some(identity) = identity {
            handshake = handshake.identity(identity);
        }
        let mut first = trial.connect_bytes()?.shake_hands_as(&handshake)?;
        serves(trial, &mut first)?;
        let (_, request) = first.new_request("record", vec![Value::from("half")]);
        first.send_frame(MORE, b"envelope")?;
        first.send_frame(MORE, b"")?;
        first.send_frame(MORE, &request.encode())?;
        first.send_frame(MORE, b"")?;
        first.bytes().finish();
        drop(first);
        let mut second = trial.connect()?;
        serves(trial, &mut second)?;
        let seen = second.call("recorded", Vec::new(), trial.soon())?;
        ensure(
            seen == Value::Array(Vec::new()),
            "the message that was cut off to be dropped",
            format!("its method was called: {seen}"),
        )?;
    }
    others_are_served(trial)
}

fn command_between(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for command in [&b"\x04PING\0\0ctx"[..], b"\x07UNKNOWN data", b"\x04PONGctx"] {
        let (channel, request) = peer.new_request("echo", vec![Value::from("between")]);
        peer.send_frame(MORE, b"envelope")?;
        peer.send_frame(COMMAND, command)?;
        peer.send_frame(MORE, b"")?;
        peer.send_frame(COMMAND, command)?;
        peer.send_frame(0, &request.encode())?;
        peer.expect_answer_behind(&[b"envelope"], &channel, trial.soon())?;
    }
    Ok(())
}

fn reserved_bits(trial: &mut Trial) -> Result<(), Failure> {
    for bit in 3..8 {
        let mut peer = trial.connect()?;
        let (channel, request) = peer.new_request("echo", vec![Value::from("reserved")]);
        let bytes = [
            Framing::V2.frame(MORE | 1 << bit, b""),
            Framing::V2.frame(1 << bit, &request.encode()),
        ];
        peer.bytes().send(&bytes.concat())?;
        let answered = peer.expect_answer(&channel, trial.soon());
        if answered.is_err() && !peer.bytes().ends(trial.moment()) {
            let expected = format!("an answer or the end of the connection, bit {bit} being set");
            return Err(Failure::new(expected, "neither"));
        }
        if answered.is_ok() {
            serves(trial, &mut peer)?;
        }
    }
    others_are_served(trial)
}

fn announced(trial: &mut Trial) -> Result<(), Failure> {
    others_are_served(trial)?;
    let before = Before::of(trial)?;
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut peer = trial.connect()?;
        peer.send_frame(MORE, b"")?;
        peer.bytes().offer(&Framing::V2.header(0, 512 << 20), trial.soon());
        peer.bytes().offer(&[b'x'; 16 << 10], trial.soon());
        held.push(peer);
    }
    others_are_served(trial)?;
    before.expect_growth_below(trial, 64)
}

fn absurd(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let before = Before::of(trial)?;
    peer.bytes().send(&Framing::V2.header(0, 1 << 40))?;
    for _ in 0..64 {
        if !peer.bytes().offer(&[b'x'; 64 << 10], trial.soon()) {
            break;
        }
    }
    let ended = peer.expect_close(trial.soon());
    others_are_served(trial)?;
    before.expect_growth_below(trial, 64)?;
    ended
}

fn endless_chain(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let frames = [MORE, 0].repeat(10_000);
    let ended =
        (0..100).any(|_| !peer.bytes().offer(&frames, trial.soon())) || ended(&mut peer, trial);
    others_are_served(trial)?;
    ensure(ended, "the connection to end within a million frames", "it is open, and takes more")
}

fn ended(peer: &mut Peer, trial: &Trial) -> bool {
    peer.bytes().ends(trial.moment().max(Duration::from_secs(1)))
}
