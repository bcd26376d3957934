//! Our own library under test: `server|client mio|zmq ENDPOINT HEARTBEAT [PULL SUB]`, as the contract has it.

mod client;
mod service;
#[path = "../faulty/values.rs"]
mod values;

use std::{error::Error, time::Duration};

use zerorpc::TransportKind;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [role, transport, endpoint, heartbeat, others @ ..] = args.as_slice() else {
        return Err("usage: server|client mio|zmq ENDPOINT HEARTBEAT [PULL SUB]".into());
    };
    let transport = match transport.as_str() {
        "mio" => TransportKind::Mio,
        "zmq" => TransportKind::Zmq,
        other => return Err(format!("{other} is no transport").into()),
    };
    let heartbeat = Duration::from_secs_f64(heartbeat.parse()?);
    match role.as_str() {
        "server" => service::serve(transport, endpoint, heartbeat, others),
        "client" => client::obey(transport, endpoint, heartbeat),
        other => Err(format!("{other} is no role").into()),
    }
}
