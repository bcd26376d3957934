//! What a server does wrong with events that are pushed and published.

use std::time::Duration;

use super::frames::replaced;
use crate::{
    event::Event,
    fault::{
        Fault,
        Hook::{Answers, Deaf, Dies, FramesIn, FramesOut, In, Peer},
        Quirk,
    },
    wire::{Frame, Verdict, WireMemory},
};

/// An event without an answer to an event: where a caller has a delimiter, a pusher has none.
fn answered(memory: &WireMemory, frame: &Frame) -> Vec<u8> {
    let is_pushed = !frame.is_command() && !memory.is_amid && !frame.body.is_empty();
    if is_pushed { Frame { flags: 0, body: frame.body.clone() }.encode() } else { Vec::new() }
}

fn is_no_msgpack(payload: &[u8]) -> bool {
    let mut rest = payload;
    !payload.is_empty() && rmpv::decode::read_value(&mut rest).is_err()
}

/// READY of the one type is taken for that of the other.
fn mistaken(mut frame: Frame, from: &[u8], to: &[u8]) -> Verdict {
    if frame.is("READY") {
        replaced(&mut frame, from, to);
    }
    Verdict::Keep(frame)
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "pushed-lost": "of ten events that are pushed one is lost", "ZRPC-9.2", "push.called", [In(|memory, event| {
        memory.count += u64::from(event.is("record"));
        if event.is("record") && memory.count % 10 == 0 { vec![] } else { vec![event] }
    })];
    "published-turned": "of two events that are published the second is handled first", "ZRPC-9.2", "publish.called", [In(|memory, event| {
        if !event.is("record") {
            return vec![event];
        }
        match memory.stash.take() {
            Some(first) => vec![event, first],
            None => {
                memory.stash = Some(event);
                vec![]
            }
        }
    })];
    "pushed-answered": "each event that is pushed is sent back", "ZRPC-9.2", "push.no-answer", [Answers(answered)];
    "published-answered": "each event that is published is sent back", "ZRPC-9.2", "publish.no-answer", [Answers(answered)];
    "pushed-garbage-deafens": "after an event that is no msgpack nothing more is pulled", "ZRPC-9.3", "push.goes-on", [Deaf(is_no_msgpack)];
    "published-failure-kills": "an event whose method fails ends the process", "ZRPC-9.3", "publish.goes-on", [Dies(|payload| {
        Event::decode(payload).is_some_and(|event| event.is("fail"))
    })];
    "pushed-late-forgotten": "what was pushed is forgotten with its connection", "ZRPC-14.43", "push.handled-after-end", [Peer(Quirk::ForgetsTheGone), In(|memory, event| {
        if event.is("record") {
            memory.receive_later(Duration::from_millis(100), event);
            return vec![];
        }
        vec![event]
    })];
    "pullers-take-publishers": "a PUB is taken for a PUSH", "ZRPC-14.23", "push.wrong-type", [FramesIn(|_, frame| mistaken(frame, b"\x03PUB", b"\x04PUSH"))];
    "subscribers-take-pushers": "a PUSH is taken for a PUB", "ZRPC-14.23", "publish.wrong-type", [FramesIn(|_, frame| mistaken(frame, b"\x04PUSH", b"\x03PUB"))];
    "subscribes-to-nothing": "nothing is subscribed to", "ZRPC-2.8", "publish.subscription", [FramesOut(|_, frame| {
        if frame.is("SUBSCRIBE") { Vec::new() } else { frame.encode() }
    })];
    "subscribes-to-a-topic": "one topic is subscribed to", "ZRPC-2.8", "publish.subscription", [FramesOut(|_, mut frame| {
        if frame.is("SUBSCRIBE") {
            frame.body.extend(b"record");
        }
        frame.encode()
    })];
    "subscribes-by-commands-alone": "peers of ZMTP 3.0 are sent the command SUBSCRIBE", "ZRPC-2.8", "publish.subscription", [FramesOut(|_, frame| {
        if !frame.is_command() && frame.body == b"\x01" {
            return Frame { flags: crate::wire::COMMAND, body: b"\x09SUBSCRIBE".to_vec() }.encode();
        }
        frame.encode()
    })];
};
