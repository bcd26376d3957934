//! The floor: bytes to and fro over plain blocking TCP, without frames, threads or queues.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use clap::Parser;
use zerorpc_benches::{
    Contract, Mode, Result, SMALL, Span, Subject, Tally, in_threads, ready, run,
};

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
            thread::spawn(move || echo(stream));
        }
        Ok(())
    }

    fn measure(&self, address: &str, mode: Mode, span: Span) -> Result<Tally> {
        match mode {
            Mode::Seq => ping(address, SMALL, span),
            Mode::Big(bytes) => ping(address, bytes, span),
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

/// Returns whatever comes, in messages of the size that the client tells first, until the client goes.
fn echo(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut size = [0; 8];
    stream.read_exact(&mut size)?;
    let mut buffer = vec![0; usize::try_from(u64::from_be_bytes(size))?];
    loop {
        stream.read_exact(&mut buffer)?;
        stream.write_all(&buffer)?;
    }
}
