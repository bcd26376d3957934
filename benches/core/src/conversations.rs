//! Calls and streams between two sessions, without and with ZMTP between them.

use criterion::{Criterion, Throughput};
use zerorpc_hot_paths::{Pair, Unwatched};

pub(crate) fn bench(criterion: &mut Criterion) {
    let pairs =
        || [("sessions", Pair::of_sessions()), ("zmtp", Pair::of_engines().expect("a handshake"))];
    let mut group = criterion.benchmark_group("call");
    group.throughput(Throughput::Elements(1));
    for (name, mut pair) in pairs() {
        group.bench_function(name, |bencher| {
            bencher.iter(|| pair.call(&mut Unwatched, 7).expect("an answer"));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("item");
    group.throughput(Throughput::Elements(1));
    for (name, mut pair) in pairs() {
        let stream = pair.open_stream().expect("a stream");
        group.bench_function(name, |bencher| {
            bencher.iter(|| pair.item(&mut Unwatched, stream, 7).expect("an item"));
        });
    }
    group.finish();
}
