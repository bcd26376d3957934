//! Arbitrary sequences of whatever can be done to three sessions that talk with each other.

mod ends;
mod world;

use std::time::Duration;

use rmpv::Value;

use super::tape::Tape;
use crate::world::raw_event::RawEvent;
use world::{SESSIONS, World};

/// Lets three sessions live through the steps that the bytes stand for, and then end.
///
/// # Panics
/// When an invariant does not hold.
pub fn session(data: &[u8]) {
    let mut tape = Tape::new(data);
    // Without hostile steps there is more that must hold.
    let steps = if tape.flag() { 26 } else { 28 };
    let mut world = World::new(&mut tape);
    while !tape.is_over() {
        step(&mut world, &mut tape, steps);
        world.check();
    }
    world.complete();
    world.end();
}

fn step(world: &mut World, tape: &mut Tape<'_>, steps: u8) {
    let at = tape.below(SESSIONS);
    match tape.byte() % steps {
        0..=2 => world.open(at, tape),
        3..=5 => world.transmit(at, usize::from(tape.byte() % 8)),
        6..=9 => world.carry(at, tape.below(SESSIONS), usize::from(tape.byte() % 8)),
        10 | 11 => world.read(at, tape),
        12 => world.cancel(at, tape),
        13..=16 => world.answer(at, tape),
        17 => world.pass(Duration::from_millis(u64::from(tape.wide()))),
        18 => world.wake(at),
        19 => world.disconnect(at, tape.below(SESSIONS)),
        20 => world.turn_back_the_clock(at),
        21 => world.congest(at, tape.below(SESSIONS), tape.flag()),
        22 => world.give_back(at, tape.below(SESSIONS)),
        23 => world.come_up(at, tape.below(SESSIONS)),
        24 if tape.byte() > 250 => world.stop_accepting(at),
        24 => world.look(at),
        25 => world.go_away(at, tape.below(SESSIONS), tape.flag()),
        26 => world.spoil(at, tape),
        _ => hostile(world, at, tape),
    }
}

/// An event that nobody sends who means well, about a channel that there may be.
fn hostile(world: &mut World, at: usize, tape: &mut Tape<'_>) {
    let from = tape.below(SESSIONS);
    let id = world.known_id(tape);
    let number = Value::from(i64::from(tape.wide()) - 1000);
    let event = match tape.below(15) {
        0 => RawEvent::beat(id),
        1 => RawEvent::grant(id, number),
        2 => RawEvent::on(id, "OK", Value::Array(vec![number])),
        3 => RawEvent::on(id, "STREAM", number),
        4 => RawEvent::on(id, "STREAM_DONE", Value::Nil),
        5 => RawEvent::on(id, "ERR", Value::Array(vec![number; 2])),
        6 => RawEvent::on(id, "ERR", Value::Nil).version(1),
        7 => RawEvent::on(id, "OK", Value::Array(vec![])),
        8 => RawEvent::on(id, "strange", number),
        9 => RawEvent::request(id, "hostile", vec![Value::Binary(vec![0; 500])]),
        10 => RawEvent::request(id, "hostile", vec![]).version(number),
        11 => RawEvent::request(id, "hostile", vec![]).without("v"),
        12 => RawEvent::request(id, "hostile", vec![]).with_name(5),
        13 => RawEvent::on(id, "ERR", Value::Array(vec![number; 3])).with("_zpc_returned", true),
        _ => RawEvent::beat(id).version(2).with_args(Value::Array(vec![number])),
    };
    world.inject(at, from, event.message());
}
