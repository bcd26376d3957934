//! What cannot be had from real sockets: time that runs out at a chosen moment.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use zerorpc_proto::{
    Answer, Args, CallOptions, Config, Loss, Multipart, PeerId, Session, Transmit,
    transport::{Transport, Waiter, Waker},
};

use super::{
    Closed, Driver, Received, RequestQueue, WorkerPool,
    far::{Far, Over, echo},
};
use crate::socket::Parts;

const BEAT: Duration = Duration::from_millis(20);

/// Brings nothing, and once, when it is told to, takes its time for it.
struct Slow(Arc<AtomicBool>);

impl Far for Slow {
    fn bring(&mut self) -> Option<Multipart> {
        if self.0.swap(false, Ordering::SeqCst) {
            thread::sleep(3 * BEAT);
        }
        None
    }
}

/// As [`Slow`], but panics instead.
struct Panicking(Arc<AtomicBool>);

impl Far for Panicking {
    fn bring(&mut self) -> Option<Multipart> {
        assert!(!self.0.load(Ordering::SeqCst), "on purpose");
        None
    }
}

/// Returns early the first time, and then lets the transport be slow.
struct Early {
    slow: Arc<AtomicBool>,
    waited: bool,
}

impl Waiter for Early {
    fn wait_until(&mut self, until: Option<Instant>) -> io::Result<()> {
        let Some(_) = until else { return Err(io::Error::other("a wait without an end")) };
        if !std::mem::replace(&mut self.waited, true) {
            self.slow.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

struct Nobody;

impl Waker for Nobody {
    fn wake(&self) {}
}

/// The outcome of a call over a transport that does something at a chosen moment.
fn call(
    transport: impl FnOnce(Arc<AtomicBool>) -> Box<dyn Transport>,
) -> Result<Option<Received>, Closed> {
    let slow = Arc::new(AtomicBool::new(false));
    let parts = Parts {
        transport: transport(Arc::clone(&slow)),
        waiter: Box::new(Early { slow, waited: false }),
        waker: Box::new(Nobody),
        monitor: None,
    };
    let config = Config::client(1).heartbeat(BEAT);
    let (driver, watchdog) = Driver::start(Session::new(config), parts, None).expect("a thread");
    let mut state = driver.lock();
    let (to, options) = (PeerId::NAMELESS, CallOptions::default());
    let id = state.session.open(Instant::now(), to, "method", Args::NONE, &options);
    let answer = driver.await_answer(state, id.expect("a call"), None);
    driver.shut();
    watchdog.join().expect("no panic");
    answer
}

/// The reader of a call moves messages itself before it waits. When it finds out by that that its own call is
/// lost, there is nothing to wait for.
#[test]
fn a_loss_that_its_own_reader_finds_is_not_waited_for() {
    let answer = call(|slow| Box::new(Over(Slow(slow))));
    let (answer, _) = answer.expect("no wait without an end").expect("an answer");
    assert_eq!(answer, Answer::Lost(Loss::Silent { after: 2 * BEAT }));
}

/// Whoever panics while messages are moved, it must not leave callers that wait for ever.
#[test]
fn a_panic_ends_the_socket_and_says_so() {
    match call(|slow| Box::new(Over(Panicking(slow)))) {
        Err(Closed::Failed(error)) => assert!(error.to_string().contains("panicked"), "{error}"),
        other => panic!("{other:?}"),
    }
}

/// A server, behind a transport that never tells of arrivals, since sending has always used that up.
struct Hidden {
    server: Session,
    arrived: VecDeque<Multipart>,
    taken: Arc<AtomicUsize>,
}

impl Far for Hidden {
    fn hides_arrivals(&self) -> bool {
        true
    }

    /// Answers what it is asked.
    fn take(&mut self, message: Transmit) {
        self.arrived.extend(echo(&mut self.server, &message));
    }

    fn bring(&mut self) -> Option<Multipart> {
        let message = self.arrived.pop_front();
        self.taken.fetch_add(message.iter().len(), Ordering::SeqCst);
        message
    }
}

/// Hears of nothing but wakes.
struct Rung(mpsc::Receiver<()>);

impl Waiter for Rung {
    fn wait_until(&mut self, _: Option<Instant>) -> io::Result<()> {
        self.0.recv_timeout(Duration::from_secs(30)).map_err(io::Error::other)
    }
}

struct Ring(mpsc::Sender<()>);

impl Waker for Ring {
    fn wake(&self) {
        // Fails when nobody is left to be woken.
        let _ = self.0.send(());
    }
}

/// Where sending uses up what was announced, callers look for themselves instead of waiting; and each takes what it
/// needs, not everything that has come for others.
#[test]
fn what_sending_hides_is_not_waited_for() {
    const CALLS: u32 = 100;
    let taken = Arc::new(AtomicUsize::new(0));
    let (waker, waiter) = mpsc::channel();
    let hidden = Hidden {
        server: Session::new(Config::server(2)),
        arrived: VecDeque::new(),
        taken: Arc::clone(&taken),
    };
    let parts = Parts {
        transport: Box::new(Over(hidden)),
        waiter: Box::new(Rung(waiter)),
        waker: Box::new(Ring(waker)),
        monitor: None,
    };
    let config = Config::client(1).heartbeat(None);
    let (driver, watchdog) = Driver::start(Session::new(config), parts, None).expect("a thread");
    let begin = |number: u32| {
        let mut state = driver.lock();
        let args = Args::encode_params(&(number,)).expect("a number");
        let options = CallOptions::default();
        let id = state.session.open(Instant::now(), PeerId::NAMELESS, "echo", args, &options);
        driver.send_request(&mut state);
        (number, id.expect("a call"))
    };
    let finish = |(number, id)| {
        let answer = driver.await_answer(driver.lock(), id, None).expect("an open socket");
        let expected = Args::encode_params(&(number,)).expect("a number");
        assert_eq!(answer.expect("an answer").0, Answer::Value(expected), "call {number}");
    };
    (0..CALLS).map(begin).for_each(finish);
    let calls: Vec<_> = (0..CALLS).map(begin).collect();
    let before = taken.load(Ordering::SeqCst);
    let (first, others) = calls.split_first().expect("calls");
    finish(*first);
    let at_once = taken.load(Ordering::SeqCst) - before;
    assert!(at_once < others.len(), "{at_once} answers were taken for the sake of one");
    others.iter().copied().for_each(finish);
    driver.shut();
    watchdog.join().expect("no panic");
}

/// A worker that is on its way looks for everything that there is to do. Were one started for each request, all of them would
/// stand in line for the lock, and whoever beats behind them.
#[test]
fn one_worker_is_on_its_way_at_a_time() {
    let (started, has_started) = mpsc::channel();
    let work = move |driver: &Driver| {
        started.send(()).expect("the test listens");
        drop(driver.arrive());
    };
    let pool = WorkerPool { work: Arc::new(work), is_builtin: |_| false, most_busy: 1000 };
    let (waker, waiter) = mpsc::channel();
    let parts = Parts {
        transport: Box::new(Over(Slow(Arc::default()))),
        waiter: Box::new(Rung(waiter)),
        waker: Box::new(Ring(waker)),
        monitor: None,
    };
    let requests = RequestQueue::new(pool, 1 << 30);
    let (driver, watchdog) =
        Driver::start(Session::new(Config::server(2)), parts, Some(requests)).expect("a thread");
    let mut client = Session::new(Config::client(1));
    let mut state = driver.lock();
    for _ in 0..100 {
        let now = Instant::now();
        let options = CallOptions::default();
        client.open(now, PeerId::NAMELESS, "method", Args::NONE, &options).expect("a call");
        let request = client.poll_transmit().expect("its request").payload.to_bytes();
        state.session.handle_message(now, PeerId::NAMELESS, Multipart::direct(request));
        driver.dispatch(&mut state);
        driver.wake_worker(&mut state);
    }
    driver.close(&mut state, Closed::ByUser);
    drop(state);
    watchdog.join().expect("no panic");
    drop(driver);
    // Ends with the last worker.
    assert_eq!(has_started.iter().count(), 1);
}

/// Waits for no longer than it is told to, or until it is woken.
struct Punctual {
    waits: mpsc::Sender<()>,
    rung: mpsc::Receiver<()>,
}

impl Waiter for Punctual {
    fn wait_until(&mut self, until: Option<Instant>) -> io::Result<()> {
        // Nobody listens where the test is over.
        let _ = self.waits.send(());
        let Some(until) = until else { return Err(io::Error::other("a wait without an end")) };
        match self.rung.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(()) | Err(mpsc::RecvTimeoutError::Timeout) => Ok(()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// A leader is woken for what is due earlier than it expected when it began to wait.
#[test]
fn what_is_due_earlier_is_not_overslept() {
    let (waits, is_waiting) = mpsc::channel();
    let (ring, rung) = mpsc::channel();
    let parts = Parts {
        transport: Box::new(Over(Slow(Arc::default()))),
        waiter: Box::new(Punctual { waits, rung }),
        waker: Box::new(Ring(ring)),
        monitor: None,
    };
    let config = Config::client(1).heartbeat(None);
    let (driver, watchdog) = Driver::start(Session::new(config), parts, None).expect("a thread");
    let call = |timeout| {
        let mut state = driver.lock();
        let options = CallOptions::new().timeout(timeout);
        let to = PeerId::NAMELESS;
        let id = state.session.open(Instant::now(), to, "method", Args::NONE, &options);
        driver.await_answer(state, id.expect("a call"), None)
    };
    thread::scope(|scope| {
        let leader = scope.spawn(|| call(Duration::from_secs(3600)));
        is_waiting.recv().expect("the first caller leads");
        let answer = call(BEAT).expect("an open socket").expect("an answer");
        assert_eq!(answer.0, Answer::Lost(Loss::TimedOut { after: BEAT }));
        driver.shut();
        assert!(matches!(leader.join().expect("no panic"), Err(Closed::ByUser)));
    });
    watchdog.join().expect("no panic");
}

/// What is deferred runs without the lock, whatever becomes of what was deferred before it, and nobody waits for the socket
/// or for a condition before it has run.
#[test]
fn what_is_deferred_is_done_without_the_lock() {
    let parts = Parts {
        transport: Box::new(Over(Slow(Arc::default()))),
        waiter: Box::new(Early { slow: Arc::default(), waited: true }),
        waker: Box::new(Nobody),
        monitor: None,
    };
    let config = Config::client(1).heartbeat(None);
    let (driver, watchdog) = Driver::start(Session::new(config), parts, None).expect("a thread");
    let done = Arc::new(AtomicUsize::new(0));
    let defer = || {
        let mut state = driver.lock();
        state.deferred.push(Box::new(|| panic!("on purpose")));
        let (driver, done) = (Arc::clone(&driver), Arc::clone(&done));
        state.deferred.push(Box::new(move || {
            drop(driver.lock());
            done.fetch_add(1, Ordering::SeqCst);
        }));
        state
    };
    drop(defer());
    assert_eq!(done.load(Ordering::SeqCst), 1);
    let (state, timed_out) = defer().wait_until(&driver.quiet_cv, None);
    assert!(!timed_out);
    assert_eq!(done.load(Ordering::SeqCst), 2);
    drop(state);
    drop(driver.lead(defer()));
    assert_eq!(done.load(Ordering::SeqCst), 3);
    driver.shut();
    watchdog.join().expect("no panic");
}
