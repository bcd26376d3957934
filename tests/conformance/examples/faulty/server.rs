//! The service of the contract.

use std::{
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use zerorpc::{Args, Dispatcher, Failure, Methods, Reply};
use zerorpc_proto::{Notice, Session, transport::SocketKind};

use super::{
    one_way,
    peer::{Application, Peer, Setup},
};

struct Server(Dispatcher);

/// The arguments of `record`.
type Recorded = Arc<Mutex<Vec<rmpv::Value>>>;

impl Application for Server {
    fn handle_notice(&mut self, session: &mut Session, _now: Instant, notice: Notice) {
        if let Some(other) = self.0.handle_notice(session, notice) {
            eprintln!("{other:?}");
        }
    }

    fn poll(&mut self, session: &mut Session, _now: Instant) -> Option<Instant> {
        self.0.poll(session);
        None
    }
}

/// Serves until the process ends.
pub(crate) fn run(mut setup: Setup) -> Result<(), Box<dyn Error>> {
    let recorded = Recorded::default();
    for (kind, place) in std::mem::take(&mut setup.others) {
        let recorded = Arc::clone(&recorded);
        let record = move |value| recorded.lock().expect("nobody panics with it").push(value);
        one_way::receive(place, kind, setup.heartbeat, setup.fault, record)?;
    }
    let peer = Peer::new(setup, SocketKind::Router)?;
    let dispatcher = Dispatcher::new(service(recorded)).on_answer(peer.waker()?);
    peer.run(Server(dispatcher))
}

/// Items without end, which tell when nobody wants them any more.
struct Forever {
    next: u64,
    closed: Arc<AtomicU64>,
}

impl Iterator for Forever {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.next += 1;
        Some(self.next - 1)
    }
}

impl Drop for Forever {
    fn drop(&mut self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

fn service(recorded: Recorded) -> Methods {
    let closed = Arc::new(AtomicU64::new(0));
    let closing = Arc::clone(&closed);
    let recording = Arc::clone(&recorded);
    Methods::new("conformance")
        .raw("echo", |request| Ok(Reply::Value(only(request.args())?)))
        .method("add", |a: i64, b: i64| {
            a.checked_add(b).ok_or_else(|| Failure::new("OverflowError", "more than 64 bits"))
        })
        .stream("count", |to: u64| Ok(0..to))
        .method("fail", |message: String| Err::<(), _>(Failure::new("ValueError", message)))
        .try_stream("fail_after", |count: u64, message: String| {
            let failure = std::iter::once_with(move || Err(Failure::new("ValueError", message)));
            Ok((0..count).map(Ok).chain(failure))
        })
        .raw("sleep", |request| later(request.args(), std::thread::sleep))
        .raw("burn", |request| later(request.args(), burn))
        .raw("blob", |request| {
            let (size,) = request.args().decode::<(usize,)>()?;
            Ok(Reply::Value(Args::encode(&rmpv::Value::Binary(vec![0; size]))?))
        })
        .stream("forever", move || Ok(Forever { next: 0, closed: Arc::clone(&closing) }))
        .method("forever_closed", move || Ok(closed.load(Ordering::Relaxed)))
        .method("record", move |value: rmpv::Value| {
            recording.lock().expect("nobody panics with it").push(value);
            Ok(())
        })
        .method("recorded", move || {
            Ok(std::mem::take(&mut *recorded.lock().expect("nobody panics with it")))
        })
}

/// The only argument, as it came.
fn only(args: &Args) -> Result<Args, Failure> {
    let count = |count| format!("echo() takes 1 argument, {count} were given");
    let wrong = |count| Failure::new("TypeError", count);
    let elements = args.elements().ok_or_else(|| wrong("no array of arguments".to_owned()))?;
    match <[Args; 1]>::try_from(elements) {
        Ok([only]) => Ok(only),
        Err(others) => Err(wrong(count(others.len()))),
    }
}

/// Answers with a number of seconds after that time, on a thread of its own.
fn later(args: &Args, spend: fn(Duration)) -> Result<Reply, Failure> {
    let (seconds,) = args.decode::<(rmpv::Value,)>()?;
    let time = seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = time.ok_or_else(|| Failure::new("ValueError", "no number of seconds"))?;
    Ok(Reply::Later(Box::new(move |responder| {
        std::thread::spawn(move || {
            spend(time);
            match Args::encode(&seconds) {
                Ok(value) => responder.reply(value),
                Err(error) => responder.fail(Failure::from(error)),
            }
        });
    })))
}

fn burn(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}
