//! Sockets, and what is on its way between them.

use std::{io::IoSlice, time::Instant};

use bytes::Bytes;
use zerorpc_proto::{
    Envelope, Multipart, Payload, PeerEvent, PeerId, Token, Transmit,
    transport::{SocketKind, SocketOptions},
};
use zerorpc_zmtp::{Closed, ConnectionId, EngineConfig, Identity, Origin, Socket, SocketEvent};

/// Sockets with streams between them, whose time stands still unless it is moved.
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pipes: Vec<Pipe>,
}

/// A socket and what it told.
pub(crate) struct Node {
    pub(crate) socket: Socket,
    pub(crate) messages: Vec<(PeerId, Multipart)>,
    pub(crate) peers: Vec<PeerEvent>,
    /// Who has said that it drops nothing.
    pub(crate) lossless: Vec<PeerId>,
    pub(crate) closed: Vec<Closed>,
    pub(crate) events: Vec<String>,
}

/// A stream between two sockets.
struct Pipe {
    ends: [(usize, ConnectionId); 2],
    /// At most so many bytes leave each end.
    room: [usize; 2],
    is_open: [bool; 2],
}

impl Net {
    pub(crate) fn new(sockets: impl IntoIterator<Item = Socket>) -> Self {
        let node = |socket| Node {
            socket,
            messages: Vec::new(),
            peers: Vec::new(),
            lossless: Vec::new(),
            closed: Vec::new(),
            events: Vec::new(),
        };
        let nodes = sockets.into_iter().map(node).collect();
        Self { now: Instant::now(), nodes, pipes: Vec::new() }
    }

    /// Connects one socket to another; the number of the stream.
    pub(crate) fn connect(&mut self, from: usize, to: usize) -> usize {
        let remote = format!("tcp://192.0.2.{to}:1");
        let dialed = self.nodes[from].socket.open_connection(self.now, Origin::Dialed, remote);
        let remote = format!("tcp://192.0.2.{from}:2");
        let accepted = self.nodes[to].socket.open_connection(self.now, Origin::Accepted, remote);
        self.pipes.push(Pipe {
            ends: [(from, dialed), (to, accepted)],
            room: [usize::MAX; 2],
            is_open: [true; 2],
        });
        self.pipes.len() - 1
    }

    /// Two sockets that are connected.
    pub(crate) fn pair(from: Socket, to: Socket) -> Self {
        let mut net = Self::new([from, to]);
        net.connect(0, 1);
        net.run();
        assert_eq!(net.nodes[0].peers.len(), 1, "the handshake is over");
        net.nodes.iter_mut().for_each(|node| node.peers.clear());
        net
    }

    /// The connection at an end of a stream.
    pub(crate) fn id(&self, pipe: usize, end: usize) -> ConnectionId {
        self.pipes[pipe].ends[end].1
    }

    /// No more than so many bytes leave an end of a stream.
    pub(crate) fn set_room(&mut self, pipe: usize, end: usize, bytes: usize) {
        self.pipes[pipe].room[end] = bytes;
    }

    /// One end of a stream is gone without a word.
    pub(crate) fn cut(&mut self, pipe: usize, end: usize) {
        self.pipes[pipe].is_open[end] = false;
    }

    /// Carries bytes until nothing moves any more.
    pub(crate) fn run(&mut self) {
        while self.turn() {}
    }

    /// Carries bytes over one stream, once in each direction.
    pub(crate) fn step(&mut self, pipe: usize) {
        self.carry(pipe, 0);
        self.carry(pipe, 1);
    }

    fn turn(&mut self) -> bool {
        let mut moved = false;
        for node in &mut self.nodes {
            while node.socket.poll_timeout().is_some_and(|due| due <= self.now) {
                node.socket.handle_timeout(self.now);
            }
        }
        for pipe in 0..self.pipes.len() {
            for end in [0, 1] {
                moved |= self.carry(pipe, end);
            }
        }
        for node in 0..self.nodes.len() {
            moved |= self.take(node);
        }
        moved
    }

    /// Carries what an end of a stream has to say to the other end.
    fn carry(&mut self, pipe: usize, end: usize) -> bool {
        let Pipe { ends, room, is_open } = &mut self.pipes[pipe];
        let ((from, id), (to, other)) = (ends[end], ends[1 - end]);
        if !is_open[end] {
            return false;
        }
        let socket = &mut self.nodes[from].socket;
        let bytes = written(room[end], |slices| socket.output(id, slices));
        room[end] -= if room[end] == usize::MAX { 0 } else { bytes.len() };
        socket.advance(id, bytes.len());
        if is_open[1 - end] {
            self.feed(to, other, &bytes);
        }
        !bytes.is_empty()
    }

    fn feed(&mut self, node: usize, id: ConnectionId, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.nodes[node].socket.handle_chunk(self.now, id, bytes);
    }

    /// Takes what a socket tells, and closes the streams that it wants closed.
    fn take(&mut self, at: usize) -> bool {
        let node = &mut self.nodes[at];
        let mut told = 0;
        while let Some(message) = node.socket.receive() {
            node.messages.push(message);
            told += 1;
        }
        while let Some(event) = node.socket.poll_peer_event() {
            match event {
                PeerEvent::Lossless(peer) => node.lossless.push(peer),
                event => node.peers.push(event),
            }
            told += 1;
        }
        let mut closed = Vec::new();
        while let Some(event) = node.socket.poll_event() {
            told += 1;
            match event {
                SocketEvent::Closed(one) => closed.push(*one),
                SocketEvent::Ready { .. } => node.events.push("ready".into()),
                SocketEvent::GoingAway { .. } => node.events.push("going away".into()),
                SocketEvent::AllWritten { .. } => node.events.push("all written".into()),
                other => panic!("{other:?}"),
            }
        }
        for mut one in closed {
            self.close(at, &mut one);
            self.nodes[at].closed.push(one);
        }
        told > 0
    }

    /// Has the other end read what is left to be said, and the end of the stream.
    fn close(&mut self, node: usize, closed: &mut Closed) {
        let place = self.pipes.iter().find_map(|pipe| {
            let end = pipe.ends.iter().position(|end| *end == (node, closed.connection))?;
            pipe.is_open[1 - end].then_some(pipe.ends[1 - end])
        });
        let Some((other, id)) = place else { return };
        if let Some(words) = &mut closed.last_words {
            let bytes = written(usize::MAX, |slices| words.output(slices));
            words.advance(bytes.len());
            self.feed(other, id, &bytes);
        }
        self.nodes[other].socket.handle_eof(self.now, id);
    }

    pub(crate) fn payloads(&self, node: usize) -> Vec<&[u8]> {
        self.nodes[node].messages.iter().map(|(_, message)| &message.payload[..]).collect()
    }
}

/// What a stream with so much room takes of an output.
fn written<'a>(room: usize, output: impl FnOnce(&mut [IoSlice<'a>]) -> usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 4];
    let filled = output(&mut slices);
    slices[..filled].iter().flat_map(|slice| slice.iter().copied()).take(room).collect()
}

pub(crate) fn socket(kind: SocketKind) -> Socket {
    Socket::new(kind, &SocketOptions::default())
}

/// A socket that holds senders back from ten messages or 10,000 bytes on.
pub(crate) fn narrow(kind: SocketKind) -> Socket {
    let options = SocketOptions::new().high_water_mark(10).high_water_bytes(10_000);
    Socket::new(kind, &options)
}

pub(crate) fn named(kind: SocketKind, name: &'static str) -> Socket {
    let identity = Identity::new(name).expect("a sound name");
    let engine = EngineConfig::new(kind).identity(identity);
    Socket::with_engine(kind, &SocketOptions::default(), engine)
}

/// Names a message by what is in it.
pub(crate) fn token_of(payload: &[u8]) -> Token {
    let number = payload.iter().take(64).fold(payload.len() as u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    Token::new(number)
}

pub(crate) fn message(to: PeerId, payload: impl Into<Bytes>) -> Transmit {
    let payload = Payload { head: payload.into(), body: Bytes::new() };
    let token = token_of(&payload.head);
    let mut message = Transmit::new(to, Envelope::default(), payload);
    message.token = Some(token);
    message
}
