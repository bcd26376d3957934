//! A client in an event loop of one's own: a task of tokio that has the socket, and handles that ask it for calls.
//!
//! ```sh
//! cargo run --example tokio_server                        # or anything with the methods `sleep` and `count`
//! cargo run --example tokio_client                        # calls tcp://127.0.0.1:4245
//! ```

#[path = "support/ready.rs"]
mod ready;

use std::{
    collections::HashMap,
    error::Error,
    future::pending,
    time::{Duration, Instant},
};

use ready::Ready;
use tokio::{
    io::Interest,
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{sleep, sleep_until},
};
use zerorpc_proto::{Answer, Args, CallId, CallOptions, Config, Notice, OpenError, Target};
use zerorpc_zmtp::{ConnectionId, Origin, RpcOutput, RpcSocket, SocketEvent};

/// What handles ask for.
enum Command {
    Open(&'static str, Args, oneshot::Sender<Result<CallId, OpenError>>),
    /// The next answer to a call. Only this lets its server send more.
    Next(CallId, oneshot::Sender<Answer>),
}

#[derive(Clone)]
struct Client(mpsc::Sender<Command>);

impl Client {
    async fn open(&self, method: &'static str, args: Args) -> Result<CallId, Box<dyn Error>> {
        let (reply, opened) = oneshot::channel();
        self.0.send(Command::Open(method, args, reply)).await?;
        Ok(opened.await??)
    }

    async fn call(&self, method: &'static str, args: Args) -> Result<Args, Box<dyn Error>> {
        let call = self.open(method, args).await?;
        match self.next(call).await? {
            Answer::Value(value) => Ok(value),
            other => Err(format!("{method}: {other:?}").into()),
        }
    }

    async fn next(&self, call: CallId) -> Result<Answer, Box<dyn Error>> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Next(call, reply)).await?;
        Ok(answer.await?)
    }
}

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

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(method, args, reply) => {
                let (now, options) = (Instant::now(), CallOptions::new());
                let _ = reply.send(self.rpc.open(now, Target::Any, method, args, &options));
            }
            Command::Next(id, reply) => self.answer(id, reply),
        }
    }

    fn exchange(&mut self, now: Instant) {
        let Some((connection, stream)) = &self.stream else { return };
        self.rpc.read_from(now, *connection, &mut Ready(stream));
        self.rpc.write_to(now, *connection, &mut Ready(stream));
    }

    async fn run(mut self, address: String, mut commands: mpsc::Receiver<Command>) {
        // It is not begun anew each time something else happens.
        let mut dialing = Box::pin(dial(address.clone()));
        loop {
            let until = self.work();
            let is_closed = self.stream.is_none();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    // The last handle is gone.
                    None => return,
                },
                stream = &mut dialing, if is_closed => {
                    dialing = Box::pin(dial(address.clone()));
                    let (now, remote) = (Instant::now(), format!("tcp://{address}"));
                    let connection = self.rpc.open_connection(now, Origin::Dialed, remote);
                    self.stream = Some((connection, stream));
                }
                () = self.ready() => self.exchange(Instant::now()),
                () = at(until) => {}
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
async fn dial(address: String) -> TcpStream {
    loop {
        match TcpStream::connect(&address).await {
            Ok(stream) => return stream,
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn at(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until.into()).await,
        None => pending().await,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4245".to_owned());
    let mut seed = [0; 16];
    getrandom::fill(&mut seed)?;
    let rpc = RpcSocket::client(Config::client(u128::from_ne_bytes(seed)));
    let driver = Driver { rpc, stream: None, waiting: HashMap::new() };
    let (commands, receiver) = mpsc::channel(16);
    tokio::spawn(driver.run(address.trim_start_matches("tcp://").to_owned(), receiver));
    let client = Client(commands);

    let (long, short) = tokio::try_join!(
        client.call("sleep", Args::encode_params(&(0.2,))?),
        client.call("sleep", Args::encode_params(&(0.1,))?),
    )?;
    println!("slept for {} and {} s", long.decode::<f64>()?, short.decode::<f64>()?);

    let count = client.open("count", Args::encode_params(&(1000,))?).await?;
    let mut sum = 0;
    while let Answer::Item(number) = client.next(count).await? {
        sum += number.decode::<u64>()?;
    }
    println!("the sum of count(1000) is {sum}");
    Ok(())
}
