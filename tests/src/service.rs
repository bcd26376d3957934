//! The service of the tests, in our own words: the same methods as the peers' programs offer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rmpv::Value;
use zerorpc::{Args, Failure, Method, Methods, Reply, Server, ServerBuilder, TransportKind};

/// What a test can see of the service from the inside.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// How many items `numbers` has produced.
    pub produced: Arc<AtomicUsize>,
    /// How many streams of `watched` are alive.
    pub alive: Arc<AtomicUsize>,
    /// How many times `count` was run.
    pub counted: Arc<AtomicUsize>,
    /// How many times `sleep` was begun.
    pub slept: Arc<AtomicUsize>,
}

/// Counts a stream as alive until it is dropped.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The service, and what it counts.
#[must_use]
pub fn methods() -> (Methods, Seen) {
    let seen = Seen::default();
    let Seen { produced, alive, counted, slept } = seen.clone();
    let methods = Methods::new("Tested")
        .method("echo", |value: Value| Ok(value))
        .method("add", |a: i64, b: i64| Ok(a + b))
        .method("none", || Ok(()))
        .method("fail", |kind: String| -> Result<(), Failure> { Err(failure(&kind)) })
        .method("panic", || -> Result<(), Failure> { panic!("at the disco") })
        .method("burn", |seconds: f64| {
            let end = Instant::now() + Duration::from_secs_f64(seconds);
            let mut spins = 0_u64;
            while Instant::now() < end {
                spins = spins.wrapping_add(1);
            }
            Ok(spins > 0)
        })
        .method("sleep", move |seconds: f64| {
            slept.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_secs_f64(seconds));
            Ok(())
        })
        .method("slow_echo", |value: Value, seconds: f64| {
            std::thread::sleep(Duration::from_secs_f64(seconds));
            Ok(value)
        })
        .method("kind", |value: Value| Ok(kind(&value)))
        .method("blob", |size: usize| Ok(Value::Binary(vec![0xa5; size])))
        .method("integer_keys", || Ok(Value::Map(vec![(1.into(), "one".into())])))
        .raw("trace_id", |request| {
            let trace_id: Option<String> = request.context().get("trace_id")?;
            Ok(Reply::Value(Args::encode(&trace_id)?))
        })
        .method("count", move || Ok(counted.fetch_add(1, Ordering::SeqCst) + 1))
        .method(
            Method::new("documented")
                .doc("Does what it says.\n\nAnd more.")
                .arguments(["a", "b", "c"]),
            |a: i64, b: Option<i64>, c: Option<String>| {
                Ok((a, b.unwrap_or(2), c.unwrap_or("text".into())))
            },
        )
        .stream("numbers", move |n: u64| {
            let produced = Arc::clone(&produced);
            Ok((0..n).inspect(move |_| {
                produced.fetch_add(1, Ordering::SeqCst);
            }))
        })
        .stream("slow_numbers", |n: u64, delay: f64| {
            let delay = Duration::from_secs_f64(delay);
            Ok((0..n).inspect(move |_| std::thread::sleep(delay)))
        })
        .stream("watched", move |n: u64| {
            alive.fetch_add(1, Ordering::SeqCst);
            let watch = Alive(Arc::clone(&alive));
            Ok((0..n).inspect(move |_| {
                let _alive_as_long_as_the_stream = &watch;
            }))
        })
        .try_stream("failing_stream", |n: u64| {
            let failure = Err(Failure::new("RuntimeError", format!("after {n} items")));
            Ok((0..n).map(Ok).chain([failure]))
        });
    (methods, seen)
}

fn failure(kind: &str) -> Failure {
    match kind {
        "key" => Failure::new("KeyError", "'missing'"),
        "unicode" => Failure::new("ValueError", "schlecht: ☂"),
        "traceback" => Failure::new("ValueError", "bad value").with_traceback("Traceback:\n  here"),
        _ => Failure::new("ValueError", "bad value"),
    }
}

/// Which of the msgpack types a value is of.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "bool",
        Value::Integer(_) => "int",
        Value::F32(_) | Value::F64(_) => "float",
        Value::String(_) => "str",
        Value::Binary(_) => "bin",
        Value::Array(_) => "array",
        Value::Map(_) => "map",
        Value::Ext(..) => "ext",
    }
}

/// A server of that service on a free port.
#[must_use]
pub fn serve(transport: TransportKind) -> (Server, Seen) {
    serve_with(transport, |builder| builder)
}

/// A server of that service on a free port, with options.
#[must_use]
pub fn serve_with(
    transport: TransportKind,
    options: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> (Server, Seen) {
    let (methods, seen) = methods();
    let builder = Server::builder().transport(transport).service(methods).bind("tcp://127.0.0.1:*");
    (options(builder).build().expect("a free port"), seen)
}

/// Waits until something is true; panics when it takes unreasonably long.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < patience, "it never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
