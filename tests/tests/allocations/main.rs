//! How often each side asks for memory, for each call and for each item of a stream.
//!
//! The core is counted in memory, with its engine but without a transport; the stack as a client in this process and
//! a server in another one, over TCP, with all their threads. There is one test only: what another one allocates
//! meanwhile would count as well.

mod core;
mod stack;

use std::{alloc::System, fmt::Write};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The most allocations for one operation on one side. The growth of a buffer is one.
///
/// All counts repeat themselves, except that of items in the stack's client: those that arrive together share an
/// allocation, and how many do is up to the scheduler. The limit is for items that arrive alone. In the core, both sides
/// encode on one thread: once in a thousand calls its buffer is used up while a request is kept that may come back.
const LIMITS: [(&str, f64); 8] = [
    ("core, call, client", 2.0),
    ("core, call, server", 2.01),
    ("core, item, client", 2.0),
    ("core, item, server", 0.1),
    ("stack, call, client", 1.1),
    ("stack, call, server", 2.1),
    ("stack, item, client", 1.1),
    ("stack, item, server", 0.3),
];

/// What each side has asked for.
#[derive(Debug, Clone, Copy)]
struct Allocations {
    client: f64,
    server: f64,
}

/// How many allocations this process has made.
fn allocated() -> u64 {
    let stats = ALLOCATOR.stats();
    (stats.allocations + stats.reallocations) as u64
}

#[test]
fn allocations_stay_within_their_limits() {
    let stack = stack::Stack::start();
    let counted = [core::call(), core::item(), stack.call(), stack.item()];
    let counted = counted.iter().flat_map(|both| [both.client, both.server]);
    let (mut table, mut too_many) = (String::new(), 0);
    for ((what, limit), counted) in LIMITS.iter().zip(counted) {
        let note = if counted > *limit { "  TOO MANY" } else { "" };
        too_many += usize::from(counted > *limit);
        writeln!(table, "{what:20} {counted:6.2}, at most {limit:6.2}{note}").expect("a string");
    }
    println!("{table}");
    assert!(too_many == 0, "too many allocations for each operation:\n{table}");
}
