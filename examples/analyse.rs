//! Shows what was said over a captured TCP connection: one direction of it, as raw bytes, from a file or from standard
//! input.
//!
//! ```sh
//! cargo run --example analyse -- capture.bin
//! tcpflow -C -B -r capture.pcap src port 4242 | cargo run --example analyse
//! ```
//!
//! A capture may begin in the middle of a connection, and in the middle of a message.

use std::{
    error::Error,
    fs,
    io::{self, Read},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{Event, Limits, Multipart, transport::SocketKind};
use zerorpc_zmtp::{Engine, EngineConfig, Violation, ZmtpEvent, ZmtpVersion};

fn main() -> Result<(), Box<dyn Error>> {
    let capture: Bytes = match std::env::args().nth(1) {
        Some(path) => fs::read(path)?.into(),
        None => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes)?;
            bytes.into()
        }
    };
    let mut engine = match is_whole(&capture) {
        true => from_the_beginning(&capture),
        false => from_the_middle(&capture)?,
    };
    let result = engine.1;
    while let Some(event) = engine.0.poll_event() {
        println!("{}", describe(&event));
    }
    // What came before the violation was said all the same.
    Ok(result?)
}

/// Whether a capture begins with the greeting that each side sends first.
fn is_whole(capture: &Bytes) -> bool {
    capture.first() == Some(&0xff) && capture.get(9) == Some(&0x7f)
}

/// What an engine has read of a capture.
type Analysed = (Engine, Result<(), Violation>);

/// The greeting tells the version, and the handshake which kind of socket speaks. An engine refuses kinds that do not go with
/// its own, so it is tried as both: a server's reads what clients say, a client's what servers say.
fn from_the_beginning(capture: &Bytes) -> Analysed {
    let read = |kind| read(capture, Engine::new, kind);
    match read(SocketKind::Router) {
        (_, Err(Violation::SocketType { .. })) => read(SocketKind::Dealer),
        analysed => analysed,
    }
}

/// Frames have no mark by which their beginning could be found. The first place will do from which on the bytes are frames
/// with an event in them: chance makes no such thing.
fn from_the_middle(capture: &Bytes) -> Result<Analysed, Box<dyn Error>> {
    for skipped in 0..capture.len() {
        let rest = capture.slice(skipped..);
        let resume = |config, now| Engine::resume(config, ZmtpVersion::V3_1, now);
        let (mut engine, _) =
            read(&rest.slice(..rest.len().min(1 << 16)), resume, SocketKind::Dealer);
        if let Some(ZmtpEvent::Message(frames)) = engine.poll_event()
            && let Some(message) = Multipart::from_frames(None, frames)
            && Event::decode(&message.payload, &Limits::default()).is_ok()
        {
            println!("(the first {skipped} bytes belong to something that began earlier)");
            return Ok(read(&rest, resume, SocketKind::Dealer));
        }
    }
    Err("there is no whole message of zerorpc in it".into())
}

fn read(
    capture: &Bytes,
    engine: impl Fn(Arc<EngineConfig>, Instant) -> Engine,
    kind: SocketKind,
) -> Analysed {
    let now = Instant::now();
    let mut engine = engine(Arc::new(EngineConfig::new(kind)), now);
    let result = engine.handle_chunk(now, capture.clone());
    (engine, result)
}

fn describe(event: &ZmtpEvent) -> String {
    match event {
        ZmtpEvent::Ready(peer) => {
            let kind = peer.socket_type.map_or("unknown", |kind| kind.name());
            format!("{}, said by a socket of the kind {kind}", peer.version)
        }
        ZmtpEvent::Message(frames) => match Multipart::from_frames(None, frames.clone()) {
            Some(message) => describe_message(&message),
            None => "a message without frames".to_owned(),
        },
        other => format!("{other:?}"),
    }
}

fn describe_message(message: &Multipart) -> String {
    let event = match Event::decode(&message.payload, &Limits::default()) {
        Ok(event) => event,
        Err(broken) => return format!("no event of zerorpc: {broken:?}"),
    };
    let args = event
        .args
        .decode::<Value>()
        .map_or_else(|error| error.to_string(), |args| args.to_string());
    // All events of a call share an id: that of the request.
    let (id, what) = match (&event.header.response_to, &event.header.message_id) {
        (Some(id), _) => (Some(id), "in answer"),
        (None, id) => (id.as_ref(), "a request"),
    };
    let id = id.map_or_else(|| "nothing".to_owned(), |id| id.content().escape_ascii().to_string());
    format!("{id:.8} {what}: {}{args}", event.name)
}
