//! A second in the life of a connection, written down step by step.

use rmpv::Value;

use super::super::*;
use crate::{
    event::Event,
    raw::{
        Framing, Handshake,
        frame::{COMMAND, MORE, command},
    },
};

use Side::{Connector, Listener};

/// A second in the life of a connection between a client that connects and a server.
pub(super) struct Scene {
    pub(super) connection: Connection,
    at: Duration,
    next: u32,
    sightings: Vec<Sighting>,
}

impl Scene {
    /// Nothing has happened yet.
    pub(super) fn begin(connection: Connection) -> Self {
        Self { connection, at: Duration::ZERO, next: 0, sightings: Vec::new() }
    }

    /// A connection behind its greetings.
    pub(super) fn greeted() -> Self {
        let view = View { both: true, whole: true };
        let settings = Settings { dump: true, ..Settings::default() };
        let connection = Connection::new(view, settings, Duration::ZERO);
        let mut scene = Self::begin(connection);
        let greeting = Handshake::new("").greeting();
        for range in [0..10, 10..11, 11..64] {
            for side in Side::BOTH {
                scene.bytes(side, &greeting[range.clone()]);
            }
        }
        scene
    }

    /// A connection of these types behind its handshake.
    pub(super) fn of(connector: &str, listener: &str) -> Self {
        let mut scene = Self::greeted();
        scene.bytes(Connector, &Handshake::new(connector).ready());
        scene.bytes(Listener, &Handshake::new(listener).ready());
        scene
    }

    pub(super) fn new() -> Self {
        Self::of("DEALER", "ROUTER")
    }

    pub(super) fn bytes(&mut self, side: Side, bytes: &[u8]) -> &mut Self {
        self.connection.hear(side, self.at, bytes);
        self.sightings.extend(self.connection.take_sightings());
        self
    }

    pub(super) fn frames(&mut self, side: Side, frames: &[&[u8]]) -> &mut Self {
        for (index, frame) in frames.iter().enumerate() {
            let more = if index + 1 < frames.len() { MORE } else { 0 };
            self.bytes(side, &Framing::V2.frame(more, frame));
        }
        self
    }

    pub(super) fn event(&mut self, side: Side, event: &Event) -> &mut Self {
        self.frames(side, &[b"", &event.encode()])
    }

    pub(super) fn id(&mut self) -> Value {
        self.next += 1;
        Value::Binary(format!("{:032x}", self.next).into_bytes())
    }

    /// A request with the id `id`.
    pub(super) fn request(&mut self, id: &str, name: &str) -> &mut Self {
        let event = Event::new(id, name, Value::Array(Vec::new()));
        self.event(Connector, &event)
    }

    /// An event on the channel `id`.
    pub(super) fn on(
        &mut self,
        side: Side,
        id: &str,
        name: &str,
        args: impl Into<Value>,
    ) -> &mut Self {
        let event = Event::new(self.id(), name, args).on(&Value::from(id));
        self.event(side, &event)
    }

    pub(super) fn beat(&mut self, side: Side, id: &str) -> &mut Self {
        self.on(side, id, "_zpc_hb", list([0]))
    }

    pub(super) fn say(&mut self, side: Side, name: &str, data: &[u8]) -> &mut Self {
        self.bytes(side, &Framing::V2.frame(COMMAND, &command(name, data)))
    }

    /// Time passes.
    pub(super) fn after(&mut self, seconds: f64) -> &mut Self {
        self.at += Duration::from_secs_f64(seconds);
        self.connection.tick(self.at);
        self.sightings.extend(self.connection.take_sightings());
        self
    }

    /// What was found: side and check, each as often as it was.
    pub(super) fn found(&self) -> Vec<(Side, &'static str)> {
        let broken = self.sightings.iter().filter_map(|sighting| match &sighting.what {
            What::Broken { check, .. } => Some((sighting.who.expect("a side").side, check.name)),
            _ => None,
        });
        broken.collect()
    }

    pub(super) fn finds(&self, side: Side, check: &'static str) {
        assert_eq!(self.found(), [(side, check)], "{:#?}", self.sightings);
    }

    pub(super) fn finds_nothing(&self) {
        assert_eq!(self.found(), [], "{:#?}", self.sightings);
    }
}

/// An array of these.
pub(super) fn list<const N: usize>(numbers: [i64; N]) -> Value {
    Value::Array(numbers.into_iter().map(Value::from).collect())
}
