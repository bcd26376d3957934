//! What cannot be had from real sockets: time that runs out at a chosen moment.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use zerorpc_proto::{
    Answer, Args, CallOptions, Config, EndpointError, Flow, Loss, Multipart, PeerEvent, PeerId,
    Session, Transmit, Transport, TransportError, Waiter, Waker,
};

use super::Driver;
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

/// The reader of a call moves messages itself before it waits. When it finds out by that that its own call is
/// lost, there is nothing to wait for.
#[test]
fn a_loss_that_its_own_reader_finds_is_not_waited_for() {
    let slow = Arc::new(AtomicBool::new(false));
    let parts = Parts {
        transport: Box::new(Slow(Arc::clone(&slow))),
        waiter: Box::new(Early { slow, waited: false }),
        waker: Box::new(Nobody),
        monitor: None,
    };
    let config = Config { heartbeat: Some(BEAT), ..Config::client(1) };
    let (driver, keeper) = Driver::start(Session::new(config), parts, None).expect("a thread");
    let mut state = driver.lock();
    let (to, options) = (PeerId::NAMELESS, CallOptions::default());
    let id = state.session.open(Instant::now(), to, "method", Args::NONE, &options);
    let answer = driver.await_answer(state, id.expect("a call"));
    let (answer, _) = answer.expect("no wait without an end").expect("an answer");
    assert_eq!(answer, Answer::Lost(Loss::Silent { after: 2 * BEAT }));
    driver.shut();
    keeper.join().expect("no panic");
}
