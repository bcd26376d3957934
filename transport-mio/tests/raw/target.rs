//! The socket that is put to the test, and the peer whose every byte is written by the test.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_mio::{Parts, open};
use zerorpc_proto::{
    Multipart, Payload, PeerEvent, PeerId, Transmit,
    transport::{SocketKind, SocketOptions, Transport, Waiter},
};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A socket.
pub(crate) enum Target {
    Ours { parts: Box<Parts>, messages: Vec<Multipart>, events: Vec<PeerEvent> },
    Libzmq { socket: zmq::Socket, zap: zmq::Socket, routed: bool, messages: Vec<Multipart> },
}

/// Which ones a row of a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Both,
    Ours,
}

impl Of {
    /// Both sockets that are to be put to a test, or ours alone. Bound, with the address.
    pub(crate) fn targets(self, kind: SocketKind) -> Vec<(Target, String)> {
        let mut targets = vec![Target::ours(kind).bound()];
        if self == Self::Both {
            targets.push(Target::libzmq(kind).bound());
        }
        targets
    }
}

impl Target {
    pub(crate) fn ours(kind: SocketKind) -> Self {
        Self::ours_with(kind, SocketOptions::default())
    }

    pub(crate) fn ours_with(kind: SocketKind, options: SocketOptions) -> Self {
        let options = options.reconnect(Duration::from_millis(10));
        let parts = Box::new(open(kind, &options).expect("a socket"));
        Self::Ours { parts, messages: Vec::new(), events: Vec::new() }
    }

    pub(crate) fn libzmq(kind: SocketKind) -> Self {
        let foreign = match kind {
            SocketKind::Dealer => zmq::DEALER,
            SocketKind::Router => zmq::ROUTER,
            SocketKind::Push => zmq::PUSH,
            SocketKind::Pull => zmq::PULL,
            SocketKind::Pub => zmq::PUB,
            SocketKind::Sub => zmq::SUB,
        };
        let context = zmq::Context::new();
        let zap = context.socket(zmq::REP).expect("a socket");
        zap.bind("inproc://zeromq.zap.01").expect("a free name");
        let socket = context.socket(foreign).expect("a socket");
        socket.set_linger(0).expect("an option");
        if kind == SocketKind::Sub {
            socket.set_subscribe(b"").expect("an option");
        }
        Self::Libzmq { socket, zap, routed: kind == SocketKind::Router, messages: Vec::new() }
    }

    /// What was heard, as every implementation says it: without the properties by which our clients and servers announce
    /// that they understand GOAWAY, and our servers that they drop nothing.
    pub(crate) fn common(&self, heard: &[u8]) -> Vec<u8> {
        let properties = [&b"\x08X-Goaway\0\0\0\x011"[..], b"\x0aX-Lossless\0\0\0\x011"];
        properties.into_iter().fold(heard.to_vec(), |heard, property| self.without(property, heard))
    }

    fn without(&self, property: &[u8], heard: Vec<u8>) -> Vec<u8> {
        let at = |part: &[u8]| heard.windows(part.len()).rposition(|window| window == part);
        let body = at(b"\x05READY").max(at(b"\x08INITIATE"));
        let (Some(start), Some(body)) = (at(property), body) else { return heard };
        assert!(matches!(self, Self::Ours { .. }), "nobody else announces it");
        let mut common = [&heard[..start], &heard[start + property.len()..]].concat();
        common[body - 1] -= property.len() as u8;
        common
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ours { .. } => "ours",
            Self::Libzmq { .. } => "libzmq",
        }
    }

    /// At a free port; with its address.
    pub(crate) fn bound(mut self) -> (Self, String) {
        const ANY: &str = "tcp://127.0.0.1:*";
        let endpoint = match &mut self {
            Self::Ours { parts, .. } => parts.transport.bind(ANY).expect("a free port"),
            Self::Libzmq { socket, .. } => {
                socket.bind(ANY).expect("a free port");
                socket.get_last_endpoint().expect("bound").expect("text")
            }
        };
        (self, endpoint.trim_start_matches("tcp://").to_owned())
    }

    pub(crate) fn connect(&mut self, address: &str) {
        let endpoint = format!("tcp://{address}");
        match self {
            Self::Ours { parts, .. } => parts.transport.connect(&endpoint).expect("an address"),
            Self::Libzmq { socket, .. } => socket.connect(&endpoint).expect("an address"),
        }
    }

    /// Does what there is to do.
    pub(crate) fn turn(&mut self) {
        match self {
            Self::Ours { parts, messages, events } => {
                let _woken =
                    parts.waiter.wait_until(Some(Instant::now() + Duration::from_millis(1)));
                while let Some((_, message)) = parts.transport.receive().expect("it works") {
                    messages.push(message);
                }
                events.extend(std::iter::from_fn(|| parts.transport.poll_peer()));
            }
            Self::Libzmq { socket, zap, routed, messages } => {
                check_password(zap);
                // Lets it take note of what its own thread has done.
                socket.get_events().expect("an option");
                while let Ok(frames) = socket.recv_multipart(zmq::DONTWAIT) {
                    let mut frames = frames.into_iter().map(Bytes::from);
                    if *routed {
                        frames.next();
                    }
                    messages.extend(Multipart::from_frames(None, frames));
                }
            }
        }
    }

    /// The payloads that came.
    pub(crate) fn payloads(&self) -> Vec<&[u8]> {
        let (Self::Ours { messages, .. } | Self::Libzmq { messages, .. }) = self;
        messages.iter().map(|message| &message.payload[..]).collect()
    }

    pub(crate) fn messages(&self) -> &[Multipart] {
        let (Self::Ours { messages, .. } | Self::Libzmq { messages, .. }) = self;
        messages
    }

    /// Sends a payload to whoever is there, framed as the socket frames it.
    pub(crate) fn send(&mut self, text: &'static str) {
        match self {
            Self::Ours { parts, .. } => {
                let payload = Payload { head: Bytes::new(), body: text.into() };
                let message = Transmit::new(PeerId::NAMELESS, [].into_iter().collect(), payload);
                parts.transport.send(message).expect("it works");
            }
            Self::Libzmq { socket, .. } => {
                let kind = socket.get_socket_type().expect("an option");
                if kind == zmq::DEALER {
                    socket.send("", zmq::SNDMORE | zmq::DONTWAIT).expect("room");
                }
                socket.send(text, zmq::DONTWAIT).expect("room");
            }
        }
        self.turn();
    }
}

/// Answers libzmq when it asks whether a user may come in: with the password `secret` only.
fn check_password(zap: &zmq::Socket) {
    if let Ok(request) = zap.recv_multipart(zmq::DONTWAIT) {
        let good = request.last().is_some_and(|password| password == b"secret");
        let status = if good { &b"200"[..] } else { b"400" };
        zap.send_multipart([b"1.0", &request[1][..], status, b"", b"", b""], 0).expect("it asked");
    }
}

/// A peer.
pub(crate) struct Raw {
    stream: TcpStream,
    pub(crate) heard: Vec<u8>,
    pub(crate) ended: bool,
    /// The other side's handshake was heard and taken away.
    shaken: bool,
}

impl Raw {
    pub(crate) fn connect(address: &str) -> Self {
        Self::new(TcpStream::connect(address).expect("it listens"))
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_millis(1))).expect("an option");
        stream.set_nodelay(true).expect("an option");
        Self { stream, heard: Vec::new(), ended: false, shaken: false }
    }

    /// Writes; a peer that has closed is no failure yet.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let _may_be_closed = self.stream.write_all(bytes);
    }

    /// Says nothing more, but listens.
    pub(crate) fn close_half(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("it stands");
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("an option");
    }

    pub(crate) fn turn(&mut self) {
        let mut scratch = [0; 4096];
        match self.stream.read(&mut scratch) {
            Ok(0) => self.ended = true,
            Ok(count) => self.heard.extend_from_slice(&scratch[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.ended = true,
        }
    }
}

/// Goes on until something is true of both.
pub(crate) fn until(
    what: &str,
    target: &mut Target,
    raw: &mut Raw,
    mut met: impl FnMut(&mut Target, &mut Raw) -> bool,
) {
    let start = Instant::now();
    while !met(target, raw) {
        target.turn();
        raw.turn();
        assert!(
            start.elapsed() < PATIENCE,
            "{}: {what}: it never happened; heard {}, ended: {}",
            target.name(),
            raw.heard.escape_ascii(),
            raw.ended
        );
    }
}

/// Waits for the end of the connection.
pub(crate) fn is_closed(what: &str, target: &mut Target, raw: &mut Raw) {
    until(what, target, raw, |_, raw| raw.ended);
}

/// Waits until exactly this was heard.
pub(crate) fn hears(what: &str, target: &mut Target, raw: &mut Raw, expected: &[u8]) {
    until(what, target, raw, |target, raw| target.common(&raw.heard).len() >= expected.len());
    let (heard, expected) = (target.common(&raw.heard), expected.escape_ascii());
    let heard = heard.escape_ascii();
    assert_eq!(heard.to_string(), expected.to_string(), "{}: {what}", target.name());
}

/// Sends a last message, and waits until it comes: so the connection stands, and everything before it was read as
/// it was meant. Returns the payloads before it.
pub(crate) fn stands(what: &str, target: &mut Target, raw: &mut Raw) -> Vec<Vec<u8>> {
    let lasts = |target: &Target| target.payloads().iter().filter(|text| **text == b"last").count();
    shake(what, target, raw);
    let before = lasts(target);
    raw.say(b"\x01\0\0\x04last");
    until(what, target, raw, |target, raw| {
        assert!(!raw.ended, "{}: {what}: closed", target.name());
        lasts(target) > before
    });
    let all = target.payloads();
    all[..all.len() - 1].iter().map(|payload| payload.to_vec()).collect()
}

/// The ten bytes of a peer without identity.
pub(crate) const SIGNATURE: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f";

pub(crate) fn greeting(version: [u8; 2], mechanism: &str) -> Vec<u8> {
    let mut bytes = [SIGNATURE, &version, mechanism.as_bytes()].concat();
    bytes.resize(64, 0);
    bytes
}

pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    [&[flags, u8::try_from(body.len()).expect("a short frame")], body].concat()
}

pub(crate) fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a short name");
    frame(4, &[&[length], name.as_bytes(), data].concat())
}

pub(crate) fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let (name_length, length) = (
        u8::try_from(name.len()).expect("a short name"),
        u32::try_from(value.len()).expect("a short value").to_be_bytes(),
    );
    [&[name_length], name.as_bytes(), &length, value].concat()
}

/// READY of a socket of this type.
pub(crate) fn ready(socket_type: &str) -> Vec<u8> {
    command("READY", &property("Socket-Type", socket_type.as_bytes()))
}

/// Everything that such a peer says before its first message.
pub(crate) fn handshake(minor: u8, socket_type: &str) -> Vec<u8> {
    [greeting([3, minor], "NULL"), ready(socket_type)].concat()
}

/// A peer of a socket that is bound, behind its handshake, with nothing heard.
pub(crate) fn peer(target: &mut Target, address: &str, minor: u8, socket_type: &str) -> Raw {
    let mut raw = Raw::connect(address);
    raw.say(&handshake(minor, socket_type));
    shake("a handshake", target, &mut raw);
    raw
}

/// Waits for the other side's READY, before which libzmq takes messages for a part of the handshake; and takes it
/// away.
pub(crate) fn shake(what: &str, target: &mut Target, raw: &mut Raw) {
    if raw.shaken {
        return;
    }
    let length = |heard: &[u8]| Some(64 + 2 + usize::from(*heard.get(65)?));
    until(what, target, raw, |target, raw| {
        assert!(!raw.ended, "{}: {what}: closed", target.name());
        length(&raw.heard).is_some_and(|length| raw.heard.len() >= length)
    });
    raw.shaken = true;
    let length = length(&raw.heard).unwrap_or_default();
    raw.heard.drain(..length);
}
