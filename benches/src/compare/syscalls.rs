//! How many system calls a call costs, as perf counts them, or strace where perf may not.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use rustix::process::{Pid, Signal, kill_process};
use zerorpc_benches::Result;

use crate::{
    machine::Core,
    process::{Client, Server},
    procfs,
    rows::Contender,
    table::Sample,
};

/// A program that counts the system calls of another one.
#[derive(Debug, Clone, Copy)]
enum Tracer {
    /// Hardly slows down what it counts.
    Perf,
    /// Stops at each system call: what is done once in a millisecond seems to be done for each call.
    Strace,
}

/// The best one that may count.
static TRACER: LazyLock<Option<Tracer>> =
    LazyLock::new(|| [Tracer::Perf, Tracer::Strace].into_iter().find(|tracer| tracer.may_count()));

impl Tracer {
    fn may_count(self) -> bool {
        let mut probe = Command::new(self.program());
        probe.args(self.arguments(Path::new("/dev/null"))).arg("true");
        probe.stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    }

    fn program(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Strace => "strace",
        }
    }

    /// What comes before the command that is to be counted.
    fn arguments(self, summary: &Path) -> Vec<&OsStr> {
        let options: &[&str] = match self {
            Self::Perf => &["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o"],
            Self::Strace => &["-f", "-c", "-o"],
        };
        options.iter().map(OsStr::new).chain([summary.as_os_str()]).collect()
    }

    /// The number of calls in a summary.
    fn total(self, summary: &str) -> Option<u64> {
        let count = match self {
            Self::Perf => {
                summary.lines().find(|line| line.contains("sys_enter"))?.split(',').next()
            }
            Self::Strace => {
                let last = summary.lines().rev().find(|line| line.ends_with(" total"))?;
                last.split_ascii_whitespace().nth(3)
            }
        };
        count?.parse().ok()
    }
}

/// Whether somebody may count.
pub(crate) fn available() -> bool {
    TRACER.is_some()
}

/// Counts those of the server, and of the client, on one core: with two, those are added with which the one side looks
/// again while the other is still at work.
///
/// What a process does to start and to end does not count: each side is traced twice, once for hardly any calls,
/// and what the longer run has more of both is compared.
pub(crate) fn count(contender: &Contender, secs: f64) -> Result<Sample> {
    let tracer = TRACER.ok_or("neither perf nor strace may count system calls")?;
    let per_call = |trace: fn(Tracer, &Contender, f64) -> Result<(u64, u64)>| -> Result<f64> {
        let short = trace(tracer, contender, 0.0)?;
        let long = trace(tracer, contender, secs.max(1.0))?;
        let calls = long.1.checked_sub(short.1).filter(|calls| *calls > 0);
        let calls = calls.ok_or("the longer run made no more calls than the shorter one")?;
        Ok((long.0 as f64 - short.0 as f64) / calls as f64)
    };
    Ok(Sample { value: per_call(of_server)?, extras: vec![Some(per_call(of_client)?)] })
}

/// System calls and calls, with the server traced.
fn of_server(tracer: Tracer, contender: &Contender, secs: f64) -> Result<(u64, u64)> {
    let summary = summary("server");
    let traced = contender.server.under(tracer.program(), tracer.arguments(&summary));
    let server = Server::start(&traced, contender.serving, Core::Last)?;
    let client = Client::start(&contender.client, &server, contender.mode, secs, Core::Last)?;
    let report = client.report()?;
    // Without the server the tracer ends too, and sums up.
    for traced in procfs::children(server.pid()) {
        let pid = Pid::from_raw(traced.try_into()?).ok_or("a process without a number")?;
        kill_process(pid, Signal::TERM)?;
    }
    server.wait()?;
    Ok((total(tracer, &summary)?, report.n))
}

/// System calls and calls, with the client traced.
fn of_client(tracer: Tracer, contender: &Contender, secs: f64) -> Result<(u64, u64)> {
    let summary = summary("client");
    let traced = contender.client.under(tracer.program(), tracer.arguments(&summary));
    let server = Server::start(&contender.server, contender.serving, Core::Last)?;
    let client = Client::start(&traced, &server, contender.mode, secs, Core::Last)?;
    let report = client.report()?;
    Ok((total(tracer, &summary)?, report.n))
}

fn summary(side: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("calls-{side}-{}", std::process::id()))
}

fn total(tracer: Tracer, summary: &Path) -> Result<u64> {
    let text = fs::read_to_string(summary)?;
    fs::remove_file(summary)?;
    Ok(tracer.total(&text).ok_or("there is no summary of system calls")?)
}
