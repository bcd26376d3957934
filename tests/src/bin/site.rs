//! A server process that tests may kill or stop: `site JOURNAL OPTIONS`, told and telling as the peers' programs are.
//!
//! It appends the number of every call to its journal, a line each, and ends when its stdin does.

use std::{error::Error, fs::OpenOptions, io, io::Write, sync::Arc, time::Duration};

use serde_json::{Value, json};
use zerorpc::{Server, TransportKind};
use zerorpc_tests::site::{self, Gate};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(path), Some(options)) = (args.next(), args.next()) else {
        return Err("a journal and options are needed".into());
    };
    let options: Value = serde_json::from_str(&options)?;
    let file = Arc::new(OpenOptions::new().create(true).append(true).open(&path)?);
    let journal = move |number: u64| {
        // One write for each line, so that a kill leaves whole lines only.
        let written = (&*file).write_all(format!("{number}\n").as_bytes());
        written.expect("the journal can be written");
    };
    let heartbeat = options["heartbeat"].as_f64().ok_or("the heartbeat is a number of seconds")?;
    let builder = Server::builder()
        .transport(TransportKind::Mio)
        .service(site::methods(&path, journal, Gate::default()))
        .heartbeat(Duration::from_secs_f64(heartbeat));
    let endpoints = options["bind"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let server = endpoints.fold(builder, |builder, endpoint| builder.bind(endpoint)).build()?;
    println!("ready {}", json!({ "endpoints": server.endpoints() }));
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
