//! Calling: a socket that any number of threads may use at once.

mod builder;
mod options;
mod pending;
mod stream;

use std::{collections::VecDeque, sync::Arc, thread::JoinHandle, time::Instant};

use serde::{Serialize, de::DeserializeOwned};
use zerorpc_proto::{Args, CallId, Loss};

pub use builder::ClientBuilder;
pub use options::CallOptions;
pub use pending::{Pending, PendingAnswer, PendingStream};
pub use stream::{RawStream, Stream};

use crate::{
    driver::{Closed, Driver, Guard, Received},
    error::{Error, RemoteError},
    live::LiveLinks,
    socket::Endpoints,
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
        ClientBuilder::new()
    }

    /// The endpoints that were bound when the client was built, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.shared.endpoints.bound
    }

    /// Makes and undoes links while calls go on.
    #[must_use]
    pub fn links(&self) -> LiveLinks<'_> {
        LiveLinks(&*self.shared.driver)
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

    /// Begins to call a method that answers with one value, and does not wait for the answer. Requests that are
    /// begun while answers are there to be read may wait for each other, to be sent together: a millisecond at most.
    ///
    /// # Errors
    /// When the arguments cannot be encoded, or the call cannot be made; later errors come with the answer.
    pub fn start<R: DeserializeOwned>(
        &self,
        method: &str,
        args: impl Serialize,
    ) -> Result<Pending<R>, Error> {
        self.start_with(&CallOptions::default(), method, args)
    }

    /// As [`start`](Self::start), with options for this call.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with<R: DeserializeOwned>(
        &self,
        options: &CallOptions,
        method: &str,
        args: impl Serialize,
    ) -> Result<Pending<R>, Error> {
        let id = self.shared.begin(method, Args::encode_params(&args)?, options)?;
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
        args: impl Serialize,
    ) -> Result<PendingStream<T>, Error> {
        self.start_stream_with(&CallOptions::default(), method, args)
    }

    /// As [`start_stream`](Self::start_stream), with options for this call.
    ///
    /// # Errors
    /// As [`start_stream`](Self::start_stream).
    pub fn start_stream_with<T: DeserializeOwned>(
        &self,
        options: &CallOptions,
        method: &str,
        args: impl Serialize,
    ) -> Result<PendingStream<T>, Error> {
        let id = self.shared.begin(method, Args::encode_params(&args)?, options)?;
        Ok(PendingStream::new(RawStream::begin(Arc::clone(&self.shared), id, method, None)))
    }

    /// Begins to call a method with encoded arguments, whichever way it answers. Does not wait for the answer.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_request(
        &self,
        method: &str,
        args: Args,
        options: &CallOptions,
    ) -> Result<PendingAnswer, Error> {
        let id = self.shared.begin(method, args, options)?;
        Ok(PendingAnswer::new(Arc::clone(&self.shared), id, method))
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
        let (state, id) = shared.open(method, args, options)?;
        match shared.answer(state, id, method, None)? {
            First::Value(value) => Ok(Answer::Value(value)),
            first => {
                Ok(Answer::Stream(RawStream::begin(Arc::clone(shared), id, method, Some(first))))
            }
        }
    }
}

impl Shared {
    /// Makes a request, which is still to be sent.
    fn open(
        &self,
        method: &str,
        args: Args,
        options: &CallOptions,
    ) -> Result<(Guard<'_>, CallId), Error> {
        let options = options.over(&self.defaults);
        let now = Instant::now();
        let mut state = self.enter(now)?;
        let opened = match &state.closed {
            Some(closed) => Err(self.closed(closed)),
            None => {
                let to = state.any_peer();
                state.session.open(now, to, method, args, &options).map_err(Error::Open)
            }
        };
        match opened {
            Ok(id) => Ok((state, id)),
            Err(error) => {
                self.driver.leave(state);
                Err(error)
            }
        }
    }

    /// Makes a request and sends it, soon.
    fn begin(&self, method: &str, args: Args, options: &CallOptions) -> Result<CallId, Error> {
        let (mut state, id) = self.open(method, args, options)?;
        self.driver.send_request(&mut state);
        self.driver.leave(state);
        Ok(id)
    }

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
            Answer::Failed(failure) => Err(RemoteError::new(method, *failure).into()),
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
            return self.driver.abandon(self.keeper.take());
        }
        self.driver.shut();
        join(self.keeper.take());
    }
}

fn decode<T: DeserializeOwned>(method: &str, value: &Args) -> Result<T, Error> {
    value.decode().map_err(|source| Error::Decode { method: method.to_owned(), source })
}
