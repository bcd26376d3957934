//! Starts the interpreter and loads the served module into it.

use std::{
    env,
    fmt::Write as _,
    fs::File,
    io::{self, BufReader},
    os::{
        fd::{AsFd, AsRawFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, FdFlags, fcntl_setfd},
};

use super::{
    error::PythonError,
    frames::{self, Kind, Output},
    options::{Concurrency, PythonOptions},
    outgoing::Outgoing,
    process::{NUMBERS, Process},
    queue::Mode,
    service_info::ServiceInfo,
    sources::{BRIDGE, LOADER, PACKAGE},
};

/// What stands on the child's command line. It moves the pipe off fd 0, where the module may read, and runs
/// the loader, which comes first on that pipe behind its length.
const BOOTSTRAP: &str =
    "import os; pipe = open(os.dup(0), 'rb'); exec(pipe.read(int(pipe.readline())))";

/// How much of what the child says is read at once: what a pipe holds.
const READ: usize = 1 << 16;

/// Starts the interpreter, and hands it what it needs to load the module. It says how that went by its first frame.
pub(super) fn spawn(
    target: &str,
    options: &PythonOptions,
) -> Result<(Process, Output), PythonError> {
    let current = tempfile::tempfile()?;
    current.set_len(NUMBERS)?;
    let folder = env::temp_dir().join(format!("zerorpc-{:016x}", random()?));
    let mut command = Command::new(&options.python);
    command.arg("-c").arg(BOOTSTRAP).arg(target).stdin(Stdio::piped()).stdout(Stdio::piped());
    // What a terminal sends is for the server, which ends this process when its calls have ended.
    command.process_group(0);
    if let Some(directory) = &options.directory {
        command.current_dir(directory);
    }
    fcntl_setfd(&current, FdFlags::empty()).map_err(io::Error::from)?;
    let spawned = command.spawn();
    fcntl_setfd(&current, FdFlags::CLOEXEC).map_err(io::Error::from)?;
    let mut child =
        spawned.map_err(|source| PythonError::NoPython { python: name(options), source })?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the child has no pipes").into());
    };
    let start = hand_over(options, &current, &folder);
    let mut process = Process::new(child, input, current, folder);
    // A child that ends early breaks the pipe; what it said on the other one is what counts.
    if let Err(error) = process.write_all(start.as_bytes()) {
        tracing::debug!(%error, "the Python process has ended early");
    }
    Ok((process, BufReader::with_capacity(READ, output)))
}

/// Waits until the child has loaded the module, which takes as long as the module's import takes. `None` when it has
/// ended instead. Meanwhile `look` is called, each time at the time that it gave before.
///
/// # Errors
/// When it says why there is nothing to serve.
pub(super) fn load(
    target: &str,
    output: &mut Output,
    options: &PythonOptions,
    outgoing: &Outgoing,
    mut look: impl FnMut() -> Instant,
) -> Result<Option<(ServiceInfo, Mode)>, PythonError> {
    let frame = loop {
        while output.buffer().is_empty() && !is_readable_by(look(), output) {}
        let Ok(Some(frame)) = frames::read(output) else { return Ok(None) };
        // The module may make calls already while it is being imported.
        let Kind::Outgoing(kind) = frame.kind else { break frame };
        outgoing.handle(kind, frame.call, frame.body);
    };
    match frame.kind {
        Kind::Ready => Ok(ServiceInfo::decode(&frame.body).zip(mode(frame.call, options))),
        Kind::Refused => {
            let [reason, traceback] = super::service_info::texts(&frame.body);
            Err(PythonError::Refused { target: target.to_owned(), reason, traceback })
        }
        _ => Ok(None),
    }
}

/// Waits until the child has said something, or until this time; whether it has.
fn is_readable_by(time: Instant, output: &Output) -> bool {
    let timeout = time.saturating_duration_since(Instant::now());
    let timeout = Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
    let mut watched = [PollFd::new(output.get_ref(), PollFlags::IN)];
    match poll(&mut watched, Some(&timeout)) {
        Ok(ready) => ready > 0,
        // Reading will say what is wrong.
        Err(error) => error != Errno::INTR,
    }
}

/// How many threads plain methods have; 0 where they have none.
fn threads(options: &PythonOptions) -> usize {
    match options.concurrency {
        Concurrency::Threads(threads) => threads.get(),
        Concurrency::Detect | Concurrency::Serial | Concurrency::Greenlets => 0,
    }
}

fn mode(told: u64, options: &PythonOptions) -> Option<Mode> {
    match told {
        0 => Some(Mode::Serial),
        1 => Some(Mode::Threads(threads(options).max(1))),
        2 => Some(Mode::Greenlets),
        _ => None,
    }
}

/// What the loader reads: itself, the modules of the bridge and the package, and the options.
fn hand_over(options: &PythonOptions, current: &File, folder: &Path) -> String {
    let mut text = format!("{}\n{LOADER}", LOADER.len());
    for (name, source) in BRIDGE.iter().chain(PACKAGE) {
        // A String takes everything.
        let _never_fails = write!(text, "{name} {}\n{source}", source.len());
    }
    let threads = threads(options);
    let gevent = match options.concurrency {
        Concurrency::Detect => "auto",
        Concurrency::Greenlets => "yes",
        Concurrency::Serial | Concurrency::Threads(_) => "no",
    };
    let current = current.as_fd().as_raw_fd();
    let _never_fails =
        write!(text, "\n{threads} {gevent} {current} {}\n", folder.to_string_lossy());
    text
}

pub(super) fn name(options: &PythonOptions) -> String {
    options.python.to_string_lossy().into_owned()
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u64::from_ne_bytes(bytes))
}
