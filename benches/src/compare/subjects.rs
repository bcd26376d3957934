//! Who takes part: programs that keep to the contract, and those of the peers.

use zerorpc_benches::{Mode, Result};

use crate::{
    environment::{self, Python},
    program::Program,
};

/// A program that keeps to the contract.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// What it is called on the command line.
    pub(crate) key: &'static str,
    /// What it is called in tables.
    pub(crate) title: &'static str,
    pub(crate) program: Program,
    can: fn(Mode) -> bool,
}

impl Subject {
    pub(crate) fn can(&self, mode: Mode) -> bool {
        (self.can)(mode)
    }
}

pub(crate) const TCP: &str = "tcp";
pub(crate) const LIBZMQ: &str = "libzmq";
/// What libzmq can do for items that need credit and for bodies that come apart from what stands before them.
pub(crate) const RULES: &str = "libzmq-rules";
pub(crate) const MIO: &str = "zerorpc-mio";
pub(crate) const PYTHON: &str = "zerorpc-python";

/// The names of all subjects, in the order of the tables.
pub(crate) const KEYS: [&str; 10] =
    [TCP, LIBZMQ, RULES, "zeromq", "tarpc", "tonic", "zerorpc-zmq", MIO, PYTHON, "zerorpc-node"];

/// Everybody who takes part.
pub(crate) struct Cast {
    pub(crate) subjects: Vec<Subject>,
    /// The environment of zerorpc-python, if it takes part.
    pub(crate) python: Option<Python>,
    /// The zerorpc command, if it is needed.
    pub(crate) command: Option<Program>,
}

impl Cast {
    /// Gets those with these names ready, and the zerorpc command if it is needed.
    pub(crate) fn prepare(keys: &[&str], command: bool) -> Result<Self> {
        let lacking = |key: &str, error| {
            format!("{key} cannot be had; leave it out with --without {key}: {error}")
        };
        let python = match keys.contains(&PYTHON) {
            true => Some(Python::prepare().map_err(|error| lacking(PYTHON, error))?),
            false => None,
        };
        let mut subjects = Vec::new();
        for key in KEYS.iter().filter(|key| keys.contains(key)) {
            let subject = subject(key, python.as_ref()).map_err(|error| lacking(key, error))?;
            subjects.push(subject);
        }
        let command = if command { Some(environment::command()?) } else { None };
        Ok(Self { subjects, python, command })
    }
}

/// Our own program over a transport.
pub(crate) fn zerorpc(transport: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_zerorpc-bench")).options(["--transport", transport])
}

fn subject(key: &'static str, python: Option<&Python>) -> Result<Subject> {
    use Mode::{Big, Channels, Clients, Connections, Pipe, Seq, Stream, Threads};
    let subject = |title, program, can| Ok(Subject { key, title, program, can });
    let bare: fn(Mode) -> bool =
        |mode| matches!(mode, Seq | Pipe(_) | Stream | Big(_) | Connections(_));
    match key {
        TCP => subject("plain TCP", Program::new(env!("CARGO_BIN_EXE_bare-tcp")), |mode| {
            // Its stream obeys zerorpc's rules.
            matches!(mode, Seq | Stream | Big(_) | Clients(_))
        }),
        LIBZMQ => subject("bare libzmq", Program::new(env!("CARGO_BIN_EXE_bare-zmq")), bare),
        RULES => {
            let program = Program::new(env!("CARGO_BIN_EXE_bare-zmq")).options(["--rules"]);
            let can: fn(Mode) -> bool = |mode| matches!(mode, Stream | Big(_));
            subject("libzmq under zerorpc's rules", program, can)
        }
        "zeromq" => {
            subject("bare zeromq 0.7", Program::new(env!("CARGO_BIN_EXE_bare-zeromq")), bare)
        }
        "tarpc" => subject("tarpc 0.38", Program::new(env!("CARGO_BIN_EXE_bench-tarpc")), |mode| {
            matches!(mode, Seq | Pipe(_) | Big(_) | Threads(_))
        }),
        "tonic" => subject("tonic 0.14", Program::new(env!("CARGO_BIN_EXE_bench-tonic")), |mode| {
            matches!(mode, Seq | Pipe(_) | Stream | Big(_) | Threads(_))
        }),
        "zerorpc-zmq" => subject("zerorpc over libzmq", zerorpc("zmq"), |_| true),
        MIO => subject("zerorpc over mio", zerorpc("mio"), |_| true),
        PYTHON => {
            let python = python.ok_or("its environment was not made")?;
            let script = environment::peers().join("python").join("bench.py");
            subject("zerorpc-python 0.6.3", python.tool("python").options([script]), |mode| {
                match mode {
                    // It needs a second for each thousand.
                    Channels(count) => count <= 1000,
                    Threads(_) | Clients(_) => false,
                    _ => true,
                }
            })
        }
        _ => {
            let script = environment::peers().join("node").join("bench.js");
            subject("zerorpc-node 0.9.8", environment::node(&script)?, bare)
        }
    }
}
