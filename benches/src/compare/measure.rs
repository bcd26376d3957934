//! One measurement of one contender.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use zerorpc_benches::{Mode, Report, Result};

use crate::{
    machine::Core,
    process::{Client, Server, Serving},
    procfs,
    rows::{Contender, How, Row, Scale},
    syscalls,
    table::Sample,
};

const MIB: f64 = 1024.0 * 1024.0;
/// How long a client may take to open what is to be held.
const OPENING: Duration = Duration::from_secs(600);

/// Measures a contender once, for so many seconds.
pub(crate) fn measure(row: &Row, contender: &Contender, secs: f64) -> Result<Sample> {
    let sample = match row.how {
        How::Calls(_, scale) => calls(row, contender, scale, secs),
        How::Memory(_) => memory(contender),
        How::Upkeep(_, hold) => upkeep(contender, hold),
        How::Command(words) => command(contender, words, secs),
        How::Syscalls(_) => syscalls::count(contender, secs),
    };
    sample.map_err(|error| format!("{}, {}: {error}", contender.title, row.name).into())
}

fn calls(row: &Row, contender: &Contender, scale: Scale, secs: f64) -> Result<Sample> {
    let server = start(contender, row.cores.0)?;
    let idle = server.cpu();
    let client = Client::start(&contender.client, &server, contender.mode, secs, row.cores.1)?;
    let report = client.report()?;
    let busy = server.cpu().zip(idle).map(|(busy, idle)| busy - idle);
    let rate = report.n as f64 / report.secs;
    let value = match scale {
        Scale::Micros => report.p50_us,
        Scale::Thousands => rate / 1e3,
        Scale::Mebibytes(bytes) => rate * bytes as f64 / MIB,
    };
    Ok(Sample { value, extras: vec![busy.map(|secs| secs * 1e6 / report.n as f64)] })
}

/// Starts a server and sees to it that it can be called.
fn start(contender: &Contender, core: Core) -> Result<Server> {
    let server = Server::start(&contender.server, contender.serving, core)?;
    if contender.serving == Serving::Module {
        Client::start(&contender.client, &server, Mode::Seq, 0.0, core)?.report()?;
    }
    Ok(server)
}

fn memory(contender: &Contender) -> Result<Sample> {
    let server = start(contender, Core::Any)?;
    let mut client = Client::start(&contender.client, &server, contender.mode, 0.0, Core::Any)?;
    client.await_word("connected", OPENING)?;
    let pids = [server.pid(), client.pid()];
    let before = pids.map(procfs::memory);
    client.go_on()?;
    client.await_word("open", OPENING)?;
    let after = pids.map(procfs::memory);
    client.go_on()?;
    let report = client.report()?;
    let grown = |side: usize| -> Option<f64> {
        Some((after[side]? as f64 - before[side]? as f64) / 1024.0 / report.n as f64)
    };
    let extra = match contender.mode {
        Mode::Connections(_) => Some(report.p50_us),
        _ => grown(1),
    };
    Ok(Sample {
        value: grown(0).ok_or("the system does not tell how much memory is used")?,
        extras: vec![extra],
    })
}

fn upkeep(contender: &Contender, secs: f64) -> Result<Sample> {
    let server = start(contender, Core::Any)?;
    let mut client = Client::start(&contender.client, &server, contender.mode, 0.0, Core::Any)?;
    client.await_word("connected", OPENING)?;
    client.go_on()?;
    client.await_word("open", OPENING)?;
    let pids = [server.pid(), client.pid()];
    let (start, before) = (Instant::now(), pids.map(procfs::cpu));
    // Nothing ends while this is measured: it is the passing of time that costs.
    thread::sleep(Duration::from_secs_f64(secs));
    let (lasted, after) = (start.elapsed().as_secs_f64(), pids.map(procfs::cpu));
    client.go_on()?;
    let Report { first_us, last_us, .. } = client.report()?;
    let share =
        |side: usize| -> Option<f64> { Some((after[side]? - before[side]?) / lasted * 100.0) };
    Ok(Sample {
        value: share(0).ok_or("the system does not tell how much processor time is used")?,
        extras: vec![share(1), first_us, last_us],
    })
}

fn command(contender: &Contender, words: &[&str], secs: f64) -> Result<Sample> {
    let server = start(contender, Core::Any)?;
    let endpoint = format!("tcp://{}", server.address());
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 3 || start.elapsed().as_secs_f64() < secs {
        let mut command = contender.client.command([&[endpoint.as_str()], words].concat());
        command.stdin(Stdio::null());
        let begun = Instant::now();
        let output =
            command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(format!("it ended with {}: {told}", output.status).into());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(Sample { value: times[times.len() / 2], extras: Vec::new() })
}
