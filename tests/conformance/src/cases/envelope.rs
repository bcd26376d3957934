//! Envelopes, as proxies and REQ sockets make them, and the delimiter.

use rmpv::Value;

use super::served::{others_are_served, serves};
use crate::{
    case::{Case, Level, Sharing},
    event::{Event, shown_bytes},
    failure::{Failure, ensure},
    raw::{Handshake, Peer},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    Case::server(
        Level::Must,
        "envelope.delimiter",
        "ZRPC-2.2",
        "An answer to a DEALER is two frames: an empty one and the payload. (Node drops it otherwise.)",
        |trial| {
            let mut peer = trial.connect()?;
            let (channel, request) = peer.new_request("echo", vec![Value::from("x")]);
            peer.send(&request)?;
            peer.expect_answer_behind(&[], &channel, trial.soon()).map(drop)
        },
    ),
    Case::server(
        Level::Must,
        "envelope.req",
        "ZRPC-1.1",
        "A peer that says it is a REQ is answered; its messages look the same.",
        |trial| {
            let mut peer = trial.connect_bytes()?.shake_hands_as(&Handshake::new("REQ"))?;
            serves(trial, &mut peer)?;
            serves(trial, &mut peer)
        },
    ),
    Case::server(
        Level::Must,
        "envelope.one",
        "ZRPC-2.3",
        "An envelope of one frame, as of one proxy or of REQ_CORRELATE, comes back in front of the answer.",
        |trial| echoed(trial, &[b"\0\x01\x02\x03"]),
    ),
    Case::server(
        Level::Must,
        "envelope.three",
        "ZRPC-2.3",
        "An envelope of three different frames comes back in its order.",
        |trial| echoed(trial, &[b"first", b"second", b"third"]),
    ),
    Case::server(
        Level::Must,
        "envelope.sixteen",
        "ZRPC-2.4",
        "An envelope of 16 frames comes back.",
        |trial| numbered(trial, 16),
    ),
    Case::server(
        Level::Should,
        "envelope.five-hundred",
        "ZRPC-2.4",
        "An envelope of 500 frames comes back.",
        |trial| numbered(trial, 500),
    ),
    Case::server(
        Level::Must,
        "envelope.any-bytes",
        "ZRPC-2.3",
        "Envelopes hold any bytes: zeros, what looks like an event, 255, 256 and 3000 bytes, and the same frame twice.",
        |trial| {
            let event = Event::new("id", "echo", vec![Value::Nil]).encode();
            echoed(trial, &[b"\0", b"\0\0\0\0\0"])?;
            echoed(trial, &[&event])?;
            echoed(trial, &[&[b'x'; 255], &[b'x'; 256], &[b'y'; 3000]])?;
            echoed(trial, &[b"same", b"same"])
        },
    ),
    Case::server(
        Level::Should,
        "envelope.empty-frames",
        "ZRPC-2.5",
        "The delimiter is the frame in front of the payload; empty frames before it belong to the envelope.",
        |trial| {
            echoed(trial, &[b""])?;
            echoed(trial, &[b"first", b"", b"third"])
        },
    ),
    Case::server(
        Level::Must,
        "envelope.stream",
        "ZRPC-2.2",
        "Every event of a stream bears the envelope of its request, those behind a grant too.",
        stream,
    )
    .needing(&["echo", "count"]),
    Case::server(
        Level::Must,
        "envelope.beats",
        "ZRPC-2.2",
        "Beats bear the envelope of their request.",
        beats,
    )
    .needing(&["sleep"]),
    Case::server(
        Level::Must,
        "envelope.error",
        "ZRPC-2.2",
        "ERR bears the envelope of its request, for an unknown method and for one that fails.",
        |trial| {
            let mut peer = trial.connect()?;
            for (name, args) in [("no_such_method", vec![]), ("fail", vec![Value::from("x")])] {
                let channel = enveloped(&mut peer, &[b"to", b"me"], name, args)?;
                let answer = peer.expect_answer_behind(&[b"to", b"me"], &channel, trial.soon())?;
                ensure(answer.name() == "ERR", "ERR", answer.to_string())?;
            }
            Ok(())
        },
    )
    .needing(&["fail"]),
    Case::server(
        Level::Must,
        "envelope.beside",
        "ZRPC-2.2",
        "Calls of thirty callers behind one connection, which end in another order than they came, are answered to each.",
        beside,
    )
    .needing(&["sleep"]),
    Case::server(
        Level::Must,
        "envelope.same-id",
        "ZRPC-4.4",
        "Two callers behind one proxy use the same id at the same time; each gets its own answer.",
        same_id,
    )
    .needing(&["sleep", "echo"]),
    Case::server(
        Level::Should,
        "envelope.delimiter.missing",
        "ZRPC-2.6",
        "A request that comes as a payload alone is answered, with a delimiter. (Clients in Java send none.)",
        delimiter_missing,
    ),
    Case::server(
        Level::Should,
        "envelope.delimiter.not-empty",
        "ZRPC-2.5",
        "What stands in front of the payload counts as the delimiter, whatever it holds; the answer has an empty one.",
        delimiter_not_empty,
    ),
    Case::server(
        Level::Must,
        "envelope.frame-behind",
        "ZRPC-2.5",
        "The last frame is the payload: with one behind it, a request is none. Its caller is served all the same.",
        frame_behind,
    )
    .needing(&["echo", "record", "recorded"])
    .sharing(Sharing::Own),
    Case::server(
        Level::Must,
        "envelope.proxy-goes",
        "ZRPC-2.10",
        "A proxy goes away while calls of its callers run: what cannot be sent any more is dropped, and others are served.",
        proxy_goes,
    )
    .needing(&["sleep", "echo"]),
];

/// Sends a request behind this envelope, and gives its channel.
fn enveloped(
    peer: &mut Peer,
    envelope: &[&[u8]],
    name: &str,
    args: Vec<Value>,
) -> Result<Value, Failure> {
    let (channel, request) = peer.new_request(name, args);
    send_behind(peer, envelope, &request)?;
    Ok(channel)
}

fn send_behind(peer: &mut Peer, envelope: &[&[u8]], event: &Event) -> Result<(), Failure> {
    let payload = event.encode();
    peer.send_frames(&[envelope, &[b"", &payload[..]]].concat())
}

/// Two calls behind this envelope are answered behind it.
fn echoed(trial: &mut Trial, envelope: &[&[u8]]) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for value in ["once", "twice"] {
        let value = Value::from(value);
        let channel = enveloped(&mut peer, envelope, "echo", vec![value.clone()])?;
        let answer = peer.expect_answer_behind(envelope, &channel, trial.soon())?;
        ensure(
            answer.name() == "OK" && answer.first() == Some(&value),
            format!("OK with {value}"),
            answer.to_string(),
        )?;
    }
    Ok(())
}

fn numbered(trial: &mut Trial, count: u16) -> Result<(), Failure> {
    let frames: Vec<_> = (0..count).map(u16::to_be_bytes).collect();
    echoed(trial, &frames.iter().map(<[u8; 2]>::as_slice).collect::<Vec<_>>())
}

fn stream(trial: &mut Trial) -> Result<(), Failure> {
    let envelope: &[&[u8]] = &[b"far", b"away"];
    let mut peer = trial.connect()?;
    let channel = enveloped(&mut peer, envelope, "count", vec![Value::from(5)])?;
    for number in 0..6 {
        let event = peer
            .expect_answer_behind(envelope, &channel, trial.soon())
            .map_err(|failure| failure.during(format!("event {number} of the stream")))?;
        let name = if number == 5 { "STREAM_DONE" } else { "STREAM" };
        ensure(event.name() == name, name, event.to_string())?;
        if number == 0 {
            let id = peer.fresh_id();
            let grant = Event::new(id, "_zpc_more", vec![Value::from(100)]).on(&channel);
            send_behind(&mut peer, envelope, &grant)?;
        }
    }
    Ok(())
}

fn beats(trial: &mut Trial) -> Result<(), Failure> {
    let envelope: &[&[u8]] = &[b"patient"];
    let mut peer = trial.connect()?;
    let seconds = trial.interval().as_secs_f64() * 1.6;
    let channel = enveloped(&mut peer, envelope, "sleep", vec![Value::from(seconds)])?;
    let mut beats = 0;
    loop {
        let event = peer.expect_event_behind(envelope, trial.soon() + trial.interval() * 2)?;
        match event.name() {
            "_zpc_hb" => beats += 1,
            "OK" if event.response_to() == Some(&channel) => break,
            _ => return Err(Failure::new("beats, then OK", event.to_string())),
        }
    }
    ensure(beats > 0, "a beat while the method sleeps", "none")
}

fn beside(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let mut open = Vec::new();
    for number in 0..30_u8 {
        let seconds = f64::from(30 - number) * 0.01;
        let name = [b'c', number];
        let channel = enveloped(&mut peer, &[&name], "sleep", vec![Value::from(seconds)])?;
        open.push((name, channel));
    }
    while !open.is_empty() {
        let frames = peer.receive_frames(trial.soon())?.ok_or_else(|| {
            Failure::new("answers to 30 callers", format!("{} are missing", open.len()))
        })?;
        let [name, delimiter, payload] = frames.as_slice() else {
            return Err(Failure::new(
                "an envelope of one frame",
                format!("{} frames", frames.len()),
            ));
        };
        let event = Event::decode(payload).map_err(|error| Failure::new("an event", error))?;
        if event.is_upkeep() {
            continue;
        }
        let place = open.iter().position(|(_, channel)| Some(channel) == event.response_to());
        let caller = place.map(|place| open.swap_remove(place).0);
        ensure(
            delimiter.is_empty() && caller.is_some_and(|caller| caller == name[..]),
            "each answer behind the envelope of its request",
            format!("{} in front of {event}", shown_bytes(name)),
        )?;
    }
    Ok(())
}

fn same_id(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let id = peer.fresh_id();
    let slow = Event::new(id.clone(), "sleep", vec![Value::from(0.3)]);
    send_behind(&mut peer, &[b"slow"], &slow)?;
    let quick = Event::new(id.clone(), "echo", vec![Value::from("quick")]);
    send_behind(&mut peer, &[b"quick"], &quick)?;
    let answer = peer.expect_answer_behind(&[b"quick"], &id, trial.soon())?;
    ensure(
        answer.first() == Some(&Value::from("quick")),
        "the answer of echo",
        answer.to_string(),
    )?;
    let answer = peer.expect_answer_behind(&[b"slow"], &id, trial.soon())?;
    let slept = answer.first().and_then(Value::as_f64);
    ensure(slept == Some(0.3), "the answer of sleep", answer.to_string())
}

fn delimiter_missing(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let (channel, request) = peer.new_request("echo", vec![Value::from("alone")]);
    peer.send_frames(&[request.encode()])?;
    peer.expect_answer_behind(&[], &channel, trial.soon())?;
    serves(trial, &mut peer)
}

fn delimiter_not_empty(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for frames in [&[&b"envelope"[..], b"not empty"][..], &[b"one", b"two", b"\0"]] {
        let (channel, request) = peer.new_request("echo", vec![Value::from("odd")]);
        let payload = request.encode();
        peer.send_frames(&[frames, &[&payload[..]]].concat())?;
        let envelope = &frames[..frames.len() - 1];
        peer.expect_answer_behind(envelope, &channel, trial.soon())?;
    }
    serves(trial, &mut peer)
}

fn frame_behind(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for behind in [&b""[..], b"behind", b"\xc0"] {
        let (_, request) = peer.new_request("record", vec![Value::from("behind")]);
        peer.send_frames(&[&b""[..], &request.encode(), behind])?;
    }
    let within = trial.soon();
    let seen = peer.call("recorded", Vec::new(), within)?;
    ensure(
        seen == Value::Array(Vec::new()),
        "no method to be called by what stands in front of the payload",
        format!("recorded: {seen}"),
    )?;
    serves(trial, &mut peer)
}

fn proxy_goes(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for number in 0..20_u8 {
        enveloped(&mut peer, &[&[number]], "sleep", vec![Value::from(0.2)])?;
    }
    drop(peer);
    let mut other = trial.connect()?;
    let within = trial.soon();
    other.call("sleep", vec![Value::from(0.4)], within)?;
    others_are_served(trial)
}
