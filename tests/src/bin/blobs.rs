//! A server process of the tests' service, whose memory can be looked at: `blobs OPTIONS`, told and telling as the
//! peers' programs are.
//!
//! It ends when its stdin does.

use std::{error::Error, io};

use serde_json::{Value, json};
use zerorpc::{Server, TransportKind};
use zerorpc_tests::service;

fn main() -> Result<(), Box<dyn Error>> {
    let options = std::env::args().nth(1).ok_or("options are needed")?;
    let options: Value = serde_json::from_str(&options)?;
    let (methods, _) = service::methods();
    let builder = Server::builder().transport(TransportKind::Mio).service(methods);
    let endpoints = options["bind"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let server = endpoints.fold(builder, |builder, endpoint| builder.bind(endpoint)).build()?;
    println!("ready {}", json!({ "endpoints": server.endpoints() }));
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
