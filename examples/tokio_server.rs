//! A service in an event loop of one's own: a task of tokio on one thread, with methods that await.
//!
//! ```sh
//! cargo run --example tokio_server                        # serves at tcp://127.0.0.1:4245
//! zerorpc --json tcp://127.0.0.1:4245 sleep 0.5
//! ```

#[path = "support/acceptor.rs"]
mod acceptor;
#[path = "support/sleeper.rs"]
mod sleeper;
mod support;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{AbortHandle, JoinSet},
    time::sleep_until,
};
use zerorpc::Dispatcher;
use zerorpc_proto::Config;
use zerorpc_zmtp::{ConnectionId, Origin, RpcOutput, RpcSocket, SocketEvent};

struct Server {
    rpc: RpcSocket,
    dispatcher: Dispatcher,
    /// Each with the task that waits for it.
    streams: BTreeMap<ConnectionId, (Arc<TcpStream>, AbortHandle)>,
    ready: JoinSet<ConnectionId>,
}

impl Server {
    /// Does all that there is to do; until when it may wait then.
    fn work(&mut self) -> Option<Instant> {
        self.dispatcher.poll(self.rpc.session_mut());
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
                    if let Some((stream, _)) = self.streams.get(&connection)
                        && !self.rpc.write_with(now, connection, &mut |slices| {
                            stream.try_write_vectored(slices)
                        })
                    {
                        self.watch(connection, Arc::clone(stream));
                    }
                }
                RpcOutput::Event(SocketEvent::Closed(closed)) => {
                    println!("{}: {}", closed.remote, closed.words);
                    if let Some((stream, waiter)) = self.streams.remove(&closed.connection) {
                        waiter.abort();
                        if let Some(mut last) = closed.last_words {
                            last.write_with(&mut |slices| stream.try_write_vectored(slices));
                        }
                    }
                }
                RpcOutput::Wait(deadline) => return deadline,
                other => println!("{other:?}"),
            }
        }
    }

    /// Waits until a stream can be read, or written where that is wanted; in place of whoever waits for it already.
    fn watch(&mut self, connection: ConnectionId, stream: Arc<TcpStream>) {
        let has_output = self.rpc.has_output(connection);
        let interest =
            if has_output { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        let waited_for = Arc::clone(&stream);
        let waiter = self.ready.spawn(async move {
            // What is wrong with the stream is found by whoever uses it.
            let _ = waited_for.ready(interest).await;
            connection
        });
        if let Some((_, former)) = self.streams.insert(connection, (stream, waiter)) {
            former.abort();
        }
    }

    fn open(&mut self, (stream, address): (TcpStream, SocketAddr)) {
        // Small messages are not to wait for each other; where that cannot be had, they do.
        let _ = stream.set_nodelay(true);
        let remote = format!("tcp://{address}");
        let connection = self.rpc.open_connection(Instant::now(), Origin::Accepted, remote);
        self.watch(connection, Arc::new(stream));
    }

    fn exchange(&mut self, now: Instant, connection: ConnectionId) {
        let Some((stream, _)) = self.streams.get(&connection) else { return };
        let stream = Arc::clone(stream);
        // Once: nobody else waits for one who sends much.
        self.rpc.read_with(now, connection, &mut |buffer| stream.try_read(buffer));
        self.rpc.write_with(now, connection, &mut |slices| stream.try_write_vectored(slices));
        self.watch(connection, stream);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(support::address("127.0.0.1:4245")).await?;
    println!("serving at tcp://{}", listener.local_addr()?);
    let answered = Arc::new(Notify::new());
    let wake = Arc::clone(&answered);
    let dispatcher = Dispatcher::new(sleeper::service()).on_answer(move || wake.notify_one());
    let rpc = RpcSocket::server(Config::server(support::seed()?));
    let mut server = Server { rpc, dispatcher, streams: BTreeMap::new(), ready: JoinSet::new() };
    // Not begun anew each time something else happens, so that its pause is one.
    let mut accepting = Box::pin(acceptor::accept(&listener));
    loop {
        // Without a deadline, an hour is as good as none.
        let until = server.work().unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            accepted = &mut accepting => {
                accepting.set(acceptor::accept(&listener));
                server.open(accepted);
            }
            Some(ready) = server.ready.join_next() => if let Ok(connection) = ready {
                server.exchange(Instant::now(), connection);
            },
            () = answered.notified() => {}
            () = sleep_until(until.into()) => {}
        }
        let due = server.rpc.due(Instant::now());
        due.into_iter().for_each(|due| server.exchange(Instant::now(), due));
        server.rpc.handle_timeout(Instant::now());
    }
}
