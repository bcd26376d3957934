//! Messages through ZMTP, out of one engine and into the other.
//!
//! The copy that a system call would make is part of either side.

use criterion::{Criterion, Throughput};
use zerorpc_hot_paths::{Scene, Side};

use crate::stopwatch::Stopwatch;

/// How many small messages leave at once.
const AT_ONCE: usize = 100;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("zmtp");
    for (side, way) in [(Side::Client, "out"), (Side::Server, "in")] {
        for (size, scene) in
            [("small", Scene::small_messages(AT_ONCE)), ("1 MiB", Scene::large_message(1 << 20))]
        {
            let mut scene = scene.expect("a connection");
            group.throughput(Throughput::Bytes(scene.bytes() as u64));
            group.bench_function(format!("{way}, {size}"), |bencher| {
                bencher.iter_custom(|times| {
                    let mut stopwatch = Stopwatch::of(side);
                    for number in 0..times {
                        scene.step(&mut stopwatch, number).expect("all messages arrive");
                    }
                    stopwatch.elapsed
                });
            });
        }
    }
    group.finish();
}
