//! A server process that counts its allocations: `counted OPTIONS`, told and telling as the peers' programs are.
//!
//! It ends when its stdin does.

use std::{alloc::System, error::Error, io};

use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use zerorpc::{Methods, Server, TransportKind};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), Box<dyn Error>> {
    let options = std::env::args().nth(1).ok_or("options are needed")?;
    let options: Value = serde_json::from_str(&options)?;
    let service = Methods::new("counted")
        .method("echo", |number: u64| Ok(number))
        .stream("numbers", |count: u64| Ok(0..count))
        .method("allocations", || {
            let stats = ALLOCATOR.stats();
            Ok(stats.allocations + stats.reallocations)
        });
    let builder = Server::builder().transport(TransportKind::Mio).service(service);
    let endpoints = options["bind"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let server = endpoints.fold(builder, |builder, endpoint| builder.bind(endpoint)).build()?;
    println!("ready {}", json!({ "endpoints": server.endpoints() }));
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
