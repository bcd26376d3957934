//! The floor: bytes to and fro over plain blocking TCP, without frames, threads or queues.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use clap::Parser;
use zerorpc_benches::{
    AHEAD, CREDIT, Contract, GRANT, Mode, Result, SMALL, STREAM, Span, Subject, Tally, in_threads,
    ready, run,
};

/// Who tells this size of message gets a stream of items instead, as zerorpc's rules let them go.
const ITEMS: u64 = 0;

#[derive(Debug, clap::Args)]
struct Tcp {}

fn main() -> Result<()> {
    let contract = Contract::<Tcp>::parse();
    run(&contract.options, contract.role)
}

impl Subject for Tcp {
    fn serve(&self, address: &str) -> Result<()> {
        let listener = TcpListener::bind(address)?;
        ready()?;
        for stream in listener.incoming() {
            let stream = stream?;
            thread::spawn(move || answer(stream));
        }
        Ok(())
    }

    fn measure(&self, address: &str, mode: Mode, span: Span) -> Result<Tally> {
        match mode {
            Mode::Seq => ping(address, SMALL, span),
            Mode::Big(bytes) => ping(address, bytes, span),
            Mode::Stream => read_items(address, span),
            Mode::Clients(count) => in_threads(count, || ping(address, SMALL, span)),
            other => other.unknown(),
        }
    }
}

/// One connection, one message after the other.
fn ping(address: &str, size: usize, span: Span) -> Result<Tally> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(&(size as u64).to_be_bytes())?;
    let mut buffer = vec![7; size];
    span.repeat(1, || {
        stream.write_all(&buffer)?;
        Ok(stream.read_exact(&mut buffer)?)
    })
}

/// Reads items as they come, and grants more.
fn read_items(address: &str, span: Span) -> Result<Tally> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(&ITEMS.to_be_bytes())?;
    let mut buffer = vec![0; 64 << 10];
    let portion = CREDIT * SMALL as u64;
    let (mut read, mut counted) = (0, 0);
    span.repeat(STREAM, || {
        counted += STREAM * SMALL as u64;
        while read < counted {
            let more = stream.read(&mut buffer)? as u64;
            if more == 0 {
                return Err("the stream ended".into());
            }
            for _ in read / portion..(read + more) / portion {
                stream.write_all(&[7; GRANT])?;
            }
            read += more;
        }
        Ok(())
    })
}

fn send_items(mut stream: TcpStream) -> Result<()> {
    let items = vec![7; usize::try_from(AHEAD)? * SMALL];
    stream.write_all(&items)?;
    let mut grant = [0; GRANT];
    loop {
        stream.read_exact(&mut grant)?;
        stream.write_all(&items[..usize::try_from(CREDIT)? * SMALL])?;
    }
}

/// Returns whatever comes, in messages of the size that the client tells first, until the client goes.
fn answer(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut size = [0; 8];
    stream.read_exact(&mut size)?;
    let size = u64::from_be_bytes(size);
    if size == ITEMS {
        return send_items(stream);
    }
    let mut buffer = vec![0; usize::try_from(size)?];
    loop {
        stream.read_exact(&mut buffer)?;
        stream.write_all(&buffer)?;
    }
}
