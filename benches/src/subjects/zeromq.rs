//! The crate `zeromq`, ZMTP in Rust alone: DEALER and ROUTER with the frames of zerorpc, but no RPC.

use clap::Parser;
use tokio::runtime::Runtime;
use zeromq::{DealerSocket, RouterSocket, Socket, SocketRecv, SocketSend, ZmqMessage, ZmqResult};
use zerorpc_benches::{
    Contract, Mode, Result, SMALL, STREAM, Span, Subject, Tally, idle_connections, ready, run,
};

/// A message of this size asks for a stream instead of an echo.
const ASK: usize = 8;

#[derive(Debug, clap::Args)]
struct Zeromq {}

fn main() -> Result<()> {
    let contract = Contract::<Zeromq>::parse();
    run(&contract.options, contract.role)
}

impl Subject for Zeromq {
    fn serve(&self, address: &str) -> Result<()> {
        Runtime::new()?.block_on(serve(address))
    }

    fn measure(&self, address: &str, mode: Mode, span: Span) -> Result<Tally> {
        match mode {
            Mode::Connections(count) => idle_connections(address, count),
            _ => Runtime::new()?.block_on(measure(address, mode, span)),
        }
    }
}

async fn serve(address: &str) -> Result<()> {
    let mut router = RouterSocket::new();
    router.bind(&format!("tcp://{address}")).await?;
    ready()?;
    loop {
        let message = router.recv().await?;
        let asked = message.get(2).and_then(|body| <[u8; ASK]>::try_from(&body[..]).ok());
        let sent = match (asked, message.get(0)) {
            (Some(items), Some(client)) => {
                let client = ZmqMessage::from(client.clone());
                send_items(&mut router, &client, u64::from_be_bytes(items)).await
            }
            _ => router.send(message).await,
        };
        // A client that is gone is no reason to stop.
        let _gone = sent;
    }
}

async fn send_items(router: &mut RouterSocket, client: &ZmqMessage, items: u64) -> ZmqResult<()> {
    for _ in 0..items {
        let mut message = behind_delimiter(vec![7; SMALL]);
        message.prepend(client);
        router.send(message).await?;
    }
    Ok(())
}

async fn measure(address: &str, mode: Mode, span: Span) -> Result<Tally> {
    let mut dealer = DealerSocket::new();
    dealer.connect(&format!("tcp://{address}")).await?;
    match mode {
        Mode::Seq => echo(dealer, SMALL, span).await,
        Mode::Big(bytes) => echo(dealer, bytes, span).await,
        Mode::Pipe(count) => pipe(dealer, count, span).await,
        Mode::Stream => stream(dealer, span).await,
        other => other.unknown(),
    }
}

/// Sends one message, which comes back to be sent again.
async fn echo(mut dealer: DealerSocket, size: usize, span: Span) -> Result<Tally> {
    let mut message = behind_delimiter(vec![7; size]);
    let mut lap = span.lap(1);
    loop {
        dealer.send(message).await?;
        message = dealer.recv().await?;
        if lap.passed() {
            return Ok(lap.tally());
        }
    }
}

/// Keeps so many messages under way.
async fn pipe(mut dealer: DealerSocket, count: usize, span: Span) -> Result<Tally> {
    let mut flight = span.flight();
    for _ in 0..count {
        flight.begins();
        dealer.send(behind_delimiter(vec![7; SMALL])).await?;
    }
    loop {
        dealer.recv().await?;
        if flight.ended() {
            return Ok(flight.tally());
        }
        flight.begins();
        dealer.send(behind_delimiter(vec![7; SMALL])).await?;
    }
}

async fn stream(mut dealer: DealerSocket, span: Span) -> Result<Tally> {
    let mut lap = span.lap(STREAM);
    loop {
        dealer.send(behind_delimiter(STREAM.to_be_bytes().to_vec())).await?;
        for _ in 0..STREAM {
            dealer.recv().await?;
        }
        if lap.passed() {
            return Ok(lap.tally());
        }
    }
}

fn behind_delimiter(body: Vec<u8>) -> ZmqMessage {
    let mut message = ZmqMessage::from(body);
    message.push_front(Vec::new().into());
    message
}
