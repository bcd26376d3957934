//! tarpc: RPC between Rust programs over TCP, with bincode.

use clap::Parser;
use futures::StreamExt;
use serde_bytes::ByteBuf;
use tarpc::{
    ClientMessage, Response, client, context, serde_transport,
    server::{BaseChannel, Channel},
    tokio_serde::formats::Bincode,
    tokio_util::codec::LengthDelimitedCodec,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use zerorpc_benches::{Contract, Mode, Result, Span, Subject, Tally, in_tasks, ready, run};

/// The largest message: enough for any that is measured.
const LARGEST: usize = 1 << 30;

#[derive(Debug, clap::Args)]
struct Tarpc {}

fn main() -> Result<()> {
    let contract = Contract::<Tarpc>::parse();
    run(&contract.options, contract.role)
}

impl Subject for Tarpc {
    fn serve(&self, address: &str) -> Result<()> {
        Runtime::new()?.block_on(serve(address))
    }

    fn measure(&self, address: &str, mode: Mode, span: Span) -> Result<Tally> {
        Runtime::new()?.block_on(measure(address, mode, span))
    }
}

/// What is served; tarpc has no streams.
#[tarpc::service]
trait Bench {
    async fn echo(v: u32) -> u32;
    async fn echo_bytes(v: ByteBuf) -> ByteBuf;
}

#[derive(Debug, Clone)]
struct Echo;

impl Bench for Echo {
    async fn echo(self, _: context::Context, v: u32) -> u32 {
        v
    }

    async fn echo_bytes(self, _: context::Context, v: ByteBuf) -> ByteBuf {
        v
    }
}

async fn serve(address: &str) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    ready()?;
    loop {
        let (stream, _) = listener.accept().await?;
        let channel: serde_transport::Transport<
            _,
            ClientMessage<BenchRequest>,
            Response<BenchResponse>,
            _,
        > = serde_transport::new(framed(stream)?, Bincode::default());
        let requests = BaseChannel::with_defaults(channel).execute(Echo.serve());
        tokio::spawn(requests.for_each(|request| async {
            tokio::spawn(request);
        }));
    }
}

async fn measure(address: &str, mode: Mode, span: Span) -> Result<Tally> {
    let stream = TcpStream::connect(address).await?;
    let transport = serde_transport::new(framed(stream)?, Bincode::default());
    let client = BenchClient::new(client::Config::default(), transport).spawn();
    match mode {
        Mode::Seq => span.repeat_async(1, || call(client.clone())).await,
        Mode::Pipe(count) | Mode::Threads(count) => {
            in_tasks(count, || {
                let client = client.clone();
                async move { span.repeat_async(1, || call(client.clone())).await }
            })
            .await
        }
        Mode::Big(bytes) => {
            let mut payload = ByteBuf::from(vec![7; bytes]);
            let mut lap = span.lap(1);
            loop {
                payload = client.echo_bytes(context::current(), payload).await?;
                if lap.passed() {
                    return Ok(lap.tally());
                }
            }
        }
        other => other.unknown(),
    }
}

async fn call(client: BenchClient) -> Result<()> {
    match client.echo(context::current(), 7).await? {
        7 => Ok(()),
        other => Err(format!("7 came back as {other}").into()),
    }
}

/// A stream in frames, as tarpc makes them, but without Nagle's delay.
fn framed(
    stream: TcpStream,
) -> Result<tarpc::tokio_util::codec::Framed<TcpStream, LengthDelimitedCodec>> {
    stream.set_nodelay(true)?;
    Ok(LengthDelimitedCodec::builder().max_frame_length(LARGEST).new_framed(stream))
}
