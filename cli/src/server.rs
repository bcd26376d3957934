//! The server's side: a Python module, served until a signal comes.

use std::{
    env, io,
    sync::{Arc, atomic::AtomicBool, mpsc},
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};
use zerorpc::{Authorizer as _, Limits, Principal, Server};
use zerorpc_python::{PythonError, PythonOptions, PythonService};

use crate::{
    exit::{CliError, Exit},
    plan::{Link, Plan, ServerPlan},
    security::Secured,
    status,
    waiting::Waiting,
};

/// How long running calls may take to end after the first signal; those that wait are begun in the first half of it. Not
/// measured: half of the ten seconds that `docker stop` waits before it kills.
const GRACE: Duration = Duration::from_secs(5);

/// The environment variable that names the interpreter, where `python3` is not the one.
const PYTHON: &str = "ZERORPC_PYTHON";

/// Serves until SIGINT or SIGTERM, then lets running calls end; a second signal ends the process at once.
///
/// # Errors
/// When the module cannot be served or an address cannot be used.
pub(crate) fn run(plan: &Plan, role: &ServerPlan) -> Result<Exit, CliError> {
    let secured = Secured::open(&plan.security, &plan.links)?;
    // Until the module is loaded, signals simply end the process: loading may take as long as the module likes.
    let service = PythonService::start_with(&role.module, options(role)).map_err(refused)?;
    let service = Arc::new(service);
    let mut signals = watch_signals()
        .map_err(|error| CliError::failed(format!("cannot watch signals: {error}")))?;

    let (monitor, events) = mpsc::channel();
    let mut builder = Server::builder()
        .monitor(monitor)
        .service(Arc::clone(&service))
        // Its calls never block, and one worker keeps them in order.
        .pool_size(Some(1))
        .limits(limits(role.max_memory))
        .transport(plan.transport)
        .heartbeat(plan.heartbeat)
        .socket_options(secured.apply(plan.socket_options()));
    if let Some(rules) = secured.rules.clone() {
        builder =
            builder.authorize(move |peer: &Principal, method: &str| rules.may_call(peer, method));
    }
    for link in &plan.links {
        status::announce(link);
        builder = match link {
            Link::Bind(address) => builder.bind(address),
            Link::Connect(address) => builder.connect(address),
        };
    }
    let server = builder.build()?;
    status::announce_choices(&plan.links, server.endpoints());
    status::print(format_args!("serving {:?}", role.module));
    // Where it is bound, clients may take their time.
    let is_worker = server.endpoints().is_empty();
    let tell = |why: &str| tracing::warn!("no client {why}; going on until one is there");
    let _waiting = is_worker.then(|| Waiting::begin(&plan.links, &[], events, tell)).transpose()?;

    let signal = signals.forever().next();
    status::print("stopping: running calls have 5 s to end, a second signal ends them at once");
    if !server.drain(GRACE / 2).is_complete() {
        // What would be begun from now on may not end in time.
        service.withdraw();
        server.drain(GRACE / 2);
    }
    // Not before it has ended, and all that it has started, does this process.
    service.close();
    server.shutdown(Duration::ZERO);
    Ok(if signal == Some(SIGINT) { Exit::Interrupted } else { Exit::Success })
}

fn options(role: &ServerPlan) -> PythonOptions {
    let mut options =
        PythonOptions::new().concurrency(role.concurrency).pool_size(role.pool_size.get());
    if let Some(python) = env::var_os(PYTHON).filter(|python| !python.is_empty()) {
        options = options.python(python);
    }
    if role.quiet { options.quiet() } else { options }
}

/// Why the module cannot be served; where an import failed is said at once.
fn refused(error: PythonError) -> CliError {
    if let Some(traceback) = error.traceback() {
        status::print(traceback.trim_end());
    }
    let message = match error {
        PythonError::NoPython { .. } => format!("{error}; install it, or name one in {PYTHON}"),
        error => error.to_string(),
    };
    CliError::new(Exit::Module, message)
}

/// What may be kept for callers, of so many bytes for all of them.
fn limits(total_bytes: usize) -> Limits {
    let limits = Limits::default();
    let peer_bytes = limits.peer_bytes.min(total_bytes);
    limits.peer_bytes(peer_bytes).total_bytes(total_bytes)
}

/// Catches the first signal of each kind, and leaves at the second of either.
fn watch_signals() -> io::Result<Signals> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag down and raises it, the second finds it up.
        flag::register_conditional_shutdown(
            signal,
            Exit::Interrupted as i32,
            Arc::clone(&stopping),
        )?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    Signals::new([SIGINT, SIGTERM])
}
