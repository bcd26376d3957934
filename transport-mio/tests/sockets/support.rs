//! What the tests share: sockets that are driven side by side on one thread.

use std::{
    collections::VecDeque,
    error::Error,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_mio::{Parts, open};
use zerorpc_proto::{
    Envelope, Multipart, Payload, PeerEvent, PeerId, Token, Transmit,
    transport::{Flow, MonitorEvent, SocketKind, SocketOptions, Transport, Waiter},
};

/// The outcome of a test.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// How long anything may take before a test gives up: far more than it should.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A free port of the loopback.
pub(crate) const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// What came out of a socket, in its order.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Message(PeerId, Multipart),
    Event(PeerEvent),
}

/// A socket, and what came out of it.
pub(crate) struct Node {
    pub(crate) parts: Parts,
    pub(crate) seen: VecDeque<Seen>,
    pub(crate) told: Vec<MonitorEvent>,
}

/// Options that try again soon.
pub(crate) fn hasty() -> SocketOptions {
    SocketOptions::default().reconnect(Duration::from_millis(10))
}

impl Node {
    pub(crate) fn new(kind: SocketKind) -> Self {
        Self::with(kind, &hasty())
    }

    pub(crate) fn with(kind: SocketKind, options: &SocketOptions) -> Self {
        let parts = open(kind, options).expect("a socket can be opened");
        Self { parts, seen: VecDeque::new(), told: Vec::new() }
    }

    pub(crate) fn bound(kind: SocketKind) -> (Self, String) {
        let mut node = Self::new(kind);
        let endpoint = node.parts.transport.bind(ANY_PORT).expect("a free port");
        (node, endpoint)
    }

    pub(crate) fn connected(kind: SocketKind, endpoint: &str) -> Self {
        let mut node = Self::new(kind);
        node.parts.transport.connect(endpoint).expect(endpoint);
        node
    }

    /// Waits a moment, then moves what there is.
    pub(crate) fn turn(&mut self) {
        self.parts
            .waiter
            .wait_until(Some(Instant::now() + Duration::from_millis(1)))
            .expect("the socket works");
        self.drain();
    }

    /// Moves what there is.
    pub(crate) fn drain(&mut self) {
        loop {
            let received = self.parts.transport.receive().expect("the socket works");
            let is_last = received.is_none();
            self.seen.extend(received.map(|(peer, message)| Seen::Message(peer, message)));
            while let Some(event) = self.parts.transport.poll_peer() {
                self.seen.push_back(Seen::Event(event));
            }
            if is_last {
                break;
            }
        }
        while let Some(event) = self.parts.transport.poll_monitor() {
            self.told.push(event);
        }
    }

    pub(crate) fn send(&mut self, to: PeerId, payload: impl Into<Bytes>) -> Flow {
        let flow = self.parts.transport.send(plainly(to, payload)).expect("the socket works");
        self.drain();
        flow
    }

    /// The first message that was seen and not taken.
    pub(crate) fn message(&mut self) -> Option<(PeerId, Multipart)> {
        let at = self.seen.iter().position(|seen| matches!(seen, Seen::Message(..)))?;
        match self.seen.remove(at) {
            Some(Seen::Message(peer, message)) => Some((peer, message)),
            _ => None,
        }
    }

    /// The first event of a sort that was seen and not taken.
    pub(crate) fn event<T>(&mut self, mut of: impl FnMut(&PeerEvent) -> Option<T>) -> Option<T> {
        let mut found = None;
        let at = self.seen.iter().position(|seen| {
            if let Seen::Event(event) = seen {
                found = of(event);
            }
            found.is_some()
        })?;
        self.seen.remove(at);
        found
    }

    pub(crate) fn up(&mut self) -> Option<PeerId> {
        self.event(|event| match event {
            PeerEvent::Up(peer) => Some(*peer),
            _ => None,
        })
    }

    pub(crate) fn down(&mut self) -> Option<(PeerId, String)> {
        self.event(|event| match event {
            PeerEvent::Down(peer, reason) => Some((*peer, reason.to_string())),
            _ => None,
        })
    }

    pub(crate) fn drained(&mut self) -> Option<PeerId> {
        self.event(|event| match event {
            PeerEvent::Drained(route) => Some(route.peer),
            _ => None,
        })
    }

    /// The next message, waited for.
    pub(crate) fn next(&mut self) -> (PeerId, Multipart) {
        until("a message comes", &mut [self], |nodes| nodes[0].message())
    }
}

/// Drives sockets until something is true of them.
pub(crate) fn until<T>(
    what: &str,
    nodes: &mut [&mut Node],
    mut met: impl FnMut(&mut [&mut Node]) -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(result) = met(nodes) {
            return result;
        }
        assert!(start.elapsed() < PATIENCE, "it never happened: {what}");
        nodes.iter_mut().for_each(|node| node.turn());
    }
}

/// Drives two sockets until they have each other; what each calls the other.
pub(crate) fn meet(one: &mut Node, other: &mut Node) -> (PeerId, PeerId) {
    let (mut left, mut right) = (None, None);
    until("a connection", &mut [one, other], |nodes| {
        left = left.or_else(|| nodes[0].up());
        right = right.or_else(|| nodes[1].up());
        left.zip(right)
    })
}

/// The next message at `to`, while `from` goes on.
pub(crate) fn pass(from: &mut Node, to: &mut Node) -> (PeerId, Multipart) {
    until("a message comes", &mut [from, to], |nodes| nodes[1].message())
}

/// Names a message by what is in it.
pub(crate) fn token_of(payload: &[u8]) -> Token {
    let number = payload.iter().take(64).fold(payload.len() as u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    Token::new(number)
}

/// A message with this envelope.
pub(crate) fn message(to: PeerId, envelope: Envelope, payload: impl Into<Bytes>) -> Transmit {
    let whole = payload.into();
    let body = whole.slice(whole.len() / 2..);
    let payload = Payload { head: whole.slice(..whole.len() / 2), body };
    let token = token_of(&whole);
    let mut message = Transmit::new(to, envelope, payload);
    message.token = Some(token);
    message
}

/// A message without an envelope.
pub(crate) fn plainly(to: PeerId, payload: impl Into<Bytes>) -> Transmit {
    message(to, Envelope::default(), payload)
}

/// A socket of plain libzmq that cannot hang a test.
pub(crate) fn plain(kind: zmq::SocketType) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).expect("a socket");
    let patience = i32::try_from(PATIENCE.as_millis()).expect("some seconds");
    socket.set_linger(0).expect("an option");
    socket.set_rcvtimeo(patience).expect("an option");
    socket.set_sndtimeo(patience).expect("an option");
    socket
}
