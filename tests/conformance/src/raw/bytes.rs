//! A TCP stream whose every byte is the case's.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::frame::{Frame, Framing};
use crate::{
    event::shown_bytes,
    failure::{Failure, ensure},
    transcript::{Direction, Transcript},
};

/// The longest that a write may wait for the other side to read.
const WRITE_BOUND: Duration = Duration::from_secs(30);

/// A frame may be begun when the time for it is over; its rest has this long to come.
const REST_OF_A_FRAME: Duration = Duration::from_secs(30);

/// No frame of an implementation under test is larger: what announces more is not waited for.
const LARGEST_FRAME: u64 = 256 << 20;

/// What waiting for bytes came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// There are some.
    Bytes,
    /// The time is over.
    Silence,
    /// The connection has ended.
    End,
}

/// A connection at the level of bytes.
#[derive(Debug)]
pub struct Bytes {
    stream: TcpStream,
    transcript: Transcript,
    connection: u32,
    /// What has come and nobody has asked for yet.
    pending: BytesMut,
    /// The end has been seen, and noted.
    ended: bool,
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
        Ok(Self { stream, transcript, connection, pending: BytesMut::new(), ended: false })
    }

    /// The record that it writes to, and its number there.
    pub(super) fn record(&self) -> (&Transcript, u32) {
        (&self.transcript, self.connection)
    }

    /// Sends bytes, which the transcript shows.
    ///
    /// # Errors
    /// When the connection has ended, or nobody reads.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.transcript.bytes(self.connection, Direction::Sent, bytes);
        self.send_unseen(bytes)
    }

    /// Sends bytes in pieces of these sizes, and what is left as one. The pauses between them let each leave alone.
    ///
    /// # Errors
    /// When the connection has ended, or nobody reads.
    pub fn send_split(
        &mut self,
        bytes: &[u8],
        sizes: &[usize],
        pause: Duration,
    ) -> Result<(), Failure> {
        let mut rest = bytes;
        for size in sizes {
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            if piece.is_empty() {
                break;
            }
            self.send(piece)?;
            std::thread::sleep(pause);
            rest = behind;
        }
        if rest.is_empty() { Ok(()) } else { self.send(rest) }
    }

    /// Sends bytes to one who may have ended the connection, or may not read; says whether all of them left.
    pub fn offer(&mut self, bytes: &[u8], within: Duration) -> bool {
        self.transcript.bytes(self.connection, Direction::Sent, bytes);
        let _ = self.stream.set_write_timeout(Some(within.max(Duration::from_millis(1))));
        let sent = self.stream.write_all(bytes);
        let _ = self.stream.set_write_timeout(Some(WRITE_BOUND));
        if let Err(error) = &sent {
            self.note(&format!("not all of it could be sent: {error}"));
        }
        sent.is_ok()
    }

    pub(super) fn send_unseen(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).map_err(|error| {
            let seen = match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    format!("nothing is read for {WRITE_BOUND:?}")
                }
                _ => error.to_string(),
            };
            self.note(&format!("cannot be written to: {seen}"));
            Failure::new("the connection to be open", seen)
        })
    }

    /// Ends the own direction; what the other side sends can still be read.
    pub fn finish(&mut self) {
        self.note("end of writing");
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
        self.gather(count, within)?;
        Ok(self.pending.split_to(count).to_vec())
    }

    /// Waits until so many bytes are there.
    fn gather(&mut self, count: usize, within: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + within;
        while self.pending.len() < count {
            let end = match self.fill(deadline) {
                Arrival::Bytes => continue,
                Arrival::Silence => "silence",
                Arrival::End => "the end of the connection",
            };
            let seen = match &self.pending[..] {
                [] => end.to_owned(),
                some => {
                    self.transcript.bytes(self.connection, Direction::Received, some);
                    format!("{end} after {}", shown_bytes(some))
                }
            };
            return Err(Failure::new(format!("{count} bytes within {within:?}"), seen));
        }
        Ok(())
    }

    /// These bytes next.
    ///
    /// # Errors
    /// When others come, or too few.
    pub fn expect(&mut self, bytes: &[u8], within: Duration) -> Result<(), Failure> {
        let seen = self.receive(bytes.len(), within)?;
        ensure(seen == bytes, shown_bytes(bytes), shown_bytes(&seen))
    }

    /// The next frame, whatever it says; none when there is silence.
    ///
    /// # Errors
    /// When the connection ends, and when what comes is no frame.
    pub fn receive_frame(
        &mut self,
        framing: Framing,
        within: Duration,
    ) -> Result<Option<Frame>, Failure> {
        match self.wait(Instant::now() + within) {
            Arrival::Bytes => {}
            Arrival::Silence => return Ok(None),
            Arrival::End => return Err(Failure::new("a frame", "the end of the connection")),
        }
        let length = framing.header_length(self.pending[0]);
        let header = self.receive_unseen(length, REST_OF_A_FRAME)?;
        let (flags, size) = framing
            .read(&header)
            .filter(|(_, size)| *size <= LARGEST_FRAME)
            .ok_or_else(|| Failure::new("the header of a frame", shown_bytes(&header)))?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let body = self.receive_unseen(size, REST_OF_A_FRAME)?;
        Ok(Some(Frame { flags, body }))
    }

    /// The end of the connection, whatever comes before it.
    ///
    /// # Errors
    /// When it stays open.
    pub fn expect_close(&mut self, within: Duration) -> Result<(), Failure> {
        self.read_to_end(within).map(drop)
    }

    /// Everything that comes before the end of the connection.
    ///
    /// # Errors
    /// When it stays open.
    pub fn read_to_end(&mut self, within: Duration) -> Result<Vec<u8>, Failure> {
        let deadline = Instant::now() + within;
        loop {
            match self.fill(deadline) {
                Arrival::Bytes => {}
                Arrival::Silence => {
                    let expected = format!("the connection to end within {within:?}");
                    return Err(Failure::new(expected, "it is open"));
                }
                Arrival::End => {
                    let rest = self.pending.split().to_vec();
                    if !rest.is_empty() {
                        self.transcript.bytes(self.connection, Direction::Received, &rest);
                    }
                    return Ok(rest);
                }
            }
        }
    }

    /// Whether the connection ends, whatever comes before.
    pub fn ends(&mut self, within: Duration) -> bool {
        self.read_to_end(within).is_ok()
    }

    /// Nothing, neither bytes nor the end.
    ///
    /// # Errors
    /// When something comes.
    pub fn expect_silence(&mut self, during: Duration) -> Result<(), Failure> {
        let expected = format!("silence for {during:?}");
        match self.wait(Instant::now() + during) {
            Arrival::Bytes => Err(Failure::new(expected, shown_bytes(&self.pending))),
            Arrival::Silence => Ok(()),
            Arrival::End => Err(Failure::new(expected, "the end of the connection")),
        }
    }

    /// Waits for more until `deadline`, and keeps it.
    fn fill(&mut self, deadline: Instant) -> Arrival {
        if self.ended {
            return Arrival::End;
        }
        let mut chunk = [0; 64 * 1024];
        let words = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let _ = self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))));
            match self.stream.read(&mut chunk) {
                Ok(0) => break "ended by the other side".to_owned(),
                Ok(count) => {
                    self.pending.extend_from_slice(&chunk[..count]);
                    return Arrival::Bytes;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if Instant::now() >= deadline {
                        return Arrival::Silence;
                    }
                }
                Err(error) => break error.to_string(),
            }
        };
        self.ended = true;
        self.note(&words);
        Arrival::End
    }

    pub(super) fn wait(&mut self, deadline: Instant) -> Arrival {
        if self.pending.is_empty() { self.fill(deadline) } else { Arrival::Bytes }
    }

    /// Says something of this connection in the transcript.
    pub(super) fn note(&self, words: &str) {
        self.transcript.note(self.connection, words);
    }
}
