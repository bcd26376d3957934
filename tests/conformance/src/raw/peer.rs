//! A connection behind its handshake: frames, commands and messages. Events are in [`super::events`].

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::{
    Bytes,
    frame::{COMMAND, Command, Framing, MORE, command},
};
use crate::{failure::Failure, transcript::Direction};

/// Where the ids of the next connection begin: some implementations tell callers apart by their ids alone.
static FIRST_ID: AtomicU32 = AtomicU32::new(0);

/// A connection at the level of messages and events.
#[derive(Debug)]
pub struct Peer {
    bytes: Bytes,
    framing: Framing,
    pub(super) next_id: u32,
    /// Frames of a message that is not whole yet.
    begun: Vec<Vec<u8>>,
    /// Commands that came between frames, and nobody has asked for yet.
    commands: VecDeque<Command>,
    /// PINGs of the other side are answered at once.
    answers_pings: bool,
}

impl Peer {
    pub(super) fn new(bytes: Bytes, framing: Framing) -> Self {
        Self {
            bytes,
            framing,
            next_id: FIRST_ID.fetch_add(1 << 16, Ordering::Relaxed),
            begun: Vec::new(),
            commands: VecDeque::new(),
            answers_pings: true,
        }
    }

    /// The connection below.
    pub fn bytes(&mut self) -> &mut Bytes {
        &mut self.bytes
    }

    /// From now on, PINGs of the other side are left without an answer.
    pub fn leave_pings(&mut self) {
        self.answers_pings = false;
    }

    /// Sends one message.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn send_frames(&mut self, frames: &[impl AsRef<[u8]>]) -> Result<(), Failure> {
        let bytes = self.message(frames);
        let (transcript, connection) = self.bytes.record();
        transcript.frames(connection, Direction::Sent, frames);
        self.bytes.send_unseen(&bytes)
    }

    /// One message as it stands on the wire.
    #[must_use]
    pub fn message(&self, frames: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let last = frames.len().saturating_sub(1);
        let flags = |index| if index < last { MORE } else { 0 };
        let numbered = frames.iter().enumerate();
        numbered
            .flat_map(|(index, frame)| self.framing.frame(flags(index), frame.as_ref()))
            .collect()
    }

    /// Sends one frame, with flags as they are to stand there.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn send_frame(&mut self, flags: u8, body: &[u8]) -> Result<(), Failure> {
        let frame = self.framing.frame(flags, body);
        self.bytes.send(&frame)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn send_command(&mut self, name: &str, data: &[u8]) -> Result<(), Failure> {
        let said = Command { name: name.to_owned(), data: data.to_vec() };
        self.bytes.note(&format!(">> command {said}"));
        self.bytes.send_unseen(&self.framing.frame(COMMAND, &command(name, data)))
    }

    /// The next message; none when there is silence.
    ///
    /// # Errors
    /// When the connection ends, or something comes that is no frame.
    pub fn receive_frames(&mut self, within: Duration) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        let deadline = Instant::now() + within;
        loop {
            let Some(frame) = self.bytes.receive_frame(self.framing, left(deadline))? else {
                return Ok(None);
            };
            if frame.is_command() {
                self.take_command(frame.as_command())?;
                continue;
            }
            let more = frame.more();
            self.begun.push(frame.body);
            if !more {
                let frames = std::mem::take(&mut self.begun);
                let (transcript, connection) = self.bytes.record();
                transcript.frames(connection, Direction::Received, &frames);
                return Ok(Some(frames));
            }
        }
    }

    /// The next command with this name; others, and messages, are passed over.
    ///
    /// # Errors
    /// When none comes, or the connection ends.
    pub fn expect_command(&mut self, name: &str, within: Duration) -> Result<Command, Failure> {
        let deadline = Instant::now() + within;
        loop {
            while let Some(command) = self.commands.pop_front() {
                if command.name == name {
                    return Ok(command);
                }
            }
            let expected = format!("the command {name} within {within:?}");
            let frame = self.bytes.receive_frame(self.framing, left(deadline));
            match frame.map_err(|failure| failure.during(&expected))? {
                Some(frame) if frame.is_command() => self.take_command(frame.as_command())?,
                Some(frame) => self.bytes.note(&format!("<< passed over: {}", frame.shown())),
                None => return Err(Failure::new(expected, "silence")),
            }
        }
    }

    /// The commands that came between messages, and which nobody has asked for.
    pub fn take_commands(&mut self) -> Vec<Command> {
        self.commands.drain(..).collect()
    }

    fn take_command(&mut self, said: Command) -> Result<(), Failure> {
        self.bytes.note(&format!("<< command {said}"));
        if said.name == "PING" && self.answers_pings {
            self.send_command("PONG", said.data.get(2..).unwrap_or_default())?;
        }
        self.commands.push_back(said);
        Ok(())
    }

    /// The end of the connection, whatever comes before it.
    ///
    /// # Errors
    /// When it stays open.
    pub fn expect_close(&mut self, within: Duration) -> Result<(), Failure> {
        self.bytes.expect_close(within)
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
