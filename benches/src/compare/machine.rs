//! Where this runs, and on which of its cores.

use std::{fs, process::Command, thread};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
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

/// The machine, what else it does, and the version that is measured, as far as they are known.
pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processors.lines().find_map(|line| line.strip_prefix("model name"));
    let processor =
        processor.map_or("unknown processor", |name| name.trim_matches(['\t', ' ', ':']));
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = loads.split(' ').next().unwrap_or_default();
    let commit = output("git", &["describe", "--always", "--dirty"]);
    let date = output("date", &["+%Y-%m-%d %H:%M"]);
    format!("{date}, commit {commit}; {cores} cores of {processor}, load {load} before")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
