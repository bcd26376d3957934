//! Calling: a socket that any number of threads may use at once.

mod answer;
mod builder;
mod pending;
mod stream;

use std::{collections::VecDeque, sync::Arc, time::Instant};

use serde::de::DeserializeOwned;
use zerorpc_proto::{Args, CallId, CallOptions, IntoArgs, Loss};

pub use answer::{Answer, FromAnswer};
pub use builder::ClientBuilder;
pub use pending::{Pending, PendingStream};
pub use stream::{RawStream, Stream};

use crate::{
    driver::{Closed, Driver, Guard, Received},
    error::Error,
    link_control::LinkControl,
    socket::Endpoints,
    sync::JoinHandle,
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
///
/// # Forking
///
/// A client belongs to the process that has made it. In a forked child, calls on it and reading its streams end with
/// [`Error::Forked`], and dropping it does nothing: the parent is not disturbed. Make a new one there. Fork from outside of
/// calls, and before threads are started, if you can: a child may do little else than become another program
/// otherwise, since any lock may be held by a thread that it does not have.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    /// What is chosen for its calls.
    options: CallOptions,
}

/// What the clones of a client and its streams share; with the last of them the socket is closed.
struct Shared {
    driver: Arc<Driver>,
    watchdog: Option<JoinHandle<()>>,
    endpoints: Endpoints,
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
        ClientBuilder::new()
    }

    /// The endpoints that were bound when the client was built, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.shared.endpoints.bound
    }

    /// Makes and undoes links while calls go on.
    #[must_use]
    pub fn links(&self) -> LinkControl<'_> {
        LinkControl { socket: &*self.shared.driver, endpoints: &self.shared.endpoints }
    }

    /// The same client with other options: what is not set among them stays as it is here.
    ///
    /// ```no_run
    /// # use zerorpc::Client;
    /// use std::time::Duration;
    /// use zerorpc::CallOptions;
    ///
    /// let client = Client::connect("tcp://127.0.0.1:4242")?;
    /// let soon = CallOptions::new().timeout(Duration::from_secs(1));
    /// let today: String = client.with(soon).call("strftime", ("%Y/%m/%d",))?;
    /// # Ok::<(), zerorpc::Error>(())
    /// ```
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self { shared: Arc::clone(&self.shared), options: options.over(&self.options) }
    }

    /// Calls a method that answers with one value. `args` is a tuple or list, `()` for none, or encoded [`Args`]. Where it
    /// is not known whether a value or a stream is the answer, an [`Answer`] takes both.
    ///
    /// # Errors
    /// [`Error::Remote`] when the method fails, [`Error::Timeout`] and [`Error::LostRemote`] when no answer
    /// comes, [`Error::Denied`] when no server lets this side in, and others that say what is wrong with the arguments or the
    /// answer.
    pub fn call<R: FromAnswer>(&self, method: &str, args: impl IntoArgs) -> Result<R, Error> {
        R::from_answer(self.answer(method, args.into_args()?)?, method)
    }

    /// Calls a method that answers with a stream. Returns when the stream begins.
    ///
    /// # Errors
    /// As [`call`](Self::call); later errors come as the last item of the stream.
    pub fn stream<T: DeserializeOwned>(
        &self,
        method: &str,
        args: impl IntoArgs,
    ) -> Result<Stream<T>, Error> {
        match self.answer(method, args.into_args()?)? {
            Answer::Stream(stream) => Ok(stream.typed()),
            Answer::Value(_) => Err(Error::NotStream { method: method.to_owned() }),
        }
    }

    /// Begins to call a method that answers with one value, or with any [`Answer`], and does not wait for it. Requests that
    /// are begun while answers are there to be read may wait for each other, to be sent together: a millisecond at most.
    ///
    /// # Errors
    /// When the arguments cannot be encoded, or the call cannot be made; later errors come with the answer.
    pub fn start<R: FromAnswer>(
        &self,
        method: &str,
        args: impl IntoArgs,
    ) -> Result<Pending<R>, Error> {
        let id = self.begin(method, args.into_args()?)?;
        Ok(Pending::new(Arc::clone(&self.shared), id, method))
    }

    /// Begins to call a method that answers with a stream, whose items are to be awaited. Does not wait for the first
    /// answer.
    ///
    /// # Errors
    /// As [`start`](Self::start); later errors come as the last item.
    pub fn start_stream<T: DeserializeOwned>(
        &self,
        method: &str,
        args: impl IntoArgs,
    ) -> Result<PendingStream<T>, Error> {
        let id = self.begin(method, args.into_args()?)?;
        Ok(PendingStream::new(RawStream::begin(Arc::clone(&self.shared), id, method, None)))
    }

    /// Makes a request, which is still to be sent.
    fn open(&self, method: &str, args: Args) -> Result<(Guard<'_>, CallId), Error> {
        let shared = &self.shared;
        let now = Instant::now();
        let mut state = shared.enter(now)?;
        let opened = match &state.closed {
            Some(closed) => Err(shared.closed(closed)),
            None => {
                let to = state.any_peer();
                state.session.open(now, to, method, args, &self.options).map_err(Error::Open)
            }
        };
        Ok((state, opened?))
    }

    /// Makes a request and sends it, soon.
    fn begin(&self, method: &str, args: Args) -> Result<CallId, Error> {
        let (mut state, id) = self.open(method, args)?;
        self.shared.driver.send_request(&mut state);
        Ok(id)
    }

    /// Makes a request and waits for its first answer.
    fn answer(&self, method: &str, args: Args) -> Result<Answer, Error> {
        let (state, id) = self.open(method, args)?;
        let first = self.shared.answer(state, id, method, None)?;
        Ok(Answer::begin(&self.shared, id, method, first))
    }
}

impl Shared {
    /// The lock on the driver, in the process that has it.
    fn enter(&self, now: Instant) -> Result<Guard<'_>, Error> {
        if self.driver.home.is_elsewhere_at(now) {
            return Err(self.closed(&Closed::Forked));
        }
        Ok(self.driver.lock())
    }

    /// Nobody waits for the answers of this call any more.
    fn forget(&self, id: CallId) {
        if let Ok(state) = self.enter(Instant::now()) {
            self.driver.forget(state, id);
        }
    }

    /// Waits for the next answer and turns failures into errors; see [`Driver::await_answer`].
    fn answer<'a>(
        &'a self,
        state: Guard<'a>,
        id: CallId,
        method: &str,
        ahead: Option<&mut VecDeque<Args>>,
    ) -> Result<zerorpc_proto::Answer, Error> {
        self.understand(method, self.driver.await_answer(state, id, ahead))
    }

    /// Turns failures into errors.
    fn understand(
        &self,
        method: &str,
        received: Result<Option<Received>, Closed>,
    ) -> Result<zerorpc_proto::Answer, Error> {
        use zerorpc_proto::Answer;
        let (answer, reason) = match received {
            Ok(answer) => answer.unwrap_or((Answer::End, None)),
            Err(closed) => return Err(self.closed(&closed)),
        };
        match answer {
            Answer::Failed(error) => {
                Err(Error::Remote { method: method.to_owned(), error: *error })
            }
            Answer::Lost(loss) => Err(self.lost(method, loss, reason)),
            answer => Ok(answer),
        }
    }

    fn lost(&self, method: &str, loss: Loss, reason: Option<Arc<str>>) -> Error {
        let method = method.to_owned();
        match (loss, reason) {
            (Loss::NotSent { after }, reason) => {
                let reason = reason.map_or_else(
                    || format!("no server is connected at {}", self.endpoints),
                    |reason| reason.to_string(),
                );
                Error::Unreachable { method, after, reason }
            }
            (Loss::Denied { reason }, _) => Error::Denied { method, reason: reason.to_string() },
            (Loss::TimedOut { after }, reason) => {
                Error::Timeout { method, endpoint: self.place(reason), after }
            }
            (loss @ (Loss::Silent { .. } | Loss::Disconnected { .. }), reason) => {
                Error::LostRemote { method, endpoint: self.place(reason), loss }
            }
            (loss, _) => Error::BadAnswer { method, endpoint: self.endpoints.to_string(), loss },
        }
    }

    /// Where a call was: where its connection is known, so is where it led to.
    fn place(&self, remote: Option<Arc<str>>) -> String {
        remote.map_or_else(|| self.endpoints.to_string(), |remote| remote.to_string())
    }

    fn closed(&self, closed: &Closed) -> Error {
        match closed {
            Closed::ByUser => Error::Closed { endpoint: self.endpoints.to_string() },
            Closed::Forked => Error::Forked { endpoint: self.endpoints.to_string() },
            Closed::Failed(error) => Error::Socket(error.clone()),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.driver.home.is_elsewhere() {
            return self.driver.abandon(self.watchdog.take());
        }
        self.driver.shut();
        join(self.watchdog.take());
    }
}

fn decode<T: DeserializeOwned>(method: &str, value: &Args) -> Result<T, Error> {
    value.decode().map_err(|source| Error::Decode { method: method.to_owned(), source })
}
