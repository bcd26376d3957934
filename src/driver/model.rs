//! The hand-over between leader, followers and watchdog, tried in many orders of events: shuttle runs the driver as it is
//! and chooses who goes on at each lock, wait and wake. It tells of callers that wait for ever, and of panics.
//!
//! `./check` runs it, 5,000 orders of events in all; CONTRIBUTING.md says how to run it alone, and for longer.

use std::{collections::VecDeque, future::poll_fn, io, time::Instant};

use shuttle::{
    Config, Runner,
    future::block_on,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Multipart, PeerId, Session, Transmit,
    transport::{Waiter, Waker},
};

use super::{
    Closed, Driver, Received,
    far::{Far, Over, echo},
};
use crate::{
    socket::Parts,
    sync::{Arc, Condvar, Mutex, let_time_pass, thread},
};

/// What is between the driver and the server at the other end.
#[derive(Default)]
struct Wire {
    state: Mutex<WireState>,
    /// Something has come for the driver, or it is woken.
    driver_cv: Condvar,
    server_cv: Condvar,
}

#[derive(Default)]
struct WireState {
    requests: VecDeque<Transmit>,
    answers: VecDeque<Multipart>,
    /// Answers came since the driver has waited last.
    is_ready: bool,
    is_woken: bool,
    has_waiter: bool,
    is_over: bool,
}

/// The driver's end. Sending uses up the announcement of what has arrived, where it `hides_arrivals`.
struct End {
    wire: Arc<Wire>,
    hides_arrivals: bool,
}

impl Far for End {
    fn hides_arrivals(&self) -> bool {
        self.hides_arrivals
    }

    fn take(&mut self, message: Transmit) {
        let mut wire = self.wire.state.lock();
        wire.requests.push_back(message);
        wire.is_ready &= !self.hides_arrivals;
        drop(wire);
        self.wire.server_cv.notify_one();
    }

    fn bring(&mut self) -> Option<Multipart> {
        self.wire.state.lock().answers.pop_front()
    }
}

struct WireWaiter(Arc<Wire>);

impl Waiter for WireWaiter {
    fn wait_until(&mut self, until: Option<Instant>) -> io::Result<()> {
        let Self(wire) = self;
        let mut state = wire.state.lock();
        assert!(!std::mem::replace(&mut state.has_waiter, true), "one waits at a time");
        while !state.is_ready && !state.is_woken {
            if until.is_some() {
                drop(state);
                thread::yield_now();
                state = wire.state.lock();
                break;
            }
            wire.driver_cv.wait(&mut state);
        }
        // Readiness is told once, at the edge.
        state.is_ready = false;
        state.is_woken = false;
        state.has_waiter = false;
        Ok(())
    }
}

struct WireWaker(Arc<Wire>);

impl Waker for WireWaker {
    fn wake(&self) {
        self.0.state.lock().is_woken = true;
        self.0.driver_cv.notify_one();
    }
}

/// Answers each request with its arguments, one at a time.
fn serve(wire: &Wire) {
    let config = zerorpc_proto::Config::server(2).heartbeat(None);
    let mut session = Session::new(config);
    loop {
        let mut state = wire.state.lock();
        while state.requests.is_empty() {
            if state.is_over {
                return;
            }
            wire.server_cv.wait(&mut state);
        }
        let request = state.requests.pop_front().expect("there is one");
        drop(state);
        for answer in echo(&mut session, &request) {
            let mut state = wire.state.lock();
            state.answers.push_back(answer);
            state.is_ready = true;
            drop(state);
            wire.driver_cv.notify_one();
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Caller {
    Thread,
    Task,
}

fn begin(driver: &Driver, number: u32) -> Option<CallId> {
    let mut state = driver.lock();
    if state.closed.is_some() {
        return None;
    }
    let args = Args::encode_params(&(number,)).expect("a number");
    let (to, options) = (PeerId::NAMELESS, CallOptions::default());
    let id = state.session.open(Instant::now(), to, "echo", args, &options);
    driver.send_request(&mut state);
    Some(id.expect("few calls"))
}

fn finish(driver: &Driver, caller: Caller, id: CallId) -> Result<Option<Received>, Closed> {
    match caller {
        Caller::Thread => driver.await_answer(driver.lock(), id, None),
        Caller::Task => block_on(poll_fn(|cx| driver.poll_answer(driver.lock(), id, cx, None))),
    }
}

/// Makes calls; unless it `may_be_closed`, each is answered.
fn call(driver: &Driver, caller: Caller, numbers: std::ops::Range<u32>, may_be_closed: bool) {
    for number in numbers {
        let received = begin(driver, number).map(|id| finish(driver, caller, id));
        let expected = Args::encode_params(&(number,)).expect("a number");
        match received {
            Some(Ok(received)) => {
                let (answer, _) = received.expect("the call is there");
                assert_eq!(answer, Answer::Value(expected), "call {number}");
            }
            None | Some(Err(Closed::ByUser)) => assert!(may_be_closed),
            Some(Err(closed)) => panic!("{closed:?}"),
        }
    }
}

/// A client whose callers make calls at the same time, and its server.
struct Scenario {
    callers: &'static [Caller],
    hides_arrivals: bool,
    /// Whether waiting for a time ever ends.
    time_passes: bool,
    /// The client is closed while calls are open.
    is_closed: bool,
}

impl Scenario {
    fn run(&self) {
        const CALLS: u32 = 2;
        let_time_pass(self.time_passes);
        let wire = Arc::new(Wire::default());
        let end = End { wire: Arc::clone(&wire), hides_arrivals: self.hides_arrivals };
        let parts = Parts {
            transport: Box::new(Over(end)),
            waiter: Box::new(WireWaiter(Arc::clone(&wire))),
            waker: Box::new(WireWaker(Arc::clone(&wire))),
            monitor: None,
        };
        let config = zerorpc_proto::Config::client(1).heartbeat(None);
        let (driver, watchdog) =
            Driver::start(Session::new(config), parts, None).expect("a thread");
        let server = {
            let wire = Arc::clone(&wire);
            thread::spawn(move || serve(&wire))
        };
        let is_closed = self.is_closed;
        let callers: Vec<_> = (0..)
            .zip(self.callers)
            .map(|(number, caller)| {
                let (driver, first) = (Arc::clone(&driver), number * CALLS);
                thread::spawn(move || call(&driver, *caller, first..first + CALLS, is_closed))
            })
            .collect();
        if is_closed {
            driver.shut();
        }
        for caller in callers {
            caller.join().expect("no panic");
        }
        driver.shut();
        watchdog.join().expect("no panic");
        wire.state.lock().is_over = true;
        wire.server_cv.notify_one();
        server.join().expect("no panic");
    }

    /// Half of the schedules are chosen at random, the others by a scheduler that finds what needs few exact preemptions.
    fn explore(self) {
        let schedules = std::env::var("ZERORPC_SCHEDULES").ok();
        let schedules = schedules.map_or(500, |text| text.parse().expect("a number"));
        let scenario = std::sync::Arc::new(self);
        let run = |scheduler: Box<dyn Scheduler + Send>| {
            let mut config = Config::new();
            config.stack_size = 512 << 10;
            let scenario = std::sync::Arc::clone(&scenario);
            Runner::new(scheduler, config).run(move || scenario.run());
        };
        run(Box::new(RandomScheduler::new(schedules / 2)));
        run(Box::new(PctScheduler::new(3, schedules / 2)));
    }
}

use Caller::{Task, Thread};

/// Without a watchdog that looks in by itself: each hand-over is made by who owes it.
#[test]
fn threads_hand_the_lead_over() {
    for hides_arrivals in [false, true] {
        let callers = &[Thread, Thread, Thread];
        Scenario { callers, hides_arrivals, time_passes: false, is_closed: false }.explore();
    }
}

#[test]
fn tasks_are_woken_by_whoever_leads() {
    for callers in [&[Task, Task][..], &[Task, Thread, Thread]] {
        for time_passes in [false, true] {
            Scenario { callers, hides_arrivals: false, time_passes, is_closed: false }.explore();
        }
    }
}

#[test]
fn the_watchdog_gives_the_lead_to_threads() {
    for hides_arrivals in [false, true] {
        let callers = &[Thread, Task, Thread];
        Scenario { callers, hides_arrivals, time_passes: true, is_closed: false }.explore();
    }
}

#[test]
fn whoever_waits_hears_of_the_end() {
    for time_passes in [false, true] {
        let callers = &[Thread, Task, Thread];
        Scenario { callers, hides_arrivals: false, time_passes, is_closed: true }.explore();
    }
}
