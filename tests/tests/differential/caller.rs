//! A caller that plays scripts over a raw DEALER.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rmpv::Value;

use crate::{
    script::{self, Sent, Step},
    words::{self, Answer},
};

/// How long a server may leave a ping unanswered before it counts as deaf.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stands between what came by itself and what came for the credit that each channel is given in the end.
const CREDIT: &str = "~";

/// What was told on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The steps that name it, in words.
    pub(crate) sent: String,
    pub(crate) answers: String,
}

/// What was told on each channel of a script, by its number.
pub(crate) type Outcome = BTreeMap<String, Told>;

/// A connection to a server.
pub(crate) struct Caller {
    socket: zmq::Socket,
    pings: u64,
    heard: BTreeMap<String, Vec<Answer>>,
    /// How long nothing is to be heard before everything counts as heard.
    quiet: Duration,
}

/// The server does not answer pings any more.
#[derive(Debug)]
pub(crate) struct Deaf;

impl Caller {
    pub(crate) fn connect(context: &zmq::Context, endpoint: &str, quiet: Duration) -> Self {
        let socket = context.socket(zmq::DEALER).expect("a socket");
        socket.set_linger(0).expect("an option");
        socket.connect(endpoint).expect("an endpoint");
        Self { socket, pings: 0, heard: BTreeMap::new(), quiet }
    }

    /// Waits until the server has looked at everything that was sent.
    fn ping(&mut self, patience: Duration) -> Result<(), Deaf> {
        self.pings += 1;
        let id = format!("ping {}", self.pings);
        let header = vec![("message_id".into(), id.as_str().into()), ("v".into(), 3.into())];
        let ping = [Value::Map(header), "_zerorpc_ping".into(), Value::Array(vec![])];
        let ping = zerorpc_tests::world::raw_event::encode(&Value::Array(ping.to_vec()));
        self.socket.send_multipart([&[], &ping[..]], 0).expect("there is room");
        let end = Instant::now() + patience;
        let key = words::told(&id.into());
        while Instant::now() < end {
            if self.hear(50).is_some_and(|channel| channel == key) {
                self.heard.remove(&key);
                return Ok(());
            }
        }
        Err(Deaf)
    }

    /// Waits until nothing more comes by itself.
    fn settle(&mut self, patience: Duration) -> Result<(), Deaf> {
        self.ping(patience)?;
        self.ping(patience)?;
        let milliseconds = self.quiet.as_millis() as i64;
        while self.hear(milliseconds).is_some() {}
        Ok(())
    }

    /// The channel of the next event.
    fn hear(&mut self, milliseconds: i64) -> Option<String> {
        if self.socket.poll(zmq::POLLIN, milliseconds).expect("it can wait") == 0 {
            return None;
        }
        let mut frames = self.socket.recv_multipart(0).expect("a message");
        let payload = frames.pop().expect("a message has a frame");
        let delimiter = frames.pop();
        let event = rmpv::decode::read_value_with_max_depth(&mut &payload[..], 2000)
            .expect("servers send events");
        let header = event[0].as_map().expect("a header");
        let key = |name| header.iter().find(|(key, _)| key.as_str() == Some(name));
        let version = key("v").map(|(_, version)| version.clone());
        assert_eq!(version, Some(3.into()), "the version of {event}");
        assert!(key("message_id").is_some(), "the id of {event}");
        let channel = key("response_to").map_or("nil".to_owned(), |(_, id)| words::told(id));
        let name = event[1].as_str().expect("a name");
        if name != "_zpc_hb" {
            let mut answer = words::answer(name, &event[2]);
            if delimiter != Some(vec![]) {
                answer = format!("without delimiter {answer}");
            }
            let envelope: Vec<_> = frames.into_iter().map(Value::Binary).collect();
            let by = (!envelope.is_empty()).then(|| words::told(&Value::Array(envelope)));
            self.heard.entry(channel.clone()).or_default().push(Answer { text: answer, by });
        }
        Some(channel)
    }

    /// Plays a script, whose number no other script for that server has.
    pub(crate) fn play(mut self, steps: &[Step], number: u64) -> Result<Outcome, Deaf> {
        self.play_within(steps, number, PATIENCE)
    }

    pub(crate) fn play_within(
        &mut self,
        steps: &[Step],
        number: u64,
        patience: Duration,
    ) -> Result<Outcome, Deaf> {
        let sent = script::sent(steps, number);
        let mut channels: Vec<(Sent, String)> = Vec::new();
        for (index, (step, sent)) in steps.iter().zip(&sent).enumerate() {
            self.socket.send_multipart(&sent.frames, 0).expect("there is room");
            let joined = if step.at_once && index > 0 { " + " } else { " / " };
            match channels.iter_mut().find(|(of, _)| of.channel == sent.channel) {
                Some((of, text)) => {
                    *text += &format!("{joined}{}", step.event);
                    *of = sent.clone();
                }
                None => channels.push((sent.clone(), step.event.to_string())),
            }
            if steps.get(index + 1).is_none_or(|next| !next.at_once) {
                self.ping(patience)?;
                self.ping(patience)?;
            }
        }
        self.settle(patience)?;
        let credit = Value::Array(vec![100.into()]);
        for (index, (of, _)) in channels.iter().enumerate() {
            let heard = self.heard.entry(words::told(&of.channel)).or_default();
            heard.push(Answer { text: CREDIT.to_owned(), by: None });
            // nil is no channel, and these make the reference deaf.
            if !(of.channel.is_array() || of.channel.is_map() || of.channel.is_nil()) {
                let frames =
                    of.frames_of(&format!("credit {index} of {number}"), "_zpc_more", &credit);
                self.socket.send_multipart(frames, 0).expect("there is room");
                self.ping(patience)?;
            }
        }
        self.settle(patience)?;
        Ok(self.outcome(steps, &channels))
    }

    fn outcome(&mut self, steps: &[Step], channels: &[(Sent, String)]) -> Outcome {
        let mut outcome = Outcome::new();
        for (index, (of, sent)) in channels.iter().enumerate() {
            let mut heard = self.heard.remove(&words::told(&of.channel)).unwrap_or_default();
            if heard.last().is_some_and(|last| last.text == CREDIT) {
                heard.pop();
            }
            let told = Told { sent: sent.clone(), answers: words::answers(&heard) };
            outcome.insert(format!("channel {index}"), told);
        }
        let all: Vec<_> = steps.iter().map(|step| step.event.to_string()).collect();
        for (channel, heard) in std::mem::take(&mut self.heard) {
            let told = Told { sent: all.join(" / "), answers: words::answers(&heard) };
            outcome.insert(format!("to {channel}"), told);
        }
        outcome
    }
}
