//! A Python module as a [`Service`].

use std::sync::Arc;

use bytes::Bytes;
use zerorpc::{Context, Failure, Method, Reply, Request, Service};

use super::{
    call::PythonCall, delivery::Delivery, error::PythonError, launch::PythonOptions,
    supervisor::Supervisor,
};

/// A Python module, or an object of one, run by a supervised `python3`.
///
/// Calls run as [`PythonOptions`] say: one at a time in the main thread, unless that is changed, and in the order in which
/// [`Service::call`] is called: a server with a pool of one keeps that of the requests. The process ends with
/// this value. One that dies fails the calls that it had begun with `WorkerDied` and is restarted, after 100 ms at
/// first and after up to 10 s when it goes on dying; the other calls wait for it, up to
/// [`PythonOptions::restart_wait`].
#[derive(Debug)]
pub struct PythonService {
    supervisor: Arc<Supervisor>,
}

impl PythonService {
    /// Loads `target`: `module`, `package.module`, `module.object`, `module.Class`…; returns when its methods
    /// can be called.
    ///
    /// # Errors
    /// When there is no interpreter, no such module or object, or when importing it fails.
    pub fn start(target: &str) -> Result<Self, PythonError> {
        Self::start_with(target, PythonOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(target: &str, options: PythonOptions) -> Result<Self, PythonError> {
        Ok(Self { supervisor: Supervisor::start(target, options)? })
    }

    /// Calls a method with one msgpack value, normally an array, as arguments. Does not wait for anything; what keeps
    /// the call from being run is its answer.
    pub fn begin(&self, method: &str, arguments: impl Into<Bytes>) -> PythonCall {
        self.supervisor.begin(method, &Context::new(), arguments.into())
    }

    /// How many calls wait for the Python process, or run in it.
    #[must_use]
    pub fn running_calls(&self) -> usize {
        self.supervisor.open_calls()
    }

    /// Begins no more of the calls that wait: they are [given back](zerorpc::Responder::refuse), and those that run go on.
    /// For a server that stops.
    pub fn withdraw(&self) {
        self.supervisor.withdraw();
    }

    /// Ends the Python process, within a few seconds; dropping does the same. Calls that it has not begun are
    /// [given back](zerorpc::Responder::refuse): callers that understand it send them to another server.
    pub fn shutdown(&self) {
        self.supervisor.close();
    }
}

impl Drop for PythonService {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Service for PythonService {
    fn name(&self) -> String {
        self.supervisor.catalogue().name.clone()
    }

    fn methods(&self) -> Result<Vec<Method>, Failure> {
        Ok(self.supervisor.catalogue().methods.clone())
    }

    fn call(&self, request: &Request) -> Result<Reply, Failure> {
        let arguments = request.args().clone().into_bytes();
        let call = self.supervisor.begin(request.method(), request.context(), arguments);
        let cancel = call.cancel_handle();
        request.on_lost(move || cancel.cancel());
        Ok(Reply::Later(Box::new(move |responder| Delivery::start(call, responder))))
    }
}
