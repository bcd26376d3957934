//! Two sockets and a network between them, whose time is the test's.

use std::{
    io::{self, ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use zerorpc_proto::{Args, Blocked, CallId, CallOptions, Config, Notice, RequestId, Target};
use zerorpc_zmtp::{Closed, ConnectionId, Origin, RpcOutput, RpcSocket, SocketEvent};

/// Bytes on their way, at most so many.
pub(crate) struct Pipe {
    bytes: Vec<u8>,
    /// How many bytes were ever written.
    written: u64,
    pub(crate) room: usize,
}

impl Write for &mut Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room.saturating_sub(self.bytes.len()));
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.bytes.extend_from_slice(&bytes[..count]);
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for &mut Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.len().min(into.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        into[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes.drain(..count);
        Ok(count)
    }
}

/// One side, and what it was told.
pub(crate) struct Side {
    pub(crate) rpc: RpcSocket,
    pub(crate) connection: ConnectionId,
    pub(crate) notices: Vec<Notice>,
    pub(crate) closed: Vec<Closed>,
    /// Items of a stream that are to be sent on each request.
    pub(crate) items: u32,
    /// How far each stream is.
    streams: Vec<(RequestId, u32)>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) client: Side,
    pub(crate) server: Side,
    /// What the client has written, and what the server has.
    pub(crate) pipes: [Pipe; 2],
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_config(Config::server(2))
    }

    pub(crate) fn with_config(server: Config) -> Self {
        let now = Instant::now();
        let side = |mut rpc: RpcSocket, origin| Side {
            connection: rpc.open_connection(now, origin, "tcp://192.0.2.1:1"),
            rpc,
            notices: Vec::new(),
            closed: Vec::new(),
            items: 0,
            streams: Vec::new(),
        };
        let pipe = || Pipe { bytes: Vec::new(), written: 0, room: 100_000 };
        Self {
            now,
            client: side(RpcSocket::client(Config::client(1)), Origin::Dialed),
            server: side(RpcSocket::server(server), Origin::Accepted),
            pipes: [pipe(), pipe()],
        }
    }

    /// Lets both sides do what they can until neither can any more.
    pub(crate) fn run(&mut self) {
        loop {
            let Self { now, client, server, pipes: [up, down] } = self;
            for (from, side) in [(&mut *up, &*server), (&mut *down, &*client)] {
                // Nobody is there to read it.
                if side.rpc.socket().remote(side.connection).is_none() {
                    from.bytes.clear();
                }
            }
            let before = (up.written, down.written);
            client.turn(*now, down, up);
            server.turn(*now, up, down);
            let after = (up.written, down.written);
            let is_still = |pipe: &Pipe| pipe.bytes.is_empty() || pipe.room == 0;
            if before == after && is_still(up) && is_still(down) {
                return;
            }
        }
    }

    /// Lets time go by, from deadline to deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.run();
        while let Some(due) = self.due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            for side in [&mut self.client, &mut self.server] {
                side.rpc.handle_timeout(self.now);
            }
            self.run();
        }
        self.now = end;
    }

    fn due(&self) -> Option<Instant> {
        [self.client.rpc.poll_timeout(), self.server.rpc.poll_timeout()].into_iter().flatten().min()
    }

    pub(crate) fn open(&mut self, method: &str, options: &CallOptions) -> CallId {
        let args = Args::encode_params(&()).expect("no arguments");
        self.client.rpc.open(self.now, Target::Any, method, args, options).expect("there is room")
    }
}

impl Side {
    fn turn(&mut self, now: Instant, mut from: &mut Pipe, mut to: &mut Pipe) {
        while from.room > 0 && self.rpc.read_from(now, self.connection, &mut from) {}
        self.rpc.write_to(now, self.connection, &mut to);
        loop {
            match self.rpc.poll_output(now) {
                RpcOutput::Flush(connection) => {
                    self.rpc.write_to(now, connection, &mut to);
                }
                RpcOutput::Notice(Notice::Requested(id)) if self.items > 0 => {
                    self.streams.push((id, 0));
                    self.stream(id);
                }
                RpcOutput::Notice(Notice::Writable(id)) => self.stream(id),
                RpcOutput::Notice(notice) => self.notices.push(notice),
                RpcOutput::Event(SocketEvent::Closed(closed)) => self.closed.push(*closed),
                RpcOutput::Event(_) => {}
                RpcOutput::Wait(_) => return,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends items of a stream until it has to wait.
    fn stream(&mut self, id: RequestId) {
        let Some((_, sent)) = self.streams.iter_mut().find(|(stream, _)| *stream == id) else {
            return;
        };
        let Some(mut request) = self.rpc.request(id) else { return };
        while *sent < self.items {
            match request.send(Args::encode(sent).expect("a number")) {
                Ok(()) => *sent += 1,
                Err(Blocked { .. }) => return,
            }
        }
        request.finish();
    }

    /// Takes the requests that have come.
    pub(crate) fn requests(&mut self) -> Vec<RequestId> {
        let requests = self.notices.extract_if(.., |notice| matches!(notice, Notice::Requested(_)));
        requests
            .filter_map(|notice| match notice {
                Notice::Requested(id) => Some(id),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn reply(&mut self, id: RequestId, bytes: usize) {
        let value = match bytes {
            0 => Args::encode(&0).expect("a number"),
            _ => Args::encode(&"x".repeat(bytes)).expect("text"),
        };
        let request = self.rpc.request(id).expect("it is open");
        request.reply(value).expect("no stream has begun");
    }
}
