//! Streams: as long as they like, at the pace of their reader.
//!
//! ```sh
//! cargo run --example streaming -- serve
//! cargo run --example streaming -- read
//! zerorpc --json tcp://127.0.0.1:4243 count 3
//! ```
//!
//! An endpoint may follow `serve` and `read`.

use std::ops::Range;

use zerorpc::{CallOptions, Client, Error, Failure, Methods, Server};

const ENDPOINT: &str = "tcp://127.0.0.1:4243";

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let role = args.next().unwrap_or_default();
    let endpoint = args.next().unwrap_or_else(|| ENDPOINT.to_owned());
    match role.as_str() {
        "serve" => serve(&endpoint),
        "read" => read(&endpoint),
        _ => {
            eprintln!("usage: streaming serve|read [ENDPOINT]");
            std::process::exit(2)
        }
    }
}

/// Numbers that tell when nobody wants them any more.
struct Numbers(Range<u64>);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0.next()
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        // Runs when the stream has ended, and also when its reader has: what a stream holds is given back here.
        println!("a reader is gone; the next number would have been {}", self.0.start);
    }
}

fn serve(endpoint: &str) -> Result<(), Error> {
    let service = Methods::new("counter")
        // Anything to iterate over. It is asked for an item when the reader has room for it: an endless stream takes no
        // more memory than a short one.
        .stream("count", |to: u64| Ok(0..to))
        .stream("forever", || Ok(Numbers(0..u64::MAX)))
        // Items may fail, which ends the stream with that error.
        .try_stream("countdown", |from: u64| {
            let liftoff = Err(Failure::new("Liftoff", "nobody counts any further"));
            Ok((1..=from).rev().map(Ok).chain([liftoff]))
        });
    let server = Server::builder().service(service).bind(endpoint).build()?;
    println!("serving at {}", server.endpoints()[0]);
    server.wait();
    Ok(())
}

fn read(endpoint: &str) -> Result<(), Error> {
    let client = Client::connect(endpoint)?;

    // Each item may be an error, the last one: the server is lost, or its iterator has failed.
    let sum: Result<u64, Error> = client.stream::<u64>("count", (1000,))?.sum();
    println!("the sum of count(1000) is {}", sum?);

    for item in client.stream::<u64>("countdown", (3,))? {
        match item {
            Ok(number) => println!("countdown: {number}"),
            Err(Error::Remote { error, .. }) => println!("countdown: {}", error.message),
            Err(other) => return Err(other),
        }
    }

    // Where each item is dear, the server is to make no more of them ahead than this. By default it may be 100, and more
    // when the reader turns out to be quick and the way long.
    let few = client.with(CallOptions::new().slots(5));
    let mut numbers = few.stream::<u64>("forever", ())?;
    for number in numbers.by_ref().take(3) {
        println!("forever: {}", number?);
    }
    // The protocol has no message for "enough": the server learns it from the heartbeats that stop.
    drop(numbers);
    Ok(())
}
