//! What a client pushes and publishes.

use rmpv::Value;

use crate::{
    fault::{
        Fault,
        Hook::{FramesIn, MessagesOut, Out, Routes},
    },
    wire::{Frame, Verdict},
};

/// A delimiter in front of what has none.
fn delimited(mut frames: Vec<Frame>) -> Vec<Frame> {
    if frames.len() == 1 {
        frames.insert(0, Frame { flags: 0, body: Vec::new() });
    }
    frames
}

pub(crate) static FAULTS: &[Fault] = faults! {
    "pushed-with-delimiter": "pushed events have a delimiter", "ZRPC-2.7", "client.push.frames", [MessagesOut(delimited)];
    "published-with-delimiter": "published events have a delimiter", "ZRPC-2.7", "client.publish.frames", [MessagesOut(delimited)];
    "pushed-without-id": "pushed events have no id", "ZRPC-9.1", "client.push.form", [Out(|_, mut event| {
        event.remove("message_id");
        vec![event]
    })];
    "published-bare": "published events have their argument without an array", "ZRPC-9.1", "client.publish.form", [Out(|_, event| {
        let first = event.first();
        vec![event.with(first)]
    })];
    "published-on-channel": "published events have a response_to", "ZRPC-9.1", "client.publish.form", [Out(|_, mut event| {
        event.set("response_to", Value::Binary(b"nobody".to_vec()));
        vec![event]
    })];
    "pushed-twice": "each event is pushed twice", "ZRPC-9.4", "client.push.once", [Out(|_, event| vec![event.clone(), event])];
    "pushed-half": "of two events that are pushed one is lost", "ZRPC-9.4", "client.push.once", [Out(|memory, event| {
        memory.count += 1;
        if memory.count % 2 == 0 { vec![event] } else { vec![] }
    })];
    "pushed-to-one": "events are pushed to one puller as long as it is there", "ZRPC-9.4", "client.push.in-turn", [Routes(|_, _, to, peers| {
        vec![peers.first().copied().unwrap_or(to)]
    })];
    "published-half": "of two events that are published one is lost", "ZRPC-9.5", "client.publish.all", [Out(|memory, event| {
        memory.count += 1;
        if memory.count % 2 == 0 { vec![event] } else { vec![] }
    })];
    "topics-ignored": "subscribers of one topic get everything", "ZRPC-14.44", "client.publish.topics", [FramesIn(|_, mut frame| {
        if frame.is("SUBSCRIBE") {
            frame.body.truncate(10);
        }
        Verdict::Keep(frame)
    })];
    "cancel-ignored": "what was subscribed to is sent for ever", "ZRPC-14.44", "client.publish.topics", [FramesIn(|_, mut frame| {
        if frame.is("CANCEL") {
            frame.body[1] = b'X';
        }
        Verdict::Keep(frame)
    })];
    "topic-messages-refused": "subscriptions that are messages end the connection", "ZRPC-14.44", "client.publish.topics.messages", [FramesIn(|_, frame| {
        if frame.is_command() { Verdict::Keep(frame) } else { Verdict::Close }
    })];
    "topic-messages-ignored": "subscriptions that are messages count for nothing", "ZRPC-14.44", "client.publish.topics.messages", [FramesIn(|_, mut frame| {
        if !frame.is_command() {
            frame.body.insert(0, 2);
        }
        Verdict::Keep(frame)
    })];
};
