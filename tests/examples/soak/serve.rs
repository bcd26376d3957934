//! A server of the soak.

use std::{
    io::{self, BufRead, Write},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rmpv::Value;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zerorpc::{Args, Methods, Reply, Responder, Server};

use super::{Result, heap, seconds};

/// How long calls may take to end when the server is stopped in good order.
const GRACE: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_parser = seconds)]
    heartbeat: Duration,
    /// Where to listen; `*` is a free port.
    endpoints: Vec<String>,
}

/// What a server tells of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Served {
    /// What it has in use, in MiB.
    pub(crate) heap: f64,
    /// What became of connections so far, in words.
    pub(crate) accepted: String,
}

/// Serves until its stdin ends, and tells whether all channels had ended by then. Tells of itself for each line that comes
/// there.
pub(crate) fn run(options: &Options) -> Result<()> {
    let builder = Server::builder().service(methods(10 * options.heartbeat));
    let builder = builder.heartbeat(options.heartbeat);
    let builder =
        options.endpoints.iter().fold(builder, |builder, endpoint| builder.bind(endpoint));
    let server = builder.build()?;
    println!("{}", json!({ "endpoints": server.endpoints() }));
    for line in io::stdin().lock().lines() {
        line?;
        let accepted = format!("{:?}", server.links().accept_stats()?);
        writeln!(io::stdout(), "{}", serde_json::to_string(&Served { heap: heap(), accepted })?)?;
    }
    println!("{}", json!({ "drained": server.shutdown(GRACE).is_complete() }));
    Ok(())
}

/// - `echo(value)` answers with the value,
/// - `later()` answers after a while, and needs no thread for it,
/// - `ticks()` is a stream of numbers from 0 that does not end.
fn methods(delay: Duration) -> Methods {
    let (waiting, due) = mpsc::channel::<(Instant, Responder)>();
    thread::spawn(move || {
        // All wait for the same time, so they are due in the order in which they came.
        for (instant, responder) in due {
            thread::sleep(instant.saturating_duration_since(Instant::now()));
            responder.reply(Args::NIL);
        }
    });
    Methods::new("soak")
        .method("echo", |value: Value| Ok(value))
        .stream("ticks", || Ok(0_u64..))
        .raw("later", move |_| {
            let waiting = waiting.clone();
            Ok(Reply::Later(Box::new(move |responder| {
                // The thread ends with the service only.
                let _received = waiting.send((Instant::now() + delay, responder));
            })))
        })
}
