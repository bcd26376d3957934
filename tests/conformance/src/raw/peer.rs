//! A connection behind its handshake: messages and events.

use std::time::{Duration, Instant};

use rmpv::Value;

use crate::{
    case::Failure,
    event::{Event, shown, shown_bytes},
    raw::{Bytes, bytes::Received},
    transcript::Direction,
};

/// A frame may be begun when the time for it is over; its rest has this long to come.
const REST_OF_A_FRAME: Duration = Duration::from_secs(10);

/// A connection at the level of messages and events.
#[derive(Debug)]
pub struct Peer {
    bytes: Bytes,
    next_id: u32,
    /// Frames of a message that is not whole yet.
    begun: Vec<Vec<u8>>,
}

impl Peer {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, next_id: 0, begun: Vec::new() }
    }

    /// The connection below.
    pub fn bytes(&mut self) -> &mut Bytes {
        &mut self.bytes
    }

    /// An id that this connection has not used before: bin of 32 hexadecimal digits, as the reference has them.
    pub fn fresh_id(&mut self) -> Value {
        self.next_id += 1;
        Value::Binary(format!("{:08x}c0ffee00c0ffee00c0ffee00", self.next_id).into_bytes())
    }

    /// Sends one message.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn send_frames(&mut self, frames: &[impl AsRef<[u8]>]) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let body = frame.as_ref();
            let more = u8::from(index + 1 < frames.len());
            if let Ok(size) = u8::try_from(body.len()) {
                bytes.extend_from_slice(&[more, size]);
            } else {
                bytes.push(more | 2);
                bytes.extend_from_slice(&(body.len() as u64).to_be_bytes());
            }
            bytes.extend_from_slice(body);
        }
        let (transcript, connection) = self.bytes.record();
        transcript.frames(connection, Direction::Sent, frames);
        self.bytes.send_unseen(&bytes)
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

    /// Sends a request as it should be, and gives its channel.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn request(&mut self, name: &str, args: Vec<Value>) -> Result<Value, Failure> {
        let id = self.fresh_id();
        self.send(&Event::new(id.clone(), name, args))?;
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

    /// The next message; none when there is silence.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn receive_frames(&mut self, within: Duration) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        let deadline = Instant::now() + within;
        loop {
            match self.bytes.wait(deadline) {
                Received::Some(_) => {}
                Received::Silence => return Ok(None),
                Received::Closed => {
                    return Err(Failure::new("a message", "the end of the connection"));
                }
            }
            let flags = self.bytes.receive_unseen(1, REST_OF_A_FRAME)?[0];
            let size = if flags & 2 == 0 {
                u64::from(self.bytes.receive_unseen(1, REST_OF_A_FRAME)?[0])
            } else {
                let bytes = self.bytes.receive_unseen(8, REST_OF_A_FRAME)?;
                bytes.iter().fold(0, |size, byte| size << 8 | u64::from(*byte))
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let body = self.bytes.receive_unseen(size, REST_OF_A_FRAME)?;
            if flags & 4 != 0 {
                self.command(&body)?;
                continue;
            }
            self.begun.push(body);
            if flags & 1 == 0 {
                let frames = std::mem::take(&mut self.begun);
                let (transcript, connection) = self.bytes.record();
                transcript.frames(connection, Direction::Received, &frames);
                return Ok(Some(frames));
            }
        }
    }

    /// Answers PINGs; others are for the transcript only.
    fn command(&mut self, body: &[u8]) -> Result<(), Failure> {
        let (transcript, connection) = self.bytes.record();
        transcript.note(connection, format!("command {}", shown_bytes(body)));
        if let Some(ping) = body.strip_prefix(b"\x04PING") {
            let context = ping.get(2..).unwrap_or_default();
            let mut pong = vec![4, u8::try_from(5 + context.len()).unwrap_or_default()];
            pong.extend_from_slice(b"\x04PONG");
            pong.extend_from_slice(context);
            self.bytes.send_unseen(&pong)?;
        }
        Ok(())
    }

    /// The next event, heartbeats and grants included.
    ///
    /// # Errors
    /// When none comes, or something else.
    pub fn expect_event(&mut self, within: Duration) -> Result<Event, Failure> {
        let frames = self
            .receive_frames(within)?
            .ok_or_else(|| Failure::new(format!("an event within {within:?}"), "silence"))?;
        match frames.as_slice() {
            [delimiter, payload] if delimiter.is_empty() => {
                Event::decode(payload).map_err(|error| Failure::new("an event", error))
            }
            other => Err(Failure::new(
                "an empty frame and one with an event",
                format!("{} frames", other.len()),
            )),
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
                    let seen = if passed.is_empty() {
                        "silence".to_owned()
                    } else {
                        format!("only {}", passed.join(", "))
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
                let payload = frames.last().map_or(&b""[..], Vec::as_slice);
                let seen = Event::decode(payload)
                    .map_or_else(|_| shown_bytes(payload), |event| event.to_string());
                Err(Failure::new(format!("silence for {during:?}"), seen))
            }
        }
    }

    /// The end of the connection, whatever comes before it.
    ///
    /// # Errors
    /// When it stays open.
    pub fn expect_close(&mut self, within: Duration) -> Result<(), Failure> {
        self.bytes.expect_close(within)
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
