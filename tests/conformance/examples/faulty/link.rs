//! Connections: streams, and the wire between them and the core.

use std::{
    io::{self, ErrorKind, IoSlice, Read},
    net::TcpStream,
    time::Instant,
};

use bytes::Bytes;
use zerorpc_zmtp::{ConnectionId, LastWords, Socket};

use super::{
    fault::{Hook, Quirk},
    wire::Wire,
};

/// The most that waits in a wire before the core has to wait.
const WAITING: usize = 1 << 20;

/// A stream, and what a fault does to its bytes.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: TcpStream,
    wire: Option<Wire>,
    writes_block: bool,
}

impl Link {
    pub(crate) fn new(stream: TcpStream, hooks: &'static [Hook]) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let writes_block = hooks.iter().any(|hook| matches!(hook, Hook::Peer(Quirk::WritesBlock)));
        Ok(Self { stream, wire: Wire::new(hooks), writes_block })
    }

    /// Whether the stream is waited for until it has room.
    pub(crate) fn wants_room(&self, socket: &Socket, connection: ConnectionId) -> bool {
        socket.has_output(connection) || self.wire.as_ref().is_some_and(Wire::has_output)
    }

    pub(crate) fn write(&mut self, now: Instant, socket: &mut Socket, connection: ConnectionId) {
        let Some(wire) = &mut self.wire else {
            // Whether it worked shows when it is written to.
            let _ = self.stream.set_nonblocking(!self.writes_block);
            socket.write_to(now, connection, &mut self.stream);
            let _ = self.stream.set_nonblocking(true);
            return;
        };
        let mut taken = 0;
        socket.write_with(now, connection, &mut |slices: &[IoSlice<'_>]| {
            if taken > WAITING {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = slices.iter().map(|slice| slice.len()).sum();
            slices.iter().for_each(|slice| wire.say(slice));
            taken += count;
            Ok(count)
        });
        if let Err(error) = wire.write_to(&self.stream) {
            socket.handle_io_error(now, connection, &error);
        }
    }

    /// Reads once.
    pub(crate) fn read(&mut self, now: Instant, socket: &mut Socket, connection: ConnectionId) {
        let Some(wire) = &mut self.wire else {
            socket.read_from(now, connection, &mut self.stream);
            return;
        };
        let mut buffer = vec![0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => socket.handle_eof(now, connection),
            Ok(count) => match wire.hear(&buffer[..count]) {
                Some(heard) => socket.handle_chunk(now, connection, Bytes::from(heard)),
                None => socket.handle_eof(now, connection),
            },
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => socket.handle_io_error(now, connection, &error),
        }
        if let Err(error) = wire.write_to(&self.stream) {
            socket.handle_io_error(now, connection, &error);
        }
    }

    /// Writes the last words of the core, as they are.
    pub(crate) fn part(mut self, last: Option<LastWords>) {
        if let Some(mut last) = last {
            last.write_to(&mut self.stream);
        }
    }
}
