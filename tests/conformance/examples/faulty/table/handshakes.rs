//! Handshakes, commands and frames that a server takes wrongly.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::frames::{ends_behind_delimiter, replaced};
use crate::{
    fault::{
        Fault,
        Hook::{FramesIn, FramesOut, FramesWhole, MessagesIn, MessagesOut},
    },
    wire::{COMMAND, Frame, MORE, Verdict},
};

/// What peers called themselves so far.
static IDENTITIES: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());

fn has(frame: &Frame, part: &[u8]) -> bool {
    frame.body.windows(part.len()).any(|window| window == part)
}

/// The READY of a DEALER without a name.
fn plain_ready() -> Frame {
    Frame { flags: COMMAND, body: b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER".to_vec() }
}

/// A READY that has this in it ends its connection.
fn refused(frame: Frame, part: &[u8]) -> Verdict {
    if frame.is("READY") && has(&frame, part) { Verdict::Close } else { Verdict::Keep(frame) }
}

/// The identity in a READY, if it has one that is not empty.
fn identity(frame: &Frame) -> Option<&[u8]> {
    const NAME: &[u8] = b"\x08Identity\0\0\0";
    let at = frame.body.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let size = usize::from(*frame.body.get(at)?);
    frame.body.get(at + 1..at + 1 + size).filter(|identity| !identity.is_empty())
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "req-refused": "a REQ is refused", "ZRPC-1.1", "envelope.req", [FramesIn(|_, frame| refused(frame, b"\x03REQ"))];
    "deep-envelopes-lost": "requests behind more than eight proxies are passed over", "ZRPC-2.4", "envelope.sixteen", [MessagesIn(|mut frames| {
        if frames.len() > 10 {
            frames.last_mut().expect("there are some").body.clear();
        }
        frames
    })];
    "first-empty-frame-delimits": "the first empty frame is taken for the delimiter", "ZRPC-2.5", "envelope.empty-frames", [MessagesIn(|mut frames| {
        let first = frames.iter().position(|frame| frame.body.is_empty()).unwrap_or_default();
        let last = frames.len().saturating_sub(1);
        if first + 1 < last {
            frames.drain(first + 1..last);
        }
        frames
    })];
    "delimiter-must-be-empty": "requests whose delimiter is not empty are passed over", "ZRPC-2.5", "envelope.delimiter.not-empty", [MessagesIn(|mut frames| {
        if let [.., delimiter, payload] = &mut frames[..] && !delimiter.body.is_empty() {
            payload.body.clear();
        }
        frames
    })];
    "answers-of-four": "events have a fourth element", "ZRPC-3.1", "event.answer.form", [MessagesOut(|mut frames| {
        if let Some(payload) = frames.last_mut().filter(|frame| frame.body.first() == Some(&0x93)) {
            payload.body[0] = 0x94;
            payload.body.push(0xc0);
        }
        frames
    })];
    "goaway-to-everybody": "GOAWAY follows READY", "ZRPC-5.21", "commands.goaway.unasked", [FramesOut(|_, frame| {
        let mut out = frame.encode();
        if frame.is("READY") {
            out.extend(Frame { flags: COMMAND, body: b"\x06GOAWAY".to_vec() }.encode());
        }
        out
    })];
    "frames-in-parts-refused": "a frame that comes in parts ends its connection", "ZRPC-14.14", "frames.split.single-bytes", [FramesWhole];
    "half-messages-taken": "a message is taken with the frame behind its delimiter, whether others are to follow or not", "ZRPC-14.13", "frames.unfinished", [FramesIn(ends_behind_delimiter)];
    "early-messages-refused": "a message that comes together with READY ends its connection", "ZRPC-14.20", "handshake.message.early", [FramesIn(|memory, frame| {
        if frame.is("READY") {
            memory.count = memory.reads;
        }
        if !frame.is_command() && memory.count == memory.reads { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "dies-at-command-with-more": "a command with the flag MORE ends the process", "ZRPC-14.17", "frames.command-with-more", [FramesIn(|_, frame| {
        if frame.is_command() && frame.flags & MORE != 0 { Verdict::Die } else { Verdict::Keep(frame) }
    })];
    "dies-at-reserved-bits": "a frame with reserved bits ends the process", "ZRPC-14.17", "frames.reserved-bits", [FramesIn(|_, frame| {
        if frame.flags & 0xf8 != 0 { Verdict::Die } else { Verdict::Keep(frame) }
    })];
    "property-names-exact": "a READY with socket-type is refused", "ZRPC-14.22", "handshake.property.case", [FramesIn(|_, frame| refused(frame, b"socket-type"))];
    "types-in-any-case": "dealer is taken for DEALER", "ZRPC-14.22", "handshake.type.exact", [FramesIn(|_, mut frame| {
        if frame.is("READY") {
            replaced(&mut frame, b"dealer", b"DEALER");
        }
        Verdict::Keep(frame)
    })];
    "broken-ready-taken": "what is in a READY is not looked at", "ZRPC-14.24", "handshake.ready.broken", [FramesIn(|_, frame| {
        Verdict::Keep(if frame.is("READY") { plain_ready() } else { frame })
    })];
    "anything-for-ready": "whatever comes first is taken for READY", "ZRPC-14.26", "handshake.ready.instead", [FramesIn(|memory, frame| {
        memory.count += 1;
        Verdict::Keep(if memory.count == 1 { plain_ready() } else { frame })
    })];
    "ttl-ignored": "the TTL of a PING is passed over", "ZRPC-14.32", "commands.ping.ttl", [FramesIn(|_, mut frame| {
        if frame.is("PING") && let Some(ttl) = frame.body.get_mut(5..7) {
            ttl.fill(0);
        }
        Verdict::Keep(frame)
    })];
    "ttl-short": "each TTL is taken for a tenth of a second", "ZRPC-14.32", "commands.ping.ttl-kept", [FramesIn(|_, mut frame| {
        if frame.is("PING") && let Some(ttl) = frame.body.get_mut(5..7) {
            ttl.copy_from_slice(&[0, 1]);
        }
        Verdict::Keep(frame)
    })];
    "dies-at-zero-identity": "an identity that begins with 0 ends the process", "ZRPC-14.40", "identity.zero", [FramesIn(|_, frame| {
        let is_zero = frame.is("READY") && identity(&frame).is_some_and(|identity| identity[0] == 0);
        if is_zero { Verdict::Die } else { Verdict::Keep(frame) }
    })];
    "identities-ignored": "several connections may have one identity", "ZRPC-14.41", "identity.taken.newcomer", [FramesIn(|_, frame| {
        Verdict::Keep(changed_ready(frame))
    })];
    "identities-once": "an identity that was there before is refused", "ZRPC-14.42", "identity.free-again", [FramesIn(|_, frame| {
        let identity = identity(&frame).filter(|_| frame.is("READY")).map(<[u8]>::to_vec);
        let mut seen = IDENTITIES.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = identity.is_none_or(|identity| seen.insert(identity));
        if is_new { Verdict::Keep(frame) } else { Verdict::Close }
    })];
};

/// A READY of a DEALER without its identity.
fn changed_ready(frame: Frame) -> Frame {
    if frame.is("READY") && identity(&frame).is_some() { plain_ready() } else { frame }
}
