//! Events over a [`Peer`]: requests, answers and what belongs to channels.

use std::time::{Duration, Instant};

use rmpv::Value;

use super::Peer;
use crate::{
    event::{Event, shown, shown_bytes},
    failure::Failure,
};

impl Peer {
    /// An id that no connection has used before: bin of 32 hexadecimal digits, as the reference has them.
    pub fn fresh_id(&mut self) -> Value {
        self.next_id = self.next_id.wrapping_add(1);
        Value::Binary(format!("{:08x}c0ffee00c0ffee00c0ffee00", self.next_id).into_bytes())
    }

    /// Sends an event behind an empty frame.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn send(&mut self, event: &Event) -> Result<(), Failure> {
        self.send_payload(&event.encode())
    }

    /// Sends anything where an event is due, behind an empty frame.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn send_payload(&mut self, payload: &[u8]) -> Result<(), Failure> {
        self.send_frames(&[&b""[..], payload])
    }

    /// A request as it should be, with an id of its own, that is still to be sent.
    pub fn new_request(&mut self, name: &str, args: Vec<Value>) -> (Value, Event) {
        let id = self.fresh_id();
        (id.clone(), Event::new(id, name, args))
    }

    /// Sends a request as it should be, and gives its channel.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn request(&mut self, name: &str, args: Vec<Value>) -> Result<Value, Failure> {
        let (id, request) = self.new_request(name, args);
        self.send(&request)?;
        Ok(id)
    }

    /// Sends a further event on a channel.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn send_on(
        &mut self,
        channel: &Value,
        name: &str,
        args: impl Into<Value>,
    ) -> Result<(), Failure> {
        let id = self.fresh_id();
        self.send(&Event::new(id, name, args).on(channel))
    }

    /// Answers a request that came.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn answer(
        &mut self,
        request: &Event,
        name: &str,
        args: impl Into<Value>,
    ) -> Result<(), Failure> {
        let channel = request.message_id().cloned().unwrap_or(Value::Nil);
        self.send_on(&channel, name, args)
    }

    /// The event in the last frame of the next message, whatever stands in front of it; none when there is silence.
    ///
    /// # Errors
    /// When the connection ends, or something else comes.
    pub fn receive_event(&mut self, within: Duration) -> Result<Option<Event>, Failure> {
        let Some(frames) = self.receive_frames(within)? else { return Ok(None) };
        let payload = frames.last().map(Vec::as_slice).unwrap_or_default();
        Event::decode(payload).map(Some).map_err(|error| Failure::new("an event", error))
    }

    /// The next event, heartbeats and grants included.
    ///
    /// # Errors
    /// When none comes, or something else.
    pub fn expect_event(&mut self, within: Duration) -> Result<Event, Failure> {
        self.expect_event_behind(&[], within)
    }

    /// The next event, heartbeats and grants included, whose message begins with this envelope.
    ///
    /// # Errors
    /// When none comes, or something else.
    pub fn expect_event_behind(
        &mut self,
        envelope: &[&[u8]],
        within: Duration,
    ) -> Result<Event, Failure> {
        let frames = self
            .receive_frames(within)?
            .ok_or_else(|| Failure::new(format!("an event within {within:?}"), "silence"))?;
        match frames.as_slice() {
            [before @ .., delimiter, payload] if delimiter.is_empty() && before == envelope => {
                Event::decode(payload).map_err(|error| Failure::new("an event", error))
            }
            other => {
                let expected = match envelope.len() {
                    0 => "an empty frame and one with an event".to_owned(),
                    count => format!(
                        "the {count} frames of the envelope as they were sent, an empty one and an event"
                    ),
                };
                Err(Failure::new(expected, shown_frames(other)))
            }
        }
    }

    /// The next event on `channel` that is no heartbeat or grant; those, and events of other channels, are passed over.
    ///
    /// # Errors
    /// When none comes.
    pub fn expect_answer(&mut self, channel: &Value, within: Duration) -> Result<Event, Failure> {
        self.expect_matching(&format!("an answer on channel {}", shown(channel)), within, |event| {
            event.response_to() == Some(channel) && !event.is_upkeep()
        })
    }

    /// The same, behind this envelope.
    ///
    /// # Errors
    /// When none comes, or with another envelope.
    pub fn expect_answer_behind(
        &mut self,
        envelope: &[&[u8]],
        channel: &Value,
        within: Duration,
    ) -> Result<Event, Failure> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.expect_event_behind(envelope, left).map_err(|failure| {
                failure.during(format!("an answer on channel {}", shown(channel)))
            })?;
            if event.response_to() == Some(channel) && !event.is_upkeep() {
                return Ok(event);
            }
        }
    }

    /// The next request: an event without `response_to` that is no heartbeat or grant.
    ///
    /// # Errors
    /// When none comes.
    pub fn expect_request(&mut self, within: Duration) -> Result<Event, Failure> {
        self.expect_matching("a request", within, |event| {
            event.response_to().is_none() && !event.is_upkeep()
        })
    }

    /// The next event for which `wanted` holds; others are passed over.
    ///
    /// # Errors
    /// When none comes.
    pub fn expect_matching(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event, Failure> {
        let deadline = Instant::now() + within;
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.expect_event(left) {
                Ok(event) if wanted(&event) => return Ok(event),
                Ok(event) => passed.push(event.name().to_owned()),
                Err(failure) if failure.seen == "silence" => {
                    let seen = match passed.as_slice() {
                        [] => "silence".to_owned(),
                        some => format!("only {}", in_runs(some)),
                    };
                    return Err(Failure::new(format!("{what} within {within:?}"), seen));
                }
                Err(failure) => return Err(failure.during(what)),
            }
        }
    }

    /// No message at all.
    ///
    /// # Errors
    /// When one comes, or the connection ends.
    pub fn expect_silence(&mut self, during: Duration) -> Result<(), Failure> {
        match self.receive_frames(during)? {
            None => Ok(()),
            Some(frames) => {
                Err(Failure::new(format!("silence for {during:?}"), shown_frames(&frames)))
            }
        }
    }

    /// A whole call, as it should be, and its value: shows that the other side works.
    ///
    /// # Errors
    /// When it is not answered by OK with one value.
    pub fn call(
        &mut self,
        name: &str,
        args: Vec<Value>,
        within: Duration,
    ) -> Result<Value, Failure> {
        let channel = self.request(name, args)?;
        let answer = self.expect_answer(&channel, within)?;
        match (answer.name(), answer.first()) {
            ("OK", Some(value)) => Ok(value.clone()),
            _ => Err(Failure::new(format!("OK with the value of {name}"), answer.to_string())),
        }
    }
}

/// Names of events, where one that came several times in a row stands once: `STREAM (200 times), STREAM_DONE`.
fn in_runs(names: &[String]) -> String {
    let runs = names.chunk_by(|one, next| one == next).map(|run| match run.len() {
        1 => run[0].clone(),
        count => format!("{} ({count} times)", run[0]),
    });
    runs.collect::<Vec<_>>().join(", ")
}

/// A message for people.
fn shown_frames(frames: &[Vec<u8>]) -> String {
    let Some((payload, before)) = frames.split_last() else { return "no frames".to_owned() };
    let mut words: Vec<_> = before.iter().take(8).map(|frame| shown_bytes(frame)).collect();
    if before.len() > 8 {
        words.push(format!("… ({} frames)", frames.len()));
    }
    words.push(match Event::decode(payload) {
        Ok(event) => event.to_string(),
        Err(_) => shown_bytes(payload),
    });
    words.join(" ")
}
