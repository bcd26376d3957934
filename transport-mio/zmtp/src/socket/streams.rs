//! For streams that implement [`Read`] and [`Write`], and do not block.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use bytes::Bytes;
use web_time::Instant;

use super::{ConnectionId, LastWords, Socket};
use crate::Want;

/// What one read takes at most, and so what a fast peer gets done before it is another's turn. As in `zerorpc-mio`.
const READ: usize = 64 << 10;

/// How many parts one write gathers at most. As in `zerorpc-mio`.
const SLICES: usize = 16;

impl Socket {
    /// Reads once from the stream of a connection, 64 KiB at most of small messages. True when there may be more at once;
    /// false when the stream has nothing for now, or has ended, which [`poll_event`](Self::poll_event) tells of.
    pub fn read_from(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        stream: &mut dyn Read,
    ) -> bool {
        self.read_with(now, connection, &mut |buffer| stream.read(buffer))
    }

    /// As [`read_from`](Self::read_from), for streams that do not implement [`Read`]: `read` reads once into a buffer, as
    /// far as that can be done at once, and fails with [`WouldBlock`](ErrorKind::WouldBlock) where there is nothing.
    pub fn read_with(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        read: &mut dyn FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> bool {
        if self.index_of(connection).is_none() {
            return false;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(READ, 0);
        let (result, room, is_body) = match self.want(connection) {
            Want::Body(missing) => (read(missing), missing.len(), true),
            Want::Chunk => (read(&mut scratch), READ, false),
        };
        let more = match result {
            Ok(0) => {
                self.handle_eof(now, connection);
                false
            }
            Ok(count) if is_body => {
                self.handle_body(now, connection, count);
                count == room
            }
            Ok(count) => {
                let chunk = Bytes::copy_from_slice(&scratch[..count]);
                self.handle_chunk(now, connection, chunk);
                count == room
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => {
                self.handle_io_error(now, connection, &error);
                false
            }
        };
        self.scratch = scratch;
        more
    }

    /// Writes what a connection has to say to its stream, as far as there is room. True when nothing is left; else go on when
    /// the stream has room, unless it has failed, which [`poll_event`](Self::poll_event) tells of.
    pub fn write_to(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        stream: &mut dyn Write,
    ) -> bool {
        self.write_with(now, connection, &mut |slices| stream.write_vectored(slices))
    }

    /// As [`write_to`](Self::write_to), for streams that do not implement [`Write`]: `write` writes once, as far as that
    /// can be done at once, and fails with [`WouldBlock`](ErrorKind::WouldBlock) where there is no room.
    pub fn write_with(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        write: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> bool {
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.output(connection, &mut slices);
            if filled == 0 {
                return true;
            }
            match write(&slices[..filled]) {
                Ok(0) => {
                    self.handle_io_error(now, connection, &ErrorKind::WriteZero);
                    return false;
                }
                Ok(written) => self.advance(connection, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => {
                    self.handle_io_error(now, connection, &error);
                    return false;
                }
            }
        }
    }
}

impl LastWords {
    /// Writes what can be written at once to the stream of the connection, which is to be closed afterwards.
    pub fn write_to(&mut self, stream: &mut dyn Write) {
        self.write_with(&mut |slices| stream.write_vectored(slices));
    }

    /// As [`write_to`](Self::write_to), for streams that do not implement [`Write`]; see [`Socket::write_with`].
    pub fn write_with(&mut self, write: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>) {
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.output(&mut slices);
            match write(&slices[..filled]) {
                Ok(written @ 1..) => self.advance(written),
                _ => return,
            }
        }
    }
}
