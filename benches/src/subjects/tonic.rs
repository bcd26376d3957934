//! tonic: gRPC in Rust, over HTTP/2 with Protocol Buffers.

use clap::Parser;
use futures::stream;
use tokio::{net::TcpListener, runtime::Runtime};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server, server::TcpIncoming},
};
use zerorpc_benches::{Contract, Mode, Result, STREAM, Span, Subject, Tally, in_tasks, ready, run};

use service::{bench_client::BenchClient, bench_server};

/// What build.rs writes.
mod service {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]
    include!(concat!(env!("OUT_DIR"), "/bench.Bench.rs"));
}

#[derive(Debug, clap::Args)]
struct Tonic {}

fn main() -> Result<()> {
    let contract = Contract::<Tonic>::parse();
    run(&contract.options, contract.role)
}

impl Subject for Tonic {
    fn serve(&self, address: &str) -> Result<()> {
        Runtime::new()?.block_on(serve(address))
    }

    fn measure(&self, address: &str, mode: Mode, span: Span) -> Result<Tally> {
        Runtime::new()?.block_on(measure(address, mode, span))
    }
}

/// A small argument or result.
#[derive(Clone, PartialEq, prost::Message)]
struct Number {
    #[prost(uint64, tag = "1")]
    v: u64,
}

/// A large one; received bytes are not copied.
#[derive(Clone, PartialEq, prost::Message)]
struct Blob {
    #[prost(bytes = "bytes", tag = "1")]
    v: prost::bytes::Bytes,
}

type Items = Box<dyn Iterator<Item = std::result::Result<Number, Status>> + Send>;
type Answer<T> = std::result::Result<Response<T>, Status>;

struct Echo;

#[tonic::async_trait]
impl bench_server::Bench for Echo {
    async fn echo(&self, request: Request<Number>) -> Answer<Number> {
        Ok(Response::new(request.into_inner()))
    }

    async fn echo_bytes(&self, request: Request<Blob>) -> Answer<Blob> {
        Ok(Response::new(request.into_inner()))
    }

    type NumbersStream = stream::Iter<Items>;

    async fn numbers(&self, request: Request<Number>) -> Answer<Self::NumbersStream> {
        let numbers = (0..request.into_inner().v).map(|v| Ok(Number { v }));
        Ok(Response::new(stream::iter(Box::new(numbers) as Items)))
    }
}

async fn serve(address: &str) -> Result<()> {
    let incoming = TcpIncoming::from(TcpListener::bind(address).await?).with_nodelay(Some(true));
    let service = bench_server::BenchServer::new(Echo)
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    ready()?;
    Ok(Server::builder().add_service(service).serve_with_incoming(incoming).await?)
}

async fn measure(address: &str, mode: Mode, span: Span) -> Result<Tally> {
    let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
    let client = BenchClient::new(channel)
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    match mode {
        Mode::Seq => span.repeat_async(1, || call(client.clone())).await,
        Mode::Pipe(count) | Mode::Threads(count) => {
            in_tasks(count, || {
                let client = client.clone();
                async move { span.repeat_async(1, || call(client.clone())).await }
            })
            .await
        }
        Mode::Stream => span.repeat_async(STREAM, || stream(client.clone())).await,
        Mode::Big(bytes) => {
            let payload = Blob { v: vec![7; bytes].into() };
            let echo = || echo_bytes(client.clone(), payload.clone());
            span.repeat_async(1, echo).await
        }

        other => other.unknown(),
    }
}

type Client = BenchClient<Channel>;

async fn call(mut client: Client) -> Result<()> {
    match client.echo(Number { v: 7 }).await?.into_inner().v {
        7 => Ok(()),
        other => Err(format!("7 came back as {other}").into()),
    }
}

async fn stream(mut client: Client) -> Result<()> {
    let mut items = client.numbers(Number { v: STREAM }).await?.into_inner();
    for expected in 0..STREAM {
        if items.message().await? != Some(Number { v: expected }) {
            return Err(format!("item {expected} is missing or out of order").into());
        }
    }
    match items.message().await? {
        None => Ok(()),
        Some(_) => Err("a stream has more items than were asked for".into()),
    }
}

async fn echo_bytes(mut client: Client, payload: Blob) -> Result<()> {
    let sent = payload.v.len();
    match client.echo_bytes(payload).await?.into_inner().v.len() {
        length if length == sent => Ok(()),
        length => Err(format!("{sent} bytes came back as {length}").into()),
    }
}
