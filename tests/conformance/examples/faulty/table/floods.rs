//! What masses do to a server, and what is too large.

use std::sync::atomic::{AtomicU64, Ordering};

use rmpv::Value;

use crate::{
    event::Event,
    fault::{
        Fault,
        Hook::{Answers, Deaf, FramesIn, In, MessagesIn, Out, Peer},
        Quirk,
    },
    wire::Verdict,
};

/// How many payloads were no events.
static GARBAGE: AtomicU64 = AtomicU64::new(0);

pub(crate) static FAULTS: &[Fault] = faults! {
    "one-handshake-at-a-time": "nobody is accepted while a handshake is under way", "ZRPC-14.39", "flood.connections.silent", [Peer(Quirk::OneHandshakeAtATime)];
    "few-connections": "of more than a hundred connections the later are ended", "ZRPC-14.39", "flood.connections.many", [Peer(Quirk::FewConnections)];
    "descriptors-kept": "the descriptors of connections that have ended are kept", "ZRPC-14.39", "flood.connections.gone", [Peer(Quirk::KeepsDescriptors)];
    "writes-block": "everybody waits while one does not read", "ZRPC-14.39", "flood.unread.others", [Peer(Quirk::WritesBlock)];
    "streams-block-writes": "everybody waits while one does not read its stream", "ZRPC-14.45", "flood.unread.stream", [Peer(Quirk::WritesBlock)];
    "large-answers-lost": "of ten answers above 1 MB one is lost", "ZRPC-14.39", "flood.unread.whole", [Out(|memory, event| {
        let is_large = matches!(event.first(), Value::Binary(bytes) if bytes.len() > 1_000_000);
        memory.count += u64::from(is_large);
        if is_large && memory.count % 10 == 0 { vec![] } else { vec![event] }
    })];
    "many-requests-lost": "of calls beyond fifty that are open at a time some are passed over", "ZRPC-14.39", "flood.requests", [In(|memory, event| {
        if event.is_request() && memory.open_count() > 50 { vec![] } else { vec![event] }
    })];
    "pipelined-lost": "of calls beyond twenty that are sent at once some are passed over", "ZRPC-4.12", "answer.pipelined", [In(|memory, event| {
        if event.is_request() && memory.open_count() > 20 { vec![] } else { vec![event] }
    })];
    "dies-of-many-beats": "ten thousand beats end the process", "ZRPC-11.1", "flood.beats", [In(|memory, event| {
        memory.count += u64::from(event.is_beat());
        if memory.count > 10_000 {
            std::process::exit(70);
        }
        vec![event]
    })];
    "dies-of-many-grants": "ten thousand grants end the process", "ZRPC-11.1", "flood.grants", [In(|memory, event| {
        memory.count += u64::from(event.is_grant());
        if memory.count > 10_000 {
            std::process::exit(70);
        }
        vec![event]
    })];
    "deaf-of-much-garbage": "after ten thousand payloads that are no events nothing is heard", "ZRPC-11.1", "flood.garbage", [Deaf(|payload| {
        let is_garbage = Event::decode(payload).is_none();
        GARBAGE.fetch_add(u64::from(is_garbage), Ordering::Relaxed) > 10_000
    })];
    "dies-of-items": "five hundred items of a caller end the process", "ZRPC-11.9", "broken.channel.thousand-items", [In(|memory, event| {
        memory.count += u64::from(event.is("STREAM"));
        if memory.count > 500 {
            std::process::exit(70);
        }
        vec![event]
    })];
    "dies-of-late-grants": "a hundred grants for what has ended end the process", "ZRPC-11.11", "credit.after-the-end", [In(|memory, event| {
        memory.count += u64::from(event.is_grant() && !memory.is_open(&event));
        if memory.count > 100 {
            std::process::exit(70);
        }
        vec![event]
    })];
    "dies-with-callers": "a connection that ends while its calls run ends the process", "ZRPC-2.10", "flood.callers.vanish", [Peer(Quirk::EndsWithCallers)];
    "strangers-stay": "connections may take as long for their handshake as they like", "ZRPC-14.9", "greeting.never-ends", [Peer(Quirk::StrangersStay)];
    "large-frames-end-connections": "a frame above 16 MiB ends its connection", "ZRPC-14.16", "frames.large", [FramesIn(|_, frame| {
        if frame.body.len() > 16 << 20 { Verdict::Close } else { Verdict::Keep(frame) }
    })];
    "absurd-sizes-awaited": "a frame of any size is waited for", "ZRPC-14.16", "frames.size.absurd", [FramesIn(|_, frame| Verdict::Keep(frame))];
    "impossible-sizes-awaited": "a frame of 2^63 bytes is waited for", "ZRPC-14.15", "frames.size.impossible", [FramesIn(|_, frame| Verdict::Keep(frame))];
    "long-ready-awaited": "a READY of any length is waited for", "ZRPC-14.28", "handshake.ready.bounded", [FramesIn(|_, frame| Verdict::Keep(frame))];
    "long-commands-kept": "a command of any length is waited for and kept", "ZRPC-14.61", "commands.large", [FramesIn(|_, frame| Verdict::Keep(frame))];
    "pongs-kept": "each PONG that waits to be read is kept", "ZRPC-14.33", "commands.ping.unread", [Answers(|_, frame| {
        if frame.is("PING") { frame.encode() } else { Vec::new() }
    })];
    "chains-kept": "a message of frames without end is waited for", "ZRPC-14.16", "frames.chain.endless", [MessagesIn(|frames| frames)];
};
