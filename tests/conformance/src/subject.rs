//! The implementation under test: its process, where it listens, and how it is told what to do.

pub(crate) mod groups;
mod ports;
mod process;

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use crate::{failure::Failure, raw::Bytes, transcript::Transcript};
pub(crate) use process::SAID;

use process::Process;

/// Who is under test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It answers calls; the case is a caller.
    Server,
    /// It makes calls; the case is a server.
    Client,
}

impl Role {
    /// `server` or `client`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// How the implementation under test comes to be there.
#[derive(Clone, Debug)]
pub enum Source {
    /// It is started by this command, which has `{endpoint}` in it.
    Command {
        /// As a shell takes it, the placeholders filled in but for `{endpoint}`.
        line: String,
        /// Whether it listens or connects.
        role: Role,
    },
    /// It is started by this command, which connects to `{endpoint}` and answers calls there.
    Worker(String),
    /// It runs already, and listens here.
    Running(SocketAddr),
}

impl Source {
    /// The command that starts it.
    pub fn line_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Command { line, .. } | Self::Worker(line) => Some(line),
            Self::Running(_) => None,
        }
    }

    /// Whether it listens for callers.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Command { role: Role::Server, .. } | Self::Running(_))
    }

    /// Whether it connects, and answers calls there.
    #[must_use]
    pub fn is_worker(&self) -> bool {
        matches!(self, Self::Worker(_))
    }
}

/// A further link of the socket under test, where its command has `{more}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum More {
    Bind,
    Connect,
}

/// What stands for further links.
const MORE: &str = "{more}";

/// One implementation under test, which is started when it is needed and ends with this value.
#[derive(Debug)]
pub struct Subject {
    source: Source,
    running: Option<Running>,
    next_id: u64,
    /// The process behind a server that cases share.
    lent: Option<u32>,
    more: Option<More>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    address: SocketAddr,
    listener: Option<TcpListener>,
    outcomes: Option<Receiver<Json>>,
    early: HashMap<u64, Json>,
    /// Where it pulls and subscribes, or pushes and publishes, if its command has placeholders for that.
    others: HashMap<&'static str, SocketAddr>,
    /// Where the kit listens for a further connection of it.
    more_listener: Option<TcpListener>,
}

/// Where a server binds a PULL and a SUB with the same service, and a client a PUSH and a PUB, if its command has these
/// placeholders.
pub const OTHERS: [&str; 4] = ["{pull}", "{sub}", "{push}", "{pub}"];

/// A process has this long to listen; interpreters on busy machines take seconds.
const START: Duration = Duration::from_secs(60);

impl Subject {
    /// One that is not running yet.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self { source, running: None, next_id: 0, lent: None, more: None }
    }

    /// A server that others use, too: it is neither ended nor restarted.
    #[must_use]
    pub fn lent(address: SocketAddr, pid: Option<u32>) -> Self {
        Self { lent: pid, ..Self::new(Source::Running(address)) }
    }

    /// Where it listens, or connects to; it is started if it does not run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn address(&mut self) -> Result<SocketAddr, Failure> {
        if let Source::Running(address) = self.source {
            return Ok(address);
        }
        if self.running.is_none() {
            let address = free_address()?;
            self.running = Some(self.start(address)?);
        }
        self.running.as_ref().map(|running| running.address).ok_or_else(gone)
    }

    fn start(&self, address: SocketAddr) -> Result<Running, Failure> {
        let (line, listens, talks) = match &self.source {
            Source::Command { line, role: Role::Server } => (line, true, false),
            Source::Command { line, role: Role::Client } => (line, false, true),
            Source::Worker(line) => (line, false, false),
            Source::Running(_) => {
                return Err(Failure::skip(
                    "the implementation under test is not the case's own to start",
                ));
            }
        };
        let listener = if listens {
            None
        } else {
            Some(TcpListener::bind(address).map_err(|error| system("listen", &error))?)
        };
        let mut line = line.replace("{endpoint}", &format!("tcp://{address}"));
        let mut others = HashMap::new();
        for placeholder in OTHERS {
            if line.contains(placeholder) {
                let other = free_address()?;
                line = line.replace(placeholder, &format!("tcp://{other}"));
                others.insert(placeholder, other);
            }
        }
        let more_listener = self.fill_in_more(&mut line, &mut others)?;
        let mut process = Process::start(&line, talks)?;
        let outcomes = process.lines();
        if listens {
            wait_until_it_listens(&mut process, address)?;
        }
        for other in others.values() {
            wait_until_it_listens(&mut process, *other)?;
        }
        Ok(Running {
            process,
            address,
            listener,
            outcomes,
            early: HashMap::new(),
            others,
            more_listener,
        })
    }

    /// Replaces what stands for further links; where the kit listens for one.
    fn fill_in_more(
        &self,
        line: &mut String,
        others: &mut HashMap<&'static str, SocketAddr>,
    ) -> Result<Option<TcpListener>, Failure> {
        let (words, listener) = match self.more {
            None => (String::new(), None),
            Some(More::Bind) => {
                let address = free_address()?;
                others.insert(MORE, address);
                (format!("bind=tcp://{address}"), None)
            }
            Some(More::Connect) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
                let listener = listener.map_err(|error| system("listen", &error))?;
                let address = listener.local_addr().map_err(|error| system("listen", &error))?;
                (format!("connect=tcp://{address}"), Some(listener))
            }
        };
        *line = line.replace(MORE, &words);
        Ok(listener)
    }

    /// It is to be started with a further link.
    pub(crate) fn with_more(&mut self, more: More) -> Result<(), Failure> {
        let has_place = self.source.line_mut().is_some_and(|line| line.contains(MORE));
        if !has_place {
            return Err(Failure::skip("the command has no placeholder {more}"));
        }
        self.more = Some(more);
        Ok(())
    }

    /// Where it has bound a further endpoint.
    pub(crate) fn more_address(&mut self) -> Result<SocketAddr, Failure> {
        self.other(MORE)
    }

    /// Where it connects to as well.
    pub(crate) fn more_listener(&mut self) -> Result<&TcpListener, Failure> {
        self.address()?;
        let running = self.running.as_ref().ok_or_else(gone)?;
        running.more_listener.as_ref().ok_or_else(gone)
    }

    /// Where it pulls or subscribes, pushes or publishes, by the placeholder; it is started if it does not run.
    pub(crate) fn other(&mut self, placeholder: &'static str) -> Result<SocketAddr, Failure> {
        self.address()?;
        let other = self.running.as_ref().and_then(|running| running.others.get(placeholder));
        other
            .copied()
            .ok_or_else(|| Failure::skip(format!("the command has no placeholder {placeholder}")))
    }

    pub(crate) fn listener(&mut self) -> Result<&TcpListener, Failure> {
        self.address()?;
        self.running
            .as_ref()
            .and_then(|running| running.listener.as_ref())
            .ok_or_else(|| Failure::skip("no client is under test"))
    }

    pub(crate) fn command(&mut self, mut command: Json) -> Result<u64, Failure> {
        self.address()?;
        self.next_id += 1;
        command["id"] = self.next_id.into();
        let running = self.running.as_mut().ok_or_else(gone)?;
        running.process.write_line(&command.to_string())?;
        Ok(self.next_id)
    }

    pub(crate) fn outcome(&mut self, id: u64, within: Duration) -> Result<Json, Failure> {
        let running = self.running.as_mut().ok_or_else(gone)?;
        let deadline = Instant::now() + within;
        loop {
            if let Some(outcome) = running.early.remove(&id) {
                return Ok(outcome);
            }
            let outcomes = running.outcomes.as_ref().ok_or_else(gone)?;
            match outcomes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(outcome) => {
                    let number = outcome["id"].as_u64().unwrap_or_default();
                    running.early.insert(number, outcome);
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::new(
                        format!("the outcome of command {id} within {within:?}"),
                        format!("none{}", running.process.words()),
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::new(
                        "the client under test to run",
                        running.process.death(),
                    ));
                }
            }
        }
    }

    /// The outcomes that are there, and that nobody has asked for.
    pub(crate) fn unread_outcomes(&mut self) -> Vec<Json> {
        let Some(running) = &mut self.running else { return Vec::new() };
        let late = running.outcomes.iter().flat_map(Receiver::try_iter);
        running.early.drain().map(|(_, outcome)| outcome).chain(late).collect()
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.process.id()).or(self.lent)
    }

    /// Whether it is a server that runs for this value alone.
    pub(crate) fn is_own_server(&self) -> bool {
        self.source.is_server() && self.running.is_some()
    }

    /// Whether it connects to the case, and answers calls.
    pub(crate) fn is_worker(&self) -> bool {
        self.source.is_worker()
    }

    /// Has the server answer a ping, on a connection of its own.
    pub(crate) fn ping(&mut self) -> Result<(), Failure> {
        /// It answers at once, or never; machines that run tests are slow and busy.
        const WITHIN: Duration = Duration::from_secs(10);
        let peer = Bytes::connect(self.address()?, Transcript::default(), 0)?.shake_hands("DEALER");
        let answered = peer.and_then(|mut peer| peer.call("_zerorpc_ping", Vec::new(), WITHIN));
        answered.map(drop).map_err(|failure| failure.during("a ping afterwards"))
    }

    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        if self.running.is_none() {
            return Err(Failure::skip(
                "the implementation under test is not the case's own to end",
            ));
        }
        let address = self.address()?;
        self.running = None;
        self.running = Some(self.start(address)?);
        Ok(())
    }

    /// The last that it said, for the end of a sentence; nothing where it said nothing.
    pub(crate) fn words(&self) -> String {
        self.running.as_ref().map(|running| running.process.words()).unwrap_or_default()
    }

    /// The same, where that is more than a few lines no more than the last of them.
    pub(crate) fn last_lines(&self) -> String {
        self.running.as_ref().map(|running| running.process.last_lines()).unwrap_or_default()
    }

    /// Why it is no longer running, if it has ended by itself.
    pub(crate) fn death(&mut self) -> Option<String> {
        let running = self.running.as_mut()?;
        running.process.has_ended().then(|| running.process.death())
    }
}

fn gone() -> Failure {
    Failure::new("the implementation under test to run", "it has ended")
}

fn system(what: &str, error: &std::io::Error) -> Failure {
    Failure::skip(format!("cannot {what}: {error}"))
}

fn free_address() -> Result<SocketAddr, Failure> {
    ports::free_address().map_err(|error| system("find a free port", &error))
}

fn wait_until_it_listens(process: &mut Process, address: SocketAddr) -> Result<(), Failure> {
    let deadline = Instant::now() + START;
    while let Err(error) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
        if process.has_ended() {
            let expected = "what is under test to start, and to go on in the foreground";
            return Err(Failure::new(expected, process.death()));
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(
                format!("what is under test to listen at {address} within {START:?}"),
                format!("{error}{}", process.words()),
            ));
        }
        // The system tells nobody that another process has begun to listen.
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
