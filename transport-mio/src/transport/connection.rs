//! A stream that carries one connection of the socket.

use std::{
    fmt,
    io::{ErrorKind, IoSlice},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use zerorpc_zmtp::{ConnectionId, LastWords, Origin, Socket, Want};

use super::{line::Place, strangers::Accepted};
use crate::link::Stream;

/// What one read takes at most, and so what a fast peer gets done before it is somebody else's turn. Not measured: some
/// hundreds of small messages, for which the system call is next to nothing; a segment of loopback is as large.
pub(crate) const SCRATCH: usize = 64 << 10;

/// How many parts one write gathers at most. Small parts are copied together before: there are few of more than 4 KiB.
const SLICES: usize = 16;

/// A stream, and the connection of the socket that it carries.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) id: ConnectionId,
    pub(crate) source: Source,
    /// The system has room for output, as far as is known.
    is_writable: bool,
    /// The peer has said its last; what it sent before that is still to be read.
    pub(crate) is_closing: bool,
    /// Why writing came to an end; what the peer sent before that is still to be read.
    pub(crate) write_error: Option<String>,
    /// The endpoint that it was made for, as the caller wrote it, once its dialer has another one.
    pub(crate) given: Option<Arc<str>>,
    /// Everything was said, and the peer is to end the connection.
    pub(crate) has_hung_up: bool,
    /// Stands among the sources that have something to do.
    pub(crate) runnable: bool,
    /// How it is counted, if others have made it.
    pub(crate) accepted: Option<Accepted>,
    /// Where it stands in line, as a stranger that has something to do.
    pub(crate) place: Option<Place>,
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Accepted by a listener.
    Accepted,
    /// Made by a dialer, which has to know when it ends.
    Dialed,
    /// Made by a dialer that makes another one meanwhile, or is there no more.
    Retired,
}

/// What a read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// So many bytes were read.
    pub(crate) count: usize,
    /// There may be more. If not, readiness will be told again.
    pub(crate) more: bool,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    Eof,
    Failed(String),
}

/// A copy of what was read, in one allocation if it is small. (A vector takes another one as soon as it is shared.)
fn chunk(read: &[u8]) -> Bytes {
    const SMALL: usize = 256;
    let mut small = [0; SMALL];
    match small.get_mut(..read.len()) {
        Some(start) => {
            start.copy_from_slice(read);
            let mut chunk = Bytes::from_owner(small);
            chunk.truncate(read.len());
            chunk
        }
        None => Bytes::copy_from_slice(read),
    }
}

impl Connection {
    /// Tells the socket of a stream, and what the system knows of its other end.
    pub(crate) fn open(socket: &mut Socket, now: Instant, stream: Stream, source: Source) -> Self {
        let origin = match source {
            Source::Accepted => Origin::Accepted,
            Source::Dialed | Source::Retired => Origin::Dialed,
        };
        let id = socket.open_connection(now, origin, stream.to_string());
        if let Some(process) = stream.process() {
            socket.set_process(id, process);
        }
        Self {
            stream,
            id,
            source,
            is_writable: true,
            is_closing: false,
            write_error: None,
            given: None,
            has_hung_up: false,
            runnable: false,
            accepted: None,
            place: None,
        }
    }

    /// Whether others have made it, and its handshake is not over.
    pub(crate) fn is_stranger(&self) -> bool {
        self.accepted.is_some_and(|accepted| accepted.age.is_some())
    }

    /// Reads once, into the socket. `scratch` is empty but for its capacity, and is so again afterwards.
    pub(crate) fn read(
        &mut self,
        socket: &mut Socket,
        now: Instant,
        scratch: &mut Vec<u8>,
    ) -> Result<Read, StreamEnd> {
        let (read, room) = match socket.want(self.id) {
            Want::Body(missing) => {
                let room = missing.len();
                (self.stream.read_into(missing), room)
            }
            Want::Chunk => (self.stream.read(scratch), scratch.capacity()),
        };
        let count = match read {
            Ok(0) => return Err(StreamEnd::Eof),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Ok(Read { count: 0, more: false });
            }
            Err(error) => return Err(StreamEnd::Failed(error.to_string())),
        };
        if scratch.is_empty() {
            socket.handle_body(now, self.id, count);
        } else {
            // One allocation for all messages of the chunk, which are slices of it.
            let chunk = chunk(scratch);
            scratch.clear();
            socket.handle_chunk(now, self.id, chunk);
        }
        // A stream that gave less than it was asked for is empty; its end alone is not told again.
        Ok(Read { count, more: count == room || self.is_closing })
    }

    /// The system has room for output; whether it had none before.
    pub(crate) fn set_writable(&mut self) -> bool {
        !std::mem::replace(&mut self.is_writable, true)
    }

    /// Writes as much of the output as there is room for. When that has [failed](Self::write_error) once, it is not
    /// tried again.
    pub(crate) fn write(&mut self, socket: &mut Socket) {
        let id = self.id;
        while self.can_write() && socket.has_output(id) {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = socket.output(id, &mut slices);
            match self.write_once(&slices[..filled]) {
                Some(written) => socket.advance(id, written),
                None => return,
            }
        }
    }

    /// The same of what is left to be said when the socket has forgotten the connection.
    pub(crate) fn write_last(&mut self, words: &mut LastWords) {
        while self.can_write() && words.has_output() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = words.output(&mut slices);
            match self.write_once(&slices[..filled]) {
                Some(written) => words.advance(written),
                None => return,
            }
        }
    }

    fn can_write(&self) -> bool {
        self.is_writable && self.write_error.is_none()
    }

    fn write_once(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        if slices.is_empty() {
            return None;
        }
        match self.stream.write(slices) {
            Ok(written) => return Some(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_writable = false,
            Err(error) => self.write_error = Some(error.to_string()),
        }
        None
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}
