//! ZMTP as a client speaks it wrongly.

use super::frames::{
    changed, ends_behind_delimiter, filled_delimiter, frame_behind, long_flag, no_command_between,
    no_delimiter, no_large_frame, no_more, replaced, reserved_bit, times, without_type,
};
use crate::{
    fault::{
        Fault,
        Hook::{
            FirstRead, FramesIn, FramesOut, FramesWhole, Greeting, GreetingAtOnce, GreetingIn,
            GreetingWaits, MessagesOut,
        },
    },
    wire::{COMMAND, Frame, Verdict},
};

pub(crate) static FAULTS: &[Fault] = faults! {
    "delimiter-missing": "requests have no delimiter", "ZRPC-2.1", "client.event.frames", [MessagesOut(no_delimiter)];
    "delimiter-filled": "the delimiter of requests is not empty", "ZRPC-2.1", "client.event.frames", [MessagesOut(filled_delimiter)];
    "frame-behind": "a frame follows the event", "ZRPC-2.1", "client.event.frames", [MessagesOut(frame_behind)];
    "greeting-at-once": "all 64 bytes of the greeting are sent unasked", "ZRPC-14.2", "client.greeting.no-more-than-ten", [GreetingAtOnce];
    "greeting-waits": "the greeting waits for that of the other side", "ZRPC-14.1", "client.greeting.speaks-first", [GreetingWaits];
    "signature-wrong": "the greeting begins with FE", "ZRPC-14.1", "client.greeting.speaks-first", [Greeting(|at, byte| if at == 0 { 0xfe } else { byte })];
    "mechanism-padded": "the mechanism is padded with spaces", "ZRPC-14.7", "client.greeting.mechanism", [Greeting(|at, byte| if (16..32).contains(&at) { b' ' } else { byte })];
    "greeting-split-refused": "a greeting that comes in parts ends the connection", "ZRPC-14.3", "client.greeting.split", [FirstRead(10)];
    "minor-refused": "a minor version other than 0 and 1 ends the connection", "ZRPC-14.5", "client.greeting.versions", [GreetingIn(|greeting| greeting.get(11).is_some_and(|minor| *minor > 1))];
    "ready-without-type": "READY has no Socket-Type", "ZRPC-14.19", "client.ready.type", [FramesOut(|_, frame| changed(frame, "READY", without_type))];
    "ready-wrong-type": "READY says PUB", "ZRPC-14.19", "client.ready.type", [FramesOut(|_, frame| changed(frame, "READY", |ready| replaced(ready, b"\x06DEALER", b"\x03PUB")))];
    "ready-twice": "READY is sent twice", "ZRPC-14.19", "client.ready.type", [FramesOut(|_, frame| times(2, &frame, "READY"))];
    "more-lost": "frames do not say that others follow", "ZRPC-14.11", "client.frames.flags", [FramesOut(no_more)];
    "long-flag-always": "short frames have the bit of long ones", "ZRPC-14.11", "client.frames.flags", [FramesOut(long_flag)];
    "reserved-bits": "a reserved bit is set in each frame", "ZRPC-14.11", "client.frames.flags", [FramesOut(reserved_bit)];
    "pong-none": "PINGs are not answered", "ZRPC-14.30", "client.commands.ping", [FramesOut(|_, frame| times(0, &frame, "PONG"))];
    "pong-without-context": "PONGs have no context", "ZRPC-14.30", "client.commands.ping", [FramesOut(|_, frame| changed(frame, "PONG", |pong| pong.body.truncate(5)))];
    "unknown-command-closes": "unknown commands end the connection", "ZRPC-14.34", "client.commands.unknown", [FramesIn(|_, frame| {
        let known = ["READY", "ERROR", "PING", "PONG", "GOAWAY"];
        let is_unknown = frame.is_command() && !known.iter().any(|name| frame.is(name));
        if is_unknown { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "goaway-closes": "GOAWAY and ERROR end the connection", "ZRPC-14.34", "client.commands.goaway", [FramesIn(|_, frame| {
        if frame.is("GOAWAY") || frame.is("ERROR") { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "command-between-frames-closes": "a command amid a message ends the connection", "ZRPC-14.18", "client.commands.between-frames", [FramesIn(no_command_between)];
    "frames-in-parts-refused": "a frame that comes in parts ends its connection", "ZRPC-14.14", "client.frames.split", [FramesWhole];
    "half-messages-taken": "a message is taken with the frame behind its delimiter, whether others are to follow or not", "ZRPC-14.13", "client.frames.unfinished", [FramesIn(ends_behind_delimiter)];
    "message-before-ready": "a message follows READY, unasked", "ZRPC-14.20", "client.ready.messages-wait", [FramesOut(|_, frame| {
        let beat = b"\x93\x82\xaamessage_id\xa1x\xa1v\x03\xa7_zpc_hb\xc0";
        let message = [b"\x01\0\0", &[beat.len() as u8][..], beat].concat();
        if frame.is("READY") { [frame.encode(), message].concat() } else { frame.encode() }
    })];
    "impossible-sizes-awaited": "a frame of 2^63 bytes is waited for", "ZRPC-14.15", "client.frames.impossible-size", [FramesIn(|_, frame| Verdict::Keep(frame))];
    "broken-ready-taken": "what is in a READY is not looked at", "ZRPC-14.24", "client.ready.broken", [FramesIn(|_, frame| {
        let ready = || Frame { flags: COMMAND, body: b"\x05READY\x0bSocket-Type\0\0\0\x06ROUTER".to_vec() };
        Verdict::Keep(if frame.is("READY") { ready() } else { frame })
    })];
    "ready-with-identity": "READY names an identity", "ZRPC-2.9", "client.ready.identity", [FramesOut(|_, frame| changed(frame, "READY", |ready| {
        replaced(ready, b"\x08Identity\0\0\0\0", b"\x08Identity\0\0\0\x02me");
    }))];
    "large-frames-refused": "frames above 64 KiB end the connection", "ZRPC-3.24", "client.event.large-answer", [FramesIn(no_large_frame)];
};
