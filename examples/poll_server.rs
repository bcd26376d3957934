//! A service in an event loop of one's own: poll(2), one thread, no transport and no runtime of this project.
//!
//! ```sh
//! cargo run --example poll_server                         # serves at tcp://127.0.0.1:4244
//! zerorpc tcp://127.0.0.1:4244                            # what there is
//! zerorpc --json tcp://127.0.0.1:4244 add 20 22
//! ```

#[path = "support/calculator.rs"]
mod calculator;
mod support;

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zerorpc::Dispatcher;
use zerorpc_proto::Config;
use zerorpc_zmtp::{ConnectionId, Origin, RpcOutput, RpcSocket, SocketEvent};

struct Server {
    rpc: RpcSocket,
    dispatcher: Dispatcher,
    listener: TcpListener,
    /// Until when nobody is accepted.
    pause: Option<Instant>,
    streams: BTreeMap<ConnectionId, TcpStream>,
}

impl Server {
    /// Does all that there is to do; until when it may wait then.
    fn work(&mut self) -> Option<Instant> {
        loop {
            let now = Instant::now();
            match self.rpc.poll_output(now) {
                RpcOutput::Notice(notice) => {
                    let session = self.rpc.session_mut();
                    if let Some(other) = self.dispatcher.handle_notice(session, notice) {
                        eprintln!("{other:?}");
                    }
                }
                RpcOutput::Flush(connection) => {
                    if let Some(stream) = self.streams.get_mut(&connection) {
                        // What does not fit is written when there is room: `wait` asks for that.
                        self.rpc.write_to(now, connection, stream);
                    }
                }
                RpcOutput::Event(SocketEvent::Closed(closed)) => {
                    let stream = self.streams.remove(&closed.connection);
                    println!("{}: {}", closed.remote, closed.words);
                    if let (Some(mut stream), Some(mut last)) = (stream, closed.last_words) {
                        last.write_to(&mut stream);
                    }
                }
                // This is the only moment to wait: nothing is left to be said or done.
                RpcOutput::Wait(deadline) => return deadline,
                other => println!("{other:?}"),
            }
        }
    }

    /// Waits until a stream can be read, or written where that is wanted, or it is time; which ones, and the listener.
    fn wait(&self, until: Option<Instant>) -> io::Result<(Vec<ConnectionId>, bool)> {
        let now = Instant::now();
        let pause = self.pause.filter(|end| *end > now);
        let accepts = if pause.is_none() { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = vec![PollFd::new(&self.listener, accepts)];
        fds.extend(self.streams.iter().map(|(connection, stream)| {
            let has_output = self.rpc.has_output(*connection);
            let room = if has_output { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::new(stream, PollFlags::IN | room)
        }));
        // A moment that has passed is no time at all, and poll(2) comes back at once.
        let until = until.into_iter().chain(pause).min();
        let timeout = until.map(|until| until.saturating_duration_since(now));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        rustix::io::retry_on_intr(|| poll(&mut fds, timeout.as_ref()))?;
        let mut is_ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let accepts = is_ready.next().unwrap_or_default();
        let ready = self.streams.keys().zip(is_ready).filter(|(_, is_ready)| *is_ready);
        Ok((ready.map(|(connection, _)| *connection).collect(), accepts))
    }

    /// Accepts everybody who waits.
    fn accept(&mut self, now: Instant) -> io::Result<()> {
        loop {
            let (stream, address) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // Too many open files, for instance: poll(2) would come back at once until some are closed.
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    self.pause = Some(now + Duration::from_millis(100));
                    return Ok(());
                }
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let remote = format!("tcp://{address}");
            let connection = self.rpc.open_connection(now, Origin::Accepted, remote);
            self.streams.insert(connection, stream);
        }
    }

    /// Reads and writes what can be at once.
    fn exchange(&mut self, now: Instant, connection: ConnectionId) {
        if let Some(stream) = self.streams.get_mut(&connection) {
            // Once: poll(2) tells again of what is left, and nobody waits for one who sends much.
            self.rpc.read_from(now, connection, stream);
            self.rpc.write_to(now, connection, stream);
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(support::address("127.0.0.1:4244"))?;
    listener.set_nonblocking(true)?;
    println!("serving at tcp://{}", listener.local_addr()?);

    let rpc = RpcSocket::server(Config::server(support::seed()?));
    let (dispatcher, streams) = (Dispatcher::new(calculator::service()), BTreeMap::new());
    let mut server = Server { rpc, dispatcher, listener, pause: None, streams };
    loop {
        let until = server.work();
        let (ready, accepts) = server.wait(until)?;
        let now = Instant::now();
        for connection in ready {
            server.exchange(now, connection);
        }
        if accepts {
            server.accept(now)?;
        }
        // After reading: a beat that has come is no silence.
        server.rpc.handle_timeout(now);
    }
}
