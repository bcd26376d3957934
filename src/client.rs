//! Calling: a socket that any number of threads may use at once.

mod options;
mod stream;

use std::{
    sync::{Arc, mpsc::Sender},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use zerorpc_proto::{
    Args, CallId, Config, Limits, Liveness, Loss, MonitorEvent, Session, SocketKind, SocketOptions,
};

pub use options::CallOptions;
pub use stream::{RawStream, Stream};

use crate::{
    driver::{Closed, Driver, Guard},
    error::{Error, RemoteError},
    socket::{Endpoints, Links, TransportKind, seed},
    thread::join,
};

/// Calls methods of a remote service. Clones share one socket; many threads may call at once.
///
/// ```no_run
/// use zerorpc::Client;
///
/// let client = Client::connect("tcp://127.0.0.1:4242")?;
/// let today: String = client.call("strftime", ("%Y/%m/%d",))?;
/// println!("{today}");
/// # Ok::<(), zerorpc::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What the clones of a client and its streams share; with the last of them the socket is closed.
struct Shared {
    driver: Arc<Driver>,
    keeper: Option<JoinHandle<()>>,
    endpoints: Endpoints,
    defaults: zerorpc_proto::CallOptions,
}

/// The answer to a call of a method of which it is not known how it answers.
pub enum Answer {
    /// One value.
    Value(Args),
    /// A stream of values.
    Stream(RawStream),
}

impl Client {
    /// A client with all defaults, connected to one endpoint. The server need not be there yet.
    ///
    /// # Errors
    /// When the endpoint cannot be used.
    pub fn connect(endpoint: &str) -> Result<Self, Error> {
        Self::builder().connect(endpoint).build()
    }

    /// Where to call, and how.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            links: Links::default(),
            config: Config::client(0),
            defaults: zerorpc_proto::CallOptions::default(),
            // Nobody waits for an answer when a client is closed: what was not sent need not be.
            options: SocketOptions { linger: Some(Duration::ZERO), ..SocketOptions::default() },
        }
    }

    /// The endpoints that are bound, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.shared.endpoints.bound
    }

    /// Calls a method that answers with one value. `args` is a tuple or list; `()` is none.
    ///
    /// # Errors
    /// [`Error::Remote`] when the method fails, [`Error::Timeout`] and [`Error::LostRemote`] when no answer
    /// comes, and others that say what is wrong with the arguments or the answer.
    pub fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        args: impl Serialize,
    ) -> Result<R, Error> {
        self.call_with(&CallOptions::default(), method, args)
    }

    /// As [`call`](Self::call), with options for this call.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_with<R: DeserializeOwned>(
        &self,
        options: &CallOptions,
        method: &str,
        args: impl Serialize,
    ) -> Result<R, Error> {
        match self.request(method, Args::encode_params(&args)?, options)? {
            Answer::Value(value) => decode(method, &value),
            Answer::Stream(_) => Err(Error::IsStream { method: method.to_owned() }),
        }
    }

    /// Calls a method that answers with a stream. Returns when the stream begins.
    ///
    /// # Errors
    /// As [`call`](Self::call); later errors come as the last item of the stream.
    pub fn stream<T: DeserializeOwned>(
        &self,
        method: &str,
        args: impl Serialize,
    ) -> Result<Stream<T>, Error> {
        self.stream_with(&CallOptions::default(), method, args)
    }

    /// As [`stream`](Self::stream), with options for this call.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub fn stream_with<T: DeserializeOwned>(
        &self,
        options: &CallOptions,
        method: &str,
        args: impl Serialize,
    ) -> Result<Stream<T>, Error> {
        match self.request(method, Args::encode_params(&args)?, options)? {
            Answer::Stream(stream) => Ok(stream.typed()),
            Answer::Value(_) => Err(Error::NotStream { method: method.to_owned() }),
        }
    }

    /// Calls a method with encoded arguments, whichever way it answers.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn request(
        &self,
        method: &str,
        args: Args,
        options: &CallOptions,
    ) -> Result<Answer, Error> {
        use zerorpc_proto::Answer as First;
        let shared = &self.shared;
        let options = options.over(&shared.defaults);
        let mut state = shared.driver.lock();
        let opened = match &state.closed {
            Some(closed) => Err(shared.closed(closed)),
            None => {
                let to = state.any_peer();
                state.session.open(Instant::now(), to, method, args, &options).map_err(Error::Open)
            }
        };
        let id = match opened {
            Ok(id) => id,
            Err(error) => {
                shared.driver.leave(state);
                return Err(error);
            }
        };
        match shared.answer(state, id, method)? {
            First::Value(value) => Ok(Answer::Value(value)),
            first => Ok(Answer::Stream(RawStream::begin(Arc::clone(shared), id, method, first))),
        }
    }
}

impl Shared {
    /// Waits for the next answer and turns failures into errors.
    fn answer<'a>(
        &'a self,
        state: Guard<'a>,
        id: CallId,
        method: &str,
    ) -> Result<zerorpc_proto::Answer, Error> {
        use zerorpc_proto::Answer;
        let (answer, reason) = match self.driver.await_answer(state, id) {
            Ok(answer) => answer.unwrap_or((Answer::End, None)),
            Err(closed) => return Err(self.closed(&closed)),
        };
        match answer {
            Answer::Failed(failure) => Err(RemoteError::new(method, failure).into()),
            Answer::Lost(loss) => Err(self.lost(method, loss, reason)),
            answer => Ok(answer),
        }
    }

    fn lost(&self, method: &str, loss: Loss, reason: Option<Arc<str>>) -> Error {
        let method = method.to_owned();
        match (loss, reason) {
            (Loss::TimedOut { after }, Some(reason)) => {
                Error::Unreachable { method, after, reason: reason.to_string() }
            }
            (Loss::TimedOut { after }, None) => {
                Error::Timeout { method, endpoint: self.endpoints.to_string(), after }
            }
            (loss @ (Loss::Silent { .. } | Loss::Disconnected), reason) => {
                // Where the connection is known, so is where it led to.
                let endpoint =
                    reason.map_or_else(|| self.endpoints.to_string(), |reason| reason.to_string());
                Error::LostRemote { method, endpoint, loss }
            }
            (loss, _) => Error::BadAnswer { method, endpoint: self.endpoints.to_string(), loss },
        }
    }

    fn closed(&self, closed: &Closed) -> Error {
        match closed {
            Closed::ByUser => Error::Closed { endpoint: self.endpoints.to_string() },
            Closed::Failed(error) => Error::Socket(error.clone()),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.driver.shut();
        join(self.keeper.take());
    }
}

fn decode<T: DeserializeOwned>(method: &str, value: &Args) -> Result<T, Error> {
    value.decode().map_err(|source| Error::Decode { method: method.to_owned(), source })
}

/// Makes a [`Client`].
#[must_use]
pub struct ClientBuilder {
    links: Links,
    config: Config,
    defaults: zerorpc_proto::CallOptions,
    options: SocketOptions,
}

impl ClientBuilder {
    /// Connects to a server at an endpoint such as `tcp://127.0.0.1:4242` or `ipc:///tmp/service`.
    pub fn connect(mut self, endpoint: &str) -> Self {
        self.links = self.links.connect(endpoint);
        self
    }

    /// Lets servers connect, as workers; calls wait until one is there. May be repeated, and mixed with
    /// [`connect`](Self::connect).
    pub fn bind(mut self, endpoint: &str) -> Self {
        self.links = self.links.bind(endpoint);
        self
    }

    /// How long calls wait for their first answer, 30 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.defaults.timeout = Some(timeout);
        self
    }

    /// Lets calls wait for their first answer as long as the server lives.
    pub fn no_timeout(mut self) -> Self {
        self.defaults.timeout = None;
        self
    }

    /// The time between heartbeats, 5 s by default. Two of them without any sign of life lose the server.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.heartbeat = Some(interval);
        self
    }

    /// Beats only after the server has: suits servers that never do. Such a server's loss goes unnoticed.
    pub fn passive_heartbeat(mut self, passive: bool) -> Self {
        self.config.liveness = if passive { Liveness::Passive } else { Liveness::Active };
        self
    }

    /// How many items of a stream the server may send ahead, 100 by default.
    pub fn slots(mut self, slots: u32) -> Self {
        self.defaults.slots = slots;
        self
    }

    /// What moves the messages; see [`TransportKind::default`].
    pub fn transport(mut self, transport: TransportKind) -> Self {
        self.links = self.links.transport(transport);
        self
    }

    /// Tells `events` what happens to connections: made, lost, refused, tried again. libzmq tells nothing.
    pub fn monitor(mut self, events: Sender<MonitorEvent>) -> Self {
        self.links = self.links.monitor(events);
        self
    }

    /// What bounds the memory that servers can make the client use.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Options of the socket.
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        self.options = options;
        self
    }

    /// Opens the socket.
    ///
    /// # Errors
    /// When no endpoint was given, or one cannot be used.
    pub fn build(mut self) -> Result<Client, Error> {
        let (parts, endpoints) = self.links.open(SocketKind::Dealer, &self.options)?;
        self.config.seed = seed()?;
        let (driver, keeper) = Driver::start(Session::new(self.config), parts, None)
            .map_err(|error| Error::Thread(error.to_string()))?;
        let shared = Shared { driver, keeper: Some(keeper), endpoints, defaults: self.defaults };
        Ok(Client { shared: Arc::new(shared) })
    }
}
