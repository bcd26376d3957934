//! Arbitrary sequences of whatever can be done to three sessions that talk with each other.

mod app;
mod calls;
mod ends;
mod world;

use std::time::Duration;

use arbitrary::Unstructured;
use rmpv::Value;

use super::script::wide;
use crate::world::raw_event::RawEvent;
use world::{SESSIONS, World};

/// Lets three sessions live through the steps that the bytes stand for, and then end.
///
/// # Panics
/// When an invariant does not hold.
pub fn session(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let world = play(&mut script).expect("there are zeros without end");
    world.end();
}

fn play(script: &mut Unstructured<'_>) -> arbitrary::Result<World> {
    // Without hostile steps there is more that must hold.
    let steps = if script.arbitrary()? { 26 } else { 28 };
    let mut world = World::new(script)?;
    while !script.is_empty() {
        step(&mut world, script, steps)?;
        world.check();
    }
    world.complete();
    Ok(world)
}

fn step(world: &mut World, script: &mut Unstructured<'_>, steps: u8) -> arbitrary::Result<()> {
    let at = script.choose_index(SESSIONS)?;
    match script.int_in_range(0..=steps - 1)? {
        0..=2 => world.open(at, script)?,
        3..=5 => world.transmit(at, script.choose_index(8)?),
        6..=9 => world.carry(at, script.choose_index(SESSIONS)?, script.choose_index(8)?),
        10 | 11 => world.read(at, script)?,
        12 => world.cancel(at, script)?,
        13..=16 => world.answer(at, script)?,
        17 => world.pass(Duration::from_millis(u64::from(wide(script)?))),
        18 => world.wake(at),
        19 => world.disconnect(at, script.choose_index(SESSIONS)?),
        20 => world.turn_back_the_clock(at),
        21 => world.congest(at, script.choose_index(SESSIONS)?, script.arbitrary()?),
        22 => world.give_back(at, script.choose_index(SESSIONS)?),
        23 => world.come_up(at, script.choose_index(SESSIONS)?),
        24 if script.arbitrary::<u8>()? > 250 => world.stop_accepting(at),
        24 => world.look(at),
        25 => world.go_away(at, script.choose_index(SESSIONS)?, script.arbitrary()?),
        26 => world.spoil(at, script)?,
        _ => hostile(world, at, script)?,
    }
    Ok(())
}

/// An event that nobody sends who means well, about a channel that there may be.
fn hostile(world: &mut World, at: usize, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let from = script.choose_index(SESSIONS)?;
    let id = world.known_id(script)?;
    let number = Value::from(i64::from(wide(script)?) - 1000);
    let event = match script.choose_index(15)? {
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
    Ok(())
}
