//! A client and a server without a network, a thread or a clock: a link with delay, virtual time, heartbeats, a stream, and a
//! peer that falls silent. Tests of a program that embeds a `Session` may look like this.
//!
//! ```sh
//! cargo run -p zerorpc-proto --example virtual_time
//! ```
//!
//! Half a minute passes here in a few milliseconds, and in the same way each time.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    ops::Range,
    time::{Duration, Instant},
};

use zerorpc_proto::{
    Answer, Args, Blocked, CallId, CallOptions, Config, Event, Limits, Loss, Multipart, Notice,
    Output, PeerEvent, PeerId, RequestId, Session, Transmit, name,
};

const CLIENT: usize = 0;
const SERVER: usize = 1;
/// What each side calls the other. Any number will do for a connection, if no other one of that session has it.
const PEER: PeerId = PeerId::new(1);
const DELAY: Duration = Duration::from_millis(25);
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A client, a server, and the link between them.
struct World {
    began: Instant,
    now: Instant,
    sessions: [Session; 2],
    /// What is on its way: when it arrives, where, and what it is.
    wire: VecDeque<(Instant, usize, Multipart)>,
    /// Whatever is sent is swallowed, as by a cable that was pulled: nobody is told.
    is_silent: bool,
    beats: usize,
    /// The server's application: the rest of each stream that it has begun.
    streams: BTreeMap<RequestId, Range<u64>>,
    /// The client's application: how many answers to each call it has read, and when the last one came.
    answers: BTreeMap<CallId, usize>,
    ended: BTreeMap<CallId, (Duration, Answer)>,
}

impl World {
    fn new() -> Self {
        // The one look at a clock: some instant to count from. A session is told what time it is.
        #[expect(clippy::disallowed_methods, reason = "there is no other way to make an instant")]
        let began = Instant::now();
        // In earnest the seeds are random, and others for each session. Here they make each run the same.
        let configs = [Config::client(1), Config::server(2)];
        let mut sessions = configs.map(|config| Session::new(config.heartbeat(HEARTBEAT)));
        for session in &mut sessions {
            session.handle_peer_event(began, PeerEvent::Up(PEER));
        }
        Self {
            began,
            now: began,
            sessions,
            wire: VecDeque::new(),
            is_silent: false,
            beats: 0,
            streams: BTreeMap::new(),
            answers: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    fn call(&mut self, method: &str, args: Args) -> Result<CallId, Box<dyn Error>> {
        self.tell(&format!("client: calls {method}"));
        let options = CallOptions::default();
        Ok(self.sessions[CLIENT].open(self.now, PEER, method, args, &options)?)
    }

    /// Lets time pass: from one thing that happens to the next, whatever lies between.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let deadlines = [CLIENT, SERVER].map(|node| self.settle(node));
            // A real loop sleeps for the same: input, and what a session wants to do by itself.
            let arrival = self.wire.front().map(|(at, ..)| *at);
            let next = deadlines.into_iter().flatten().chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            while self.wire.front().is_some_and(|(at, ..)| *at <= self.now)
                && let Some((_, to, message)) = self.wire.pop_front()
            {
                self.sessions[to].handle_message(self.now, PEER, message);
            }
            for session in &mut self.sessions {
                session.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    /// Does all that a session has to do; until when nothing more is to be done then.
    fn settle(&mut self, node: usize) -> Option<Instant> {
        loop {
            match self.sessions[node].poll_output() {
                Output::Transmit(transmit) => self.send(node, transmit),
                Output::Notice(notice) if node == SERVER => self.serve(notice),
                Output::Notice(notice) => self.read(&notice),
                Output::Disconnect { peer, reason } => {
                    // It may be dead without a word. Whoever owns the connection makes it anew, and tells of its end.
                    self.tell(&format!("{peer} is given up: {reason}"));
                    let down = PeerEvent::Down(peer, reason.into());
                    self.sessions[node].handle_peer_event(self.now, down);
                }
                Output::Wait(until) => return until,
            }
        }
    }

    fn send(&mut self, from: usize, transmit: Transmit) {
        let payload = transmit.payload.to_bytes();
        let event = Event::decode(&payload, &Limits::default()).expect("our own events");
        self.beats += usize::from(event.name == name::HEARTBEAT);
        if !self.is_silent {
            let message = Multipart { envelope: transmit.envelope, payload };
            self.wire.push_back((self.now + DELAY, 1 - from, message));
        }
    }

    /// The server: `count` streams, and everything else is never answered.
    fn serve(&mut self, notice: Notice) {
        match notice {
            Notice::Requested(id) => {
                let Some(mut request) = self.sessions[SERVER].request(id) else { return };
                let asked = format!("server: is asked for {}", request.method());
                if request.method() == "count"
                    && let Ok((to,)) = request.take_args().decode()
                {
                    self.streams.insert(id, 0..to);
                }
                self.tell(&asked);
                self.stream(id);
            }
            Notice::Writable(id) => self.stream(id),
            Notice::RequestLost(id, loss) => {
                self.streams.remove(&id);
                self.tell(&format!("server: a request is lost: {loss}"));
            }
            other => self.tell(&format!("server: {other:?}")),
        }
    }

    /// Sends items as long as the client wants any; the notice `Writable` tells when it wants more.
    fn stream(&mut self, id: RequestId) {
        let Some(rest) = self.streams.get_mut(&id) else { return };
        let Some(mut request) = self.sessions[SERVER].request(id) else { return };
        while !rest.is_empty() {
            let item = Args::encode(&rest.start).expect("numbers have an encoding");
            if let Err(Blocked(_)) = request.send(item) {
                return;
            }
            rest.start += 1;
        }
        request.finish();
        self.streams.remove(&id);
    }

    /// The client reads at once. Asking for an answer is what lets the server send more, so one that never asks stops it.
    fn read(&mut self, notice: &Notice) {
        let (Notice::Readable(id) | Notice::CallLost(id)) = *notice else { return };
        // Each time anew: with its last answer a call is gone.
        while let Some(answer) = self.sessions[CLIENT].call(id).and_then(|mut call| call.recv()) {
            *self.answers.entry(id).or_default() += 1;
            if answer.is_last() {
                let count = self.answers[&id];
                self.tell(&format!("client: answer {count} is the last: {answer:?}"));
                self.ended.insert(id, (self.clock(), answer));
            }
        }
    }

    fn clock(&self) -> Duration {
        self.now - self.began
    }

    fn tell(&self, what: &str) {
        println!("{:6.3} s  {what}", self.clock().as_secs_f64());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut world = World::new();

    // A stream over a link that takes 50 ms there and back.
    let count = world.call("count", Args::encode_params(&(1000,))?)?;
    world.pass(Duration::from_secs(5));
    let (at, last) = &world.ended[&count];
    assert_eq!((world.answers[&count], last), (1001, &Answer::End));
    assert!(*at < Duration::from_secs(1), "the window grows while the reader waits for items");

    // A method that takes its time: beats keep the call alive as long as they come.
    let work = world.call("work", Args::encode_params(&())?)?;
    let beats = world.beats;
    world.pass(Duration::from_secs(20));
    world.tell(&format!("{} beats in 20 s, of both sides", world.beats - beats));
    assert!(!world.ended.contains_key(&work), "neither an answer nor a loss");

    // The cable is pulled. Both sides find out by themselves, two beats after the last sign of life.
    world.tell("the link falls silent");
    world.is_silent = true;
    world.pass(Duration::from_secs(5));
    let (_, last) = &world.ended[&work];
    assert_eq!(*last, Answer::Lost(Loss::Silent { after: 2 * HEARTBEAT }));
    assert_eq!(world.sessions[SERVER].open_channels(), 0, "so did the server");
    Ok(())
}
