//! The processes that are measured.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, TcpListener},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::param::clock_ticks_per_second;
use zerorpc_benches::{Mode, Report, Result};

use crate::{Subject, machine::Core};

/// What a client may take beyond what it was told, before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed at the end.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, then there is nothing to kill.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A server at work.
pub(crate) struct Server {
    subject: Subject,
    address: String,
    process: Process,
}

impl Server {
    /// Starts the server of a subject at a free port of the loopback interface.
    pub(crate) fn start(subject: Subject, core: Core) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let (process, out) = start(subject, core, &["server", &address])?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        match line.trim_end() {
            "ready" => Ok(Self { subject, address, process }),
            other => Err(format!("the server said {other:?} instead of being ready").into()),
        }
    }

    /// Has a client measure this server.
    pub(crate) fn measure(&self, mode: Mode, secs: f64, core: Core) -> Result<Report> {
        let arguments = ["client", &self.address, &mode.to_string(), &secs.to_string()];
        let (mut client, mut out) = start(self.subject, core, &arguments)?;
        let deadline = Instant::now() + Duration::from_secs_f64(secs) + PATIENCE;
        // Little is printed, so that a client never waits for somebody to read it.
        let status = loop {
            match client.0.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => return Err("the client hangs".into()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let mut printed = String::new();
        out.read_to_string(&mut printed)?;
        match printed.lines().last() {
            Some(line) if status.success() => Ok(serde_json::from_str(line)?),
            _ => Err(format!("the client ended with {status}").into()),
        }
    }

    /// The seconds of processor time that the server has used; `None` where the system does not tell.
    pub(crate) fn cpu(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.0.id())).ok()?;
        // The name, in parentheses, may hold spaces: user and system time are 12 and 13 fields behind it.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_ascii_whitespace().skip(11);
        let ticks = times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?;
        Some(ticks as f64 / clock_ticks_per_second() as f64)
    }
}

fn start(subject: Subject, core: Core, arguments: &[&str]) -> Result<(Process, ChildStdout)> {
    let mut command = Command::new(subject.program);
    command.args(subject.options).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = core.during(|| Ok(Process(command.spawn()?)))?;
    let out = process.0.stdout.take().ok_or("a process without output")?;
    Ok((process, out))
}
