//! What all subjects have in common: their command line.

use std::{
    fmt,
    io::{BufRead, Write},
    str::FromStr,
};

use clap::{Args, Parser, Subcommand};

use crate::{Result, Span, Tally};

/// How many items a stream has that is measured from its first to its last.
pub const STREAM: u64 = 10_000;

/// Something that can be measured.
pub trait Subject {
    /// Serves at `host:port` until the process is killed; calls [`ready`] once it can be reached.
    ///
    /// # Errors
    /// When it cannot.
    fn serve(&self, address: &str) -> Result<()>;

    /// Measures a server at `host:port`.
    ///
    /// # Errors
    /// When the mode means nothing to this subject, or a call fails.
    fn measure(&self, address: &str, mode: Mode, span: Span) -> Result<Tally>;
}

/// The command line of a subject with options `O`.
#[derive(Debug, Parser)]
pub struct Contract<O: Args> {
    /// What is special about this subject.
    #[command(flatten)]
    pub options: O,
    /// Which end of the wire this is.
    #[command(subcommand)]
    pub role: Role,
}

/// Which end of the wire a process is.
#[derive(Debug, Clone, Subcommand)]
pub enum Role {
    /// Serves until it is killed; prints `ready` once it can be reached.
    Server {
        /// Where, as HOST:PORT.
        address: String,
    },
    /// Measures a server.
    Client {
        /// Where it is, as HOST:PORT.
        address: String,
        /// seq, pipe:N, stream, big:BYTES, threads:N, clients:N, channels:N, or connections:N.
        mode: Mode,
        /// For how many seconds.
        secs: f64,
    },
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One small call after the other.
    Seq,
    /// So many small calls in flight, on one connection.
    Pipe(usize),
    /// Items of streams that one consumer reads.
    Stream,
    /// One echo of so many bytes after the other.
    Big(usize),
    /// So many threads with one client, each making one small call after the other.
    Threads(usize),
    /// So many threads with a client each, each making one small call after the other.
    Clients(usize),
    /// So many open streams: what it costs to open and to have them is measured from outside.
    Channels(usize),
    /// So many connections on which nothing happens: what it costs to have them is measured from outside.
    Connections(usize),
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, number) = text.split_once(':').unwrap_or((text, ""));
        let number = || match number.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{name} needs a number: {name}:64")),
        };
        match name {
            "seq" => Ok(Self::Seq),
            "pipe" => number().map(Self::Pipe),
            "stream" => Ok(Self::Stream),
            "big" => number().map(Self::Big),
            "threads" => number().map(Self::Threads),
            "clients" => number().map(Self::Clients),
            "channels" => number().map(Self::Channels),
            "connections" => number().map(Self::Connections),
            _ => Err("no such mode: use seq, pipe:N, stream, big:BYTES, threads:N, clients:N, \
                      channels:N or connections:N"
                .to_owned()),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq => f.write_str("seq"),
            Self::Pipe(calls) => write!(f, "pipe:{calls}"),
            Self::Stream => f.write_str("stream"),
            Self::Big(bytes) => write!(f, "big:{bytes}"),
            Self::Threads(threads) => write!(f, "threads:{threads}"),
            Self::Clients(clients) => write!(f, "clients:{clients}"),
            Self::Channels(channels) => write!(f, "channels:{channels}"),
            Self::Connections(connections) => write!(f, "connections:{connections}"),
        }
    }
}

impl Mode {
    /// The refusal of a subject that lacks a mode.
    ///
    /// # Errors
    /// Always.
    pub fn unknown<T>(self) -> Result<T> {
        Err(format!("this subject cannot measure {self}").into())
    }
}

/// Tells that the server can be reached.
///
/// # Errors
/// When nobody can be told.
pub fn ready() -> Result<()> {
    say("ready")
}

/// Tells how far a client is, and waits for a line that lets it go on.
///
/// # Errors
/// When nobody can be told.
pub fn pause(what: &str) -> Result<()> {
    say(what)?;
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

fn say(what: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}

/// Does what the command line says.
///
/// # Errors
/// What the subject fails with.
pub fn run(subject: &impl Subject, role: Role) -> Result<()> {
    match role {
        Role::Server { address } => subject.serve(&address),
        Role::Client { address, mode, secs } => {
            let report = subject.measure(&address, mode, Span::new(secs)?)?.report();
            println!("{}", serde_json::to_string(&report)?);
            Ok(())
        }
    }
}
