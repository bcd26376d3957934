//! A server and a client with the proxy between them, each a process.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use zerorpc_conformance::{plan::Candidate, subject::Role};

use crate::faulty::FAULTY;

/// The orders of a correct pair are carried out within that time.
const LONGEST: Duration = Duration::from_secs(30);

/// The kit, about to be run.
pub(crate) fn kit(args: &[&str]) -> Command {
    let mut kit = Command::new(env!("CARGO_BIN_EXE_zerorpc-conformance"));
    kit.args(args).stdin(Stdio::null());
    kit
}

/// The commands of a server and of a client, with a placeholder for the endpoint.
pub(crate) struct Pair {
    server: String,
    client: String,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Run {
    /// How many orders the client has carried out.
    pub(crate) outcomes: usize,
    /// What the proxy said.
    pub(crate) lines: Vec<Value>,
    /// With which code it ended.
    pub(crate) code: Option<i32>,
}

impl Run {
    pub(crate) fn summary(&self) -> &Value {
        let summary = self.lines.iter().find_map(|line| line.get("summary"));
        summary.unwrap_or_else(|| panic!("no summary in {:#?}", self.lines))
    }
}

impl Pair {
    /// The peer with faults in both roles, with this fault in this role. The client has a heartbeat interval of its own.
    pub(crate) fn of_faulty(fault: Option<(&str, &str)>, interval: &str) -> Self {
        let line = |role| {
            let fault = match fault {
                Some((faulty, name)) if faulty == role => format!(" --fault {name}"),
                _ => String::new(),
            };
            let interval = if role == "client" { interval } else { "0.5" };
            format!("{} {role} {{endpoint}} --heartbeat {interval}{fault}", FAULTY.display())
        };
        Self { server: line("server"), client: line("client") }
    }

    pub(crate) fn of_candidates(server: &Candidate, client: &Candidate) -> Self {
        let line = |candidate: &Candidate, role| {
            let mut source = candidate.source(role).expect("both roles").clone();
            let line = source.line_mut().expect("a command").replace("{heartbeat}", "0.5");
            line.replace("--pull {pull} --sub {sub}", "")
                .replace("{pull} {sub}", "")
                .replace("push={push} pub={pub}", "")
                .replace("{more}", "")
        };
        Self { server: line(server, Role::Server), client: line(client, Role::Client) }
    }

    /// Has the client carry out orders through the proxy.
    pub(crate) fn run(&self, orders: &[&str], options: &[&str]) -> Run {
        self.run_for(LONGEST, orders, options)
    }

    /// The same where some may never be: they are given up after that time.
    pub(crate) fn run_for(&self, longest: Duration, orders: &[&str], options: &[&str]) -> Run {
        let target = format!("tcp://{}", free_address());
        let _server = Process::start(&self.server.replace("{endpoint}", &target), Stdio::null());
        let mut proxy = Proxy::start("tcp://127.0.0.1:0", &target, options);
        let outcomes = self.order(longest, &proxy.endpoint, orders);
        proxy.interrupt();
        proxy.end(outcomes)
    }

    /// The same through a socket file, until all connections have ended.
    pub(crate) fn run_over_files(&self, orders: &[&str]) -> Run {
        let folder = std::env::temp_dir().join(format!("zerorpc-proxy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = format!("ipc://{}", folder.join("near").display());
        let target = format!("tcp://{}", free_address());
        let _server = Process::start(&self.server.replace("{endpoint}", &target), Stdio::null());
        wait_for(&target);
        // Two in a row: TCP to a socket file, and from there to TCP.
        let far = Proxy::start(&file, &target, &["--once"]);
        let near = Proxy::start("tcp://127.0.0.1:0", &file, &["--once"]);
        let outcomes = self.order(LONGEST, &near.endpoint, orders);
        let first = near.end(outcomes);
        assert_eq!(first.summary()["connections"], 1);
        let run = far.end(outcomes);
        assert!(!folder.join("near").exists(), "the file goes with its listener");
        std::fs::remove_dir_all(folder).expect("the folder is empty");
        run
    }

    /// How many outcomes there were.
    fn order(&self, longest: Duration, endpoint: &str, orders: &[&str]) -> usize {
        let mut client =
            Process::start(&self.client.replace("{endpoint}", endpoint), Stdio::piped());
        let mut input = client.0.stdin.take().expect("a pipe");
        let output = client.0.stdout.take().expect("a pipe");
        let outcomes = lines(output);
        for order in orders {
            // One that a fault has ended takes no more orders.
            let _ = writeln!(input, "{order}");
        }
        let deadline = Instant::now() + longest;
        let next = || outcomes.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        orders.iter().map_while(|_| next().ok()).count()
    }
}

fn lines(output: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn free_address() -> String {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
    probe.local_addr().expect("an address").to_string()
}

fn wait_for(endpoint: &str) {
    let address = endpoint.trim_start_matches("tcp://");
    let deadline = Instant::now() + LONGEST;
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "nobody listens at {endpoint}");
        // The system tells nobody that another process has begun to listen.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A line of the shell, killed in the end.
struct Process(Child);

impl Process {
    fn start(line: &str, pipes: Stdio) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]).stdin(pipes).stderr(Stdio::null());
        Self(command.stdout(Stdio::piped()).spawn().expect("it starts"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Proxy {
    child: Child,
    endpoint: String,
    said: mpsc::Receiver<String>,
}

impl Proxy {
    fn start(listen: &str, target: &str, options: &[&str]) -> Self {
        let mut kit = kit(&["proxy", listen, target, "--format", "json"]);
        kit.args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = kit.spawn().expect("the kit runs");
        let mut first = String::new();
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        stderr.read_line(&mut first).expect("text");
        let endpoint = first.split(' ').nth(2).unwrap_or_else(|| panic!("{first}")).to_owned();
        std::thread::spawn(move || drop(stderr.read_to_end(&mut Vec::new())));
        let said = lines(child.stdout.take().expect("a pipe"));
        Self { child, endpoint, said }
    }

    fn interrupt(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, Signal::INT).expect("it runs");
    }

    fn end(mut self, outcomes: usize) -> Run {
        let said: Vec<String> = self.said.iter().collect();
        let lines = said.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        Run { outcomes, lines, code: self.child.wait().expect("it ends").code() }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
