//! ZMTP as a server speaks it wrongly.

use super::frames::{
    changed, filled_delimiter, frame_behind, long_flag, no_command_between, no_delimiter,
    no_large_frame, no_more, replaced, reserved_bit, times, without_type,
};
use crate::{
    fault::{
        Fault,
        Hook::{
            FirstRead, FramesIn, FramesOut, Greeting, GreetingAtOnce, GreetingHeard, GreetingIn,
            GreetingWaits, MessagesIn, MessagesOut,
        },
    },
    wire::{COMMAND, Frame, LONG, MORE, Verdict},
};

pub(crate) static FAULTS: &[Fault] = faults! {
    "delimiter-missing": "answers have no delimiter", "ZRPC-2.2", "envelope.error", [MessagesOut(no_delimiter)];
    "delimiter-filled": "the delimiter of answers is not empty", "ZRPC-2.2", "envelope.error", [MessagesOut(filled_delimiter)];
    "delimiter-twice": "answers have two delimiters", "ZRPC-2.2", "envelope.delimiter", [MessagesOut(|mut frames| {
        frames.insert(0, Frame { flags: MORE, body: Vec::new() });
        frames
    })];
    "frame-behind": "a frame follows the event", "ZRPC-2.2", "envelope.delimiter", [MessagesOut(frame_behind)];
    "envelope-lost": "answers do not go back through proxies", "ZRPC-2.2", "envelope.stream", [MessagesOut(|mut frames| {
        frames.drain(..frames.len().saturating_sub(2));
        frames
    })];
    "envelope-reversed": "envelopes are sent back in reverse", "ZRPC-2.3", "envelope.three", [MessagesOut(|mut frames| {
        let end = frames.len().saturating_sub(2);
        frames[..end].reverse();
        frames
    })];
    "envelope-cut": "of an envelope the first frame is sent back", "ZRPC-2.3", "envelope.any-bytes", [MessagesOut(|mut frames| {
        let end = frames.len().saturating_sub(2);
        if end > 1 {
            frames.drain(1..end);
        }
        frames
    })];
    "delimiter-wanted": "requests without delimiter are passed over", "ZRPC-2.6", "envelope.delimiter.missing", [MessagesIn(|mut frames| {
        if frames.len() == 1 {
            frames[0].body.clear();
        }
        frames
    })];
    "messages-merged": "the frames of a message are joined to one", "ZRPC-2.2", "envelope.beside", [MessagesIn(|frames| {
        vec![Frame { flags: 0, body: frames.into_iter().flat_map(|frame| frame.body).collect() }]
    })];
    "greeting-at-once": "all 64 bytes of the greeting are sent unasked", "ZRPC-14.2", "greeting.signature.no-more", [GreetingAtOnce];
    "greeting-waits": "the greeting waits for that of the other side", "ZRPC-14.1", "greeting.signature.unprompted", [GreetingWaits];
    "signature-wrong": "the greeting begins with FE", "ZRPC-14.1", "greeting.signature.unprompted", [Greeting(|at, byte| if at == 0 { 0xfe } else { byte })];
    "signature-end-wrong": "the tenth byte of the greeting is 7E", "ZRPC-14.1", "greeting.signature.unprompted", [Greeting(|at, byte| if at == 9 { 0x7e } else { byte })];
    "major-2": "the greeting says version 2", "ZRPC-14.5", "greeting.version.3-0", [Greeting(|at, byte| if at == 10 { 2 } else { byte })];
    "mechanism-padded": "the mechanism is padded with spaces", "ZRPC-14.7", "greeting.sent.filler", [Greeting(|at, byte| if (16..32).contains(&at) { b' ' } else { byte })];
    "mechanism-small-letters": "the mechanism is named null", "ZRPC-14.7", "greeting.mechanism.null", [Greeting(|at, byte| if (12..16).contains(&at) { byte.to_ascii_lowercase() } else { byte })];
    "as-server-set": "NULL comes as a server", "ZRPC-14.7", "greeting.sent.filler", [Greeting(|at, byte| if at == 32 { 1 } else { byte })];
    "greeting-split-refused": "a greeting that comes in parts ends the connection", "ZRPC-14.3", "greeting.split.*", [FirstRead(10)];
    "minor-refused": "a minor version other than 0 and 1 ends the connection", "ZRPC-14.5", "greeting.version.higher-minor", [GreetingIn(|greeting| greeting.get(11).is_some_and(|minor| *minor > 1))];
    "major-4-refused": "a major version above 3 ends the connection", "ZRPC-14.5", "greeting.version.higher-major", [GreetingIn(|greeting| greeting.get(10).is_some_and(|major| *major > 3))];
    "padding-refused": "a signature with something in it ends the connection", "ZRPC-14.4", "greeting.padding", [GreetingIn(|greeting| {
        greeting.len() > 9 && greeting[0] == 0xff && greeting[1..8].iter().any(|byte| *byte != 0)
    })];
    "filler-refused": "a filler with something in it ends the connection", "ZRPC-14.4", "greeting.filler", [GreetingIn(|greeting| {
        greeting.len() > 63 && greeting[33..64].iter().any(|byte| *byte != 0)
    })];
    "as-server-refused": "a peer that comes as a server is refused", "ZRPC-14.4", "greeting.as-server", [GreetingIn(|greeting| greeting.get(32) == Some(&1))];
    "mechanisms-ignored": "any mechanism is taken for NULL", "ZRPC-14.8", "greeting.mechanism.other", [GreetingHeard(|at, byte| {
        if (12..32).contains(&at) { *b"NULL".get(at - 12).unwrap_or(&0) } else { byte }
    })];
    "errors-to-all-versions": "peers of ZMTP 3.0 are sent ERROR as well", "ZRPC-5.22", "commands.error.only-3-1", [GreetingHeard(|at, byte| if at == 11 { 1 } else { byte })];
    "version-2-0-refused": "peers of ZMTP 2.0 are refused", "ZRPC-14.6", "greeting.version.2-0", [GreetingIn(|greeting| {
        greeting.first() == Some(&0xff) && greeting.get(10).is_some_and(|major| *major < 3)
    })];
    "ready-without-type": "READY has no Socket-Type", "ZRPC-14.19", "handshake.ready.socket-type", [FramesOut(|_, frame| changed(frame, "READY", without_type))];
    "ready-wrong-type": "READY says PUB", "ZRPC-14.19", "handshake.ready.socket-type", [FramesOut(|_, frame| changed(frame, "READY", |ready| replaced(ready, b"\x06ROUTER", b"\x03PUB")))];
    "ready-type-small-letters": "READY says router", "ZRPC-14.19", "handshake.ready.socket-type", [FramesOut(|_, frame| changed(frame, "READY", |ready| replaced(ready, b"ROUTER", b"router")))];
    "ready-no-command": "READY comes in a frame without the bit of commands", "ZRPC-14.19", "handshake.ready.unprompted", [FramesOut(|_, frame| changed(frame, "READY", |ready| { ready.flags = 0; }))];
    "ready-small-letters": "READY is named ready", "ZRPC-14.19", "handshake.ready.unprompted", [FramesOut(|_, frame| changed(frame, "READY", |ready| replaced(ready, b"READY", b"ready")))];
    "ready-null-terminated": "a zero follows the name of READY", "ZRPC-14.19", "handshake.ready.unprompted", [FramesOut(|_, frame| changed(frame, "READY", |ready| ready.body.insert(6, 0)))];
    "ready-missing": "READY is not sent", "ZRPC-14.19", "handshake.ready.unprompted", [FramesOut(|_, frame| times(0, &frame, "READY"))];
    "types-unchecked": "peers of any Socket-Type are taken", "ZRPC-14.23", "handshake.type.wrong", [FramesIn(|_, mut frame| {
        if frame.is("READY") {
            for kind in [&b"\x03PUB"[..], b"\x03SUB", b"\x04PUSH", b"\x04PULL", b"\x04PAIR", b"\x03REP"] {
                let size = [&b"\x0bSocket-Type\0\0\0"[..], kind].concat();
                replaced(&mut frame, &size, b"\x0bSocket-Type\0\0\0\x06DEALER");
            }
        }
        Verdict::Keep(frame)
    })];
    "properties-refused": "unknown properties in READY end the connection", "ZRPC-14.21", "handshake.property.unknown", [FramesIn(|_, frame| {
        let has = |name: &[u8]| frame.body.windows(name.len()).any(|window| window == name);
        if frame.is("READY") && has(b"X-") && !has(b"X-Goaway") { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "ready-properties-order": "READY whose first property is not Socket-Type ends the connection", "ZRPC-14.21", "handshake.property.unknown", [FramesIn(|_, frame| {
        let is_first = frame.body.get(6..18) == Some(b"\x0bSocket-Type");
        if frame.is("READY") && frame.body.len() > 6 && !is_first { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "empty-ready-refused": "READY without properties ends the connection", "ZRPC-14.25", "handshake.type.missing", [FramesIn(|_, frame| {
        if frame.is("READY") && frame.body.len() == 6 { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "more-lost": "frames do not say that others follow", "ZRPC-2.2", "envelope.error", [FramesOut(no_more)];
    "more-always": "each frame says that another follows", "ZRPC-14.11", "frames.sent.flags", [FramesOut(|_, mut frame| {
        if !frame.is_command() {
            frame.flags |= MORE;
        }
        frame.encode()
    })];
    "long-always": "each frame has a size of eight bytes", "ZRPC-14.12", "frames.sent.short", [FramesOut(|_, frame| frame.encode_long())];
    "long-flag-always": "short frames have the bit of long ones", "ZRPC-14.11", "handshake.ready.form", [FramesOut(long_flag)];
    "long-in-little-endian": "sizes of eight bytes come with the lowest first", "ZRPC-14.11", "frames.sent.flags", [FramesOut(|_, frame| {
        let mut bytes = frame.encode();
        if bytes[0] & LONG != 0 {
            bytes[1..9].reverse();
        }
        bytes
    })];
    "reserved-bits": "a reserved bit is set in each frame", "ZRPC-14.11", "handshake.ready.form", [FramesOut(reserved_bit)];
    "pong-none": "PINGs are not answered", "ZRPC-14.30", "commands.ping.3-0", [FramesOut(|_, frame| times(0, &frame, "PONG"))];
    "pong-without-context": "PONGs have no context", "ZRPC-14.30", "commands.ping.3-0", [FramesOut(|_, frame| changed(frame, "PONG", |pong| pong.body.truncate(5)))];
    "pong-with-ttl": "PONGs carry a TTL before the context", "ZRPC-14.30", "commands.ping.3-0", [FramesOut(|_, frame| changed(frame, "PONG", |pong| { pong.body.splice(5..5, [0, 0]); }))];
    "pong-no-command": "PONGs come as messages", "ZRPC-14.30", "commands.ping", [FramesOut(|_, frame| changed(frame, "PONG", |pong| { pong.flags = 0; }))];
    "pong-twice": "PINGs are answered twice", "ZRPC-14.30", "commands.ping.burst", [FramesOut(|_, frame| times(2, &frame, "PONG"))];
    "unknown-command-closes": "unknown commands end the connection", "ZRPC-14.34", "commands.unknown", [FramesIn(|_, frame| {
        let known = ["READY", "ERROR", "PING", "PONG", "SUBSCRIBE", "CANCEL", "GOAWAY"];
        let is_unknown = frame.is_command() && !known.iter().any(|name| frame.is(name));
        if is_unknown { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "command-as-message": "SUBSCRIBE is a frame of a message", "ZRPC-14.35", "commands.subscribe.between", [FramesIn(|memory, mut frame| {
        if frame.is("SUBSCRIBE") {
            frame.flags &= !COMMAND;
            frame.flags |= if memory.is_amid { MORE } else { 0 };
        }
        Verdict::Keep(frame)
    })];
    "subscribe-closes": "SUBSCRIBE ends the connection", "ZRPC-14.35", "commands.subscribe", [FramesIn(|_, frame| {
        if frame.is("SUBSCRIBE") { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "command-between-frames-closes": "a command amid a message ends the connection", "ZRPC-14.18", "frames.command-between", [FramesIn(no_command_between)];
    "second-ready-closes": "a second READY ends the connection", "ZRPC-14.27", "commands.handshake-again", [FramesIn(|memory, frame| {
        memory.count += u64::from(frame.is("READY"));
        if frame.is("READY") && memory.count > 1 { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "large-frames-refused": "frames above 64 KiB end the connection", "ZRPC-3.24", "event.size.1-mib", [FramesIn(no_large_frame)];
    "empty-ping-dies": "a PING without a TTL ends the process", "ZRPC-14.31", "commands.ping.too-short", [FramesIn(|_, frame| {
        if frame.is("PING") && frame.body.len() < 7 { Verdict::Die } else { Verdict::Keep(frame) }
    })];
    "bad-command-dies": "a command without a name ends the process", "ZRPC-14.10", "commands.broken", [FramesIn(|_, frame| {
        let size = usize::from(frame.body.first().copied().unwrap_or(255));
        if frame.is_command() && size + 1 > frame.body.len() { Verdict::Die } else { Verdict::Keep(frame) }
    })];
};
