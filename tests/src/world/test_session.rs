//! One session whose peers are played by the test.

use std::time::{Duration, Instant};

use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, Event, Multipart, Notice, PeerId, PeerMisbehaved,
    Request, RequestId, Session,
};

use super::{
    checker::Checker,
    epoch,
    raw_event::{RawEvent, read},
};

/// Hands a message to a session.
///
/// # Errors
/// What its peer did wrong.
///
/// # Panics
/// When that is not told.
pub fn hear(
    session: &mut Session,
    now: Instant,
    from: PeerId,
    message: Multipart,
) -> Result<(), PeerMisbehaved> {
    let before = session.misbehaviours();
    session.handle_message(now, from, message);
    if session.misbehaviours() == before {
        return Ok(());
    }
    match session.poll_notice() {
        Some(Notice::Misbehaved { peer, how, times: 1 }) if peer == from => Err(how),
        other => panic!("a misbehaviour of {from}, not {other:?}"),
    }
}

/// An event that the session sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// When, from the beginning.
    pub at: Duration,
    /// To whom.
    pub to: PeerId,
    /// What.
    pub event: Event,
}

/// A session, its clock, and all that came out of it.
#[derive(Debug)]
pub struct TestSession {
    /// The session.
    pub session: Session,
    /// What it sent.
    pub sent: Vec<Sent>,
    /// What it told, and when.
    pub notices: Vec<(Duration, Notice)>,
    /// How often its own deadlines woke it.
    pub wakes: u64,
    now: Instant,
    checker: Checker,
}

impl TestSession {
    /// A fresh session at time zero.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            session: Session::new(config),
            sent: Vec::new(),
            notices: Vec::new(),
            wakes: 0,
            now: epoch(),
            checker: Checker::default(),
        }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The time since the beginning.
    #[must_use]
    pub fn clock(&self) -> Duration {
        self.now - epoch()
    }

    /// Takes everything that the session has to say.
    pub fn settle(&mut self) {
        let at = self.clock();
        self.checker.check(&self.session);
        self.notices.extend(std::iter::from_fn(|| self.session.poll_notice()).map(|n| (at, n)));
        while let Some(transmit) = self.session.poll_transmit() {
            self.sent.push(Sent { at, to: transmit.to, event: read(&transmit) });
        }
        self.checker.check(&self.session);
    }

    /// Lets time pass in which nobody looks after the session, as if the process had been stopped.
    pub fn sleep_through(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now);
        self.settle();
    }

    /// Lets time pass, with a stop at each deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.wakes += 1;
            self.settle();
        }
        self.now = end;
    }

    /// Lets time pass until this long after the beginning.
    pub fn pass_to(&mut self, clock: Duration) {
        self.pass(clock - self.clock());
    }

    /// A peer says something.
    ///
    /// # Errors
    /// What the peer did wrong.
    pub fn hear(&mut self, from: PeerId, event: &RawEvent) -> Result<(), PeerMisbehaved> {
        self.hear_message(from, event.message())
    }

    /// A message comes, with its envelope.
    ///
    /// # Errors
    /// What the peer did wrong.
    pub fn hear_message(&mut self, from: PeerId, message: Multipart) -> Result<(), PeerMisbehaved> {
        let heard = hear(&mut self.session, self.now, from, message);
        self.settle();
        heard
    }

    /// A request comes and is accepted.
    ///
    /// # Panics
    /// When it is not.
    pub fn request(&mut self, from: PeerId, request: &RawEvent) -> RequestId {
        self.hear(from, request).expect("a sound request");
        match self.notices.pop() {
            Some((_, Notice::Requested(id))) => id,
            other => panic!("a request, not {other:?}"),
        }
    }

    /// The handle of an open request.
    ///
    /// # Panics
    /// When it is not open.
    pub fn serve(&mut self, id: RequestId) -> Request<'_> {
        self.session.request(id).expect("the request is open")
    }

    /// Opens a call and transmits it. Returns the id that its answers carry.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub fn open(&mut self, to: PeerId, options: &CallOptions) -> (CallId, Value) {
        let call = self.session.open(self.now, to, "f", Args::NONE, options).expect("few calls");
        self.settle();
        let request = self.sent.pop().expect("the request");
        let id = request.event.header.message_id.expect("requests have an id");
        (call, Value::Binary(id.content().to_vec()))
    }

    /// The next answer of a call.
    pub fn recv(&mut self, call: CallId) -> Option<Answer> {
        let answer = self.session.call(call)?.recv();
        self.settle();
        answer
    }

    /// The names of all events sent so far, which are forgotten.
    pub fn take_names(&mut self) -> Vec<String> {
        self.sent.drain(..).map(|sent| sent.event.name.to_string()).collect()
    }

    /// When beats were sent, in milliseconds from the beginning.
    #[must_use]
    pub fn beats(&self) -> Vec<u128> {
        let beats = self.sent.iter().filter(|sent| sent.event.name == *"_zpc_hb");
        beats.map(|sent| sent.at.as_millis()).collect()
    }
}
