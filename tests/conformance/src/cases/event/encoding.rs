//! Forms, versions and sizes that an event may have.

use rmpv::Value;

use super::{
    super::served::serves,
    super::steps::{expect_ok, must, send_raw, short_str, should},
    ECHO, answered,
};
use crate::{
    Trial,
    case::Case,
    event::{encode, shown_bytes},
    failure::{Failure, ensure},
};

pub(super) const CASES: &[Case] = &[
    must(
        "event.encoding.long-lengths",
        "ZRPC-3.15",
        ECHO,
        "Array and map of an event may have 32 bits of length, its texts 8, 16 or 32.",
        long_lengths,
    ),
    must(
        "event.encoding.version-widths",
        "ZRPC-3.15",
        ECHO,
        "v may be an integer of any width.",
        version_widths,
    ),
    must(
        "event.encoding.args-array32",
        "ZRPC-3.15",
        ECHO,
        "The array of arguments may have 32 bits of length.",
        |trial| raw_args(trial, b"\xdd\x00\x00\x00\x01\x07"),
    ),
    must(
        "event.encoding.wide-integers",
        "ZRPC-3.15",
        ECHO,
        "A small number may be sent in eight bytes, unsigned or signed.",
        |trial| {
            raw_args(trial, b"\x91\xcf\x00\x00\x00\x00\x00\x00\x00\x07")?;
            raw_args(trial, b"\x91\xd3\x00\x00\x00\x00\x00\x00\x00\x07")?;
            raw_args(trial, b"\x91\xd0\x07")
        },
    ),
    should(
        "event.trailing-bytes",
        "ZRPC-3.16",
        ECHO,
        "Bytes behind the event are ignored.",
        |trial| raw_args(trial, b"\x91\x07\xc1\xc1\x00"),
    ),
    should(
        "event.name.bin",
        "ZRPC-3.17",
        ECHO,
        "A name that is bin is the text that it holds: Python 2 sends text so.",
        |trial| answered(trial, |event| event.name = Value::Binary(b"echo".to_vec())),
    ),
    must(
        "event.version.known",
        "ZRPC-3.18",
        ECHO,
        "Requests of version 1, 2 and 3, and such without v, are answered.",
        |trial| {
            for version in 1..=3 {
                answered(trial, |event| *event = event.clone().with("v", version))?;
            }
            answered(trial, |event| *event = event.clone().without("v"))
        },
    ),
    must(
        "event.version.later",
        "ZRPC-3.18",
        ECHO,
        "A version that is still to come is answered like 3.",
        |trial| {
            for version in [4, 255, 70_000, u64::MAX] {
                answered(trial, |event| *event = event.clone().with("v", version))?;
            }
            Ok(())
        },
    ),
    must("event.size.1-mib", "ZRPC-3.24", ECHO, "A payload of 1 MiB comes and goes.", |trial| {
        sized(trial, 1 << 20)
    }),
    should(
        "event.size.64-mib",
        "ZRPC-3.24",
        ECHO,
        "A payload of 64 MiB comes and goes.",
        |trial| sized(trial, 64 << 20),
    ),
    must("event.depth.100", "ZRPC-3.22", ECHO, "Arrays may be nested 90 deep.", |trial| {
        nested(trial, 90)
    }),
    should("event.depth.500", "ZRPC-3.22", ECHO, "Arrays may be nested 490 deep.", |trial| {
        nested(trial, 490)
    }),
];

fn long_lengths(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let id = peer.fresh_id();
    let sent = [
        b"\xdd\x00\x00\x00\x03\xdf\x00\x00\x00\x02\xd9\x0amessage_id".as_slice(),
        &encode(&id),
        b"\xda\x00\x01v\x03\xdb\x00\x00\x00\x04echo\xdc\x00\x01\x07",
    ];
    peer.send_payload(&sent.concat())?;
    expect_ok(&mut peer, &id, &7.into(), trial.soon())
}

fn version_widths(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for version in [
        b"\xcc\x03".as_slice(),
        b"\xcd\x00\x03",
        b"\xce\x00\x00\x00\x03",
        b"\xcf\x00\x00\x00\x00\x00\x00\x00\x03",
        b"\xd0\x03",
        b"\xd3\x00\x00\x00\x00\x00\x00\x00\x03",
    ] {
        let id = peer.fresh_id();
        let sent = [
            b"\x93\x82\xaamessage_id".as_slice(),
            &encode(&id),
            b"\xa1v",
            version,
            b"\xa4echo\x91\x07",
        ];
        peer.send_payload(&sent.concat())?;
        expect_ok(&mut peer, &id, &7.into(), trial.soon())?;
    }
    Ok(())
}

/// A request for `echo(7)` with arguments in this form is answered.
fn raw_args(trial: &mut Trial, args: &[u8]) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let id = send_raw(&mut peer, &short_str("echo"), args)?;
    expect_ok(&mut peer, &id, &7.into(), trial.soon())
}

fn sized(trial: &mut Trial, bytes: usize) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let blob = Value::Binary(vec![0x5a; bytes]);
    let channel = peer.request("echo", vec![blob.clone()])?;
    let answer = peer.expect_answer(&channel, trial.soon() * 12)?;
    let is_right = answer.name() == "OK" && answer.first() == Some(&blob);
    ensure(is_right, format!("OK with the {bytes} bytes"), answer.to_string())?;
    serves(trial, &mut peer)
}

fn nested(trial: &mut Trial, depth: usize) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let mut args = vec![0x91; depth];
    args.push(0x07);
    send_raw(&mut peer, &short_str("echo"), &args)?;
    let answer = peer.receive_frames(trial.soon())?;
    let payload = answer.and_then(|frames| frames.last().cloned());
    let payload = payload.ok_or_else(|| Failure::new("an answer", "silence"))?;
    let is_ok = payload.windows(3).any(|bytes| bytes == b"\xa2OK") && payload.ends_with(&args);
    ensure(is_ok, "OK with the same arrays", shown_bytes(&payload))?;
    serves(trial, &mut peer)
}
