//! Making servers.

use std::time::Duration;

use zerorpc_proto::{Config, Limits, Session, transport::SocketKind};

use super::{DEFAULT_POOL_SIZE, Server, worker};
use crate::{
    authorize::{Authorizer, Guarded},
    dispatch,
    driver::{Driver, OnFreed, RequestQueue, WorkerPool},
    error::Error,
    service::Service,
    socket::{SocketConfig, seed, socket_setters},
    sync::{Arc, Mutex},
};

/// Makes a [`Server`].
#[must_use]
pub struct ServerBuilder {
    service: Option<Arc<dyn Service>>,
    authorizer: Option<Arc<dyn Authorizer>>,
    socket: SocketConfig,
    pool_size: Option<usize>,
    config: Config,
    on_freed: Option<OnFreed>,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            service: None,
            authorizer: None,
            socket: SocketConfig::new(),
            pool_size: None,
            config: Config::server(0),
            on_freed: None,
        }
    }

    /// What to serve: [`Methods`](crate::Methods), or a service of your own.
    pub fn service(mut self, service: impl Service) -> Self {
        self.service = Some(Arc::new(service));
        self
    }

    /// Has `authorizer` say who may call what; without it, everybody who comes in may call everything. Who comes in, and
    /// under which name, is said by the [`Authenticator`](crate::Authenticator) of the
    /// [socket's options](Self::socket_options).
    pub fn authorize(mut self, authorizer: impl Authorizer + 'static) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Accepts callers at an endpoint such as `tcp://*:4242` or `ipc:///tmp/service`. May be repeated, and mixed
    /// with [`connect`](Self::connect).
    pub fn bind(mut self, endpoint: &str) -> Self {
        self.socket.add_bound(endpoint);
        self
    }

    /// Connects, as a worker, to callers or queues that are bound. May be repeated; one that is not running
    /// does not affect the others.
    pub fn connect(mut self, endpoint: &str) -> Self {
        self.socket.add_connected(endpoint);
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

    /// What bounds the memory that callers can make the server use: by default 40 MiB for each peer (64 with what is not counted),
    /// beyond which its requests are refused, and the peer is cut off if it does not read its answers; and 1 GiB for all of them together,
    /// from seven eighths of which the peer goes for which most is kept.
    ///
    /// What methods need for themselves is not part of it. But of those that have answered much before no more run beside each
    /// other than the processors have work for, and their answers have room for, all together and for one peer;
    /// and of those that have never run, two begin.
    ///
    /// Over libzmq, what libzmq itself keeps is not counted: up to
    /// [`high_water_mark`](crate::SocketOptions) messages of any size for each peer.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
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

    socket_setters!();

    pub(crate) fn socket(&mut self) -> &mut SocketConfig {
        &mut self.socket
    }

    /// Opens the socket and starts to serve.
    ///
    /// # Errors
    /// When there is no service or no endpoint, or an endpoint cannot be used.
    pub fn build(mut self) -> Result<Server, Error> {
        let service = self.service.ok_or(Error::NoService)?;
        let authorizer = self.authorizer;
        let (parts, endpoints) = self.socket.open(SocketKind::Router)?;
        self.config.seed = seed()?;
        let pool = WorkerPool {
            work: Arc::new(move |driver| {
                let authorizer = authorizer.as_deref();
                worker::work(driver, &Guarded { service: service.as_ref(), authorizer });
            }),
            is_builtin: dispatch::is_builtin,
            most_busy: self.pool_size.unwrap_or(DEFAULT_POOL_SIZE),
        };
        let requests = RequestQueue::new(pool, self.config.limits.total_bytes);
        let (driver, watchdog) = Driver::start(Session::new(self.config), parts, Some(requests))
            .map_err(|error| Error::Thread(error.to_string()))?;
        {
            let mut state = driver.lock();
            state.bounds.on_freed = self.on_freed;
            if let Some(requests) = &mut state.requests {
                driver.spawn_worker(requests);
            }
        }
        Ok(Server { driver, watchdog: Mutex::new(Some(watchdog)), endpoints })
    }
}
