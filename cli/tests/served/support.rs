//! Servers of the modules in this folder, for an interpreter of the test's choice, and callers of them.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    process::Command,
    sync::{OnceLock, atomic::AtomicU32, atomic::Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use zerorpc::{Client, ClientBuilder, Error, RemoteError};
use zerorpc_tests::peers::{self, Interpreter, Packages};

use crate::command::{self, Ended, Running, Server, ZERORPC};
pub(crate) use crate::command::{free_port, until};

/// How many callers "many callers at once" are.
pub(crate) const MANY: usize = 24;

/// Makes tests of functions that take an interpreter: each runs with the oldest and with the newest at hand.
macro_rules! each_python {
    ($($test:ident),* $(,)?) => {
        mod oldest {
            $(#[test] fn $test() { super::$test(crate::support::oldest()); })*
        }
        mod newest {
            $(#[test] fn $test() { super::$test(crate::support::newest()); })*
        }
    };
}
pub(crate) use each_python;

pub(crate) fn oldest() -> &'static Interpreter {
    peers::interpreters().first().expect("there is a Python 3.8 or newer")
}

pub(crate) fn newest() -> &'static Interpreter {
    peers::interpreters().last().expect("there is a Python 3.8 or newer")
}

/// The interpreter with these packages; made at most once for each.
pub(crate) fn with(python: &Interpreter, packages: Packages) -> Option<Interpreter> {
    peers::python_environment(python, packages)
}

pub(crate) fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/served/modules")
}

/// How a server is started.
pub(crate) struct Setup {
    command: Command,
    heartbeat: &'static str,
    mark: String,
}

impl Setup {
    /// `zerorpc --server … MODULE`, with a heartbeat that makes no test wait.
    pub(crate) fn new(python: &Interpreter, flags: &[&str], module: &str) -> Self {
        Self::beating("0.5", python, flags, module)
    }

    /// The same with another heartbeat, also of its clients.
    pub(crate) fn beating(
        heartbeat: &'static str,
        python: &Interpreter,
        flags: &[&str],
        module: &str,
    ) -> Self {
        let links = ["--server", "--bind", "tcp://127.0.0.1:*", "--heartbeat", heartbeat];
        let mut line = command::command(ZERORPC, links.iter().chain(flags).chain([&module]));
        line.current_dir(modules()).env("ZERORPC_PYTHON", python.executable());
        let mark = next_mark();
        line.env(MARK, &mark);
        Self { command: line, heartbeat, mark }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs it below a shell that first does this, such as setting limits.
    pub(crate) fn after(mut self, shell: &str) -> Self {
        let mut outer = Command::new("sh");
        outer.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]).arg(self.command.get_program());
        outer.args(self.command.get_args()).stdin(std::process::Stdio::null());
        outer.current_dir(self.command.get_current_dir().expect("it has one"));
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        self.command = outer;
        self
    }

    pub(crate) fn start(self) -> Served {
        let server = Server::of(Running::start(self.command), self.heartbeat);
        let heartbeat = self.heartbeat.parse().expect("it is a number of seconds");
        let heartbeat = Duration::from_secs_f64(heartbeat);
        Served { client: OnceLock::new(), server, heartbeat, mark: self.mark }
    }

    /// For servers that are not to come up.
    pub(crate) fn run(self) -> Ended {
        Running::start(self.command).wait()
    }
}

/// Says in the environment of a server, and so of all that it starts, whose they are.
const MARK: &str = "ZERORPC_TEST_SERVER";

fn next_mark() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed))
}

/// A served module.
pub(crate) struct Served {
    client: OnceLock<Client>,
    pub(crate) server: Server,
    heartbeat: Duration,
    mark: String,
}

impl Served {
    pub(crate) fn start(python: &Interpreter, module: &str) -> Self {
        Setup::new(python, &[], module).start()
    }

    pub(crate) fn with(python: &Interpreter, flags: &[&str], module: &str) -> Self {
        Setup::new(python, flags, module).start()
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.server.endpoint
    }

    /// A client to be built, with the server's heartbeat.
    pub(crate) fn builder(&self) -> ClientBuilder {
        let client = Client::builder().connect(self.endpoint());
        client.heartbeat(self.heartbeat).timeout(Duration::from_secs(60))
    }

    /// A client of its own.
    pub(crate) fn new_client(&self) -> Client {
        self.builder().build().expect("it connects")
    }

    /// The client that the calls below share.
    pub(crate) fn client(&self) -> &Client {
        self.client.get_or_init(|| self.new_client())
    }

    /// The result of a call.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, args: Value) -> Value {
        match self.client().call(method, &args) {
            Ok(value) => value,
            Err(error) => panic!("{method}{args}: {}", described(&error)),
        }
    }

    /// The error of a call that the method fails.
    #[track_caller]
    pub(crate) fn failure(&self, method: &str, args: Value) -> RemoteError {
        remote(self.client().call::<Value>(method, &args))
    }

    /// Begins a call in a thread.
    pub(crate) fn begin(&self, method: &str, args: Value) -> Begun {
        let (client, method) = (self.client().clone(), method.to_owned());
        Begun(thread::spawn(move || client.call(&method, &args)))
    }

    /// All items of a stream.
    #[track_caller]
    pub(crate) fn items(&self, method: &str, args: Value) -> Vec<Value> {
        let items = self.client().stream(method, &args);
        let items = items.and_then(Iterator::collect::<Result<Vec<Value>, _>>);
        items.unwrap_or_else(|error| panic!("{method}{args}: {}", described(&error)))
    }

    /// Lets many callers, each with a client of its own, make their calls at once.
    pub(crate) fn many(&self, work: impl Fn(&Client, usize) + Sync) {
        let clients: Vec<_> = (0..MANY).map(|_| self.new_client()).collect();
        thread::scope(|scope| {
            for (number, client) in clients.iter().enumerate() {
                let work = &work;
                scope.spawn(move || work(client, number));
            }
        });
    }

    /// The module's process, told by its method `pid`.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        let pid = self.call("pid", json!([])).as_i64().and_then(|pid| i32::try_from(pid).ok());
        pid.and_then(rustix::process::Pid::from_raw).expect("a process id")
    }

    /// Who runs of all that the server, and the module, have started.
    pub(crate) fn processes(&self) -> Vec<i32> {
        processes_marked(&self.mark)
    }

    /// Ends the server in order.
    pub(crate) fn stop(self) -> Ended {
        self.server.running.signal(rustix::process::Signal::TERM);
        self.ended()
    }

    /// Waits for the end of the server and of all that it has started.
    pub(crate) fn ended(self) -> Ended {
        drop(self.client);
        let ended = self.server.running.wait();
        until("nothing is left behind", || processes_marked(&self.mark).is_empty());
        ended
    }
}

/// Processes that have this mark in their environment, and run.
fn processes_marked(mark: &str) -> Vec<i32> {
    let mark = format!("{MARK}={mark}");
    let folders = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = pids.filter(|pid| {
        // That of a process which has ended and was not waited for is empty.
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    });
    ours.collect()
}

/// A call under way.
pub(crate) struct Begun(thread::JoinHandle<Result<Value, Error>>);

impl Begun {
    pub(crate) fn result(self) -> Result<Value, Error> {
        self.0.join().expect("a call does not panic")
    }

    #[track_caller]
    pub(crate) fn value(self) -> Value {
        self.result().unwrap_or_else(|error| panic!("{}", described(&error)))
    }

    #[track_caller]
    pub(crate) fn failure(self) -> RemoteError {
        remote(self.result())
    }
}

/// The error that a method ended with.
#[track_caller]
pub(crate) fn remote<T: Debug>(result: Result<T, Error>) -> RemoteError {
    match result {
        Err(Error::Remote { error, .. }) => error,
        other => panic!("a failure of the method was expected, not {other:?}"),
    }
}

/// An error with all that the server said of it.
pub(crate) fn described(error: &Error) -> String {
    match error {
        Error::Remote { error: remote, .. } => format!("{error}\n{}", remote.traceback),
        _ => error.to_string(),
    }
}

/// A folder of the test's own.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
