//! zerorpc, as any program uses it: through its public blocking API.

use std::collections::VecDeque;

use clap::{Parser, ValueEnum};
use futures::StreamExt;
use serde_bytes::ByteBuf;
use tokio::runtime::Runtime;
use zerorpc::{
    Answer, Args, Client, Failure, KeyPair, Limits, Method, Methods, RawStream, Reply, Request,
    Security, Server, SocketOptions, TransportKind,
};
use zerorpc_benches::{
    CLIENT_KEY, Contract, Flight, Mode, Result, SERVER_KEY, STREAM, Span, Subject, Tally, hold,
    idle_connections, in_tasks, in_threads, ready, run,
};

/// More items than anybody reads: these streams stay open.
const ITEMS: u64 = 1_000_000_000;

#[derive(Debug, clap::Args)]
struct Zerorpc {
    /// What moves the messages.
    #[arg(long, value_enum, default_value = "mio")]
    transport: Transport,
    /// Awaits answers in tasks instead of waiting for them in threads.
    #[arg(long = "async")]
    is_async: bool,
    /// How many items of a stream may come ahead of their reader. Without it, their number follows the reader.
    #[arg(long)]
    slots: Option<u32>,
    /// Speaks CURVE.
    #[arg(long)]
    curve: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Transport {
    Mio,
    Zmq,
}

fn main() -> Result<()> {
    let contract = Contract::<Zerorpc>::parse();
    run(&contract.options, contract.role)
}

impl Zerorpc {
    fn kind(&self) -> TransportKind {
        match self.transport {
            Transport::Mio => TransportKind::Mio,
            Transport::Zmq => TransportKind::Zmq,
        }
    }

    fn connect(&self, address: &str) -> Result<Client> {
        let endpoint = format!("tcp://{address}");
        let builder = Client::builder().connect(&endpoint).transport(self.kind());
        let builder = match self.curve {
            true => {
                let security = Security::CurveClient {
                    keys: keys(CLIENT_KEY)?,
                    server: SERVER_KEY.0.parse()?,
                };
                builder.socket_options(SocketOptions::new().security(security))
            }
            false => builder,
        };
        Ok(match self.slots {
            Some(slots) => builder.slots(slots).build()?,
            None => builder.build()?,
        })
    }
}

impl Subject for Zerorpc {
    fn serve(&self, address: &str) -> Result<()> {
        let service = Methods::new("bench")
            .raw(Method::new("echo").arguments(["v"]), echo)
            .stream(Method::new("numbers").arguments(["n"]), |n: u64| Ok(0..n));
        // 100,000 open streams are more than one peer may have by default.
        let limits = Limits::default().channels_per_peer(128 << 10).peer_bytes(256 << 20);
        let server = Server::builder()
            .service(service)
            .bind(&format!("tcp://{address}"))
            .limits(limits)
            .transport(self.kind());
        let server = match self.curve {
            true => {
                let security = Security::CurveServer { keys: keys(SERVER_KEY)? };
                server.socket_options(SocketOptions::new().security(security)).build()?
            }
            false => server.build()?,
        };
        ready()?;
        server.wait();
        Ok(())
    }

    fn measure(&self, address: &str, mode: Mode, span: Span) -> Result<Tally> {
        if self.is_async {
            return Runtime::new()?.block_on(measure_async(self.connect(address)?, mode, span));
        }
        match mode {
            Mode::Clients(count) => {
                return in_threads(count, || {
                    let client = self.connect(address)?;
                    span.repeat(1, || call(&client))
                });
            }
            Mode::Connections(count) => return idle_connections(address, count),
            _ => {}
        }
        let client = self.connect(address)?;
        let small = || span.repeat(1, || call(&client));
        match mode {
            Mode::Seq => small(),
            Mode::Pipe(count) => pipe(&client, count, span),
            Mode::Threads(count) => in_threads(count, small),
            Mode::Stream => span.repeat(STREAM, || {
                let mut items = client.stream::<u64>("numbers", (STREAM,))?;
                for expected in 0..STREAM {
                    if items.next().transpose()? != Some(expected) {
                        return Err(format!("item {expected} is missing or out of order").into());
                    }
                }
                match items.next() {
                    None => Ok(()),
                    Some(_) => Err("a stream has more items than were asked for".into()),
                }
            }),
            Mode::Big(bytes) => {
                let payload = ByteBuf::from(vec![7; bytes]);
                let args = Args::encode_params(&(payload,))?;
                span.repeat(1, || big(&client, &args))
            }
            Mode::Channels(count) => channels(&client, count),
            other => other.unknown(),
        }
    }
}

fn keys((public, secret): (&str, &str)) -> Result<KeyPair> {
    Ok(KeyPair::new(public.parse()?, secret.parse()?))
}

/// Returns its argument as it came.
fn echo(request: &Request) -> std::result::Result<Reply, Failure> {
    match request.args().elements().unwrap_or_default().pop() {
        Some(value) => Ok(Reply::Value(value)),
        None => Err(Failure::new("TypeError", "echo() is missing argument 1")),
    }
}

fn call(client: &Client) -> Result<()> {
    check(client.call("echo", (7,))?)
}

fn check(answer: u32) -> Result<()> {
    match answer {
        7 => Ok(()),
        other => Err(format!("7 came back as {other}").into()),
    }
}

/// Keeps so many calls under way, from one thread.
fn pipe(client: &Client, count: usize, span: Span) -> Result<Tally> {
    let mut flight = span.flight();
    let mut calls = VecDeque::with_capacity(count);
    let begin = |flight: &mut Flight| {
        flight.begins();
        client.start("echo", (7,))
    };
    for _ in 0..count {
        calls.push_back(begin(&mut flight)?);
    }
    while let Some(call) = calls.pop_front() {
        check(call.wait()?)?;
        if flight.ended() {
            break;
        }
        calls.push_back(begin(&mut flight)?);
    }
    Ok(flight.tally())
}

/// Reads a whole stream in a task.
async fn read_stream(client: Client) -> Result<()> {
    let mut items = client.start_stream::<u64>("numbers", (STREAM,))?;
    for expected in 0..STREAM {
        if items.next().await.transpose()? != Some(expected) {
            return Err(format!("item {expected} is missing or out of order").into());
        }
    }
    match items.next().await {
        None => Ok(()),
        Some(_) => Err("a stream has more items than were asked for".into()),
    }
}

/// The same in tasks instead of threads.
async fn measure_async(client: Client, mode: Mode, span: Span) -> Result<Tally> {
    let small = |client: Client| {
        let call = move || client.start::<u32>("echo", (7,));
        span.repeat_async(1, move || {
            let call = call();
            async move { check(call?.await?) }
        })
    };
    match mode {
        Mode::Seq => small(client).await,
        Mode::Stream => span.repeat_async(STREAM, move || read_stream(client.clone())).await,
        Mode::Pipe(count) | Mode::Threads(count) => in_tasks(count, || small(client.clone())).await,
        Mode::Big(bytes) => {
            let payload = ByteBuf::from(vec![7; bytes]);
            span.repeat_async(1, || async {
                let answer: ByteBuf = client.start("echo", (&payload,))?.await?;
                if answer == payload { Ok(()) } else { Err("something else came back".into()) }
            })
            .await
        }
        other => other.unknown(),
    }
}

/// One echo; what comes back is not taken apart, as little as what was sent is put together again.
fn big(client: &Client, args: &Args) -> Result<()> {
    match client.call("echo", args.clone())? {
        // An array of one costs one byte more than its element.
        Answer::Value(value) if value.as_bytes().len() + 1 == args.as_bytes().len() => Ok(()),
        Answer::Value(value) => Err(format!("{value:?} came back").into()),
        Answer::Stream(_) => Err("echo answered with a stream".into()),
    }
}

/// Opens streams and holds them until it is told to go on; reports how long opening each took.
fn channels(client: &Client, count: usize) -> Result<Tally> {
    call(client)?;
    let args = Args::encode_params(&(ITEMS,))?;
    hold(count, || open(client, &args))
}

fn open(client: &Client, args: &Args) -> Result<RawStream> {
    match client.call("numbers", args.clone())? {
        Answer::Stream(mut stream) => {
            stream.next().ok_or("a stream without items")??;
            Ok(stream)
        }
        Answer::Value(_) => Err("numbers answered with a value".into()),
    }
}
