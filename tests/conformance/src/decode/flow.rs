//! TCP connections of a capture, and which of them speak ZMTP.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use super::{
    Seen,
    packets::Packet,
    reassembly::{Piece, Reassembly},
    segment::Segment,
};
use crate::watch::{Connection, Settings, Side, Sighting, Tally, View, first_event};

/// How often time is told to connections.
const TICK: Duration = Duration::from_millis(50);

/// So much of a direction is searched for the beginning of a message.
const SEARCHED: usize = 1 << 20;

/// All connections of a capture.
pub(super) struct Flows {
    settings: Settings,
    all: HashMap<(SocketAddr, SocketAddr), Flow>,
    ticked: Duration,
    next: u32,
    /// How many packets there were.
    pub(super) packets: u64,
    events: u64,
    unread: u64,
    watched: u64,
    others: u64,
}

/// One connection.
struct Flow {
    number: u32,
    connector: SocketAddr,
    listener: SocketAddr,
    directions: [Direction; 2],
    /// Whether its beginning is in the capture.
    whole: bool,
    what: Kind,
}

#[derive(Default)]
struct Direction {
    reassembly: Reassembly,
    /// What has come while the beginning of a message is looked for; none where everything is read.
    searched: Option<Vec<u8>>,
}

enum Kind {
    /// Nobody knows yet: what has come.
    Open(Vec<(Side, Duration, Vec<u8>)>),
    Zmtp(Box<Connection>),
    Other,
}

impl Flows {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            all: HashMap::new(),
            ticked: Duration::ZERO,
            next: 0,
            packets: 0,
            events: 0,
            unread: 0,
            watched: 0,
            others: 0,
        }
    }

    /// Takes a packet; what was seen by it.
    pub(super) fn take(&mut self, packet: &Packet<'_>) -> Option<Seen> {
        self.packets += 1;
        let mut seen = self.tick(packet.at);
        if let Some(segment) = Segment::of(packet) {
            self.segment(&segment, packet.at, &mut seen);
        }
        (!seen.is_empty()).then_some(seen)
    }

    fn tick(&mut self, at: Duration) -> Seen {
        let mut seen = Vec::new();
        if at > self.ticked + TICK {
            self.ticked = at;
            for flow in self.all.values_mut() {
                if let Kind::Zmtp(connection) = &mut flow.what {
                    connection.tick(at);
                    seen.push((flow.number, connection.take_sightings()));
                }
            }
        }
        seen.retain(|(_, sightings)| !sightings.is_empty());
        seen.sort_by_key(|(number, _)| *number);
        seen
    }

    fn segment(&mut self, segment: &Segment<'_>, at: Duration, seen: &mut Seen) {
        let Segment { from, to, .. } = *segment;
        let key = (from.min(to), from.max(to));
        let begins = segment.syn && segment.acknowledged.is_none();
        if begins
            && self.all.get(&key).is_some_and(|flow| flow.is_another(segment))
            && let Some(old) = self.all.remove(&key)
        {
            self.close(old, at, seen);
        }
        let flow = self.all.entry(key).or_insert_with(|| {
            self.next += 1;
            // Who answers a SYN was connected to; otherwise the one with the smaller port listens.
            let answers = segment.syn && !begins || !segment.syn && from.port() < to.port();
            let (connector, listener) = if answers { (to, from) } else { (from, to) };
            Flow::new(self.next, connector, listener, segment.syn)
        });
        flow.segment(segment, at, self.settings);
        let sightings = flow.take_sightings();
        if !sightings.is_empty() {
            seen.push((flow.number, sightings));
        }
    }

    /// The end of the capture: what is left is told, and counted.
    pub(super) fn end(&mut self, tally: &mut Tally) -> Seen {
        let mut seen = Vec::new();
        let mut flows: Vec<Flow> = std::mem::take(&mut self.all).into_values().collect();
        flows.sort_by_key(|flow| flow.number);
        for flow in flows {
            self.close(flow, self.ticked, &mut seen);
        }
        tally.connections = self.watched;
        tally.events = self.events;
        tally.unread = self.unread;
        tally.others = self.others;
        seen
    }

    fn close(&mut self, mut flow: Flow, at: Duration, seen: &mut Seen) {
        for side in Side::BOTH {
            flow.read_on(side, at, self.settings, true);
        }
        let sightings = flow.take_sightings();
        if !sightings.is_empty() {
            seen.push((flow.number, sightings));
        }
        match &flow.what {
            Kind::Zmtp(connection) => {
                self.watched += 1;
                self.events += connection.events();
                self.unread += u64::from(connection.is_unread());
            }
            _ => self.others += 1,
        }
    }
}

impl Flow {
    fn new(number: u32, connector: SocketAddr, listener: SocketAddr, whole: bool) -> Self {
        let searched = || (!whole).then(Vec::new);
        let direction = || Direction { reassembly: Reassembly::default(), searched: searched() };
        let directions = [direction(), direction()];
        let what = Kind::Open(Vec::new());
        Self { number, connector, listener, directions, whole, what }
    }

    /// Whether a SYN is not that of this connection, but of another one between the same ports.
    fn is_another(&self, segment: &Segment<'_>) -> bool {
        !self.whole
            || segment.from != self.connector
            || !self.directions[0].reassembly.begins_at(segment.sequence.wrapping_add(1))
    }

    fn segment(&mut self, segment: &Segment<'_>, at: Duration, settings: Settings) {
        let side = if segment.from == self.connector { Side::Connector } else { Side::Listener };
        let own = &mut self.directions[place(side)].reassembly;
        // A SYN counts as one byte in front of the first.
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        own.begin(sequence);
        own.add(sequence, segment.payload, segment.fin);
        if let Some(number) = segment.acknowledged {
            let others = &mut self.directions[place(side.other())].reassembly;
            if others.has_begun() {
                others.acknowledge(number);
            }
        }
        for side in [side, side.other()] {
            self.read_on(side, at, settings, false);
        }
        if segment.rst
            && let Kind::Zmtp(connection) = &mut self.what
        {
            for side in Side::BOTH {
                connection.end_of(side, at);
            }
        }
    }

    /// Reads what has come in order.
    fn read_on(&mut self, side: Side, at: Duration, settings: Settings, is_over: bool) {
        while let Some(piece) = self.directions[place(side)].reassembly.next(is_over) {
            match piece {
                Piece::Bytes(bytes) => self.hear(side, at, bytes, settings),
                Piece::Gap(count) => {
                    self.directions[place(side)].searched = Some(Vec::new());
                    match &mut self.what {
                        Kind::Zmtp(connection) => connection.gap(side, at, count),
                        Kind::Open(_) if self.whole => self.what = Kind::Other,
                        _ => {}
                    }
                }
                Piece::End => {
                    if let Kind::Zmtp(connection) = &mut self.what {
                        connection.end_of(side, at);
                    }
                }
            }
        }
    }

    fn hear(&mut self, side: Side, at: Duration, bytes: Vec<u8>, settings: Settings) {
        let bytes = match &mut self.directions[place(side)].searched {
            None => bytes,
            Some(searched) => {
                searched.extend(bytes);
                let is_greeting =
                    !matches!(self.what, Kind::Zmtp(_)) && begins(searched) == Some(true);
                let found = if is_greeting { Some(0) } else { first_event(searched) };
                let Some(start) = found else {
                    if searched.len() > SEARCHED {
                        searched.drain(..SEARCHED / 2);
                    }
                    return;
                };
                let rest = searched.split_off(start);
                self.directions[place(side)].searched = None;
                if is_greeting {
                    self.whole = true;
                    self.directions.iter_mut().for_each(|it| it.searched = None);
                }
                rest
            }
        };
        match &mut self.what {
            Kind::Zmtp(connection) => connection.hear(side, at, &bytes),
            Kind::Other => {}
            Kind::Open(pieces) => {
                pieces.push((side, at, bytes));
                self.decide(settings);
            }
        }
    }

    /// Whether it speaks ZMTP, as far as that is known.
    fn decide(&mut self, settings: Settings) {
        let Kind::Open(pieces) = &self.what else { return };
        let said = |wanted: Side| -> Vec<u8> {
            let of = pieces.iter().filter(|(side, ..)| *side == wanted);
            of.flat_map(|(_, _, bytes)| bytes).take(10).copied().collect()
        };
        let [one, two] = Side::BOTH.map(|side| begins(&said(side)));
        match (one, two) {
            _ if !self.whole => {}
            (Some(true), _) | (_, Some(true)) => {}
            (Some(false), Some(false)) => {
                self.what = Kind::Other;
                return;
            }
            _ => return,
        }
        let Kind::Open(pieces) = std::mem::replace(&mut self.what, Kind::Other) else { return };
        let first = pieces.first().map_or(Duration::ZERO, |(_, at, _)| *at);
        let view = View { both: true, whole: self.whole };
        let mut connection = Connection::new(view, settings, first);
        connection.begin(&format!("tcp://{} connects to tcp://{}", self.connector, self.listener));
        for (side, at, bytes) in pieces {
            connection.hear(side, at, &bytes);
        }
        self.what = Kind::Zmtp(Box::new(connection));
    }

    fn take_sightings(&mut self) -> Vec<Sighting> {
        match &mut self.what {
            Kind::Zmtp(connection) => connection.take_sightings(),
            _ => Vec::new(),
        }
    }
}

fn place(side: Side) -> usize {
    usize::from(side == Side::Listener)
}

/// Whether bytes begin with the signature of ZMTP, as far as they go; nobody knows while there are none, or too few.
fn begins(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [] => None,
        [0xff, ..] => bytes.get(9).map(|byte| byte & 1 == 1),
        _ => Some(false),
    }
}
