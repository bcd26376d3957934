//! A Python module as a [`Service`].

use std::sync::Arc;

use bytes::Bytes;
use zerorpc::{Context, Failure, Method, Reply, Request, Service};

use super::{
    call::PythonCall, delivery::Delivery, error::PythonError, options::PythonOptions, peer,
    supervisor::Supervisor,
};

/// A Python module, or an object of one, run by a supervised `python3`.
///
/// Calls run as [`PythonOptions::concurrency`] says. The child is given them in the order in which [`Service::call`] is
/// called; a server whose pool is one thread keeps that of the requests, and needs no more: no call holds its thread.
///
/// A process that dies fails the calls that it had begun with `WorkerDied` and is restarted, after 100 ms at first and
/// after up to 10 s when it goes on dying. The other calls wait for that, up to [`PythonOptions::restart_wait`].
#[derive(Debug)]
pub struct PythonService {
    supervisor: Arc<Supervisor>,
}

impl PythonService {
    /// Loads a module or an object of one, and returns when its methods can be called: as late as importing it takes.
    ///
    /// `target` is `module`, `package.module`, `package.module:Thing` (a class is called to make an object) or
    /// `./path/to/file.py`.
    ///
    /// # Errors
    /// When there is no interpreter, no such module or object, or when importing it fails.
    pub fn start(target: &str) -> Result<Self, PythonError> {
        Self::start_with(target, PythonOptions::new())
    }

    /// As [`start`](Self::start), with options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(target: &str, options: PythonOptions) -> Result<Self, PythonError> {
        Ok(Self { supervisor: Supervisor::start(target, options)? })
    }

    /// Calls a method from this process, without a server in between, and waits for nothing; [`PythonCall::wait`] gives
    /// the answer, also when that is that the call cannot be run.
    ///
    /// `arguments` are one msgpack value, normally an array; what is answered is msgpack as well.
    ///
    /// ```
    /// use zerorpc_python::{PythonAnswer, PythonService};
    ///
    /// let service = PythonService::start("math")?;
    /// // An array of one element: 9.
    /// let call = service.begin("isqrt", &[0x91, 9][..]);
    /// match call.wait().map_err(|failure| failure.to_string())? {
    ///     PythonAnswer::Value(value) => assert_eq!(value[..], [3]),
    ///     PythonAnswer::Stream(_) => panic!("isqrt gives one number"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn begin(&self, method: &str, arguments: impl Into<Bytes>) -> PythonCall {
        self.supervisor.begin(method, &Context::new(), b"", arguments.into())
    }

    /// How many calls wait for the Python process, or run in it.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.supervisor.open_calls()
    }

    /// Begins no more of the calls that wait: they are [given back](zerorpc::Responder::refuse), and those that run go on.
    /// For a server that stops.
    pub fn withdraw(&self) {
        self.supervisor.withdraw();
    }

    /// Ends the Python process, within a few seconds; dropping does the same. Calls that it has not begun are
    /// [given back](zerorpc::Responder::refuse): callers that understand it send them to another server.
    pub fn close(&self) {
        self.supervisor.close();
    }
}

impl Drop for PythonService {
    fn drop(&mut self) {
        self.close();
    }
}

impl Service for PythonService {
    fn name(&self) -> String {
        self.supervisor.service_info().name.clone()
    }

    fn methods(&self) -> Result<Vec<Method>, Failure> {
        Ok(self.supervisor.service_info().methods.clone())
    }

    fn call(&self, request: &Request) -> Result<Reply, Failure> {
        let arguments = request.args().clone().into_bytes();
        let peer = peer::encode(request.peer());
        let call = self.supervisor.begin(request.method(), request.context(), &peer, arguments);
        let cancel = call.cancel_handle();
        request.on_lost(move || cancel.cancel());
        Ok(Reply::Later(Box::new(move |responder| Delivery::start(call, responder))))
    }
}
