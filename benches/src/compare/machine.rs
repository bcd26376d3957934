//! Where this runs, and on which of its cores.

use std::{
    fmt, fs,
    process::{Command, Stdio},
    thread,
};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};
use serde::Serialize;
use zerorpc_benches::Result;

/// Which cores a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    /// All that there are.
    Any,
    /// The first alone.
    First,
    /// The last alone.
    Last,
}

impl Core {
    /// Does something, such as starting a process, with these cores alone.
    pub(crate) fn during<T>(self, action: impl FnOnce() -> Result<T>) -> Result<T> {
        let all = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let chosen = match self {
            Self::Any => return action(),
            Self::First => cores.next(),
            Self::Last => cores.next_back(),
        };
        let mut one = CpuSet::new();
        one.set(chosen.ok_or("there is no core")?);
        sched_setaffinity(None, &one)?;
        let done = action();
        sched_setaffinity(None, &all)?;
        done
    }
}

/// The machine, what else it does, and the versions that are measured, as far as they are known.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) system: String,
    pub(crate) rust: String,
    /// The average number of processes that wanted to run in the minute before.
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn describe() -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processors.lines().find_map(|line| line.strip_prefix("model name"));
        let processor =
            processor.map_or("an unknown processor", |name| name.trim_matches(['\t', ' ', ':']));
        let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            date: output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            commit: output("git", &["describe", "--always", "--dirty"]),
            cores: thread::available_parallelism().map_or(0, usize::from),
            processor: processor.to_owned(),
            system: output("uname", &["-sr"]),
            rust: output("rustc", &["--version"]),
            load: loads.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, commit, cores, processor, system, rust, load } = self;
        write!(f, "{date}, commit {commit}, {rust}; {cores} cores of {processor}, {system}, ")?;
        write!(f, "load {load} before")
    }
}

/// Lets this process and those that it starts have as many files open as the system allows, and returns how many.
pub(crate) fn allow_many_files() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
