//! A server over poll(2) and nothing else: `cargo run --example poll_server -- 127.0.0.1:4242`, then
//! `zerorpc --json tcp://127.0.0.1:4242 add 20 22` or `zerorpc --json tcp://127.0.0.1:4242 count 5`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "programs have clocks and sockets"
)]

use std::{
    collections::HashMap,
    error::Error,
    hash::{BuildHasher, RandomState},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zerorpc_proto::{Args, Config, Notice, RemoteFailure, RequestId};
use zerorpc_zmtp::{ConnectionId, Origin, RpcOutput, RpcSocket, SocketEvent};

/// A server with its streams.
struct Server {
    rpc: RpcSocket,
    streams: HashMap<ConnectionId, TcpStream>,
    /// Streams of numbers that have begun: the next number, and the last.
    counts: HashMap<RequestId, (u64, u64)>,
}

impl Server {
    /// Does what there is to do; until when to wait then.
    fn turn(&mut self, now: Instant) -> Option<Instant> {
        loop {
            match self.rpc.poll_output(now) {
                RpcOutput::Wait(until) => return until,
                RpcOutput::Flush(connection) => {
                    if let Some(stream) = self.streams.get_mut(&connection) {
                        self.rpc.write_to(now, connection, stream);
                    }
                }
                RpcOutput::Event(SocketEvent::Closed(mut closed)) => {
                    eprintln!("{} is gone: {}", closed.remote, closed.words);
                    let stream = self.streams.remove(&closed.connection);
                    if let (Some(mut stream), Some(words)) = (stream, &mut closed.last_words) {
                        words.write_to(&mut stream);
                    }
                }
                RpcOutput::Notice(Notice::Requested(id)) => self.answer(id),
                RpcOutput::Notice(Notice::Writable(id)) => self.count(id),
                RpcOutput::Notice(Notice::RequestLost(id, _)) => drop(self.counts.remove(&id)),
                _ => {}
            }
        }
    }

    fn answer(&mut self, id: RequestId) {
        let Some(mut request) = self.rpc.request(id) else { return };
        if !request.start() {
            // Too much waits for this peer: it is told of again.
            return;
        }
        let args = request.take_args();
        let bad = || RemoteFailure::new("TypeError", "these are not the arguments");
        match request.method() {
            "add" => match args.decode().map(|(a, b): (i64, i64)| Args::encode(&(a + b))) {
                Ok(Ok(sum)) => drop(request.reply(sum)),
                _ => request.fail(bad()),
            },
            "count" => match args.decode() {
                Ok((last,)) => {
                    self.counts.insert(id, (0, last));
                    self.count(id);
                }
                Err(_) => request.fail(bad()),
            },
            other => {
                let words = format!("there is no method {other}");
                request.fail(RemoteFailure::new("NameError", words));
            }
        }
    }

    /// Sends numbers as long as there is room.
    fn count(&mut self, id: RequestId) {
        let Some((next, last)) = self.counts.get_mut(&id) else { return };
        let Some(mut request) = self.rpc.request(id) else { return };
        while *next < *last {
            match Args::encode(next).map(|item| request.send(item)) {
                Ok(Ok(())) => *next += 1,
                _ => return,
            }
        }
        request.finish();
        self.counts.remove(&id);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener =
        TcpListener::bind(std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:4242"))?;
    listener.set_nonblocking(true)?;
    println!("serving at tcp://{}", listener.local_addr()?);
    let seed = u128::from(RandomState::new().hash_one(std::process::id()));
    let rpc = RpcSocket::server(Config::server(seed));
    let mut server = Server { rpc, streams: HashMap::new(), counts: HashMap::new() };
    loop {
        let until = server.turn(Instant::now());
        let ids: Vec<ConnectionId> = server.streams.keys().copied().collect();
        let mut fds = vec![PollFd::new(&listener, PollFlags::IN)];
        fds.extend(ids.iter().map(|id| {
            let writes =
                if server.rpc.has_output(*id) { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::new(&server.streams[id], PollFlags::IN | writes)
        }));
        let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
        let wait = wait.map(Timespec::try_from).transpose()?;
        rustix::io::retry_on_intr(|| poll(&mut fds, wait.as_ref()))?;
        let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        let now = Instant::now();
        while let Ok((stream, address)) = listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let remote = format!("tcp://{address}");
            let id = server.rpc.open_connection(now, Origin::Accepted, remote);
            server.streams.insert(id, stream);
        }
        for (id, ready) in ids.iter().zip(&ready[1..]) {
            let Some(stream) = server.streams.get_mut(id) else { continue };
            if ready.contains(PollFlags::OUT) {
                server.rpc.write_to(now, *id, stream);
            }
            if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                server.rpc.read_from(now, *id, stream);
            }
        }
        server.rpc.handle_timeout(now);
    }
}
