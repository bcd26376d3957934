//! A service in an event loop of one's own: a task of tokio on one thread, with methods that await.
//!
//! ```sh
//! cargo run --example tokio_server                        # serves at tcp://127.0.0.1:4245
//! zerorpc --json tcp://127.0.0.1:4245 sleep 0.5
//! ```

use std::{
    collections::BTreeMap,
    io,
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
use zerorpc::{Args, Dispatcher, Failure, Method, Methods, Reply};
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

    fn accept(&mut self, accepted: io::Result<(TcpStream, std::net::SocketAddr)>) {
        let Ok((stream, address)) = accepted else { return };
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
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4245".to_owned());
    let listener = TcpListener::bind(address.trim_start_matches("tcp://")).await?;
    println!("serving at tcp://{}", listener.local_addr()?);

    let sleep = Method::new("sleep").doc("Answers after so many seconds.").arguments(["seconds"]);
    let service =
        Methods::new("sleeper").stream("count", |to: u64| Ok(0..to)).raw(sleep, |request| {
            let (seconds,) = request.args().decode::<(f64,)>()?;
            let time = Duration::try_from_secs_f64(seconds)?;
            // Comes back at once: while one call waits, others run, and beats go to and fro.
            Ok(Reply::Later(Box::new(move |responder| {
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    match Args::encode(&seconds) {
                        Ok(value) => responder.reply(value),
                        Err(error) => responder.fail(Failure::from(error)),
                    }
                });
            })))
        });
    let answered = Arc::new(Notify::new());
    let wake = Arc::clone(&answered);
    let dispatcher = Dispatcher::new(service).on_answer(move || wake.notify_one());
    let mut seed = [0; 16];
    getrandom::fill(&mut seed)?;
    let rpc = RpcSocket::server(Config::server(u128::from_ne_bytes(seed)));
    let mut server = Server { rpc, dispatcher, streams: BTreeMap::new(), ready: JoinSet::new() };
    loop {
        let until = server.work();
        // Without a deadline, an hour is as good as none.
        let until = until.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            accepted = listener.accept() => server.accept(accepted),
            Some(ready) = server.ready.join_next() => if let Ok(connection) = ready {
                server.exchange(Instant::now(), connection);
            },
            () = answered.notified() => {}
            () = sleep_until(until.into()) => {}
        }
        server.rpc.handle_timeout(Instant::now());
    }
}
