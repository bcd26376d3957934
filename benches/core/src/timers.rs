//! A hundred thousand open calls: their heartbeats, and calls that come and go among them.

use std::time::Duration;

use criterion::{BatchSize, Criterion, SamplingMode, Throughput};
use zerorpc_hot_paths::{Pair, Unwatched};

/// How many calls are open.
const CALLS: u32 = 100_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("100000 open");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    let mut pair = Pair::of_sessions();
    pair.hold(CALLS).expect("room for all calls");

    group.throughput(Throughput::Elements(1));
    group.bench_function("call", |bencher| {
        bencher.iter(|| pair.call(&mut Unwatched, 7).expect("an answer"));
    });

    group.throughput(Throughput::Elements(CALLS.into()));
    group.measurement_time(Duration::from_secs(10));
    group.bench_function("beats of one interval", |bencher| {
        bencher.iter(|| {
            for _ in 0..CALLS {
                pair.tick(&mut Unwatched).expect("nobody is lost");
            }
        });
    });

    group.bench_function("opening and losing all", |bencher| {
        bencher.iter_batched(
            Pair::of_sessions,
            |mut pair| {
                pair.hold(CALLS).expect("room for all calls");
                pair.part(&mut Unwatched).expect("nothing is left");
                pair
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}
