//! Starts the interpreter and loads the served module into it.

use std::{
    env,
    ffi::OsString,
    io::{self, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use super::{
    catalogue::Catalogue,
    error::PythonError,
    frames::{self, Kind},
    process::Process,
};

/// What stands on the child's command line. It moves the pipe off fd 0, where the module may read, and runs
/// the loader, which comes first on that pipe behind its length.
const BOOTSTRAP: &str =
    "import os; pipe = open(os.dup(0), 'rb'); exec(pipe.read(int(pipe.readline())))";

const LOADER: &str = include_str!("../../python/loader.py");

/// The modules of the bridge, each behind those that it imports.
const BRIDGE: [(&str, &str); 10] = [
    ("codec", include_str!("../../python/bridge/codec.py")),
    ("wire", include_str!("../../python/bridge/wire.py")),
    ("decorators", include_str!("../../python/bridge/decorators.py")),
    ("failures", include_str!("../../python/bridge/failures.py")),
    ("resolve", include_str!("../../python/bridge/resolve.py")),
    ("keeper", include_str!("../../python/bridge/keeper.py")),
    ("introspect", include_str!("../../python/bridge/introspect.py")),
    ("threads", include_str!("../../python/bridge/threads.py")),
    ("calls", include_str!("../../python/bridge/calls.py")),
    ("runner", include_str!("../../python/bridge/runner.py")),
];

const WORKER: &str = include_str!("../../python/bridge/worker.py");

/// How Python is run.
#[derive(Debug, Clone)]
pub struct PythonOptions {
    /// The interpreter; the default is `ZERORPC_PYTHON` from the environment, else `python3`.
    pub python: OsString,
    /// Where it runs, and where modules are looked for first; the default is the current directory.
    pub directory: Option<PathBuf>,
    /// How long a call waits for a child that is being restarted; the default is 5 seconds.
    pub restart_wait: Duration,
}

impl Default for PythonOptions {
    fn default() -> Self {
        Self {
            python: env::var_os("ZERORPC_PYTHON")
                .filter(|python| !python.is_empty())
                .unwrap_or_else(|| "python3".into()),
            directory: None,
            restart_wait: Duration::from_secs(5),
        }
    }
}

/// The child's end of the conversation, for one reader.
pub(super) type Output = BufReader<ChildStdout>;

/// Starts the interpreter; it does not know yet what to do.
pub(super) fn spawn(
    target: &str,
    options: &PythonOptions,
) -> Result<(Arc<Process>, Output), PythonError> {
    let mut command = Command::new(&options.python);
    command.arg("-c").arg(BOOTSTRAP).arg(target).stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some(directory) = &options.directory {
        command.current_dir(directory);
    }
    let mut child = command
        .spawn()
        .map_err(|source| PythonError::NoPython { python: name(options), source })?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        abandon(child);
        return Err(io::Error::other("the child has no pipes").into());
    };
    Ok((Arc::new(Process::new(target, child, input)), BufReader::with_capacity(1 << 16, output)))
}

/// Has the child load the module; takes as long as the module's import takes.
///
/// On an error the child has ended.
pub(super) fn load(
    process: &Process,
    output: &mut Output,
    options: &PythonOptions,
) -> Result<Catalogue, PythonError> {
    // A child that ends early breaks the pipe; what it said on the other one is what counts.
    let handed_over = process.write(hand_over);
    let answer = frames::read(output);
    if let (Ok(()), Ok(Some(frame))) = (&handed_over, &answer)
        && frame.kind == Kind::Ready
        && let Some(catalogue) = Catalogue::decode(&frame.body)
    {
        return Ok(catalogue);
    }
    let status = process.reap()?;
    let target = process.target().to_owned();
    match answer {
        Ok(Some(frame)) if frame.kind == Kind::Refused => {
            let [reason, traceback] = super::catalogue::texts(&frame.body);
            Err(PythonError::Refused { target, reason, traceback })
        }
        _ => Err(PythonError::Ended { python: name(options), target, status }),
    }
}

fn hand_over(pipe: &mut dyn Write) -> io::Result<()> {
    let mut text = format!("{}\n{LOADER}", LOADER.len());
    for (name, source) in BRIDGE.into_iter().chain([("worker", WORKER)]) {
        text.push_str(&format!("{name} {}\n{source}", source.len()));
    }
    text.push('\n');
    pipe.write_all(text.as_bytes())
}

fn name(options: &PythonOptions) -> String {
    options.python.to_string_lossy().into_owned()
}

fn abandon(mut child: Child) {
    // Neither can fail for a child of ours that nobody has waited for.
    let _ = child.kill();
    let _ = child.wait();
}
