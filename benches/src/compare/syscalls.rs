//! How many system calls a call costs, as strace counts them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
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

const STRACE: &str = "strace";

/// Whether there is a strace that may trace.
pub(crate) fn available() -> bool {
    let mut probe = Command::new(STRACE);
    probe.args(["-c", "-o", "/dev/null", "true"]);
    probe.stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Counts those of the server, and of the client.
///
/// What a process does to start and to end does not count: each side is traced twice, once for hardly any calls,
/// and what the longer run has more of both is compared.
pub(crate) fn count(contender: &Contender, secs: f64) -> Result<Sample> {
    let spans = [0.0, secs.max(1.0)];
    let per_call = |trace: fn(&Contender, f64) -> Result<(u64, u64)>| -> Result<f64> {
        let (short, long) = (trace(contender, spans[0])?, trace(contender, spans[1])?);
        let calls = long.1.checked_sub(short.1).filter(|calls| *calls > 0);
        let calls = calls.ok_or("the longer run made no more calls than the shorter one")?;
        Ok((long.0 as f64 - short.0 as f64) / calls as f64)
    };
    Ok(Sample { value: per_call(of_server)?, extras: vec![Some(per_call(of_client)?)] })
}

/// System calls and calls, with the server traced.
fn of_server(contender: &Contender, secs: f64) -> Result<(u64, u64)> {
    let summary = summary("server");
    let traced = contender.server.under(STRACE, arguments(&summary));
    let server = Server::start(&traced, contender.serving, Core::Any)?;
    let client = Client::start(&contender.client, &server, contender.mode, secs, Core::Any)?;
    let report = client.report()?;
    // Without the server strace ends too, and sums up.
    for traced in procfs::children(server.pid()) {
        let pid = Pid::from_raw(traced.try_into()?).ok_or("a process without a number")?;
        kill_process(pid, Signal::TERM)?;
    }
    server.wait()?;
    Ok((total(&summary)?, report.n))
}

/// System calls and calls, with the client traced.
fn of_client(contender: &Contender, secs: f64) -> Result<(u64, u64)> {
    let summary = summary("client");
    let traced = contender.client.under(STRACE, arguments(&summary));
    let server = Server::start(&contender.server, contender.serving, Core::Any)?;
    let client = Client::start(&traced, &server, contender.mode, secs, Core::Any)?;
    let report = client.report()?;
    Ok((total(&summary)?, report.n))
}

fn summary(side: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("strace-{side}-{}", std::process::id()))
}

fn arguments(summary: &Path) -> Vec<&std::ffi::OsStr> {
    vec!["-f".as_ref(), "-c".as_ref(), "-o".as_ref(), summary.as_os_str()]
}

/// The number of calls in the last line of a summary, which ends with `total`.
fn total(summary: &Path) -> Result<u64> {
    let text = fs::read_to_string(summary)?;
    fs::remove_file(summary)?;
    let last = text.lines().rev().find(|line| line.ends_with(" total"));
    let calls = last.and_then(|line| line.split_ascii_whitespace().nth(3)?.parse().ok());
    Ok(calls.ok_or("strace wrote no summary")?)
}
