//! A TCP proxy on a loopback port that a test can make misbehave, as networks, balancers and firewalls do.
//!
//! ```
//! use std::{io::{Read, Write}, net::{TcpListener, TcpStream}};
//! use zerorpc_tests::proxy::Proxy;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let proxy = Proxy::before([&format!("tcp://{}", listener.local_addr()?)]);
//! let mut near = TcpStream::connect(proxy.address())?;
//! let (mut far, _) = listener.accept()?;
//! near.write_all(b"there")?;
//! let mut bytes = [0; 5];
//! far.read_exact(&mut bytes)?;
//! assert_eq!(&bytes, b"there");
//!
//! // A router that was restarted: whatever is sent from now on is gone, and nobody says so.
//! assert_eq!(proxy.forget(), 1);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! One thread serves all connections, [`LIMIT`] at most, and ends when the [`Proxy`] is dropped.

mod connection;
mod engine;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use engine::{Engine, Order};

/// How many connections a proxy has open at a time; further ones are closed as they come.
pub const LIMIT: usize = 1024;

/// What becomes of a connection that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It is forwarded to the next backend in turn, or the one after that if nobody listens there.
    Forward,
    /// It stays open, and nothing is ever said.
    Mute,
    /// It is greeted as ZMTP has it, and nothing more is said.
    Greet,
    /// It is closed at once.
    Close,
}

/// One of the two ends of a forwarded connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that has connected to the proxy.
    Client,
    /// The one that the proxy has connected to.
    Backend,
}

/// How connections are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// As a program does that closes its socket (FIN).
    Close,
    /// As a program's crash or a firewall does (RST).
    Reset,
}

/// A proxy at work.
pub struct Proxy {
    address: SocketAddr,
    orders: mpsc::Sender<Order>,
    waker: Arc<mio::Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy on a free loopback port, before servers at `tcp://` endpoints.
    ///
    /// # Panics
    /// When an endpoint is none, or nothing can be bound.
    pub fn before<E: AsRef<str>>(backends: impl IntoIterator<Item = E>) -> Self {
        let (orders, received) = mpsc::channel();
        let mut engine = Engine::new(received).expect("a free loopback port");
        engine.backends = addresses(backends);
        let (address, waker) = (engine.address(), engine.waker());
        let thread = std::thread::spawn(move || engine.run());
        Self { address, orders, waker, thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same, for clients of ours.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Where connections lead that come from now on.
    ///
    /// # Panics
    /// When an endpoint is none.
    pub fn set_backends<E: AsRef<str>>(&self, backends: impl IntoIterator<Item = E>) {
        let backends = addresses(backends);
        self.order(move |engine| engine.backends = backends);
    }

    /// What becomes of connections that come from now on.
    pub fn set_service(&self, service: Service) {
        self.order(move |engine| engine.service = service);
    }

    /// How long all bytes are on their way, from now on.
    pub fn set_delay(&self, delay: Duration) {
        self.order(move |engine| engine.delay = delay);
    }

    /// Ends connections over which nothing went for so long, as proxies do; `None`: never.
    pub fn set_idle_limit(&self, limit: Option<Duration>) {
        self.order(move |engine| engine.idle_limit = limit);
    }

    /// Forgets all forwarded connections, as a NAT does that is restarted: they stay open, what is sent over them is gone,
    /// and neither end is told of the other's end. How many they are. New connections are served.
    pub fn forget(&self) -> usize {
        self.order(Engine::forget)
    }

    /// Ends all connections. How many they are.
    pub fn cut(&self, how: Cut) -> usize {
        self.order(move |engine| engine.cut(how))
    }

    /// Tells one side of all forwarded connections that nothing more will come, and goes on with what it sends.
    /// How many they are.
    pub fn half_close(&self, told: Side) -> usize {
        self.order(move |engine| engine.half_close(told))
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.order(|engine| engine.accepted)
    }

    /// How many connections were ended because they were idle for too long.
    #[must_use]
    pub fn cut_idle(&self) -> usize {
        self.order(|engine| engine.cut_idle)
    }

    /// How many connections are forwarded now; those that were forgotten are not.
    #[must_use]
    pub fn forwarding(&self) -> usize {
        self.order(|engine| engine.forwarding())
    }

    /// Has the thread do something, and waits until it is done.
    fn order<T: Send + 'static>(&self, act: impl FnOnce(&mut Engine) -> T + Send + 'static) -> T {
        let (answer, answered) = mpsc::sync_channel(1);
        let order: Order = Box::new(move |engine| {
            // Whoever asked waits for it.
            let _ = answer.send(act(engine));
        });
        self.orders.send(order).expect("the proxy is at work");
        self.waker.wake().expect("the proxy can be woken");
        answered.recv().expect("the proxy is at work")
    }
}

fn addresses<E: AsRef<str>>(endpoints: impl IntoIterator<Item = E>) -> Vec<SocketAddr> {
    let address = |endpoint: E| {
        let endpoint = endpoint.as_ref();
        let address = endpoint.strip_prefix("tcp://").and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("{endpoint} is no address of a backend"))
    };
    endpoints.into_iter().map(address).collect()
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only for a thread that has ended.
        let _ = self.orders.send(Box::new(|engine| engine.ended = true));
        let _ = self.waker.wake();
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(ended.is_some_and(|ended| ended.is_ok()), "the proxy has panicked");
        }
    }
}
