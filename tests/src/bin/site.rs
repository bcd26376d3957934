//! A server process that tests may kill, freeze or stop: `site JOURNAL OPTIONS`, told and telling as the peers' programs
//! are.
//!
//! It appends the number of every call to its journal, a line each. SIGTERM lets running calls end, as with the command;
//! the end of its stdin ends it at once.

use std::{
    error::Error, fs::OpenOptions, io, io::Write, process, sync::Arc, thread, time::Duration,
};

use serde_json::{Value, json};
use signal_hook::{consts::SIGTERM, iterator::Signals};
use zerorpc::{Server, TransportKind};
use zerorpc_tests::site::{self, Gate};

/// How long running calls may take to end.
const GRACE: Duration = Duration::from_secs(10);

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
    let mut signals = Signals::new([SIGTERM])?;
    let builder = Server::builder()
        .transport(TransportKind::Mio)
        .service(site::methods(&path, journal, Gate::default()))
        .heartbeat(Duration::from_secs_f64(heartbeat));
    let links = |name: &str| {
        let endpoints = options[name].as_array().into_iter().flatten();
        endpoints.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let builder = links("bind").iter().fold(builder, |builder, endpoint| builder.bind(endpoint));
    let connected = links("connect");
    let server = connected.iter().fold(builder, |builder, endpoint| builder.connect(endpoint));
    let server = server.build()?;
    println!("ready {}", json!({ "endpoints": server.endpoints() }));
    thread::spawn(|| {
        let ended = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(i32::from(ended.is_err()));
    });
    signals.forever().next();
    server.shutdown(GRACE);
    Ok(())
}
