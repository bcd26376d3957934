//! Sessions with their engines, in memory.

use zerorpc_hot_paths::{Meter, Pair, Side, Unwatched};

use super::{Allocations, allocated};

/// A multiple of 51, after which credit repeats itself.
const TIMES: u64 = 1020;

/// Counts what each side allocates.
#[derive(Debug, Default)]
struct Counter {
    client: u64,
    server: u64,
}

impl Meter for Counter {
    fn watch<T>(&mut self, side: Side, work: impl FnOnce() -> T) -> T {
        let before = allocated();
        let done = work();
        let count = allocated() - before;
        match side {
            Side::Client => self.client += count,
            Side::Server => self.server += count,
        }
        done
    }
}

impl Counter {
    fn each(&self) -> Allocations {
        let each = |count: u64| count as f64 / TIMES as f64;
        Allocations { client: each(self.client), server: each(self.server) }
    }
}

/// A small call.
pub(crate) fn call() -> Allocations {
    let mut pair = Pair::of_engines().expect("a handshake");
    let mut counter = Counter::default();
    for number in 0..TIMES {
        pair.call(&mut Unwatched, number).expect("an answer");
    }
    for number in 0..TIMES {
        pair.call(&mut counter, number).expect("an answer");
    }
    counter.each()
}

/// An item of a stream that has gone on for a while.
pub(crate) fn item() -> Allocations {
    let mut pair = Pair::of_engines().expect("a handshake");
    let mut counter = Counter::default();
    let stream = pair.open_stream().expect("a stream");
    for number in 0..TIMES {
        pair.item(&mut Unwatched, stream, number).expect("an item");
    }
    for number in 0..TIMES {
        pair.item(&mut counter, stream, number).expect("an item");
    }
    counter.each()
}
