//! A TCP stream whose every byte is the case's.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::{
    case::{Failure, ensure},
    event::shown_bytes,
    raw::Peer,
    transcript::{Direction, Transcript},
};

/// The longest that a write may wait for the other side to read.
const WRITE_BOUND: Duration = Duration::from_secs(30);

/// What a read came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Received {
    /// So many bytes came.
    Some(usize),
    /// The time is over.
    Silence,
    /// The connection has ended.
    Closed,
}

/// A connection at the level of bytes.
#[derive(Debug)]
pub struct Bytes {
    stream: TcpStream,
    transcript: Transcript,
    connection: u32,
    /// What has come and nobody has asked for yet.
    pending: Vec<u8>,
}

impl Bytes {
    /// Connects to `address`.
    ///
    /// # Errors
    /// When nobody accepts there.
    pub fn connect(
        address: SocketAddr,
        transcript: Transcript,
        connection: u32,
    ) -> Result<Self, Failure> {
        let stream =
            TcpStream::connect_timeout(&address, Duration::from_secs(10)).map_err(|error| {
                Failure::new(format!("{address} to accept a connection"), error.to_string())
            })?;
        Self::from_stream(stream, transcript, connection)
    }

    /// Takes a stream that was connected or accepted elsewhere.
    ///
    /// # Errors
    /// When it is of no use.
    pub fn from_stream(
        stream: TcpStream,
        transcript: Transcript,
        connection: u32,
    ) -> Result<Self, Failure> {
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_write_timeout(Some(WRITE_BOUND)))
            .map_err(|error| Failure::new("a connection that can be used", error.to_string()))?;
        transcript.note(connection, "connected");
        Ok(Self { stream, transcript, connection, pending: Vec::new() })
    }

    /// The record that it writes to, and its number there.
    pub(super) fn record(&self) -> (&Transcript, u32) {
        (&self.transcript, self.connection)
    }

    /// Sends bytes, which the transcript shows.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.transcript.bytes(self.connection, Direction::Sent, bytes);
        self.send_unseen(bytes)
    }

    pub(super) fn send_unseen(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).map_err(|error| {
            self.transcript.note(self.connection, format!("cannot be written to: {error}"));
            Failure::new("the connection to be open", error.to_string())
        })
    }

    /// Ends the own direction; what the other side sends can still be read.
    pub fn finish(&mut self) {
        self.transcript.note(self.connection, "end of writing");
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Exactly `count` bytes.
    ///
    /// # Errors
    /// When fewer come `within` that time.
    pub fn receive(&mut self, count: usize, within: Duration) -> Result<Vec<u8>, Failure> {
        let bytes = self.receive_unseen(count, within)?;
        self.transcript.bytes(self.connection, Direction::Received, &bytes);
        Ok(bytes)
    }

    pub(super) fn receive_unseen(
        &mut self,
        count: usize,
        within: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let deadline = Instant::now() + within;
        while self.pending.len() < count {
            let missing = |what: &str, pending: &[u8]| {
                Failure::new(
                    format!("{count} bytes within {within:?}"),
                    format!("{what} after {}", shown_bytes(pending)),
                )
            };
            match self.fill(deadline) {
                Received::Some(_) => {}
                Received::Silence => return Err(missing("silence", &self.pending)),
                Received::Closed => {
                    return Err(missing("the end of the connection", &self.pending));
                }
            }
        }
        let rest = self.pending.split_off(count);
        Ok(std::mem::replace(&mut self.pending, rest))
    }

    /// These bytes next.
    ///
    /// # Errors
    /// When others come, or too few.
    pub fn expect(&mut self, bytes: &[u8], within: Duration) -> Result<(), Failure> {
        let seen = self.receive(bytes.len(), within)?;
        ensure(seen == bytes, shown_bytes(bytes), shown_bytes(&seen))
    }

    /// The end of the connection, whatever comes before it.
    ///
    /// # Errors
    /// When it stays open.
    pub fn expect_close(&mut self, within: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + within;
        loop {
            match self.fill(deadline) {
                Received::Some(_) => self.pending.clear(),
                Received::Silence => {
                    return Err(Failure::new(
                        format!("the connection to end within {within:?}"),
                        "it is open",
                    ));
                }
                Received::Closed => return Ok(()),
            }
        }
    }

    /// Nothing, neither bytes nor the end.
    ///
    /// # Errors
    /// When something comes.
    pub fn expect_silence(&mut self, during: Duration) -> Result<(), Failure> {
        let expected = format!("silence for {during:?}");
        if !self.pending.is_empty() {
            return Err(Failure::new(expected, shown_bytes(&self.pending)));
        }
        match self.fill(Instant::now() + during) {
            Received::Some(_) => Err(Failure::new(expected, shown_bytes(&self.pending))),
            Received::Silence => Ok(()),
            Received::Closed => Err(Failure::new(expected, "the end of the connection")),
        }
    }

    /// Shakes hands as a socket of this type with ZMTP 3.0 and NULL.
    ///
    /// # Errors
    /// When the other side does not.
    pub fn shake_hands(mut self, socket_type: &str) -> Result<Peer, Failure> {
        const WITHIN: Duration = Duration::from_secs(10);
        let mut greeting = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
        greeting.extend_from_slice(b"NULL");
        greeting.resize(64, 0);
        self.send(&greeting)?;
        self.receive(64, WITHIN).map_err(|failure| failure.during("handshake"))?;
        let mut ready = b"\x05READY\x0bSocket-Type".to_vec();
        ready
            .extend_from_slice(&u32::try_from(socket_type.len()).unwrap_or_default().to_be_bytes());
        ready.extend_from_slice(socket_type.as_bytes());
        let mut frame = vec![4, u8::try_from(ready.len()).unwrap_or_default()];
        frame.extend_from_slice(&ready);
        self.send(&frame)?;
        let head = self.receive(2, WITHIN).map_err(|failure| failure.during("handshake"))?;
        let body = self
            .receive(usize::from(head[1]), WITHIN)
            .map_err(|failure| failure.during("handshake"))?;
        ensure(head[0] == 4 && body.starts_with(b"\x05READY"), "a READY", shown_bytes(&body))?;
        Ok(Peer::new(self))
    }

    /// Waits for more until `deadline`, and keeps it.
    fn fill(&mut self, deadline: Instant) -> Received {
        let mut chunk = [0; 64 * 1024];
        loop {
            let left =
                deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let _ = self.stream.set_read_timeout(Some(left));
            match self.stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => {
                    self.pending.extend_from_slice(&chunk[..count]);
                    return Received::Some(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if Instant::now() >= deadline {
                        return Received::Silence;
                    }
                }
                Err(error) => {
                    self.transcript.note(self.connection, error.to_string());
                    return Received::Closed;
                }
            }
        }
        self.transcript.note(self.connection, "ended by the other side");
        Received::Closed
    }

    /// The next byte may have come already.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn wait(&mut self, deadline: Instant) -> Received {
        if self.has_pending() { Received::Some(self.pending.len()) } else { self.fill(deadline) }
    }
}
