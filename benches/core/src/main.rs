//! How long the core takes: events, calls, streams, timers and ZMTP, in memory and on one thread.
//!
//! What is done is what `zerorpc-hot-paths` does; see there, and the README of the folder above.

mod conversations;
mod stopwatch;
mod timers;
mod wire;

use criterion::{Criterion, Throughput};
use zerorpc_hot_paths::{Scene, Unwatched};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    events(&mut criterion);
    conversations::bench(&mut criterion);
    timers::bench(&mut criterion);
    wire::bench(&mut criterion);
    criterion.final_summary();
}

/// The request for a small call, to bytes and from bytes.
fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event");
    for (name, scene) in [("encode", Scene::encode()), ("decode", Scene::decode())] {
        let mut scene = scene.expect("an event");
        group.throughput(Throughput::Bytes(scene.bytes() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| scene.step(&mut Unwatched, 0).expect("the event is sound"));
        });
    }
    group.finish();
}
