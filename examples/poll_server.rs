//! A service in an event loop of one's own: poll(2), one thread, no transport and no runtime of this project.
//!
//! ```sh
//! cargo run --example poll_server                         # serves at tcp://127.0.0.1:4244
//! zerorpc tcp://127.0.0.1:4244                            # what there is
//! zerorpc --json tcp://127.0.0.1:4244 add 20 22
//! ```

use std::{
    collections::BTreeMap,
    io,
    net::{TcpListener, TcpStream},
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use zerorpc::{Dispatcher, Failure, Method, Methods};
use zerorpc_proto::Config;
use zerorpc_zmtp::{ConnectionId, Origin, RpcOutput, RpcSocket, SocketEvent};

struct Server {
    rpc: RpcSocket,
    dispatcher: Dispatcher,
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
    fn wait(
        &self,
        listener: &TcpListener,
        until: Option<Instant>,
    ) -> io::Result<(Vec<ConnectionId>, bool)> {
        let mut fds = vec![PollFd::new(listener, PollFlags::IN)];
        fds.extend(self.streams.iter().map(|(connection, stream)| {
            let has_output = self.rpc.has_output(*connection);
            let room = if has_output { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::new(stream, PollFlags::IN | room)
        }));
        // A moment that has passed is no time at all, and poll(2) comes back at once.
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut is_ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let accepts = is_ready.next().unwrap_or_default();
        let ready = self.streams.keys().zip(is_ready).filter(|(_, is_ready)| *is_ready);
        Ok((ready.map(|(connection, _)| *connection).collect(), accepts))
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        // Until nobody waits any more. One that is gone again already is nobody's trouble.
        while let Ok((stream, address)) = listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let (now, remote) = (Instant::now(), format!("tcp://{address}"));
            let connection = self.rpc.open_connection(now, Origin::Accepted, remote);
            self.streams.insert(connection, stream);
        }
        Ok(())
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
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4244".to_owned());
    let listener = TcpListener::bind(address.trim_start_matches("tcp://"))?;
    listener.set_nonblocking(true)?;
    println!("serving at tcp://{}", listener.local_addr()?);

    let service = Methods::new("calculator")
        .method(
            Method::new("add").doc("Adds two numbers.").arguments(["a", "b"]),
            |a: i64, b: i64| {
                a.checked_add(b).ok_or_else(|| Failure::new("OverflowError", "more than 64 bits"))
            },
        )
        .stream("count", |to: u64| Ok(0..to));
    // Ids of messages must not repeat among the sockets that meet.
    let mut seed = [0; 16];
    getrandom::fill(&mut seed)?;
    let rpc = RpcSocket::server(Config::server(u128::from_ne_bytes(seed)));
    let mut server = Server { rpc, dispatcher: Dispatcher::new(service), streams: BTreeMap::new() };
    loop {
        let until = server.work();
        let (ready, accepts) = server.wait(&listener, until)?;
        let now = Instant::now();
        for connection in ready {
            server.exchange(now, connection);
        }
        if accepts {
            server.accept(&listener)?;
        }
        // After reading: a beat that has come is no silence.
        server.rpc.handle_timeout(now);
    }
}
