//! The service of the contract.

use std::{
    error::Error,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rmpv::Value;
use zerorpc::{Failure, Methods, Puller, Server, SocketConfig, Subscriber, TransportKind};

use super::Link;

/// Counts a stream as ended when it is dropped.
struct Ended(Arc<AtomicU64>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Serves until the process is ended, over a PULL and a SUB too where endpoints for them are given.
pub(crate) fn serve(
    transport: TransportKind,
    links: &[(Link, &str)],
    heartbeat: Duration,
    others: &[String],
) -> Result<(), Box<dyn Error>> {
    let service = Arc::new(methods());
    let bound = |endpoint: &str| SocketConfig::new().transport(transport).bind(endpoint);
    let _one_way = match others {
        [pull, sub] => Some((
            Puller::open(&bound(pull), Arc::clone(&service))?,
            Subscriber::open(&bound(sub), Arc::clone(&service))?,
        )),
        _ => None,
    };
    let mut builder = Server::builder().transport(transport).heartbeat(heartbeat).service(service);
    for (link, endpoint) in links {
        builder = match link {
            Link::Bind => builder.bind(endpoint),
            Link::Connect => builder.connect(endpoint),
        };
    }
    let _server = builder.build()?;
    loop {
        thread::park();
    }
}

fn methods() -> Methods {
    let ended = Arc::new(AtomicU64::new(0));
    let count_ended = Arc::clone(&ended);
    let list = Arc::new(Mutex::new(Vec::<Value>::new()));
    let recorded = Arc::clone(&list);
    Methods::new("service")
        .method("echo", |x: Value| Ok(x))
        .method("add", |a: Value, b: Value| sum(&a, &b))
        .stream("count", |n: u64| Ok(0..n))
        .method("fail", |message: String| Err::<(), _>(Failure::new("ValueError", message)))
        .try_stream("fail_after", |n: u64, message: String| {
            Ok((0..n).map(Ok).chain([Err(Failure::new("ValueError", message))]))
        })
        .method("sleep", |seconds: f64| {
            thread::sleep(Duration::from_secs_f64(seconds));
            Ok(seconds)
        })
        .method("burn", |seconds: f64| {
            let end = Instant::now() + Duration::from_secs_f64(seconds);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
            Ok(seconds)
        })
        .method("blob", |n: usize| Ok(Value::Binary(vec![0; n])))
        .stream("forever", move || {
            let ended = Ended(Arc::clone(&count_ended));
            Ok((0_u64..).inspect(move |_| {
                let _ends_with_the_stream = &ended;
            }))
        })
        .method("forever_closed", move || Ok(ended.load(Ordering::SeqCst)))
        .method("record", move |x: Value| {
            list.lock().unwrap_or_else(PoisonError::into_inner).push(x);
            Ok(())
        })
        .method("recorded", move || {
            Ok(std::mem::take(&mut *recorded.lock().unwrap_or_else(PoisonError::into_inner)))
        })
}

/// Of integers where both are, as in Python.
fn sum(a: &Value, b: &Value) -> Result<Value, Failure> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return Ok(a.wrapping_add(b).into());
    }
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => Ok((a + b).into()),
        _ => Err(Failure::new("TypeError", "two numbers are needed")),
    }
}
