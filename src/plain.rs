//! Push/pull and publish/subscribe: events that nobody answers (protocol section 9).

mod inlet;
mod outlet;
mod thread;

use serde::Serialize;
use zerorpc_proto::{Args, Context, SocketKind};

use crate::{error::Error, live::LiveLinks, service::Service, socket::Links};
use inlet::Inlet;
use outlet::Outlet;

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
///
/// It belongs to the process that has made it, as all sockets do: in a forked child, pushing ends with
/// [`Error::Forked`], and dropping it does nothing and disturbs nobody.
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

    /// Makes and undoes links while events are sent.
    #[must_use]
    pub fn links(&self) -> LiveLinks<'_> {
        LiveLinks(&self.0)
    }

    /// Closes the socket for all threads that use it; one that waits for a puller comes back with [`Error::Closed`]. Dropping it does the same.
    pub fn close(&self) {
        self.0.close();
    }

    /// Calls a method of one puller. Waits, up to 30 s, as long as there is none with room for it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when there is no such puller, and others about the arguments.
    pub fn push(&self, method: &str, args: impl Serialize) -> Result<(), Error> {
        self.0.send(method, &Args::encode_params(&args)?, &Context::new())
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
        self.0.send(method, &Args::encode_params(&args)?, context)
    }

    /// As [`push_with`](Self::push_with), with encoded arguments.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn emit(&self, context: &Context, method: &str, args: &Args) -> Result<(), Error> {
        self.0.send(method, args, context)
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

    /// Makes and undoes links while events are sent.
    #[must_use]
    pub fn links(&self) -> LiveLinks<'_> {
        LiveLinks(&self.0)
    }

    /// Closes the socket for all threads that use it; later events are refused with [`Error::Closed`]. Dropping it does the same.
    pub fn close(&self) {
        self.0.close();
    }

    /// Calls a method of every subscriber that is connected now and keeps up.
    ///
    /// # Errors
    /// When the arguments cannot be sent.
    pub fn publish(&self, method: &str, args: impl Serialize) -> Result<(), Error> {
        self.0.send(method, &Args::encode_params(&args)?, &Context::new())
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
        self.0.send(method, &Args::encode_params(&args)?, context)
    }

    /// As [`publish_with`](Self::publish_with), with encoded arguments.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn emit(&self, context: &Context, method: &str, args: &Args) -> Result<(), Error> {
        self.0.send(method, args, context)
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
