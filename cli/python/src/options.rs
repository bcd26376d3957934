//! How Python is run.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf, time::Duration};

use zerorpc::DEFAULT_POOL_SIZE;

/// How Python is run, for [`PythonService::start_with`](crate::PythonService::start_with).
///
/// ```no_run
/// use std::num::NonZeroUsize;
/// use zerorpc_python::{Concurrency, PythonOptions, PythonService};
///
/// let threads = NonZeroUsize::new(8).expect("eight");
/// let options = PythonOptions::new()
///     .python("/srv/shop/venv/bin/python")
///     .directory("/srv/shop")
///     .concurrency(Concurrency::Threads(threads));
/// let service = PythonService::start_with("shop.orders:Orders", options)?;
/// # Ok::<(), zerorpc_python::PythonError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct PythonOptions {
    pub(crate) python: OsString,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) restart_wait: Duration,
    pub(crate) concurrency: Concurrency,
    pub(crate) pool_size: usize,
    pub(crate) is_quiet: bool,
}

/// How plain methods run beside each other. `async` methods always do, on an event loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Concurrency {
    /// One at a time in the main thread, or as greenlets if the module imports gevent.
    #[default]
    Detect,
    /// One at a time in the main thread, also if the module imports gevent.
    Serial,
    /// So many at a time, in threads: for modules that are safe for that.
    Threads(NonZeroUsize),
    /// As greenlets of gevent, which has to be installed.
    Greenlets,
}

impl Default for PythonOptions {
    fn default() -> Self {
        Self {
            python: "python3".into(),
            directory: None,
            restart_wait: Duration::from_secs(5),
            concurrency: Concurrency::Detect,
            pool_size: DEFAULT_POOL_SIZE,
            is_quiet: false,
        }
    }
}

impl PythonOptions {
    /// The defaults, which are told at each method.
    pub fn new() -> Self {
        Self::default()
    }

    /// The interpreter, 3.8 or newer: a path, or a name that is looked for on `PATH`. The default is `python3`.
    pub fn python(mut self, python: impl Into<OsString>) -> Self {
        self.python = python.into();
        self
    }

    /// Where Python runs, and where modules are looked for first. The default is the current directory.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// How long a call waits for a process that is being restarted; the default is 5 seconds.
    pub fn restart_wait(mut self, time: Duration) -> Self {
        self.restart_wait = time;
        self
    }

    /// How plain methods run beside each other; the default is [`Concurrency::Detect`].
    pub fn concurrency(mut self, concurrency: Concurrency) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// How many calls are in progress at a time, at least one; streams that have begun do not count. The default is
    /// [`DEFAULT_POOL_SIZE`].
    pub fn pool_size(mut self, calls: usize) -> Self {
        self.pool_size = calls;
        self
    }

    /// Does not log the tracebacks of methods that raise. The default is that they are warnings of `tracing`, with the
    /// target `zerorpc::python`.
    pub fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }
}
