//! A Python module as a [`Service`].

use std::sync::Arc;

use bytes::Bytes;
use zerorpc::{Args, Failure, Method, Reply, Request, Service};

use super::{
    conversation::{Answer, Conversation},
    error::PythonError,
    launch::PythonOptions,
    supervisor::Supervisor,
};

/// A Python module, or an object of one, run by a supervised `python3`.
///
/// The process ends with this value. One that dies fails its running calls with `WorkerDied` and is
/// restarted, after 100 ms at first and after up to 10 s when it goes on dying; calls that arrive meanwhile
/// wait for it, up to [`PythonOptions::restart_wait`].
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

    /// Calls a method with one msgpack value, normally an array, as arguments.
    ///
    /// # Errors
    /// When no Python process runs, nor will within the time that calls wait.
    pub fn begin(&self, method: &str, arguments: &[u8]) -> Result<Conversation, Failure> {
        loop {
            // A process that died in between has been replaced in the supervisor by then.
            let process = self.supervisor.process()?;
            if let Some(call) = Conversation::begin(process, method, arguments) {
                return Ok(call);
            }
        }
    }

    /// How many calls the Python process works on.
    #[must_use]
    pub fn running_calls(&self) -> usize {
        self.supervisor.open_calls()
    }

    /// Ends the Python process, within a few seconds; dropping does the same.
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
        let call = self.begin(request.method(), request.args().as_bytes())?;
        let abandon = call.abandoner();
        request.on_lost(move || abandon.abandon());
        match call.wait()? {
            Answer::Value(value) => Ok(Reply::Value(checked(value)?)),
            Answer::Stream(items) => Ok(Reply::Stream(Box::new(items.map(|item| checked(item?))))),
        }
    }
}

fn checked(value: Bytes) -> Result<Args, Failure> {
    Ok(Args::from_bytes(value)?)
}
