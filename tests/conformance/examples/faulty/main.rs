//! A peer with faults that can be switched on one at a time: what the conformance kit has to find. Without a fault it is a
//! correct one.
//!
//! ```sh
//! zerorpc-conformance-faulty server ENDPOINT [--worker] [--heartbeat SECONDS] [--fault NAME] [pull=ENDPOINT] [sub=ENDPOINT] [bind=ENDPOINT] [connect=ENDPOINT]
//! zerorpc-conformance-faulty client ENDPOINT [--heartbeat SECONDS] [--fault NAME] [push=ENDPOINT] [pub=ENDPOINT] [bind=ENDPOINT] [connect=ENDPOINT]
//! zerorpc-conformance-faulty list          # a JSON array of all faults
//! ```
//!
//! What a server offers, and what a client reads and prints, is the contract of the kit (`CONTRACT.md`). The faults are
//! tables (`table`); where each is put in is its hook (`fault`).

mod client;
mod event;
mod fault;
mod link;
mod memory;
mod one_way;
mod peer;
mod places;
mod server;
mod table;
mod tamper;
mod values;
mod wire;

use std::{error::Error, time::Duration};

use zerorpc_proto::transport::SocketKind;

use fault::Fault;
use peer::Setup;
use places::Place;

const USAGE: &str = "usage: zerorpc-conformance-faulty server|client ENDPOINT [--worker] \
                     [--heartbeat SECONDS] [--fault NAME] [bind=ENDPOINT] [connect=ENDPOINT], or list";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => println!("{}", list()),
        ["server", endpoint, ref options @ ..] => {
            server::run(setup("server", endpoint, options)?)?;
        }
        ["client", endpoint, ref options @ ..] => {
            client::run(setup("client", endpoint, options)?)?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

fn setup(role: &str, endpoint: &str, options: &[&str]) -> Result<Setup, Box<dyn Error>> {
    let mut setup = Setup {
        places: vec![place(endpoint, role == "client")?],
        heartbeat: Duration::from_secs(5),
        fault: None,
        others: Vec::new(),
    };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut value = || options.next().copied().ok_or(USAGE);
        match *option {
            "--worker" => setup.places[0].dials = true,
            "--heartbeat" => setup.heartbeat = Duration::try_from_secs_f64(value()?.parse()?)?,
            "--fault" => {
                let name = value()?;
                let found = Fault::find(role, name);
                setup.fault = Some(found.ok_or_else(|| format!("a {role} has no fault {name}"))?);
            }
            word => match word.split_once('=') {
                Some(("bind", endpoint)) => setup.places.push(place(endpoint, false)?),
                Some(("connect", endpoint)) => setup.places.push(place(endpoint, true)?),
                Some((other, endpoint)) => {
                    let kind = one_way(role, other).ok_or(USAGE)?;
                    setup.others.push((kind, place(endpoint, false)?));
                }
                None => return Err(USAGE.into()),
            },
        }
    }
    Ok(setup)
}

/// The kind of a socket beside the first one, of a server or a client.
fn one_way(role: &str, word: &str) -> Option<SocketKind> {
    match (role, word) {
        ("server", "pull") => Some(SocketKind::Pull),
        ("server", "sub") => Some(SocketKind::Sub),
        ("client", "push") => Some(SocketKind::Push),
        ("client", "pub") => Some(SocketKind::Pub),
        _ => None,
    }
}

fn place(endpoint: &str, dials: bool) -> Result<Place, Box<dyn Error>> {
    let address = endpoint.strip_prefix("tcp://").ok_or("only tcp:// is spoken here")?;
    Ok(Place { address: address.replace("*:", "0.0.0.0:"), dials })
}

/// All faults, for programs.
fn list() -> serde_json::Value {
    let all = ["server", "client"].into_iter().flat_map(|role| {
        Fault::all(role).map(move |fault| {
            serde_json::json!({
                "role": role,
                "name": fault.name,
                "does": fault.does,
                "rule": fault.rule,
                "cases": fault.cases,
            })
        })
    });
    all.collect()
}
