//! Starting the command, and waiting for what it prints and how it ends.

use std::{
    ffi::OsStr,
    fmt,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::process::Output;
pub(crate) use crate::running::Running;

/// The command under its usual name.
pub(crate) const ZERORPC: &str = env!("CARGO_BIN_EXE_zerorpc");

/// The folder of modules that are served here.
pub(crate) fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/modules")
}

/// A program, yet to be started, with nothing of this process's environment that would change what it does.
pub(crate) fn command<A: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(modules());
    command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("RUST_LOG").stdin(Stdio::null());
    for variable in [
        "KEY",
        "SERVER_KEY",
        "AUTHORIZED_KEYS",
        "USER",
        "PASSWORD",
        "PASSWORD_FILE",
        "ALLOW_UID",
        "ALLOW_GID",
    ] {
        command.env_remove(format!("ZERORPC_{variable}"));
    }
    command
}

/// Starts `zerorpc`.
pub(crate) fn start<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Running {
    Running::start(command(ZERORPC, args))
}

/// Runs `zerorpc` to its end.
pub(crate) fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ended {
    start(args).wait()
}

/// A TCP port that nobody uses.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    listener.local_addr().expect("the address of a bound socket").port()
}

impl Running {
    /// Waits until standard output holds `text`, and returns all of it.
    pub(crate) fn wait_for_stdout(&self, text: &str) -> String {
        self.wait_for(&self.stdout, text)
    }

    /// Waits until standard error holds `text`, and returns all of it.
    pub(crate) fn wait_for_stderr(&self, text: &str) -> String {
        self.wait_for(&self.stderr, text)
    }

    /// Standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.wait_for(&self.stderr, "")
    }

    fn wait_for(&self, output: &Output, text: &str) -> String {
        let found = output.wait_for(|so_far| so_far.contains(text));
        found.unwrap_or_else(|why| panic!("{} never said {text:?}: {why}", self.line))
    }

    /// Waits for the end of it and of all that it has started.
    pub(crate) fn wait(self) -> Ended {
        let (line, status, stdout, stderr) = self.end();
        Ended { line, status, stdout, stderr }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it still runs");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process.child)
    }
}

/// How a program ended.
pub(crate) struct Ended {
    line: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Checks the exit code and the whole standard output.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, stdout: &str) -> Self {
        assert!(self.status.code() == Some(code) && self.stdout == stdout, "{self}");
        self
    }

    /// Whether it has done its work.
    pub(crate) fn is_success(&self) -> bool {
        self.status.success()
    }

    /// Checks that a signal ended it.
    #[track_caller]
    pub(crate) fn expect_signal(self, signal: Signal) -> Self {
        assert!(self.status.signal() == Some(signal.as_raw()), "{self}");
        self
    }

    /// Checks that standard error holds each of these.
    #[track_caller]
    pub(crate) fn tells(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is missing from {self}");
        }
        self
    }

    /// Checks that all went well, without a word on standard error.
    #[track_caller]
    pub(crate) fn expect_success_alone(self) {
        assert!(self.status.success() && self.stderr.is_empty(), "{self}");
    }

    /// Checks that standard error is one line, an error that holds each of these.
    #[track_caller]
    pub(crate) fn expect_one_error(self, parts: &[&str]) {
        let one = self.stderr.starts_with("error: ") && self.stderr.lines().count() == 1;
        assert!(one, "{self}");
        self.tells(parts);
    }

    /// The last line of standard error.
    pub(crate) fn last_words(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, status, stdout, stderr } = self;
        write!(f, "{line}\n{status}\n--- stdout:\n{stdout}\n--- stderr:\n{stderr}\n---")
    }
}

/// A server of one module, bound to a port of the system's choice.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) endpoint: String,
    /// Of its clients too: who beats more slowly than the other side expects is lost.
    heartbeat: &'static str,
}

impl Server {
    /// Serves one of [`modules`].
    pub(crate) fn start(module: &str) -> Self {
        Self::of(start(["--server", "--bind", "tcp://127.0.0.1:*", module]), "5")
    }

    /// The same with plain calls side by side.
    pub(crate) fn in_threads(module: &str) -> Self {
        Self::beating("5", &["--threads", "64"], module)
    }

    /// The same with another heartbeat, and flags.
    pub(crate) fn beating(heartbeat: &'static str, flags: &[&str], module: &str) -> Self {
        let links = ["--server", "--bind", "tcp://127.0.0.1:*", "--heartbeat", heartbeat];
        Self::of(start(links.iter().chain(flags).chain([&module])), heartbeat)
    }

    /// A server that is just being started.
    pub(crate) fn of(running: Running, heartbeat: &'static str) -> Self {
        let said = running.wait_for_stderr("serving \"");
        let endpoint = said.split("bound to \"").nth(1).and_then(|rest| rest.split('"').next());
        let endpoint = endpoint.expect("it tells the port").to_owned();
        Self { running, endpoint, heartbeat }
    }

    /// A server where another one has been.
    pub(crate) fn at(endpoint: &str, flags: &[&str], module: &str) -> Self {
        let running = start(["--server", "--bind", endpoint].iter().chain(flags).chain([&module]));
        running.wait_for_stderr("serving \"");
        Self { running, endpoint: endpoint.to_owned(), heartbeat: "5" }
    }

    /// Runs a client of it to its end; `words` may begin with flags.
    pub(crate) fn ask(&self, words: &[&str]) -> Ended {
        self.start_client(words).wait()
    }

    /// Starts a client of it.
    pub(crate) fn start_client(&self, words: &[&str]) -> Running {
        let flags = ["--connect", &self.endpoint, "--heartbeat", self.heartbeat];
        start(flags.iter().chain(words))
    }

    /// The process that runs the module, which must have a method `pid`.
    pub(crate) fn python(&self) -> Pid {
        let answer = self.ask(&["pid"]).stdout;
        answer.trim().parse().ok().and_then(Pid::from_raw).expect("a process id")
    }
}

/// Waits until a process is gone.
pub(crate) fn wait_gone(process: Pid) {
    until("the process is gone", || test_kill_process(process).is_err());
}

/// Asks again and again until the answer is right; fails after a minute.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed().as_secs() < 60, "in vain waited for: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
