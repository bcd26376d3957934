use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr},
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, net::TcpStream};

use super::{Cut, Side};

/// How much may be on its way in one direction.
const ON_ITS_WAY: usize = 256 << 10;

/// How often one connection is looked at before it is another's turn.
const ROUNDS: usize = 32;

/// What ZMTP 3.1 begins with, with the mechanism NULL.
const GREETING: &[u8; 64] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    Over,
    /// Nothing went over it for too long.
    Idle,
}

/// What is done with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    Forward,
    /// It is read and thrown away, and nobody is told of anything.
    Swallow,
}

/// A connection of a client, and the one that it leads to.
pub(super) struct Connection {
    conduct: Conduct,
    tokens: [Token; 2],
    /// Gone where it has ended and the other end is not to know.
    client: Option<TcpStream>,
    backend: Option<TcpStream>,
    /// Where else it can lead if nobody listens there.
    others: VecDeque<SocketAddr>,
    /// Whether the backend has taken the connection.
    is_up: bool,
    up: Lane,
    down: Lane,
    last: Instant,
    /// Something may have come, or there is room again.
    pub(super) ready: bool,
}

impl Connection {
    pub(super) fn forward(
        registry: &Registry,
        tokens: [Token; 2],
        mut client: TcpStream,
        backends: VecDeque<SocketAddr>,
    ) -> io::Result<Self> {
        watch(registry, &mut client, tokens[0])?;
        let mut connection = Self::new(Conduct::Forward, tokens, client);
        connection.others = backends;
        connection.dial(registry)?;
        Ok(connection)
    }

    /// One that leads nowhere.
    pub(super) fn answer(
        registry: &Registry,
        tokens: [Token; 2],
        mut client: TcpStream,
        greets: bool,
    ) -> io::Result<Self> {
        watch(registry, &mut client, tokens[0])?;
        if greets {
            // It is new: there is room for so little.
            client.write_all(GREETING)?;
        }
        Ok(Self::new(Conduct::Swallow, tokens, client))
    }

    fn new(conduct: Conduct, tokens: [Token; 2], client: TcpStream) -> Self {
        Self {
            conduct,
            tokens,
            client: Some(client),
            backend: None,
            others: VecDeque::new(),
            is_up: false,
            up: Lane::default(),
            down: Lane::default(),
            last: Instant::now(),
            ready: true,
        }
    }

    pub(super) fn is_forwarding(&self) -> bool {
        self.conduct == Conduct::Forward
    }

    pub(super) fn forget(&mut self) {
        self.conduct = Conduct::Swallow;
        self.ready = true;
    }

    pub(super) fn half_close(&mut self, told: Side) {
        let (lane, stream) = match told {
            Side::Client => (&mut self.down, &self.client),
            Side::Backend => (&mut self.up, &self.backend),
        };
        lane.chunks.clear();
        lane.bytes = 0;
        lane.has_ended = true;
        lane.is_shut = true;
        if let Some(stream) = stream {
            // One that is gone already knows.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    pub(super) fn end(self, how: Cut) {
        for stream in [self.client, self.backend].into_iter().flatten() {
            if how == Cut::Reset {
                // One that is gone already is reset already.
                let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
            }
        }
    }

    /// When there is something to do though nothing happens.
    pub(super) fn due(&self, idle_limit: Option<Duration>) -> Option<Instant> {
        let chunks = [&self.up, &self.down].into_iter().filter_map(Lane::due);
        let idle = idle_limit.filter(|_| self.is_forwarding()).map(|limit| self.last + limit);
        let at_once = self.ready.then_some(self.last);
        chunks.chain(idle).chain(at_once).min()
    }

    pub(super) fn advance(
        &mut self,
        registry: &Registry,
        now: Instant,
        delay: Duration,
        idle_limit: Option<Duration>,
    ) -> Fate {
        if self.ready {
            self.up.is_blocked = false;
            self.down.is_blocked = false;
        }
        let is_due = |lane: &Lane| lane.due().is_some_and(|due| due <= now);
        if self.ready || is_due(&self.up) || is_due(&self.down) {
            self.ready = false;
            let went_well = match self.conduct {
                Conduct::Forward => self.carry(registry, now, delay),
                Conduct::Swallow => self.swallow(),
            };
            if went_well.is_err() || self.is_over() {
                return Fate::Over;
            }
        }
        match idle_limit {
            Some(limit) if self.is_forwarding() && now >= self.last + limit => Fate::Idle,
            _ => Fate::Open,
        }
    }

    fn is_over(&self) -> bool {
        match self.conduct {
            Conduct::Forward => self.up.is_shut && self.down.is_shut,
            Conduct::Swallow => self.client.is_none() && self.backend.is_none(),
        }
    }

    /// Connects to the next backend.
    fn dial(&mut self, registry: &Registry) -> io::Result<()> {
        let address = self.others.pop_front();
        let address = address.ok_or_else(|| io::Error::from(ErrorKind::ConnectionRefused))?;
        let mut backend = TcpStream::connect(address)?;
        watch(registry, &mut backend, self.tokens[1])?;
        self.backend = Some(backend);
        Ok(())
    }

    fn carry(&mut self, registry: &Registry, now: Instant, delay: Duration) -> io::Result<()> {
        while !self.is_up {
            let Some(backend) = &self.backend else { return Err(ErrorKind::NotConnected.into()) };
            match backend.take_error()? {
                Some(_) => self.dial(registry)?,
                None if backend.peer_addr().is_ok() => self.is_up = true,
                // It is told when that has changed.
                None => return Ok(()),
            }
        }
        let (Some(client), Some(backend)) = (&mut self.client, &mut self.backend) else {
            return Err(ErrorKind::NotConnected.into());
        };
        for _ in 0..ROUNDS {
            let moved_up = self.up.carry(client, backend, now, delay)?;
            let moved_down = self.down.carry(backend, client, now, delay)?;
            if !moved_up && !moved_down {
                return Ok(());
            }
            self.last = now;
        }
        self.ready = true;
        Ok(())
    }

    fn swallow(&mut self) -> io::Result<()> {
        let mut scratch = [0; 16 << 10];
        for stream in [&mut self.client, &mut self.backend] {
            for round in 0..=ROUNDS {
                let Some(open) = stream else { break };
                match open.read(&mut scratch) {
                    Ok(1..) => self.ready |= round == ROUNDS,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Ok(0) | Err(_) => *stream = None,
                }
            }
        }
        Ok(())
    }
}

fn watch(registry: &Registry, stream: &mut TcpStream, token: Token) -> io::Result<()> {
    // What is forwarded late is late on purpose.
    stream.set_nodelay(true)?;
    registry.register(stream, token, Interest::READABLE | Interest::WRITABLE)
}

/// What is on its way in one direction.
#[derive(Default)]
struct Lane {
    /// When each may be written, and how much of it was.
    chunks: VecDeque<(Instant, Vec<u8>, usize)>,
    bytes: usize,
    /// The receiver has no room.
    is_blocked: bool,
    /// Nothing more comes.
    has_ended: bool,
    /// The receiver knows it.
    is_shut: bool,
}

impl Lane {
    fn due(&self) -> Option<Instant> {
        self.chunks.front().filter(|_| !self.is_blocked).map(|(due, ..)| *due)
    }

    /// Reads and writes once each; whether anything was moved.
    fn carry(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        now: Instant,
        delay: Duration,
    ) -> io::Result<bool> {
        let read = self.read(from, now + delay)?;
        let written = self.write(to, now)?;
        if self.has_ended && self.chunks.is_empty() && !self.is_shut {
            self.is_shut = true;
            to.shutdown(Shutdown::Write)?;
        }
        Ok(read || written)
    }

    fn read(&mut self, from: &mut TcpStream, due: Instant) -> io::Result<bool> {
        let mut scratch = [0; 16 << 10];
        if self.bytes >= ON_ITS_WAY {
            return Ok(false);
        }
        match from.read(&mut scratch) {
            // After a half-close, what the silenced side goes on to send is read and thrown away.
            Ok(1..) if self.is_shut => Ok(true),
            Ok(0) => {
                self.has_ended = true;
                Ok(false)
            }
            Ok(count) => {
                self.bytes += count;
                self.chunks.push_back((due, scratch[..count].to_vec(), 0));
                Ok(true)
            }
            Err(error) if is_transient(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, to: &mut TcpStream, now: Instant) -> io::Result<bool> {
        let Some((due, bytes, written)) = self.chunks.front_mut() else { return Ok(false) };
        if *due > now {
            return Ok(false);
        }
        match to.write(&bytes[*written..]) {
            Ok(count) => {
                *written += count;
                self.bytes -= count;
                if *written == bytes.len() {
                    self.chunks.pop_front();
                }
                Ok(true)
            }
            Err(error) if is_transient(&error) => {
                self.is_blocked = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
