//! What must hold of sockets with sessions, whatever their peers and their embedder do.

mod end;
mod event;

use std::io;

use arbitrary::Unstructured;
use web_time::{Duration, Instant};
use zerorpc_proto::{CallOptions, Target};

use self::end::End;
use super::{OPENINGS, amount, choose_index, link::Link, take};
use crate::Origin;

/// The end that calls, and the one that serves.
const CLIENT: usize = 0;
const SERVER: usize = 1;

/// So many connections are open at a time.
const CONNECTIONS: usize = 6;

/// Plays `data` as a script for a client and a server over several connections, for strangers that send them events and
/// bytes, and for what their embedders do. In the end everything ends.
pub fn rpc(data: &[u8]) {
    play(data);
}

/// How many calls were answered.
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
        let ends = [End::new(true, script)?, End::new(false, script)?];
        Ok(Self { ends, links: Vec::new(), now: Instant::now() })
    }

    fn step(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let side = usize::from(script.arbitrary::<bool>()?);
        // What ends connections is seldom, or none would ever shake hands.
        match script.int_in_range(0..=63_u8)? {
            0..=3 => self.connect(script)?,
            4..=27 => self.carry(script)?,
            28..=35 => self.turn(side),
            36..=41 => self.open(script)?,
            42..=46 => self.ends[CLIENT].read(script)?,
            47..=53 => self.ends[SERVER].answer(script)?,
            54..=56 => self.inject(script)?,
            57 => self.pass(Duration::from_millis(script.int_in_range(0..=20_000)?)),
            58 => self.ends[CLIENT].cancel(script)?,
            59 => self.cut(script)?,
            60 if script.ratio(1_u8, 8_u8)? => self.ends[side].rpc.drain(),
            60 => self.ends[side].rpc.say_last_word(),
            61 => self.disturb(side, script)?,
            _ => {
                let count = usize::from(script.arbitrary::<u8>()?);
                let bytes = take(script, count)?;
                if let Some(link) = self.any(script)? {
                    link.wire[link.near()].extend(bytes);
                }
            }
        }
        Ok(())
    }

    fn any(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<Option<&mut Link>> {
        let number = choose_index(script, self.links.len())?;
        Ok(number.map(|number| &mut self.links[number]))
    }

    fn connect(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.links.len() >= CONNECTIONS {
            return Ok(());
        }
        let (now, is_wild) = (self.now, script.ratio(1_u8, 3_u8)?);
        let stranger_at = usize::from(script.arbitrary::<bool>()?);
        let mut link = Link { is_wild, ..Link::default() };
        for (side, end) in self.ends.iter_mut().enumerate() {
            if is_wild && side != stranger_at {
                continue;
            }
            let origin = if side == CLIENT { Origin::Dialed } else { Origin::Accepted };
            let connection = end.rpc.open_connection(now, origin, "tcp://192.0.2.1:1");
            assert!(end.connections.insert(connection), "no id is given out twice");
            link.ends[side] = Some(connection);
            if is_wild {
                // Whoever is to be heard says what fits: the first is NULL without a type.
                let opening = if script.ratio(3_u8, 4_u8)? {
                    OPENINGS[1]
                } else {
                    script.choose(&OPENINGS)?
                };
                link.wire[side].extend(opening);
            }
        }
        self.links.push(link);
        Ok(())
    }

    /// Some of what an end has to write is written, and some of what is on its way arrives.
    fn carry(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(number) = choose_index(script, self.links.len())? else { return Ok(()) };
        let from = usize::from(script.arbitrary::<bool>()?);
        let most = amount(script, 4)?;
        self.write(number, from, most);
        let most = amount(script, 4)?;
        self.read(number, 1 - from, most);
        if self.links[number].is_wild {
            self.read(number, from, most);
        }
        Ok(())
    }

    fn write(&mut self, number: usize, from: usize, mut most: usize) {
        let link = &mut self.links[number];
        let Some(connection) = link.ends[from] else { return };
        let mut bytes = Vec::new();
        self.ends[from].rpc.write_with(self.now, connection, &mut |slices| {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            assert!(!all.is_empty(), "nothing is to be written");
            let count = all.len().min(most);
            most -= count;
            bytes.extend(&all[..count]);
            if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
        });
        if link.is_wild {
            link.id = event::id_in(&bytes).unwrap_or(std::mem::take(&mut link.id));
        } else if link.ends[1 - from].is_some() {
            link.wire[1 - from].extend(bytes);
        }
    }

    fn read(&mut self, number: usize, at: usize, most: usize) {
        let link = &mut self.links[number];
        let Some(connection) = link.ends[at] else { return };
        let wire = &mut link.wire[at];
        let mut left = wire.len().min(most);
        let rpc = &mut self.ends[at].rpc;
        while left > 0 {
            rpc.read_with(self.now, connection, &mut |room| {
                let count = room.len().min(left);
                wire.drain(..count).zip(&mut *room).for_each(|(byte, place)| *place = byte);
                left -= count;
                if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
            });
            if rpc.socket().remote(connection).is_none() {
                return;
            }
        }
    }

    fn turn(&mut self, side: usize) {
        for closed in self.ends[side].turn(self.now) {
            self.links.iter_mut().for_each(|link| link.forget(side, closed));
        }
        let at = 1 - side;
        for connection in self.links.iter().filter_map(|link| link.at_eof(at)) {
            self.ends[at].rpc.handle_eof(self.now, connection);
        }
        self.links.retain(Link::is_open);
    }

    fn open(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let timeout = script.arbitrary::<Option<u16>>()?;
        let timeout = timeout.map(|millis| Duration::from_millis(millis.into()));
        let mut options = CallOptions::new().timeout(timeout);
        if let Some(slots) = script.arbitrary::<Option<u8>>()? {
            options = options.slots(slots.into());
        }
        self.ends[CLIENT].open(self.now, Target::Any, &options, script)
    }

    /// An event of a stranger, who may know what he is sent.
    fn inject(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let wild: Vec<usize> =
            (0..self.links.len()).filter(|number| self.links[*number].is_wild).collect();
        if wild.is_empty() {
            return Ok(());
        }
        let link = &mut self.links[*script.choose(&wild)?];
        let at = link.near();
        for _ in 0..=script.int_in_range(0..=3_u8)? {
            let message = event::message(script, &link.id)?;
            link.wire[at].extend(message);
        }
        Ok(())
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for side in [CLIENT, SERVER] {
            self.ends[side].rpc.handle_timeout(self.now);
            self.turn(side);
        }
    }

    fn cut(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let now = self.now;
        let Some(link) = self.any(script)? else { return Ok(()) };
        let ends = link.ends;
        for (end, connection) in self.ends.iter_mut().zip(ends) {
            if let Some(connection) = connection {
                end.rpc.handle_io_error(now, connection, &"it was cut");
            }
        }
        Ok(())
    }

    /// The embedder ends or gives up a connection.
    fn disturb(&mut self, side: usize, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let End { rpc, connections, .. } = &mut self.ends[side];
        let Some(number) = choose_index(script, connections.len())? else { return Ok(()) };
        let connection = *connections.iter().nth(number).expect("it is below the length");
        let peer = rpc.socket().peer_of(connection);
        let socket = rpc.socket_mut();
        match (script.int_in_range(0..=3_u8)?, peer) {
            (0, Some(peer)) => socket.cut_off(peer, "on purpose"),
            (1, Some(peer)) => socket.reset(peer, "on purpose"),
            (2, _) => socket.retire(connection, "it is old"),
            _ => socket.close(connection, "on purpose"),
        }
        Ok(())
    }

    fn check(&mut self) {
        for end in &mut self.ends {
            end.check();
        }
    }

    /// Every connection ends, calls are given up, and time passes: nothing is left over.
    fn end(mut self) -> usize {
        for end in &mut self.ends {
            for connection in end.connections.clone() {
                end.rpc.handle_eof(self.now, connection);
            }
            end.turn(self.now);
            assert!(end.connections.is_empty(), "{:?} are left over", end.connections);
            end.give_up();
            end.turn(self.now);
            end.check();
            let mut rounds = 0;
            while let Some(due) = end.rpc.poll_timeout() {
                self.now = self.now.max(due);
                end.rpc.handle_timeout(self.now);
                end.turn(self.now);
                rounds += 1;
                assert!(rounds < 10_000, "something is due for ever");
            }
            end.check_empty();
        }
        self.ends[CLIENT].answered
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Most of what is random ends a connection before it has shaken hands; enough of it does not.
    #[test]
    fn scripts_lead_to_answers() {
        let scripts = super::super::scripts(3000).take(100);
        let answers = scripts.map(|script| super::play(&script)).sum::<usize>();
        assert!(answers > 100, "{answers} answers");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn random_scripts(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
            super::rpc(&data);
        }
    }
}
