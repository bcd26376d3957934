//! Push/pull and publish/subscribe: events that nobody answers (protocol section 9).

mod receiver;
mod sender;
mod thread;

use std::sync::Arc;

use zerorpc_proto::{Context, IntoArgs, transport::SocketKind};

use crate::{error::Error, link_control::LinkControl, service::Service, socket::SocketConfig};
use receiver::OneWayReceiver;
use sender::OneWaySender;

/// Sends events to pullers, each event to one of them. Clones share one socket. There are no heartbeats between pushers and
/// pullers, publishers and subscribers: whoever has vanished is found out by [`Keepalive`](crate::Keepalive).
///
/// ```
/// use zerorpc::{SocketConfig, Methods, Puller, Pusher};
///
/// let (seen, events) = std::sync::mpsc::channel();
/// let service = Methods::new("log").method("note", move |line: String| Ok(seen.send(line)?));
/// let puller = Puller::open(&SocketConfig::new().bind("tcp://127.0.0.1:*"), service)?;
/// let pusher = Pusher::open(&SocketConfig::new().connect(&puller.endpoints()[0]))?;
/// pusher.push("note", ("it works",))?;
/// assert_eq!(events.recv()?, "it works");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It belongs to the process that has made it, as all sockets do: in a forked child, pushing ends with
/// [`Error::Forked`], and dropping it does nothing and disturbs nobody.
#[derive(Clone)]
pub struct Pusher {
    socket: Arc<OneWaySender>,
    /// Header keys that its events have.
    context: Context,
}

impl Pusher {
    /// Opens a socket.
    ///
    /// # Errors
    /// When an endpoint cannot be used.
    pub fn open(config: &SocketConfig) -> Result<Self, Error> {
        let socket = Arc::new(OneWaySender::open(SocketKind::Push, config)?);
        Ok(Self { socket, context: Context::new() })
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.socket.endpoints.bound
    }

    /// Makes and undoes links while events are sent.
    #[must_use]
    pub fn links(&self) -> LinkControl<'_> {
        LinkControl { socket: &*self.socket, endpoints: &self.socket.endpoints }
    }

    /// Closes the socket for all clones and threads that use it; one that waits for a puller comes back with
    /// [`Error::Closed`]. Dropping the last clone does the same.
    pub fn close(&self) {
        self.socket.close();
    }

    /// The same socket, for events with header keys such as a trace id.
    #[must_use]
    pub fn with(&self, context: Context) -> Self {
        Self { socket: Arc::clone(&self.socket), context }
    }

    /// Calls a method of one puller. Waits, up to 30 s, as long as there is none with room for it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when there is no such puller, [`Error::Denied`] when none lets this side in, and others about the
    /// arguments.
    pub fn push(&self, method: &str, args: impl IntoArgs) -> Result<(), Error> {
        self.socket.send(method, &args.into_args()?, &self.context)
    }
}

/// Sends events to all subscribers. Clones share one socket.
#[derive(Clone)]
pub struct Publisher {
    socket: Arc<OneWaySender>,
    /// Header keys that its events have.
    context: Context,
}

impl Publisher {
    /// Opens a socket.
    ///
    /// # Errors
    /// When an endpoint cannot be used.
    pub fn open(config: &SocketConfig) -> Result<Self, Error> {
        let socket = Arc::new(OneWaySender::open(SocketKind::Pub, config)?);
        Ok(Self { socket, context: Context::new() })
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.socket.endpoints.bound
    }

    /// Makes and undoes links while events are sent.
    #[must_use]
    pub fn links(&self) -> LinkControl<'_> {
        LinkControl { socket: &*self.socket, endpoints: &self.socket.endpoints }
    }

    /// Closes the socket for all clones and threads that use it; later events are refused with [`Error::Closed`]. Dropping
    /// the last clone does the same.
    pub fn close(&self) {
        self.socket.close();
    }

    /// The same socket, for events with header keys such as a trace id.
    #[must_use]
    pub fn with(&self, context: Context) -> Self {
        Self { socket: Arc::clone(&self.socket), context }
    }

    /// Calls a method of every subscriber that is connected now and keeps up.
    ///
    /// # Errors
    /// When the arguments cannot be sent.
    pub fn publish(&self, method: &str, args: impl IntoArgs) -> Result<(), Error> {
        self.socket.send(method, &args.into_args()?, &self.context)
    }
}

/// Runs the methods of a service as pushers ask for it, one after the other on a thread of its own.
///
/// Results go nowhere; unknown methods and failures are logged. Dropping it waits for the method that runs.
pub struct Puller(OneWayReceiver);

impl Puller {
    /// Opens a socket and begins.
    ///
    /// # Errors
    /// When an endpoint cannot be used.
    pub fn open(config: &SocketConfig, service: impl Service) -> Result<Self, Error> {
        OneWayReceiver::open(SocketKind::Pull, config, service).map(Self)
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.0.endpoints.bound
    }
}

/// Runs the methods of a service as publishers ask for it; otherwise as [`Puller`].
pub struct Subscriber(OneWayReceiver);

impl Subscriber {
    /// Opens a socket, subscribes to everything, and begins.
    ///
    /// # Errors
    /// When an endpoint cannot be used.
    pub fn open(config: &SocketConfig, service: impl Service) -> Result<Self, Error> {
        OneWayReceiver::open(SocketKind::Sub, config, service).map(Self)
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.0.endpoints.bound
    }
}
