use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker, net::TcpListener};

use super::{
    Cut, LIMIT, Service, Side,
    connection::{Connection, Fate},
};

/// Something that the thread is to do.
pub(super) type Order = Box<dyn FnOnce(&mut Engine) + Send>;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// Each connection has two tokens from here on, that of its client being the first.
const FIRST: usize = 2;

/// All that the thread of a proxy has.
pub(super) struct Engine {
    poll: Poll,
    listener: TcpListener,
    waker: Arc<Waker>,
    orders: Receiver<Order>,
    connections: Vec<Option<Connection>>,
    next_backend: usize,
    pub(super) backends: Vec<SocketAddr>,
    pub(super) service: Service,
    pub(super) delay: Duration,
    pub(super) idle_limit: Option<Duration>,
    pub(super) accepted: usize,
    pub(super) cut_idle: usize,
    pub(super) ended: bool,
}

impl Engine {
    pub(super) fn new(orders: Receiver<Order>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            poll,
            listener,
            waker,
            orders,
            connections: Vec::new(),
            next_backend: 0,
            backends: Vec::new(),
            service: Service::Forward,
            delay: Duration::ZERO,
            idle_limit: None,
            accepted: 0,
            cut_idle: 0,
            ended: false,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("the address of a bound socket")
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        while !self.ended {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                waited => waited.expect("the proxy can wait"),
            }
            if events.iter().any(|event| event.token() == LISTENER) {
                self.accept();
            }
            for event in events.iter().filter(|event| event.token().0 >= FIRST) {
                let index = (event.token().0 - FIRST) / 2;
                if let Some(Some(connection)) = self.connections.get_mut(index) {
                    connection.ready = true;
                }
            }
            self.advance();
            while let Ok(order) = self.orders.try_recv() {
                order(&mut self);
            }
        }
    }

    /// How long there is nothing to do unless something happens.
    fn timeout(&self) -> Option<Duration> {
        let now = Instant::now();
        let due = self.open().filter_map(|connection| connection.due(self.idle_limit)).min();
        due.map(|due| due.saturating_duration_since(now))
    }

    fn open(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().flatten()
    }

    fn accept(&mut self) {
        while let Ok((near, _)) = self.listener.accept() {
            self.accepted += 1;
            if self.service == Service::Close || self.open().count() >= LIMIT {
                continue;
            }
            let index = self.free_index();
            let tokens = [FIRST + 2 * index, FIRST + 2 * index + 1].map(Token);
            let connection = match self.service {
                Service::Forward => {
                    let count = self.backends.len();
                    let turn = self.next_backend;
                    self.next_backend = turn + 1;
                    // All of them, beginning with the one whose turn it is.
                    let backends = (0..count).map(|next| self.backends[(turn + next) % count]);
                    Connection::forward(self.poll.registry(), tokens, near, backends.collect())
                }
                service => Connection::answer(
                    self.poll.registry(),
                    tokens,
                    near,
                    service == Service::Greet,
                ),
            };
            // One that is gone already needs nobody.
            self.connections[index] = connection.ok();
        }
    }

    fn free_index(&mut self) -> usize {
        let free = self.connections.iter().position(Option::is_none);
        free.unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        })
    }

    /// Moves what can be moved, and ends what has ended.
    fn advance(&mut self) {
        let now = Instant::now();
        for slot in &mut self.connections {
            let Some(connection) = slot else { continue };
            match connection.advance(self.poll.registry(), now, self.delay, self.idle_limit) {
                Fate::Open => {}
                Fate::Over => *slot = None,
                Fate::Idle => {
                    self.cut_idle += 1;
                    *slot = None;
                }
            }
        }
    }

    pub(super) fn forget(&mut self) -> usize {
        self.each_forwarding(Connection::forget)
    }

    pub(super) fn half_close(&mut self, told: Side) -> usize {
        self.each_forwarding(|connection| connection.half_close(told))
    }

    fn each_forwarding(&mut self, act: impl Fn(&mut Connection)) -> usize {
        let mut count = 0;
        for connection in self.connections.iter_mut().flatten() {
            if connection.is_forwarding() {
                act(connection);
                count += 1;
            }
        }
        count
    }

    pub(super) fn forwarding(&self) -> usize {
        self.open().filter(|connection| connection.is_forwarding()).count()
    }

    pub(super) fn cut(&mut self, how: Cut) -> usize {
        let cut: Vec<Connection> = self.connections.drain(..).flatten().collect();
        let count = cut.len();
        cut.into_iter().for_each(|connection| connection.end(how));
        count
    }
}
