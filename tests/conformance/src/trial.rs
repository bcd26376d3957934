//! What a case gets: the implementation under test, and connections to it.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
};
use serde_json::Value as Json;

use crate::{
    contract::unsupported,
    failure::Failure,
    raw::{Bytes, Peer},
    subject::{More, Subject},
    transcript::Transcript,
};

/// One run of one case.
#[derive(Debug)]
pub struct Trial {
    subject: Subject,
    interval: Duration,
    transcript: Transcript,
    connections: u32,
}

impl Trial {
    pub(crate) fn new(subject: Subject, interval: Duration) -> Self {
        Self { subject, interval, transcript: Transcript::default(), connections: 0 }
    }

    /// The record of what went over the wire.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The heartbeat interval of the implementation under test.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// A bound for what is due at once. It is generous, for machines that are busy.
    #[must_use]
    pub fn soon(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// How long to listen where nothing is to come at once: shorter than a heartbeat interval.
    #[must_use]
    pub fn moment(&self) -> Duration {
        (self.interval / 4).min(Duration::from_millis(300))
    }

    /// Where the server under test listens, or where the client under test connects to.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn address(&mut self) -> Result<SocketAddr, Failure> {
        self.subject.address()
    }

    /// A connection to the server under test, as a DEALER behind its handshake.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn connect(&mut self) -> Result<Peer, Failure> {
        self.connect_bytes()?.shake_hands("DEALER")
    }

    /// A connection to the server under test on which nothing has been said.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn connect_bytes(&mut self) -> Result<Bytes, Failure> {
        if self.subject.is_worker() {
            /// It pauses before each connection that it makes again, longer and longer.
            const MOST: u32 = 20;
            if self.connections >= MOST {
                return Err(Failure::skip("a worker makes no crowd of connections"));
            }
            let is_first = self.connections == 0;
            return self.accept_bytes().map_err(|failure| match is_first {
                true => failure,
                // It is busy with the one that it has.
                false => Failure::skip("a worker makes one connection at a time"),
            });
        }
        let address = self.subject.address()?;
        self.connections += 1;
        Bytes::connect(address, self.transcript.clone(), self.connections)
    }

    /// A connection to where the server under test pulls (`{pull}`) or subscribes (`{sub}`), or the client pushes (`{push}`) or
    /// publishes (`{pub}`), on which nothing has been said.
    ///
    /// # Errors
    /// When there is none to be had. Skips the case where its command has no such placeholder.
    pub fn connect_to_other(&mut self, placeholder: &'static str) -> Result<Bytes, Failure> {
        let address = self.subject.other(placeholder)?;
        self.connections += 1;
        Bytes::connect(address, self.transcript.clone(), self.connections)
    }

    /// The socket under test is to bind one more endpoint, `{more}`.
    ///
    /// # Errors
    /// Skips the case where its command has no such placeholder.
    pub fn also_binds(&mut self) -> Result<(), Failure> {
        self.subject.with_more(More::Bind)
    }

    /// The socket under test is to connect to one more endpoint, `{more}`.
    ///
    /// # Errors
    /// Skips the case where its command has no such placeholder.
    pub fn also_connects(&mut self) -> Result<(), Failure> {
        self.subject.with_more(More::Connect)
    }

    /// A connection to the endpoint that the server under test has bound as well.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn connect_to_more(&mut self) -> Result<Bytes, Failure> {
        let address = self.subject.more_address()?;
        self.connections += 1;
        Bytes::connect(address, self.transcript.clone(), self.connections)
    }

    /// The next connection to the endpoint that the socket under test connects to as well.
    ///
    /// # Errors
    /// When none comes.
    pub fn accept_more(&mut self) -> Result<Bytes, Failure> {
        let stream = self.accept_within(Duration::from_secs(20), Subject::more_listener)?;
        self.connections += 1;
        Bytes::from_stream(stream, self.transcript.clone(), self.connections)
    }

    /// The next connection of the client under test, which is started if it does not run, as a ROUTER behind its
    /// handshake.
    ///
    /// # Errors
    /// When it does not connect.
    pub fn accept(&mut self) -> Result<Peer, Failure> {
        self.accept_bytes()?.shake_hands("ROUTER")
    }

    /// The next connection of the client under test, which is started if it does not run; nothing has been said on it.
    ///
    /// # Errors
    /// When it does not connect.
    pub fn accept_bytes(&mut self) -> Result<Bytes, Failure> {
        let is_second = self.subject.is_worker() && self.connections > 0;
        let within = Duration::from_secs(if is_second { 5 } else { 20 });
        let stream = self.accept_within(within, Subject::listener)?;
        self.connections += 1;
        Bytes::from_stream(stream, self.transcript.clone(), self.connections)
    }

    /// The next connection that comes to one of the listeners, unless the process ends before.
    fn accept_within(
        &mut self,
        within: Duration,
        listener: impl Fn(&mut Subject) -> Result<&TcpListener, Failure>,
    ) -> Result<TcpStream, Failure> {
        /// How long it may go unnoticed that the process has ended.
        const SLICE: Duration = Duration::from_millis(100);
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(stream) = accept(listener(&mut self.subject)?, left.min(SLICE))? {
                return Ok(stream);
            }
            if left.is_zero() || self.subject.death().is_some() {
                let expected = format!("a connection within {within:?}");
                return Err(Failure::new(expected, "none came"));
            }
        }
    }

    /// Has the client under test do something, as its contract has it; the `id` is added and given back.
    ///
    /// # Errors
    /// When it is gone.
    pub fn command(&mut self, command: Json) -> Result<u64, Failure> {
        self.transcript.note(0, format!("command: {command}"));
        self.subject.command(command)
    }

    /// What came of the command with this id.
    ///
    /// # Errors
    /// When nothing is said `within` that time.
    pub fn outcome(&mut self, id: u64, within: Duration) -> Result<Json, Failure> {
        let outcome = self.subject.outcome(id, within)?;
        self.transcript.note(0, format!("outcome: {outcome}"));
        unsupported(&outcome).map_or(Ok(outcome), Err)
    }

    /// The process under test, where the kit has started it.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.subject.pid()
    }

    /// Ends the process under test without a word, and starts another at the same address.
    ///
    /// # Errors
    /// When there is none to be had, and in cases that share their process with others.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.transcript.note(0, "the process is killed and started again");
        self.subject.restart()
    }

    /// Writes something into the transcript.
    pub fn note(&self, words: impl Into<String>) {
        self.transcript.note(0, words);
    }

    pub(crate) fn into_subject(self) -> Subject {
        self.subject
    }
}

/// The next connection, if one comes in this time.
fn accept(listener: &TcpListener, within: Duration) -> Result<Option<TcpStream>, Failure> {
    let broken = |error: io::Error| Failure::new("a connection of the client", error.to_string());
    // One that is gone before it is taken must not keep the case waiting.
    listener.set_nonblocking(true).map_err(broken)?;
    let timeout = Timespec::try_from(within).ok();
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    retry_on_intr(|| poll(&mut fds, timeout.as_ref())).map_err(|error| broken(error.into()))?;
    match listener.accept() {
        Ok((stream, _)) => {
            stream.set_nonblocking(false).map_err(broken)?;
            Ok(Some(stream))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(broken(error)),
    }
}
