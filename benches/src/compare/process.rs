//! The processes that are measured.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    process::{Child, ChildStdin, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use zerorpc_benches::{Mode, Report, Result};

use crate::{machine::Core, procfs, program::Program};

/// What a client may take beyond what it was told, before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The module that a server is given which serves modules.
const MODULE: &str = "bench_module";

/// A process that is killed at the end, with those that it has started.
struct Process {
    child: Child,
    /// What it prints, line by line; ends with it.
    lines: Receiver<String>,
}

impl Process {
    fn start(program: &Program, core: Core, words: &[&str]) -> Result<Self> {
        let mut command = program.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = core.during(|| {
            command.spawn().map_err(|error| format!("cannot run {command:?}: {error}").into())
        })?;
        let out = child.stdout.take().ok_or("a process without output")?;
        let (sender, lines) = channel();
        // Ends with the process.
        thread::spawn(move || {
            BufReader::new(out).lines().map_while(|line| line.ok()).try_for_each(|line| {
                // Nobody reads what comes after the last line that matters.
                sender.send(line)
            })
        });
        Ok(Self { child, lines })
    }

    /// The next line that it prints, or none if it ended.
    fn line(&self, patience: Duration) -> Result<Option<String>> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("nothing was printed for {patience:?}: it hangs").into())
            }
        }
    }

    fn expect(&self, wanted: &str, patience: Duration) -> Result<()> {
        match self.line(patience)? {
            Some(line) if line == wanted => Ok(()),
            Some(line) => Err(format!("{line:?} was printed instead of {wanted:?}").into()),
            None => Err(format!("a process ended instead of printing {wanted:?}").into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The number of a process that has ended may be another's by now.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // A tracer leaves what it traces behind, which must not outlive it either.
        let children = procfs::children(self.child.id());
        // It may end by itself at this moment, then there is nothing to kill.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        for child in children.into_iter().filter_map(|child| Pid::from_raw(child.try_into().ok()?))
        {
            let _ended = kill_process(child, Signal::KILL);
        }
    }
}

/// How a server is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serving {
    /// By the contract: `server HOST:PORT`, which prints `ready`.
    Contract,
    /// As the zerorpc command serves a module; it can be called some time later.
    Module,
}

/// A server at work.
pub(crate) struct Server {
    address: String,
    process: Process,
}

impl Server {
    /// Starts a server at a free port of the loopback interface.
    pub(crate) fn start(program: &Program, serving: Serving, core: Core) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let endpoint = format!("tcp://{address}");
        let process = match serving {
            Serving::Contract => {
                let process = Process::start(program, core, &["server", &address])?;
                process.expect("ready", PATIENCE)?;
                process
            }
            Serving::Module => {
                Process::start(program, core, &["--server", "--bind", &endpoint, MODULE])?
            }
        };
        Ok(Self { address, process })
    }

    /// Where it can be reached, as HOST:PORT.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// The seconds of processor time that the server has used; `None` where the system does not tell.
    pub(crate) fn cpu(&self) -> Option<f64> {
        procfs::cpu(self.pid())
    }

    /// Waits until it has ended, which somebody else sees to.
    pub(crate) fn wait(mut self) -> Result<ExitStatus> {
        while self.process.line(PATIENCE)?.is_some() {}
        Ok(self.process.child.wait()?)
    }
}

/// A client that keeps to the contract, at work.
pub(crate) struct Client {
    process: Process,
    input: Option<ChildStdin>,
    secs: f64,
}

impl Client {
    pub(crate) fn start(
        program: &Program,
        server: &Server,
        mode: Mode,
        secs: f64,
        core: Core,
    ) -> Result<Self> {
        let words = ["client", &server.address, &mode.to_string(), &secs.to_string()];
        let mut process = Process::start(program, core, &words)?;
        let input = process.child.stdin.take();
        Ok(Self { process, input, secs })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Waits until it says how far it is.
    pub(crate) fn await_word(&self, word: &str, patience: Duration) -> Result<()> {
        self.process.expect(word, patience)
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        let input = self.input.as_mut().ok_or("a client without input")?;
        Ok(input.write_all(b"\n")?)
    }

    /// Waits for its end and returns what it reports.
    pub(crate) fn report(mut self) -> Result<Report> {
        let patience = Duration::from_secs_f64(self.secs) + PATIENCE;
        let deadline = Instant::now() + patience;
        let mut last = None;
        while let Some(line) =
            self.process.line(deadline.saturating_duration_since(Instant::now()))?
        {
            last = Some(line);
        }
        let status = self.process.child.wait()?;
        match last {
            Some(line) if status.success() => Ok(serde_json::from_str(&line)?),
            _ => Err(format!("the client ended with {status}").into()),
        }
    }
}
