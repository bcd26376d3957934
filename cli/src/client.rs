//! The client's side: one call, or a look at what can be called.
//!
//! Signals are left alone: SIGINT ends the process at once and without words, and the server learns of it by
//! the missing heartbeats.

use std::{io, sync::mpsc};

use rmpv::Value;
use zerorpc::{Answer, Args, Client, HeartbeatMode};

use crate::{
    advice,
    exit::CliError,
    inspect,
    plan::{ClientPlan, Link, Plan, Task},
    render::Printer,
    security::Secured,
    status,
    waiting::{SILENCE, Waiting},
};

/// Does what the plan says and prints the results.
///
/// # Errors
/// Whatever keeps it from success; results that had arrived before are printed all the same.
pub(crate) fn run(plan: &Plan, role: &ClientPlan) -> Result<(), CliError> {
    work(plan, role).map_err(|error| advice::on(error, &plan.security))
}

fn work(plan: &Plan, role: &ClientPlan) -> Result<(), CliError> {
    let (client, waiting) = open(plan, role)?;
    let mut printer = Printer::new(io::stdout().lock());
    match &role.task {
        Task::Call { method, params } => {
            let answer = request(&client, method, params)?;
            drop(waiting);
            match answer {
                Answer::Value(value) => printer.value(&decode(&value)?)?,
                Answer::Stream(items) => {
                    printer.stream(items.map(|item| decode(&item?)), role.layout)?;
                }
            }
        }
        Task::Inspect(question) => {
            let text =
                inspect::answer(question, &mut |method, params| ask(&client, method, &params))?;
            drop(waiting);
            printer.text(&text)?;
        }
    }
    Ok(())
}

/// A client, and what tells that no server is connected for as long as its first answer is awaited.
fn open(plan: &Plan, role: &ClientPlan) -> Result<(Client, Option<Waiting>), CliError> {
    let mode = match role.active_heartbeat {
        true => HeartbeatMode::Active,
        false => HeartbeatMode::Passive,
    };
    let secured = Secured::open(&plan.security, &plan.links)?;
    let (monitor, events) = mpsc::channel();
    let mut builder = Client::builder()
        .monitor(monitor)
        .timeout(role.timeout)
        .transport(plan.transport)
        .heartbeat(plan.heartbeat)
        .heartbeat_mode(mode)
        .socket_options(secured.apply(plan.socket_options()));
    for link in &plan.links {
        status::announce(link);
        builder = match link {
            Link::Bind(address) => builder.bind(address),
            Link::Connect(address) => builder.connect(address),
        };
    }
    let client = builder.build()?;
    status::announce_choices(&plan.links, client.endpoints());
    let timeout = role.timeout;
    if role.quiet || timeout <= SILENCE {
        return Ok((client, None));
    }
    let tell = move |why: &str| {
        status::print(format_args!(
            "no server {why}; going on until the timeout of {}s",
            timeout.as_secs_f64()
        ));
    };
    let waiting = Waiting::begin(&plan.links, client.endpoints(), events, tell)?;
    Ok((client, Some(waiting)))
}

/// A call whose answer must be a single value.
fn ask(client: &Client, method: &str, params: &[Value]) -> Result<Value, CliError> {
    match request(client, method, params)? {
        Answer::Value(value) => decode(&value),
        Answer::Stream(_) => {
            Err(CliError::failed(format!("{method} answered with a stream instead of one value")))
        }
    }
}

fn request(client: &Client, method: &str, params: &[Value]) -> Result<Answer, CliError> {
    let params = Args::encode_params(params).map_err(|error| {
        CliError::failed(format!("the parameters of {method} cannot be sent: {error}"))
    })?;
    Ok(client.call(method, params)?)
}

fn decode(args: &Args) -> Result<Value, CliError> {
    rmpv::decode::read_value(&mut &args.as_bytes()[..])
        .map_err(|error| CliError::failed(format!("the result cannot be read: {error}")))
}
