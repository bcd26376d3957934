//! Bound sockets, ours and libzmq's, and a peer that says something to them.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_mio::{Parts, open};
use zerorpc_proto::{
    Multipart,
    transport::{SocketKind, SocketOptions, Transport, Waiter},
};

use crate::{speech::Speech, words::quoted};

/// A bound socket.
pub(crate) struct End {
    socket: Socket,
    address: String,
}

enum Socket {
    Ours(Box<Parts>),
    Libzmq { socket: zmq::Socket, is_router: bool },
}

/// How long a peer waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For what has to come.
    pub(crate) long: Duration,
    /// For what may come.
    pub(crate) short: Duration,
}

impl End {
    pub(crate) fn ours(kind: SocketKind) -> Self {
        let mut parts = Box::new(open(kind, &SocketOptions::default()).expect("a socket"));
        let endpoint = parts.transport.bind("tcp://127.0.0.1:*").expect("a free port");
        Self { socket: Socket::Ours(parts), address: address(&endpoint) }
    }

    pub(crate) fn libzmq(context: &zmq::Context, kind: SocketKind) -> Self {
        let foreign = match kind {
            SocketKind::Dealer => zmq::DEALER,
            SocketKind::Router => zmq::ROUTER,
            SocketKind::Push => zmq::PUSH,
            SocketKind::Pull => zmq::PULL,
            SocketKind::Pub => zmq::PUB,
            SocketKind::Sub => zmq::SUB,
        };
        let socket = context.socket(foreign).expect("a socket");
        socket.set_linger(0).expect("an option");
        if kind == SocketKind::Sub {
            socket.set_subscribe(b"").expect("an option");
        }
        socket.bind("tcp://127.0.0.1:*").expect("a free port");
        let endpoint = socket.get_last_endpoint().expect("it is bound").expect("text");
        let is_router = kind == SocketKind::Router;
        Self { socket: Socket::Libzmq { socket, is_router }, address: address(&endpoint) }
    }

    /// The messages that came since, after a moment: envelope and payload of each.
    fn take(&mut self) -> Vec<Multipart> {
        let mut messages = Vec::new();
        match &mut self.socket {
            Socket::Ours(parts) => {
                let _woken =
                    parts.waiter.wait_until(Some(Instant::now() + Duration::from_millis(1)));
                while let Some((_, message)) = parts.transport.receive().expect("it works") {
                    messages.push(message);
                }
                while parts.transport.poll_peer().is_some() {}
            }
            Socket::Libzmq { socket, is_router } => {
                socket.poll(zmq::POLLIN, 1).expect("it can wait");
                while let Ok(frames) = socket.recv_multipart(zmq::DONTWAIT) {
                    let frames = frames.into_iter().map(Bytes::from);
                    let frames: Vec<_> = frames.skip(usize::from(*is_router)).collect();
                    messages.extend(Multipart::from_frames(None, frames));
                }
            }
        }
        messages
    }

    /// Says something on a connection with this number, and tells what becomes of it.
    pub(crate) fn hear(&mut self, speech: &Speech, number: u64, patience: Patience) -> String {
        self.take();
        let mut peer = Peer::connect(&self.address);
        let last = format!("last of {number}");
        let (opening, rest) = (speech.opening.bytes(number), speech.rest(last.as_bytes()));
        let mut patient = patience.long;
        if speech.is_early {
            peer.say(&[opening, rest].concat(), speech.piece);
        } else {
            // libzmq takes what comes before it has sent READY for a part of the handshake.
            peer.say(&opening, speech.piece);
            let is_modern = speech.is_modern();
            if !self.turn(&mut peer, patient, |peer| peer.ended || peer.has_shaken(is_modern)) {
                patient = patience.short;
            }
            peer.say(&rest, speech.piece);
        }
        self.turn(&mut peer, patient, |peer| peer.ended || peer.has_said(&last));
        self.turn(&mut peer, patience.short, |_| false);
        peer.told(&last, speech.is_modern())
    }

    /// Goes on until something is true, or for so long; whether it is.
    fn turn(&mut self, peer: &mut Peer, long: Duration, is_met: impl Fn(&Peer) -> bool) -> bool {
        let end = Instant::now() + long;
        while !is_met(peer) {
            if Instant::now() > end {
                return false;
            }
            peer.listen();
            peer.messages.extend(self.take());
        }
        true
    }
}

fn address(endpoint: &str) -> String {
    endpoint.trim_start_matches("tcp://").to_owned()
}

/// The one who says something.
struct Peer {
    stream: TcpStream,
    heard: Vec<u8>,
    ended: bool,
    messages: Vec<Multipart>,
}

impl Peer {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("an option");
        Self { stream, heard: Vec::new(), ended: false, messages: Vec::new() }
    }

    fn say(&mut self, bytes: &[u8], piece: usize) {
        self.stream.set_nonblocking(false).expect("an option");
        for piece in bytes.chunks(piece) {
            // It may have ended meanwhile.
            let _may_be_closed = self.stream.write_all(piece);
            std::thread::yield_now();
        }
        self.stream.set_nonblocking(true).expect("an option");
    }

    fn listen(&mut self) {
        let mut scratch = [0; 4096];
        match self.stream.read(&mut scratch) {
            Ok(0) => self.ended = true,
            Ok(count) => self.heard.extend(&scratch[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.ended = true,
        }
    }

    /// The other side's handshake was heard.
    fn has_shaken(&self, is_modern: bool) -> bool {
        if !is_modern {
            return self.heard.len() >= 10;
        }
        self.heard.get(65).is_some_and(|length| self.heard.len() >= 66 + usize::from(*length))
    }

    fn has_said(&self, last: &str) -> bool {
        self.messages.iter().any(|message| message.payload == last)
    }

    /// What was heard, which messages came out, and whether the connection lives.
    fn told(&self, last: &str, is_modern: bool) -> String {
        let messages = self.messages.iter().map(|message| {
            let frames = message.envelope.frames().iter().chain([&message.payload]);
            let frames: Vec<_> = frames
                .map(|frame| if *frame == last { "last".to_owned() } else { quoted(frame) })
                .collect();
            frames.join("+")
        });
        let messages: Vec<_> = messages.collect();
        let end = match (self.has_said(last), self.ended) {
            (true, false) => "lives",
            (true, true) => "ended after all",
            (false, true) => "ended",
            (false, false) => "waits",
        };
        let heard = if is_modern { modern(&self.heard) } else { quoted(&self.heard) };
        // A reset takes what was said before it along.
        let heard = if self.ended { String::new() } else { format!("heard {heard}; ") };
        format!("{heard}got {}; {end}", messages.join(", "))
    }
}

/// What a ZMTP 3 socket has said: its commands and messages. Properties of READY that begin with X, and ERROR, which
/// either side may send or not, are left out.
fn modern(heard: &[u8]) -> String {
    if heard.len() < 64 {
        return format!("{} bytes of a greeting", heard.len());
    }
    let mechanism: Vec<u8> = heard[12..32].iter().copied().filter(|byte| *byte != 0).collect();
    let mut told = vec![format!("{}.{} {}", heard[10], heard[11], quoted(&mechanism))];
    let mut rest = &heard[64..];
    while let [flags, length, more @ ..] = rest {
        let length = usize::from(*length);
        let Some((body, behind)) = more.split_at_checked(length) else { break };
        rest = behind;
        let name = body.first().and_then(|length| body.get(1..=usize::from(*length)));
        let data = name.map_or(body, |name| &body[name.len() + 1..]);
        match (*flags, name) {
            (4, Some(b"ERROR")) => {}
            (4, Some(b"READY")) => told.push(format!("READY {}", properties(data))),
            (4, Some(name)) => told.push(format!("{} {}", name.escape_ascii(), quoted(data))),
            _ => told.push(format!("flags={flags} {}", quoted(body))),
        }
    }
    told.join(", ")
}

fn properties(mut data: &[u8]) -> String {
    let mut told = Vec::new();
    while let [length, more @ ..] = data {
        let Some((name, more)) = more.split_at_checked(usize::from(*length)) else { break };
        let Some((length, more)) = more.split_first_chunk() else { break };
        let length = u32::from_be_bytes(*length) as usize;
        let Some((value, more)) = more.split_at_checked(length) else { break };
        data = more;
        if !name.starts_with(b"X-") {
            told.push(format!("{}={}", name.escape_ascii(), value.escape_ascii()));
        }
    }
    told.join(" ")
}
