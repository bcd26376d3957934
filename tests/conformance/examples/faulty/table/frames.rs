//! What both sides do wrongly with frames, and what the tables need for it.

use crate::wire::{Frame, LONG, MORE, Verdict, WireMemory};

/// Takes the place of something in a frame.
pub(super) fn replaced(frame: &mut Frame, what: &[u8], by: &[u8]) {
    if let Some(at) = frame.body.windows(what.len()).position(|window| window == what) {
        frame.body.splice(at..at + what.len(), by.iter().copied());
    }
}

/// Takes the property `Socket-Type` out of READY.
pub(super) fn without_type(frame: &mut Frame) {
    let name = b"\x0bSocket-Type";
    if let Some(at) = frame.body.windows(name.len()).position(|window| window == name) {
        let size = usize::from(frame.body[at + name.len() + 3]);
        frame.body.drain(at..at + name.len() + 4 + size);
    }
}

/// A frame that leaves, changed if it is this command.
pub(super) fn changed(mut frame: Frame, command: &str, change: impl FnOnce(&mut Frame)) -> Vec<u8> {
    if frame.is(command) {
        change(&mut frame);
    }
    frame.encode()
}

/// A frame that leaves, so many times if it is this command.
pub(super) fn times(count: usize, frame: &Frame, command: &str) -> Vec<u8> {
    frame.encode().repeat(if frame.is(command) { count } else { 1 })
}

pub(super) fn no_delimiter(mut frames: Vec<Frame>) -> Vec<Frame> {
    if frames.len() > 1 {
        frames.remove(frames.len() - 2);
    }
    frames
}

pub(super) fn filled_delimiter(mut frames: Vec<Frame>) -> Vec<Frame> {
    if frames.len() > 1 {
        let at = frames.len() - 2;
        frames[at].body = vec![0];
    }
    frames
}

pub(super) fn frame_behind(mut frames: Vec<Frame>) -> Vec<Frame> {
    frames.push(Frame { flags: 0, body: Vec::new() });
    frames
}

pub(super) fn no_more(_: &mut WireMemory, mut frame: Frame) -> Vec<u8> {
    frame.flags &= !MORE;
    frame.encode()
}

pub(super) fn long_flag(_: &mut WireMemory, frame: Frame) -> Vec<u8> {
    let mut bytes = frame.encode();
    bytes[0] |= LONG;
    bytes
}

pub(super) fn reserved_bit(_: &mut WireMemory, mut frame: Frame) -> Vec<u8> {
    frame.flags |= 0x40;
    frame.encode()
}

pub(super) fn no_command_between(memory: &mut WireMemory, frame: Frame) -> Verdict {
    if frame.is_command() && memory.is_amid { Verdict::Close } else { Verdict::Keep(frame) }
}

/// The frame behind an empty one is taken for the last of its message.
pub(super) fn ends_behind_delimiter(memory: &mut WireMemory, mut frame: Frame) -> Verdict {
    if !frame.is_command() {
        if memory.count == 1 {
            frame.flags &= !MORE;
        }
        let is_delimiter = frame.flags & MORE != 0 && frame.body.is_empty();
        memory.count = u64::from(is_delimiter);
    }
    Verdict::Keep(frame)
}

pub(super) fn no_large_frame(_: &mut WireMemory, frame: Frame) -> Verdict {
    if frame.body.len() > 64 << 10 { Verdict::Close } else { Verdict::Keep(frame) }
}
