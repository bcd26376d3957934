//! Where the peer listens, and where it connects to.

use std::{
    io::{self, ErrorKind},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Duration, Instant},
};

use zerorpc_zmtp::{ConnectionId, Origin};

use super::fault::Quirk;

/// How long to wait before a connection is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Place {
    /// `HOST:PORT`.
    pub(crate) address: String,
    /// Connects, instead of binding.
    pub(crate) dials: bool,
}

/// All endpoints of one peer; a fault may spoil those behind the first one.
#[derive(Debug)]
pub(crate) struct Places {
    listeners: Vec<Listener>,
    dialers: Vec<Dialer>,
    quirks: Vec<Quirk>,
    /// Whether any handshake has been completed.
    has_shaken: bool,
}

#[derive(Debug)]
struct Listener {
    address: String,
    socket: TcpListener,
    is_first: bool,
    has_accepted: bool,
}

#[derive(Debug)]
struct Dialer {
    address: String,
    is_first: bool,
    /// When to dial.
    at: Option<Instant>,
    dialing: Option<mpsc::Receiver<io::Result<TcpStream>>>,
    connection: Option<ConnectionId>,
}

/// A stream that is there, and where it belongs.
pub(crate) struct Found {
    pub(crate) stream: TcpStream,
    pub(crate) origin: Origin,
    pub(crate) address: String,
    dialer: Option<usize>,
}

impl Places {
    /// Binds what is to be bound.
    pub(crate) fn new(places: &[Place], quirks: &[Quirk], now: Instant) -> io::Result<Self> {
        let (mut listeners, mut dialers) = (Vec::new(), Vec::new());
        for (index, Place { address, dials }) in places.iter().enumerate() {
            let (address, is_first) = (address.clone(), index == 0);
            if *dials {
                let is_wanted = is_first || !quirks.contains(&Quirk::MoreUnused);
                let at = is_wanted.then_some(now);
                dialers.push(Dialer { address, is_first, at, dialing: None, connection: None });
                continue;
            }
            let socket = TcpListener::bind(&address)?;
            socket.set_nonblocking(true)?;
            listeners.push(Listener { address, socket, is_first, has_accepted: false });
        }
        Ok(Self { listeners, dialers, quirks: quirks.to_vec(), has_shaken: false })
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// What is to be waited for until it can be accepted from.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = &TcpListener> {
        self.listeners.iter().map(|listener| &listener.socket)
    }

    /// When to come back.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.dialers.iter().filter(|dialer| dialer.dialing.is_none());
        waiting.filter_map(|dialer| dialer.at).min()
    }

    /// Accepts what waits.
    pub(crate) fn accept(&mut self) -> Vec<Found> {
        let [is_unused, is_once] =
            [Quirk::MoreUnused, Quirk::MoreOnce].map(|quirk| self.quirks.contains(&quirk));
        let mut found = Vec::new();
        for listener in &mut self.listeners {
            loop {
                match listener.socket.accept() {
                    Ok((stream, _)) => {
                        let is_refused = is_unused || is_once && listener.has_accepted;
                        listener.has_accepted = true;
                        if is_refused && !listener.is_first {
                            continue;
                        }
                        let (origin, address) = (Origin::Accepted, listener.address.clone());
                        found.push(Found { stream, origin, address, dialer: None });
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => {
                        eprintln!("cannot accept: {error}");
                        break;
                    }
                }
            }
        }
        found
    }

    /// Dials what is due, and takes what has come of it; `wake` makes what wakes the loop.
    pub(crate) fn dial<W: Fn() + Send + 'static>(
        &mut self,
        now: Instant,
        wake: impl Fn() -> io::Result<W>,
    ) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for (index, dialer) in self.dialers.iter_mut().enumerate() {
            if dialer.at.is_some_and(|at| at <= now) && dialer.dialing.is_none() {
                dialer.at = None;
                let (tell, told) = mpsc::channel();
                let (address, wake) = (dialer.address.clone(), wake()?);
                std::thread::spawn(move || {
                    let connected = TcpStream::connect(address);
                    if tell.send(connected).is_ok() {
                        wake();
                    }
                });
                dialer.dialing = Some(told);
            }
            match dialer.dialing.as_ref().map(mpsc::Receiver::try_recv) {
                Some(Ok(Ok(stream))) => {
                    dialer.dialing = None;
                    let (origin, address) = (Origin::Dialed, dialer.address.clone());
                    found.push(Found { stream, origin, address, dialer: Some(index) });
                }
                Some(Ok(Err(_))) => {
                    dialer.dialing = None;
                    dialer.at = Some(now + RETRY);
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// What was found is this connection now.
    pub(crate) fn opened(&mut self, dialer: Option<usize>, connection: ConnectionId) {
        if let Some(dialer) = dialer.and_then(|index| self.dialers.get_mut(index)) {
            dialer.connection = Some(connection);
        }
    }

    pub(crate) fn shaken(&mut self) {
        self.has_shaken = true;
    }

    /// A connection has ended, or is about to: there may be somebody else at its endpoint.
    pub(crate) fn leave(&mut self, now: Instant, connection: ConnectionId) {
        let gives_up = self.has(Quirk::NoReconnect) || self.has(Quirk::NoRetry) && !self.has_shaken;
        let is_once = self.has(Quirk::MoreOnce);
        for dialer in &mut self.dialers {
            if dialer.connection == Some(connection) {
                dialer.connection = None;
                let stays_away = gives_up || is_once && !dialer.is_first;
                dialer.at = (!stays_away).then_some(now + RETRY);
            }
        }
    }
}

impl Found {
    pub(crate) fn dialer(&self) -> Option<usize> {
        self.dialer
    }
}
