//! What the tests share.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_proto::{
    Envelope, Multipart, Payload, PeerId, Transmit,
    transport::{SocketKind, SocketOptions, Transport, Waiter},
};
use zerorpc_zmq::{Parts, open};

/// The outcome of a test.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// How long anything may take before a test gives up: far more than it should.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A free port of the loopback.
pub(crate) const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Opens a socket with default options.
pub(crate) fn socket(kind: SocketKind) -> Parts {
    open(kind, &SocketOptions::default()).expect("a socket can be opened")
}

/// Opens a socket that queues `high_water_mark` messages per peer.
pub(crate) fn narrow(kind: SocketKind, high_water_mark: u32) -> Parts {
    let options = SocketOptions::default().high_water_mark(high_water_mark);
    open(kind, &options).expect("a socket can be opened")
}

/// A socket of plain libzmq that cannot hang a test.
pub(crate) fn plain(kind: zmq::SocketType) -> Result<zmq::Socket, zmq::Error> {
    let socket = zmq::Context::new().socket(kind)?;
    socket.set_linger(0)?;
    let patience = i32::try_from(PATIENCE.as_millis()).expect("some seconds");
    socket.set_rcvtimeo(patience)?;
    socket.set_sndtimeo(patience)?;
    Ok(socket)
}

/// A message with this envelope.
pub(crate) fn message(envelope: Envelope, payload: impl Into<Bytes>) -> Transmit {
    let whole = payload.into();
    let body = whole.slice(whole.len() / 2..);
    let payload = Payload { head: whole.slice(..whole.len() / 2), body };
    Transmit::new(PeerId::NAMELESS, envelope, payload)
}

/// A message without an envelope.
pub(crate) fn plainly(payload: impl Into<Bytes>) -> Transmit {
    message(Envelope::default(), payload)
}

/// The next message, waited for.
pub(crate) fn next(parts: &mut Parts) -> Result<Multipart, Box<dyn Error>> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some((peer, message)) = parts.transport.receive()? {
            assert_eq!(peer, PeerId::NAMELESS);
            return Ok(message);
        }
        parts.waiter.wait_until(Some(Instant::now() + PATIENCE.saturating_sub(start.elapsed())))?;
    }
    Err("no message came".into())
}

/// Connects, and waits for the connection: before it, nothing leaves.
pub(crate) fn connect(parts: &mut Parts, endpoint: &str) -> Outcome {
    parts.transport.connect(endpoint)?;
    until(parts, |parts| parts.transport.receive().is_ok() && parts.transport.can_send())
}

/// Waits until `met` by what happens at this socket.
pub(crate) fn until(parts: &mut Parts, mut met: impl FnMut(&mut Parts) -> bool) -> Outcome {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if met(parts) {
            return Ok(());
        }
        parts.waiter.wait_until(Some(Instant::now() + PATIENCE.saturating_sub(start.elapsed())))?;
    }
    Err("it never happened".into())
}
