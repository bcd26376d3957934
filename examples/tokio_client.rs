//! A client in an event loop of one's own: a task of tokio that has the socket, and handles that ask it for calls.
//!
//! ```sh
//! cargo run --example tokio_server                        # or anything with the methods `sleep` and `count`
//! cargo run --example tokio_client                        # calls tcp://127.0.0.1:4245
//! ```

#[path = "support/handles.rs"]
mod handles;
mod support;

use std::{
    collections::HashMap,
    future::pending,
    time::{Duration, Instant},
};

use handles::{Client, Command, Result};
use tokio::{
    io::Interest,
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{sleep, sleep_until},
};
use zerorpc_proto::{Answer, CallId, CallOptions, Config, Notice, Target};
use zerorpc_zmtp::{ConnectionId, Origin, RpcOutput, RpcSocket, SocketEvent};

struct Driver {
    rpc: RpcSocket,
    stream: Option<(ConnectionId, TcpStream)>,
    waiting: HashMap<CallId, oneshot::Sender<Answer>>,
}

impl Driver {
    /// Does all that there is to do; until when it may wait then.
    fn work(&mut self) -> Option<Instant> {
        loop {
            let now = Instant::now();
            match self.rpc.poll_output(now) {
                RpcOutput::Notice(Notice::Readable(id) | Notice::CallLost(id)) => {
                    if let Some(reply) = self.waiting.remove(&id) {
                        self.answer(id, reply);
                    }
                }
                RpcOutput::Flush(_) => self.exchange(now),
                // Calls that were open there have ended; those that had not left go over the next connection.
                RpcOutput::Event(SocketEvent::Closed(closed)) => {
                    eprintln!("{}: {}", closed.remote, closed.words);
                    self.stream = None;
                }
                RpcOutput::Wait(deadline) => return deadline,
                _ => {}
            }
        }
    }

    fn answer(&mut self, id: CallId, reply: oneshot::Sender<Answer>) {
        let Some(mut call) = self.rpc.call(id) else { return };
        match call.recv() {
            Some(answer) => _ = reply.send(answer),
            // Then there will be a notice when there is one.
            None => _ = self.waiting.insert(id, reply),
        }
    }

    fn exchange(&mut self, now: Instant) {
        let Some((connection, stream)) = &self.stream else { return };
        self.rpc.read_with(now, *connection, &mut |buffer| stream.try_read(buffer));
        self.rpc.write_with(now, *connection, &mut |slices| stream.try_write_vectored(slices));
    }

    async fn run(mut self, address: String, mut commands: mpsc::Receiver<Command>) {
        // It is not begun anew each time something else happens.
        let mut dialing = Box::pin(dial(&address));
        loop {
            // Without a deadline, an hour is as good as none.
            let hour = Duration::from_secs(3600);
            let until = self.work().unwrap_or_else(|| Instant::now() + hour);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Open(method, args, reply)) => {
                        let (now, options) = (Instant::now(), CallOptions::new());
                        let _ = reply.send(self.rpc.open(now, Target::Any, method, args, &options));
                    }
                    Some(Command::Next(id, reply)) => self.answer(id, reply),
                    // The last handle is gone.
                    None => return,
                },
                stream = &mut dialing, if self.stream.is_none() => {
                    dialing = Box::pin(dial(&address));
                    let (now, remote) = (Instant::now(), format!("tcp://{address}"));
                    let connection = self.rpc.open_connection(now, Origin::Dialed, remote);
                    self.stream = Some((connection, stream));
                }
                () = self.ready() => self.exchange(Instant::now()),
                () = sleep_until(until.into()) => self.exchange(Instant::now()),
            }
            self.rpc.handle_timeout(Instant::now());
        }
    }

    async fn ready(&self) {
        let Some((connection, stream)) = &self.stream else { return pending().await };
        let has_output = self.rpc.has_output(*connection);
        let room = if has_output { Interest::WRITABLE } else { Interest::READABLE };
        // What is wrong with the stream is found by whoever uses it.
        let _ = stream.ready(Interest::READABLE | room).await;
    }
}

/// Tries until somebody is there: calls that wait for it end by their own timeouts.
async fn dial(address: &str) -> TcpStream {
    loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            return stream;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let rpc = RpcSocket::client(Config::client(support::seed()?));
    let driver = Driver { rpc, stream: None, waiting: HashMap::new() };
    let (commands, receiver) = mpsc::channel(16);
    tokio::spawn(driver.run(support::address("127.0.0.1:4245"), receiver));
    let client = Client(commands);

    let sleep = |time: f64| client.call("sleep", (time,));
    let (long, short) = tokio::try_join!(sleep(0.2), sleep(0.1))?;
    println!("slept for {} and {} s", long.decode::<f64>()?, short.decode::<f64>()?);

    let count = client.open("count", (1000,)).await?;
    let mut sum = 0;
    while let Answer::Item(number) = client.next(count).await? {
        sum += number.decode::<u64>()?;
    }
    println!("the sum of count(1000) is {sum}");
    Ok(())
}
