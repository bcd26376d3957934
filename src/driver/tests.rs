//! What cannot be had from real sockets: time that runs out at a chosen moment.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use zerorpc_proto::{
    Answer, Args, CallOptions, Config, EndpointError, Flow, Loss, Multipart, PeerEvent, PeerId,
    Session, Transmit, Transport, TransportError, Waiter, Waker,
};

use super::{Closed, Driver, Received};
use crate::socket::Parts;

const BEAT: Duration = Duration::from_millis(20);

/// Takes all messages, brings none, and once, when it is told to, takes its time for it.
struct Slow(Arc<AtomicBool>);

impl Transport for Slow {
    fn bind(&mut self, endpoint: &str) -> Result<String, EndpointError> {
        Ok(endpoint.to_owned())
    }

    fn connect(&mut self, _: &str) -> Result<(), EndpointError> {
        Ok(())
    }

    fn unbind(&mut self, _: &str) -> Result<(), EndpointError> {
        Ok(())
    }

    fn disconnect(&mut self, _: &str) -> Result<(), EndpointError> {
        Ok(())
    }

    fn can_send(&mut self) -> bool {
        true
    }

    fn send(&mut self, _: Transmit) -> Result<Flow, TransportError> {
        Ok(Flow::Clear)
    }

    fn receive(&mut self) -> Result<Option<(PeerId, Multipart)>, TransportError> {
        if self.0.swap(false, Ordering::SeqCst) {
            thread::sleep(3 * BEAT);
        }
        Ok(None)
    }

    fn poll_peer(&mut self) -> Option<PeerEvent> {
        None
    }
}

/// As [`Slow`], but panics instead.
struct Panicking(Slow);

impl Transport for Panicking {
    fn bind(&mut self, endpoint: &str) -> Result<String, EndpointError> {
        self.0.bind(endpoint)
    }

    fn connect(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        self.0.connect(endpoint)
    }

    fn unbind(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        self.0.unbind(endpoint)
    }

    fn disconnect(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        self.0.disconnect(endpoint)
    }

    fn can_send(&mut self) -> bool {
        self.0.can_send()
    }

    fn send(&mut self, message: Transmit) -> Result<Flow, TransportError> {
        self.0.send(message)
    }

    fn receive(&mut self) -> Result<Option<(PeerId, Multipart)>, TransportError> {
        assert!(!self.0.0.load(Ordering::SeqCst), "on purpose");
        Ok(None)
    }

    fn poll_peer(&mut self) -> Option<PeerEvent> {
        self.0.poll_peer()
    }
}

/// Returns early the first time, and then lets the transport be slow.
struct Early {
    slow: Arc<AtomicBool>,
    waited: bool,
}

impl Waiter for Early {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let Some(_) = timeout else { return Err(io::Error::other("a wait without an end")) };
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
fn call(transport: impl FnOnce(Slow) -> Box<dyn Transport>) -> Result<Option<Received>, Closed> {
    let slow = Arc::new(AtomicBool::new(false));
    let parts = Parts {
        transport: transport(Slow(Arc::clone(&slow))),
        waiter: Box::new(Early { slow, waited: false }),
        waker: Box::new(Nobody),
        monitor: None,
    };
    let config = Config { heartbeat: Some(BEAT), ..Config::client(1) };
    let (driver, keeper) = Driver::start(Session::new(config), parts, None).expect("a thread");
    let mut state = driver.lock();
    let (to, options) = (PeerId::NAMELESS, CallOptions::default());
    let id = state.session.open(Instant::now(), to, "method", Args::NONE, &options);
    let answer = driver.await_answer(state, id.expect("a call"), None);
    driver.shut();
    keeper.join().expect("no panic");
    answer
}

/// The reader of a call moves messages itself before it waits. When it finds out by that that its own call is
/// lost, there is nothing to wait for.
#[test]
fn a_loss_that_its_own_reader_finds_is_not_waited_for() {
    let answer = call(|slow| Box::new(slow));
    let (answer, _) = answer.expect("no wait without an end").expect("an answer");
    assert_eq!(answer, Answer::Lost(Loss::Silent { after: 2 * BEAT }));
}

/// Whoever panics while messages are moved, it must not leave callers that wait for ever.
#[test]
fn a_panic_ends_the_socket_and_says_so() {
    match call(|slow| Box::new(Panicking(slow))) {
        Err(Closed::Failed(error)) => assert!(error.to_string().contains("panicked"), "{error}"),
        other => panic!("{other:?}"),
    }
}

/// Whoever waits undisturbed hears nothing before the test ends.
struct Deaf {
    waits: mpsc::Sender<()>,
    end: mpsc::Receiver<()>,
}

impl Waiter for Deaf {
    fn wait(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(io::Error::other("this wait can be disturbed"))
    }

    fn wait_undisturbed(&mut self, _: Option<Duration>) -> io::Result<()> {
        // Nobody listens where the test is over.
        let _ = self.waits.send(());
        self.end.recv_timeout(Duration::from_secs(30)).map_err(io::Error::other)
    }
}

/// A leader that does not hear of what is due earlier than it expected makes nobody wait: the keeper sees to it.
#[test]
fn what_is_due_is_done_though_the_leader_is_deaf() {
    let (waits, is_waiting) = mpsc::channel();
    let (over, end) = mpsc::channel();
    let parts = Parts {
        transport: Box::new(Slow(Arc::default())),
        waiter: Box::new(Deaf { waits, end }),
        waker: Box::new(Nobody),
        monitor: None,
    };
    let config = Config { heartbeat: None, ..Config::client(1) };
    let (driver, keeper) = Driver::start(Session::new(config), parts, None).expect("a thread");
    let call = |timeout| {
        let mut state = driver.lock();
        let options = CallOptions { timeout: Some(timeout), ..CallOptions::default() };
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
        over.send(()).expect("the leader waits");
        assert!(matches!(leader.join().expect("no panic"), Err(Closed::ByUser)));
    });
    keeper.join().expect("no panic");
}
