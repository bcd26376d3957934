//! What must hold of a socket whatever its peers and its embedder do.

mod end;

use std::{
    collections::BTreeMap,
    io::IoSlice,
    time::{Duration, Instant},
};

use arbitrary::Unstructured;
use bytes::Bytes;
use hashbrown::HashSet;
use zerorpc_proto::{
    Envelope, Payload, PeerId, Token, Transmit,
    transport::{SocketKind, SocketOptions},
};

use self::end::End;
use super::{OPENINGS, amount, choose_index, link::Link, take};
use crate::{ConnectionId, Origin, Socket, Want};

/// Each with one that it talks with.
const KINDS: [(SocketKind, SocketKind); 7] = [
    (SocketKind::Dealer, SocketKind::Router),
    (SocketKind::Router, SocketKind::Dealer),
    (SocketKind::Push, SocketKind::Pull),
    (SocketKind::Pull, SocketKind::Push),
    (SocketKind::Pub, SocketKind::Sub),
    (SocketKind::Sub, SocketKind::Pub),
    (SocketKind::Router, SocketKind::Router),
];

/// So many connections of a socket are open at a time.
const CONNECTIONS: usize = 4;

/// Plays `data` as a script for two sockets that talk with each other, for bytes that come from neither of them, and for
/// what their embedders do. Panics when something does not hold that should.
pub fn socket(data: &[u8]) {
    play(data);
}

/// How many messages arrived.
fn play(data: &[u8]) -> usize {
    let mut script = Unstructured::new(data);
    let Ok(mut world) = World::new(&mut script) else { return 0 };
    while !script.is_empty() && world.step(&mut script).is_ok() {
        world.check();
    }
    world.end()
}

struct World {
    ends: [End; 2],
    links: Vec<Link>,
    now: Instant,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a script has to begin at some instant")]
    fn new(script: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let (near, far) = *script.choose(&KINDS)?;
        let options = SocketOptions::default()
            .max_frame(100_000)
            .high_water_mark(u32::from(script.int_in_range(1..=20_u8)?))
            .high_water_bytes(10_000);
        let end = |kind| End {
            socket: Socket::new(kind, &options),
            peers: BTreeMap::new(),
            connections: BTreeMap::new(),
            out: HashSet::default(),
            sent: 0,
            messages: 0,
        };
        Ok(Self { ends: [end(near), end(far)], links: Vec::new(), now: Instant::now() })
    }

    fn step(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let side = usize::from(script.ratio(1_u8, 4_u8)?);
        // What ends connections is seldom, or none would ever shake hands.
        match script.int_in_range(0..=63_u8)? {
            0..=3 => self.connect(script)?,
            4..=39 => self.carry(script)?,
            40 => self.inject(script)?,
            41..=54 => self.send(side, script)?,
            55 => {
                self.now += Duration::from_millis(script.int_in_range(0..=4000)?);
                self.ends[side].socket.handle_timeout(self.now);
                let due = self.ends[side].socket.due(self.now);
                assert!(due.is_empty(), "what was due was done: {due:?}");
            }
            56 => self.cut(script)?,
            57 => self.with_peer(side, script, |socket, peer| {
                socket.reset(peer, "on purpose");
            })?,
            58 => self.with_peer(side, script, |socket, peer| {
                socket.cut_off(peer, "on purpose");
            })?,
            59 => self.with_peer(side, script, Socket::discard)?,
            60 => self.ends[side].socket.drain(),
            61 => self.with_connection(side, script, |socket, connection| {
                socket.say_last_word(connection);
            })?,
            62 => self.with_connection(side, script, |socket, connection| {
                socket.retire(connection, "it is old");
            })?,
            _ => self.with_connection(side, script, |socket, connection| {
                socket.close(connection, "on purpose");
            })?,
        }
        Ok(())
    }

    /// A connection to the other socket, or to whoever writes bytes of his own.
    fn connect(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.ends[0].connections.len() >= CONNECTIONS {
            return Ok(());
        }
        let (now, is_wild) = (self.now, script.ratio(1_u8, 4_u8)?);
        let origin = if script.arbitrary()? { Origin::Dialed } else { Origin::Accepted };
        let mut open = |side: usize| {
            let End { socket, connections, .. } = &mut self.ends[side];
            let connection = socket.open_connection(now, origin, "tcp://192.0.2.1:1");
            assert!(connections.insert(connection, false).is_none(), "no id is given out twice");
            connection
        };
        let ends = [Some(open(0)), (!is_wild).then(|| open(1))];
        let mut link = Link { ends, is_wild, ..Link::default() };
        if is_wild {
            link.wire[0].extend(*script.choose(&OPENINGS)?);
        }
        self.links.push(link);
        Ok(())
    }

    /// Some of what a socket has to write is written, and some of what is on its way arrives.
    fn carry(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(number) = choose_index(script, self.links.len())? else { return Ok(()) };
        let from = usize::from(script.arbitrary::<bool>()?);
        let most = amount(script, 3)?;
        self.write(number, from, most);
        let most = amount(script, 3)?;
        self.read(number, 1 - from, most);
        Ok(())
    }

    fn write(&mut self, number: usize, from: usize, most: usize) {
        let Self { ends, links, .. } = self;
        let link = &mut links[number];
        let Some(connection) = link.ends[from] else { return };
        let socket = &mut ends[from].socket;
        let is_expected = socket.has_output(connection);
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = socket.output(connection, &mut slices);
        let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(!bytes.is_empty(), is_expected, "there is output when there is said to be");
        let written = bytes.len().min(most);
        socket.advance(connection, written);
        if link.ends[1 - from].is_some() {
            link.wire[1 - from].extend(&bytes[..written]);
        }
    }

    fn read(&mut self, number: usize, at: usize, most: usize) {
        let Self { ends, links, now } = self;
        let link = &mut links[number];
        let Some(connection) = link.ends[at] else { return };
        let count = link.wire[at].len().min(most);
        let mut bytes: Vec<u8> = link.wire[at].drain(..count).collect();
        let socket = &mut ends[at].socket;
        if let Want::Body(missing) = socket.want(connection) {
            assert!(!missing.is_empty(), "there is room");
            let count = missing.len().min(bytes.len());
            let rest = bytes.split_off(count);
            missing[..count].copy_from_slice(&bytes);
            socket.handle_body(*now, connection, count);
            bytes = rest;
        }
        if !bytes.is_empty() {
            socket.handle_chunk(*now, connection, Bytes::from(bytes));
        }
    }

    /// Bytes that no socket has written.
    fn inject(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(number) = choose_index(script, self.links.len())? else { return Ok(()) };
        let count = usize::from(script.arbitrary::<u8>()?);
        self.links[number].wire[0].extend(take(script, count)?);
        Ok(())
    }

    fn send(&mut self, side: usize, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let size = match script.int_in_range(0..=3_u8)? {
            0 => usize::from(script.arbitrary::<u16>()?),
            _ => usize::from(script.arbitrary::<u8>()?),
        };
        let End { socket, peers, out, sent: sent_messages, .. } = &mut self.ends[side];
        let known: Vec<PeerId> = peers.keys().copied().collect();
        let to = match choose_index(script, known.len() + 2)? {
            Some(index) if index < known.len() => known[index],
            Some(index) if index == known.len() => PeerId::new(1_000_000),
            _ => PeerId::NAMELESS,
        };
        let payload = Payload { head: Bytes::from(vec![7; size]), body: Bytes::new() };
        let mut message = Transmit::new(to, Envelope::default(), payload);
        let token = Token::new(*sent_messages);
        message.token = Some(token);
        *sent_messages += 1;
        out.insert(token);
        let sent = socket.send(message);
        let only_receives = matches!(socket.kind(), SocketKind::Pull | SocketKind::Sub);
        assert_eq!(sent.is_err(), only_receives);
        Ok(())
    }

    /// A stream ends. Its other end hears of it as well.
    fn cut(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(number) = choose_index(script, self.links.len())? else { return Ok(()) };
        let ends = self.links[number].ends;
        for (end, connection) in self.ends.iter_mut().zip(ends) {
            if let Some(connection) = connection {
                end.socket.handle_eof(self.now, connection);
            }
        }
        Ok(())
    }

    fn with_peer(
        &mut self,
        side: usize,
        script: &mut Unstructured<'_>,
        action: impl FnOnce(&mut Socket, PeerId),
    ) -> arbitrary::Result<()> {
        let End { socket, peers, .. } = &mut self.ends[side];
        if let Some(index) = choose_index(script, peers.len())? {
            let peer = *peers.keys().nth(index).expect("it is below the length");
            action(socket, peer);
        }
        Ok(())
    }

    fn with_connection(
        &mut self,
        side: usize,
        script: &mut Unstructured<'_>,
        action: impl FnOnce(&mut Socket, ConnectionId),
    ) -> arbitrary::Result<()> {
        let End { socket, connections, .. } = &mut self.ends[side];
        if let Some(index) = choose_index(script, connections.len())? {
            let connection = *connections.keys().nth(index).expect("it is below the length");
            action(socket, connection);
        }
        Ok(())
    }

    /// Takes what there is to take, and looks whether it fits what was known.
    fn check(&mut self) {
        for (side, end) in self.ends.iter_mut().enumerate() {
            while let Some(closed) = end.poll() {
                self.links.iter_mut().for_each(|link| link.forget(side, closed));
            }
            end.check();
        }
        for (side, end) in self.ends.iter_mut().enumerate() {
            for connection in self.links.iter().filter_map(|link| link.at_eof(side)) {
                end.socket.handle_eof(self.now, connection);
            }
        }
        self.links.retain(Link::is_open);
    }

    /// Every connection ends, and nothing is left over.
    fn end(mut self) -> usize {
        self.check();
        for end in &mut self.ends {
            for connection in end.connections.keys().copied().collect::<Vec<_>>() {
                end.socket.handle_eof(self.now, connection);
            }
            while end.poll().is_some() {}
            end.check();
            assert!(end.connections.is_empty(), "{:?} are left over", end.connections);
            assert!(end.peers.is_empty(), "{:?} are left over", end.peers);
            assert_eq!(end.socket.peer_count(), 0);
            assert!(end.socket.retained_by_route().is_empty(), "nobody is there to hold it for");
            assert_eq!(end.socket.poll_timeout(), None, "nothing is due any more");
            assert_eq!(end.socket.poll_flush(), None, "nothing is to be written any more");
        }
        self.ends.iter().map(|end| end.messages).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Most of what is random ends a connection before it has shaken hands; enough of it does not.
    #[test]
    fn scripts_lead_to_messages() {
        let scripts = super::super::scripts(2000).take(100);
        let messages = scripts.map(|script| super::play(&script)).sum::<usize>();
        assert!(messages > 100, "{messages} messages");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn random_scripts(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
            super::socket(&data);
        }
    }
}
