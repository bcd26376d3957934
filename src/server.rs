//! Serving: a socket, a service, and workers that run its methods.

mod builtin;
mod contention;
mod desk;
mod load;
mod responder;
mod worker;

use std::{
    sync::mpsc::Sender,
    time::{Duration, Instant},
};

use zerorpc_proto::{Config, Keepalive, Limits, MonitorEvent, Session, SocketKind, SocketOptions};

pub(crate) use desk::Desk;
pub use responder::{Responder, send_together};

use crate::{
    driver::{Driver, OnFreed},
    error::Error,
    live::LiveLinks,
    service::Service,
    socket::{Endpoints, Links, TransportKind, seed},
    sync::{Arc, JoinHandle, Mutex},
    thread::join,
};

/// How many methods run at a time unless [`ServerBuilder::pool_size`] says otherwise.
pub const DEFAULT_POOL_SIZE: usize = 1024;

/// A server at work. It serves from the moment it is built until it is shut down or dropped.
///
/// Methods run on a pool of threads that grows with need. However long they take, heartbeats leave on time and
/// other calls are taken. A stream that waits for its caller occupies no thread.
///
/// ```
/// use zerorpc::{Client, Methods, Server};
///
/// let service = Methods::new("calculator")
///     .method("add", |a: i64, b: i64| Ok(a + b))
///     .stream("count", |n: u64| Ok(0..n));
/// let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
///
/// let client = Client::connect(&server.endpoints()[0])?;
/// assert_eq!(client.call::<i64>("add", (20, 22))?, 42);
/// let counted: Result<Vec<u64>, _> = client.stream("count", (3,))?.collect();
/// assert_eq!(counted?, [0, 1, 2]);
/// # Ok::<(), zerorpc::Error>(())
/// ```
///
/// # Forking
///
/// A server serves in the process that has made it, and nowhere else. In a forked child it has no threads: dropping it or
/// shutting it down does nothing there and does not disturb the parent, and its links cannot be changed
/// ([`Error::Forked`]). The child of a method that forks should become another program or end: where it returns from the
/// method, its thread ends, and with it the child. As long as a child lives that became no other program, the ports of the
/// server stay taken, since it has a copy of them.
pub struct Server {
    driver: Arc<Driver>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    endpoints: Endpoints,
}

impl Server {
    /// What to serve, and where.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            service: None,
            links: Links::default(),
            pool_size: None,
            config: Config::server(0),
            on_freed: None,
        }
    }

    /// The endpoints that were bound when the server was built, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints.bound
    }

    /// Makes and undoes links while calls go on.
    #[must_use]
    pub fn links(&self) -> LiveLinks<'_> {
        LiveLinks(&*self.driver)
    }

    /// Ends the server: it [takes no new calls](Self::drain), those that are running get `grace` to finish, then the socket
    /// is closed. True when they all did.
    ///
    /// Calls that wait for a thread are begun in the first half of that time, so that they may end in the other; those that
    /// are left are given back, to run elsewhere. Methods cannot be interrupted: one that is still running goes on, but
    /// nobody gets its answer. Later calls do nothing.
    pub fn shutdown(&self, grace: Duration) -> bool {
        if self.driver.home.is_elsewhere() {
            return false;
        }
        let mut finished = self.drain(grace / 2);
        if !finished {
            let mut state = self.driver.lock();
            self.driver.give_back(&mut state);
            drop(state);
            finished = self.drain(grace / 2);
        }
        let mut state = self.driver.lock();
        if state.session.open_channels() == 0 {
            self.driver.finish(&mut state);
        }
        drop(state);
        self.driver.shut();
        join(self.keeper.lock().take());
        finished
    }

    /// Takes no new calls from now on, and waits until those that are running have ended, for `grace` at most; true when
    /// they all have.
    ///
    /// Nothing is lost by it: nobody is let in any more, clients of this crate are told that the server is about to stop, and
    /// send what reaches it all the same to another server, or wait for one as long as they have time. Other clients get
    /// the error `ServerStopping`. (libzmq cannot refuse connections and keep those it has: there, requests are turned
    /// down, and those that are on their way when the socket is closed are lost.)
    pub fn drain(&self, grace: Duration) -> bool {
        if self.driver.home.is_elsewhere() {
            return false;
        }
        let deadline = Instant::now().checked_add(grace);
        let mut state = self.driver.lock();
        self.driver.drain(&mut state);
        while state.session.open_channels() > 0 && state.closed.is_none() {
            let timed_out;
            (state, timed_out) = state.wait_until(&self.driver.quiet_bell, deadline);
            if timed_out {
                break;
            }
        }
        state.session.open_channels() == 0
    }

    /// Blocks until the server was shut down by another thread, or its socket failed.
    pub fn wait(&self) {
        if self.driver.home.is_elsewhere() {
            return;
        }
        let mut state = self.driver.lock();
        while state.closed.is_none() {
            (state, _) = state.wait_until(&self.driver.closed_bell, None);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.driver.home.is_elsewhere() {
            return self.driver.abandon(self.keeper.get_mut().take());
        }
        self.shutdown(Duration::ZERO);
    }
}

/// Makes a [`Server`].
#[must_use]
pub struct ServerBuilder {
    service: Option<Arc<dyn Service>>,
    links: Links,
    pool_size: Option<usize>,
    config: Config,
    on_freed: Option<OnFreed>,
}

impl ServerBuilder {
    /// What to serve: [`Methods`](crate::Methods), or a service of your own.
    pub fn service(mut self, service: impl Service) -> Self {
        self.service = Some(Arc::new(service));
        self
    }

    /// Accepts callers at an endpoint such as `tcp://*:4242` or `ipc:///tmp/service`. May be repeated, and mixed
    /// with [`connect`](Self::connect).
    pub fn bind(mut self, endpoint: &str) -> Self {
        self.links = self.links.bind(endpoint);
        self
    }

    /// Connects, as a worker, to callers or queues that are bound. May be repeated; one that is not running
    /// does not affect the others.
    pub fn connect(mut self, endpoint: &str) -> Self {
        self.links = self.links.connect(endpoint);
        self
    }

    /// How many methods run at a time; further requests wait. `None` is [`DEFAULT_POOL_SIZE`].
    pub fn pool_size(mut self, threads: Option<usize>) -> Self {
        self.pool_size = threads;
        self
    }

    /// The time between heartbeats, 5 s by default. Two of them without any sign of life lose a caller that has beaten,
    /// or two of its own if those are longer. One that has never beaten is kept while its connection lives, but for a
    /// stream that waits for its credit, which has twenty; over libzmq, or behind a queue, three are the limit.
    ///
    /// `None`, or no time at all, switches them off: silence loses no caller. Beats that come are answered, so that callers
    /// which count them do not lose the server; those that wait for the first beat of a server never send any.
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.heartbeat = interval.into();
        self
    }

    /// What moves the messages; see [`TransportKind::default`].
    pub fn transport(mut self, transport: TransportKind) -> Self {
        self.links = self.links.transport(transport);
        self
    }

    /// Tells `events` what happens to connections: made, lost, refused, tried again. libzmq tells no reasons.
    pub fn monitor(mut self, events: Sender<MonitorEvent>) -> Self {
        self.links = self.links.monitor(events);
        self
    }

    /// What bounds the memory that callers can make the server use: by default 64 MiB for each peer, beyond which its
    /// requests are refused, and the peer is cut off if it does not read its answers; and 1 GiB for all of them together,
    /// from seven eighths of which the peer goes for which most is kept.
    ///
    /// Methods that run are not part of it. But of those that have answered much before, or have never run, no more run
    /// beside each other than the processors have work for, and their answers have room for.
    ///
    /// Over libzmq, what libzmq itself keeps is not counted: up to
    /// [`high_water_mark`](SocketOptions::high_water_mark) messages of any size for each peer.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// How connections over TCP find out that their peer has vanished without a word; see [`Keepalive`]. `None` leaves
    /// it to the system.
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.links = self.links.keepalive(keepalive);
        self
    }

    /// Who may connect to the socket files of `ipc://` endpoints that are bound: a mode such as 0o660, and a group by its
    /// name or number; see [`SocketOptions`]. `None` for both is the owner alone.
    pub fn socket_files(mut self, mode: impl Into<Option<u32>>, group: Option<String>) -> Self {
        self.links = self.links.socket_files(mode, group);
        self
    }

    /// Runs `callback` a second after much memory was freed, 64 MiB or more of what had been kept for callers. Allocators
    /// tend to keep it for later; this is the moment to have them give it back to the system. Of 0.6 GB that
    /// eight callers had made a server keep, glibc gave back 0.2 by itself, and all with `libc::malloc_trim(0)`. The
    /// callback runs on a thread that serves callers: what takes its time is better left to another one.
    pub fn on_freed(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_freed = Some(Arc::new(callback));
        self
    }

    /// Options of the socket.
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        self.links = self.links.socket_options(options);
        self
    }

    /// Opens the socket and starts to serve.
    ///
    /// # Errors
    /// When there is no service or no endpoint, or an endpoint cannot be used.
    pub fn build(mut self) -> Result<Server, Error> {
        let service = self.service.ok_or(Error::NoService)?;
        let (parts, endpoints) = self.links.open(SocketKind::Router)?;
        self.config.seed = seed()?;
        let pool_size = self.pool_size.unwrap_or(DEFAULT_POOL_SIZE);
        let desk = Desk::new(service, pool_size, self.config.limits.total_bytes);
        let (driver, keeper) = Driver::start(Session::new(self.config), parts, Some(desk))
            .map_err(|error| Error::Thread(error.to_string()))?;
        {
            let mut state = driver.lock();
            state.bounds.on_freed = self.on_freed;
            if let Some(desk) = &mut state.desk {
                driver.hire(desk);
            }
        }
        Ok(Server { driver, keeper: Mutex::new(Some(keeper)), endpoints })
    }
}
