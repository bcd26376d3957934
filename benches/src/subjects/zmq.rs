//! libzmq itself: DEALER and ROUTER with the frames of zerorpc, but no RPC.

use clap::Parser;
use zerorpc_benches::{
    AHEAD, CLIENT_KEY, CREDIT, Contract, GRANT, Mode, Result, SERVER_KEY, SMALL, STREAM, Span,
    Subject, Tally, idle_connections, ready, run,
};
use zmq::{Context, Message, SNDMORE, Socket};

/// A message of this size asks for a stream instead of an echo.
const ASK: usize = 8;

/// So much stands before the body of a message.
const HEAD: usize = 64;

#[derive(Debug, clap::Args)]
struct Zmq {
    /// Obeys what zerorpc obeys: items need credit, and what is sent is put together from a head and a body.
    #[arg(long)]
    rules: bool,
    /// Speaks CURVE, which takes a libzmq that has it.
    #[arg(long)]
    curve: bool,
}

fn main() -> Result<()> {
    let contract = Contract::<Zmq>::parse();
    run(&contract.options, contract.role)
}

impl Subject for Zmq {
    fn serve(&self, address: &str) -> Result<()> {
        let router = Context::new().socket(zmq::ROUTER)?;
        // A client that is slow to read slows the stream, instead of losing items.
        router.set_router_mandatory(true)?;
        if self.curve {
            router.set_curve_server(true)?;
            router.set_curve_publickey(SERVER_KEY.0.as_bytes())?;
            router.set_curve_secretkey(SERVER_KEY.1.as_bytes())?;
        }
        router.bind(&format!("tcp://{address}"))?;
        ready()?;
        let (mut client, mut message) = (Message::new(), Message::new());
        loop {
            router.recv(&mut client, 0)?;
            receive(&router, &mut message)?;
            let sent = match <[u8; ASK]>::try_from(&message[..]) {
                Ok(items) => self.send_items(&router, &client, u64::from_be_bytes(items)),
                // The last items of a stream need none.
                Err(_) if self.rules && message.len() == GRANT => Ok(()),
                Err(_) if self.rules => {
                    send_to(&router, &client, assemble(&message[message.len().min(HEAD)..]))
                }
                Err(_) => {
                    send_to(&router, &client, std::mem::replace(&mut message, Message::new()))
                }
            };
            // A client that is gone is no reason to stop.
            if let Err(error) = sent
                && error != zmq::Error::EHOSTUNREACH
            {
                return Err(error.into());
            }
        }
    }

    fn measure(&self, address: &str, mode: Mode, span: Span) -> Result<Tally> {
        if let Mode::Connections(count) = mode {
            return idle_connections(address, count);
        }
        let dealer = Context::new().socket(zmq::DEALER)?;
        dealer.set_linger(0)?;
        if self.curve {
            dealer.set_curve_publickey(CLIENT_KEY.0.as_bytes())?;
            dealer.set_curve_secretkey(CLIENT_KEY.1.as_bytes())?;
            dealer.set_curve_serverkey(SERVER_KEY.0.as_bytes())?;
        }
        dealer.connect(&format!("tcp://{address}"))?;
        match mode {
            Mode::Seq => echo(&dealer, SMALL, span),
            Mode::Big(bytes) if self.rules => {
                let body = vec![7; bytes];
                let mut message = Message::new();
                span.repeat(1, || {
                    send(&dealer, assemble(&body))?;
                    Ok(receive(&dealer, &mut message)?)
                })
            }
            Mode::Big(bytes) => echo(&dealer, bytes, span),
            Mode::Pipe(count) => pipe(&dealer, count, span),
            Mode::Stream => {
                let mut item = Message::new();
                span.repeat(STREAM, || {
                    send(&dealer, Message::from(&STREAM.to_be_bytes()[..]))?;
                    for read in 1..=STREAM {
                        receive(&dealer, &mut item)?;
                        if self.rules && read % CREDIT == 0 {
                            send(&dealer, Message::from(&[7; GRANT][..]))?;
                        }
                    }
                    Ok(())
                })
            }
            other => other.unknown(),
        }
    }
}

/// Sends one message, which comes back to be sent again: nothing is copied but by libzmq.
fn echo(dealer: &Socket, size: usize, span: Span) -> Result<Tally> {
    let mut message = Message::from(vec![7; size]);
    span.repeat(1, || {
        send(dealer, std::mem::replace(&mut message, Message::new()))?;
        Ok(receive(dealer, &mut message)?)
    })
}

/// Keeps so many echoes under way.
fn pipe(dealer: &Socket, count: usize, span: Span) -> Result<Tally> {
    let mut flight = span.flight();
    let mut message = Message::new();
    for _ in 0..count {
        flight.begins();
        send(dealer, Message::from(&[7; SMALL][..]))?;
    }
    loop {
        receive(dealer, &mut message)?;
        if flight.ended() {
            return Ok(flight.tally());
        }
        flight.begins();
        send(dealer, Message::from(&[7; SMALL][..]))?;
    }
}

impl Zmq {
    fn send_items(&self, router: &Socket, client: &Message, items: u64) -> zmq::Result<()> {
        let (mut id, mut grant) = (Message::new(), Message::new());
        for sent in 0..items {
            if self.rules && sent >= AHEAD && (sent - AHEAD).is_multiple_of(CREDIT) {
                router.recv(&mut id, 0)?;
                receive(router, &mut grant)?;
            }
            send_to(router, client, Message::from(&[7; SMALL][..]))?;
        }
        Ok(())
    }
}

/// A message of a head and a body.
fn assemble(body: &[u8]) -> Message {
    let mut message = Vec::with_capacity(HEAD + body.len());
    message.resize(HEAD, 7);
    message.extend_from_slice(body);
    Message::from(message)
}

fn send_to(router: &Socket, client: &[u8], message: Message) -> zmq::Result<()> {
    router.send(client, SNDMORE)?;
    send(router, message)
}

/// Sends a message behind the delimiter.
fn send(socket: &Socket, message: Message) -> zmq::Result<()> {
    socket.send("", SNDMORE)?;
    socket.send(message, 0)
}

/// Receives a message behind its delimiter.
fn receive(socket: &Socket, message: &mut Message) -> zmq::Result<()> {
    socket.recv(message, 0)?;
    socket.recv(message, 0)
}
