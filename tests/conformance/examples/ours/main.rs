//! Our own library under test: `server|client mio|zmq ENDPOINT HEARTBEAT [--worker] [PULL SUB] [push=ENDPOINT pub=ENDPOINT]
//! [bind=ENDPOINT] [connect=ENDPOINT]`, as the contract has it.

mod client;
mod service;
#[path = "../faulty/values.rs"]
mod values;

use std::{error::Error, time::Duration};

use zerorpc::TransportKind;

/// What is done with an endpoint.
#[derive(Clone, Copy, Debug)]
enum Link {
    Bind,
    Connect,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [role, transport, endpoint, heartbeat, others @ ..] = args.as_slice() else {
        return Err(
            "usage: server|client mio|zmq ENDPOINT HEARTBEAT [PULL SUB] [bind=…] [connect=…]"
                .into(),
        );
    };
    let transport = match transport.as_str() {
        "mio" => TransportKind::Mio,
        "zmq" => TransportKind::Zmq,
        other => return Err(format!("{other} is no transport").into()),
    };
    let heartbeat = Duration::from_secs_f64(heartbeat.parse()?);
    let mut links = Vec::new();
    let mut one_way = Vec::new();
    let mut senders = client::Senders::default();
    let mut first = if role == "server" { Link::Bind } else { Link::Connect };
    for other in others {
        match (other.as_str(), other.split_once('=')) {
            ("--worker", _) => first = Link::Connect,
            (_, Some(("bind", endpoint))) => links.push((Link::Bind, endpoint)),
            (_, Some(("connect", endpoint))) => links.push((Link::Connect, endpoint)),
            (_, Some(("push", endpoint))) => senders.push_at(transport, endpoint)?,
            (_, Some(("pub", endpoint))) => senders.publish_at(transport, endpoint)?,
            _ => one_way.push(other.clone()),
        }
    }
    links.insert(0, (first, endpoint.as_str()));
    match role.as_str() {
        "server" => service::serve(transport, &links, heartbeat, &one_way),
        "client" => client::obey(transport, &links, heartbeat, senders),
        other => Err(format!("{other} is no role").into()),
    }
}
