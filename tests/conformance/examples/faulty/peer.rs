//! The peer: the project's session and socket in a loop over poll(2), with a fault between its parts.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::mpsc,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zerorpc_proto::{
    Config, Multipart, Notice, PeerEvent, PeerId, RemoteError, Route, Session, Transmit,
    transport::{Flow, MemoryBounds, SocketKind, SocketOptions},
};
use zerorpc_zmtp::{ConnectionId, Socket, SocketEvent};

use super::{
    fault::{Fault, Hook, Quirk},
    link::Link,
    places::{Found, Place, Places},
    tamper::{Due, Tamper},
};

/// How the peer is started.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) places: Vec<Place>,
    pub(crate) heartbeat: Duration,
    pub(crate) fault: Option<&'static Fault>,
    /// Where it binds sockets that only send or only receive.
    pub(crate) others: Vec<(SocketKind, Place)>,
}

impl Setup {
    pub(crate) fn hooks(&self) -> &'static [Hook] {
        self.fault.map_or(&[], |fault| fault.hooks)
    }

    pub(crate) fn quirks(&self) -> Vec<Quirk> {
        let quirk = |hook: &Hook| match hook {
            Hook::Peer(quirk) => Some(*quirk),
            _ => None,
        };
        self.hooks().iter().filter_map(quirk).collect()
    }
}

/// What the peer is for.
pub(crate) trait Application {
    /// Something happened to a call or a request.
    fn handle_notice(&mut self, session: &mut Session, now: Instant, notice: Notice);
    /// Does what comes from outside, and is due; when to come back.
    fn poll(&mut self, session: &mut Session, now: Instant) -> Option<Instant>;
}

/// Takes messages.
type Receiver = Box<dyn FnMut(&Multipart)>;

pub(crate) struct Peer {
    setup: Setup,
    session: Session,
    socket: Socket,
    bounds: MemoryBounds,
    tamper: Tamper,
    /// What others want to have sent.
    orders: Option<mpsc::Receiver<Transmit>>,
    /// Takes what comes, in place of the session.
    receiver: Option<Receiver>,
    places: Places,
    links: BTreeMap<ConnectionId, Link>,
    /// Who is there.
    peers: Vec<PeerId>,
    woken: UnixStream,
    waker: UnixStream,
}

impl Peer {
    /// A peer with a socket of this kind, bound where it does not dial.
    pub(crate) fn new(setup: Setup, kind: SocketKind) -> Result<Self, Box<dyn Error>> {
        let now = Instant::now();
        let seed = u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?);
        let mut config = match kind {
            SocketKind::Router => Config::server(seed),
            _ => Config::client(seed),
        };
        let intervals = setup.hooks().iter().find_map(|hook| match hook {
            Hook::Interval(intervals) => Some(*intervals),
            _ => None,
        });
        config = config.heartbeat(setup.heartbeat.mul_f64(intervals.unwrap_or(1.0)));
        let session = Session::new(config);
        let bounds = match kind {
            SocketKind::Router => MemoryBounds::of_server(session.limits()),
            _ => MemoryBounds::of_client(session.limits()),
        };
        let (woken, waker) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        Ok(Self {
            orders: None,
            receiver: None,
            tamper: Tamper::new(setup.hooks(), now, setup.heartbeat),
            places: Places::new(&setup.places, &setup.quirks(), now)?,
            setup,
            session,
            socket: Socket::new(kind, &SocketOptions::default()),
            bounds,
            links: BTreeMap::new(),
            peers: Vec::new(),
            woken,
            waker,
        })
    }

    /// Sends what comes here, too.
    pub(crate) fn with_orders(mut self, orders: mpsc::Receiver<Transmit>) -> Self {
        self.orders = Some(orders);
        self
    }

    /// What comes goes there, instead of to the session.
    pub(crate) fn with_receiver(mut self, receiver: impl FnMut(&Multipart) + 'static) -> Self {
        self.receiver = Some(Box::new(receiver));
        self
    }

    /// Wakes the loop, from any thread.
    pub(crate) fn waker(&self) -> std::io::Result<impl Fn() + Send + Sync + use<>> {
        wakes(&self.waker)
    }

    /// Never returns but with an error.
    pub(crate) fn run(mut self, mut app: impl Application) -> Result<(), Box<dyn Error>> {
        loop {
            let until = self.work(&mut app)?;
            let (ready, accepts) = self.wait(until)?;
            let now = Instant::now();
            for connection in ready.into_iter().chain(self.socket.due(now)) {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.read(now, &mut self.socket, connection);
                    link.write(now, &mut self.socket, connection);
                }
            }
            if accepts {
                let found = self.places.accept();
                self.open(now, found)?;
            }
            if !self.has(Quirk::StrangersStay) {
                self.socket.handle_timeout(now);
            }
            self.exchange(now);
            if self.session.poll_timeout().is_some_and(|due| due <= now) {
                self.session.handle_timeout(now);
            }
        }
    }

    /// Does all that there is to do; until when it may wait then.
    fn work(&mut self, app: &mut impl Application) -> Result<Option<Instant>, Box<dyn Error>> {
        loop {
            let now = Instant::now();
            let found = self.places.dial(now, || wakes(&self.waker))?;
            self.open(now, found)?;
            let wanted = app.poll(&mut self.session, now);
            self.exchange(now);
            if let Some(event) = self.socket.poll_event() {
                self.handle_event(now, event);
            } else if let Some(notice) = self.session.poll_notice() {
                app.handle_notice(&mut self.session, now, notice);
            } else if let Some(connection) = self.socket.poll_flush() {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.write(now, &mut self.socket, connection);
                }
            } else {
                let of_socket = self.socket.poll_timeout();
                let due = [
                    self.session.poll_timeout(),
                    of_socket.filter(|_| !self.has(Quirk::StrangersStay)),
                    self.bounds.poll_timeout(),
                    self.tamper.poll_timeout(),
                    self.places.poll_timeout(),
                    wanted,
                ];
                return Ok(due.into_iter().flatten().min());
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: SocketEvent) {
        match event {
            SocketEvent::Closed(closed) => {
                if let Some(link) = self.links.remove(&closed.connection) {
                    if self.has(Quirk::KeepsDescriptors) {
                        std::mem::forget(link.stream.try_clone());
                    }
                    link.part(closed.last_words);
                }
                self.places.leave(now, closed.connection);
            }
            SocketEvent::Ready { .. } => self.places.shaken(),
            SocketEvent::GoingAway { connection, .. } => self.places.leave(now, connection),
            _ => {}
        }
    }

    fn open(&mut self, now: Instant, found: Vec<Found>) -> std::io::Result<()> {
        for found in found {
            if self.has(Quirk::FewConnections) && self.links.len() >= 100 {
                continue;
            }
            let (dialer, remote) = (found.dialer(), format!("tcp://{}", found.address));
            let link = Link::new(found.stream, self.setup.hooks())?;
            let connection = self.socket.open_connection(now, found.origin, remote);
            self.places.opened(dialer, connection);
            self.links.insert(connection, link);
        }
        Ok(())
    }

    /// Waits until a stream can be read, or written where that is wanted, or it is time; which ones, and whether any listener.
    fn wait(&mut self, until: Option<Instant>) -> std::io::Result<(Vec<ConnectionId>, bool)> {
        let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
        let has_strangers = self.links.len() > self.peers.len();
        if !(has_strangers && self.has(Quirk::OneHandshakeAtATime)) {
            let listeners = self.places.listeners();
            fds.extend(listeners.map(|listener| PollFd::new(listener, PollFlags::IN)));
        }
        let others = fds.len();
        fds.extend(self.links.iter().map(|(connection, link)| {
            let wants_room = link.wants_room(&self.socket, *connection);
            let room = if wants_room { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::new(&link.stream, PollFlags::IN | room)
        }));
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        rustix::io::retry_on_intr(|| poll(&mut fds, timeout.as_ref()))?;
        let is_ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let accepts = is_ready[1..others].contains(&true);
        let ready = self.links.keys().zip(&is_ready[others..]).filter(|(_, is_ready)| **is_ready);
        let ready = ready.map(|(connection, _)| *connection).collect();
        let mut wakes = [0; 64];
        while matches!((&self.woken).read(&mut wakes), Ok(64)) {}
        Ok((ready, accepts))
    }

    /// Moves messages between session and socket until nothing moves any more.
    fn exchange(&mut self, now: Instant) {
        loop {
            let mut moved = false;
            while let Some((from, message)) = self.socket.receive() {
                for message in self.tamper.incoming(now, from, message) {
                    self.take(now, from, message);
                }
                moved = true;
            }
            while let Some(event) = self.socket.poll_peer_event() {
                match &event {
                    PeerEvent::Up(peer) => self.peers.push(*peer),
                    PeerEvent::Down(gone, _) => {
                        self.peers.retain(|peer| peer != gone);
                        if self.has(Quirk::EndsWithCallers) && self.session.open_channels() > 0 {
                            std::process::exit(70);
                        }
                    }
                    _ => {}
                }
                self.session.handle_peer_event(now, event);
                moved = true;
            }
            while let Some((peer, reason)) = self.session.poll_disconnect() {
                self.socket.reset(peer, reason);
                moved = true;
            }
            while let Some(due) = self.tamper.poll_due(now) {
                match due {
                    Due::Send(message) => self.send(now, message),
                    Due::Receive(from, message) => {
                        if self.peers.contains(&from) || !self.has(Quirk::ForgetsTheGone) {
                            self.take(now, from, message);
                        }
                    }
                }
                moved = true;
            }
            while self.session.has_output()
                && self.socket.can_send()
                && let Some(message) = self.session.poll_transmit()
            {
                for message in self.tamper.outgoing(now, message, &self.peers) {
                    self.send(now, message);
                }
                moved = true;
            }
            while self.socket.can_send()
                && let Some(Ok(message)) = self.orders.as_ref().map(mpsc::Receiver::try_recv)
            {
                for message in self.tamper.outgoing(now, message, &self.peers) {
                    self.send(now, message);
                }
                moved = true;
            }
            if !moved && !self.enforces_bounds(now) {
                return;
            }
        }
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.setup.quirks().contains(&quirk)
    }

    fn take(&mut self, now: Instant, from: PeerId, message: Multipart) {
        match &mut self.receiver {
            Some(receive) => receive(&message),
            None => self.session.handle_message(now, from, message),
        }
    }

    fn send(&mut self, now: Instant, message: Transmit) {
        let route = Route::of(message.to, &message.envelope);
        if let Ok(Flow::Congested(bytes)) = self.socket.send(message) {
            self.session.handle_peer_event(now, PeerEvent::Congested(route, bytes));
        }
    }

    /// Cuts off whoever makes this side keep too much; whether anybody did.
    fn enforces_bounds(&mut self, now: Instant) -> bool {
        let Self { session, socket, bounds, .. } = self;
        let mut found: Vec<(Route, String)> =
            bounds.unread(now, session, |peer: PeerId| socket.progress_of(peer));
        if found.is_empty() && bounds.is_over(session.retained_bytes() + socket.retained_bytes()) {
            let retained = session.retained_by_route().chain(socket.retained_by_route());
            found.extend(MemoryBounds::largest(retained));
        }
        for (route, reason) in &found {
            socket.discard(route.peer);
            let words = format!("the connection was ended: {reason}");
            session.dismiss(now, route, &RemoteError::new("ServerBusy", words));
            socket.cut_off(route.peer, reason);
        }
        !found.is_empty()
    }
}

/// Wakes the loop that reads the other end.
fn wakes(waker: &UnixStream) -> std::io::Result<impl Fn() + Send + Sync + use<>> {
    let waker = waker.try_clone()?;
    // One byte that waits is enough.
    Ok(move || drop((&waker).write(&[1])))
}
