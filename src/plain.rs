//! Push/pull and publish/subscribe: events that nobody answers (protocol section 9).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::Serialize;
use zerorpc_proto::{
    Args, Context, DEFAULT_TIMEOUT, Limits, Multipart, PlainSender, SocketKind, SocketOptions,
    TransportError, Waker, receive_plain,
};

use crate::{
    error::Error,
    request::{Caller, Request},
    service::Service,
    socket::{Endpoints, Links, Parts, seed},
};

/// Sends events to pullers, each event to one of them.
///
/// ```
/// use zerorpc::{Links, Methods, Puller, Pusher};
///
/// let (seen, events) = std::sync::mpsc::channel();
/// let service = Methods::new("log").method("note", move |line: String| Ok(seen.send(line)?));
/// let puller = Puller::open(&Links::new().bind("tcp://127.0.0.1:*"), service)?;
/// let pusher = Pusher::open(&Links::new().connect(&puller.endpoints()[0]))?;
/// pusher.push("note", ("it works",))?;
/// assert_eq!(events.recv()?, "it works");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pusher(Outlet);

impl Pusher {
    /// Opens a socket.
    ///
    /// # Errors
    /// When an endpoint cannot be used.
    pub fn open(links: &Links) -> Result<Self, Error> {
        Outlet::open(SocketKind::Push, links).map(Self)
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.0.endpoints.bound
    }

    /// Calls a method of one puller. Waits, up to 30 s, as long as there is none with room for it.
    ///
    /// # Errors
    /// [`Error::Timeout`] when there is no such puller, and others about the arguments.
    pub fn push(&self, method: &str, args: impl Serialize) -> Result<(), Error> {
        self.0.send(method, &args, &Context::new())
    }

    /// As [`push`](Self::push), with header keys such as a trace id.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_with(
        &self,
        context: &Context,
        method: &str,
        args: impl Serialize,
    ) -> Result<(), Error> {
        self.0.send(method, &args, context)
    }
}

/// Sends events to all subscribers.
pub struct Publisher(Outlet);

impl Publisher {
    /// Opens a socket.
    ///
    /// # Errors
    /// When an endpoint cannot be used.
    pub fn open(links: &Links) -> Result<Self, Error> {
        Outlet::open(SocketKind::Pub, links).map(Self)
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.0.endpoints.bound
    }

    /// Calls a method of every subscriber that is connected now and keeps up.
    ///
    /// # Errors
    /// When the arguments cannot be sent.
    pub fn publish(&self, method: &str, args: impl Serialize) -> Result<(), Error> {
        self.0.send(method, &args, &Context::new())
    }

    /// As [`publish`](Self::publish), with header keys such as a trace id.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_with(
        &self,
        context: &Context,
        method: &str,
        args: impl Serialize,
    ) -> Result<(), Error> {
        self.0.send(method, &args, context)
    }
}

/// Runs the methods of a service as pushers ask for it, one after the other on a thread of its own.
///
/// Results go nowhere; unknown methods and failures are logged. Dropping it waits for the method that runs.
pub struct Puller(Inlet);

impl Puller {
    /// Opens a socket and begins.
    ///
    /// # Errors
    /// When an endpoint cannot be used.
    pub fn open(links: &Links, service: impl Service) -> Result<Self, Error> {
        Inlet::open(SocketKind::Pull, links, service).map(Self)
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.0.endpoints.bound
    }
}

/// Runs the methods of a service as publishers ask for it; otherwise as [`Puller`].
pub struct Subscriber(Inlet);

impl Subscriber {
    /// Opens a socket, subscribes to everything, and begins.
    ///
    /// # Errors
    /// When an endpoint cannot be used.
    pub fn open(links: &Links, service: impl Service) -> Result<Self, Error> {
        Inlet::open(SocketKind::Sub, links, service).map(Self)
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.0.endpoints.bound
    }
}

/// A socket that only sends.
struct Outlet {
    inner: Mutex<(PlainSender, Parts)>,
    endpoints: Endpoints,
}

impl Outlet {
    fn open(kind: SocketKind, links: &Links) -> Result<Self, Error> {
        let (parts, endpoints) = links.open(kind, &SocketOptions::default())?;
        Ok(Self { inner: Mutex::new((PlainSender::new(seed()?), parts)), endpoints })
    }

    fn send(&self, method: &str, args: &impl Serialize, context: &Context) -> Result<(), Error> {
        let args = Args::encode_params(args)?;
        let (sender, parts) = &mut *self.inner.lock();
        let event = sender.event(method, &args, context)?;
        let deadline = Instant::now() + DEFAULT_TIMEOUT;
        while !parts.transport.can_send() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Err(Error::Timeout {
                    method: method.to_owned(),
                    endpoint: self.endpoints.to_string(),
                    after: DEFAULT_TIMEOUT,
                });
            }
            parts.waiter.wait(Some(left)).map_err(|error| TransportError(error.to_string()))?;
        }
        parts.transport.send(event)?;
        // Nothing is received here, but asking is what keeps the readiness of the socket true.
        while parts.transport.receive()?.is_some() {}
        Ok(())
    }
}

/// A socket that only receives, and the thread that runs what comes.
struct Inlet {
    endpoints: Endpoints,
    closing: Arc<AtomicBool>,
    waker: Box<dyn Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Inlet {
    fn open(kind: SocketKind, links: &Links, service: impl Service) -> Result<Self, Error> {
        let (parts, endpoints) = links.open(kind, &SocketOptions::default())?;
        let Parts { mut transport, mut waiter, waker } = parts;
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let mut run = move || -> Result<(), TransportError> {
            while !closed.load(Ordering::Acquire) {
                match transport.receive()? {
                    Some((_, message)) => take(&service, &message),
                    None => waiter.wait(None).map_err(|error| TransportError(error.to_string()))?,
                }
            }
            Ok(())
        };
        let thread = std::thread::Builder::new()
            .name("zerorpc-receiver".into())
            .spawn(move || run().unwrap_or_else(|error| tracing::error!("{error}")))
            .map_err(|error| Error::Thread(error.to_string()))?;
        Ok(Self { endpoints, closing, waker, thread: Some(thread) })
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the receiving thread panicked");
        }
    }
}

/// Runs the method that an event names.
fn take(service: &impl Service, message: &Multipart) {
    let event = match receive_plain(message, &Limits::default()) {
        Ok(event) => event,
        Err(malformed) => return tracing::warn!("an event was dropped: {malformed}"),
    };
    let request =
        Request::new(&event.name, event.args, event.header.context, Arc::<Caller>::default());
    match catch_unwind(AssertUnwindSafe(|| service.call(&request))) {
        Ok(Ok(_)) => {}
        Ok(Err(failure)) => tracing::warn!("{}: {failure}", request.method()),
        Err(_) => tracing::error!("{} panicked", request.method()),
    }
}
