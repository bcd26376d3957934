//! Messages through ZMTP, out of one engine and into the other.
//!
//! The copy that a system call would make is part of either side.

use criterion::{Criterion, Throughput};
use zerorpc_hot_paths::{Scene, Side, wire::Cover};

use crate::stopwatch::Stopwatch;

/// How many small messages leave at once.
const AT_ONCE: usize = 100;

pub(crate) fn bench(criterion: &mut Criterion) {
    for (cover, name) in [(Cover::None, "zmtp"), (Cover::Curve, "curve")] {
        let mut group = criterion.benchmark_group(name);
        for (side, way) in [(Side::Client, "out"), (Side::Server, "in")] {
            let small = Scene::small_messages(AT_ONCE, cover);
            let large = Scene::large_message(1 << 20, cover);
            for (size, scene) in [("small", small), ("1 MiB", large)] {
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
}
