//! HAProxy, run with a configuration of a test on free ports and temporary paths.
//!
//! A configuration is used as it is written for a real machine; what it names is exchanged:
//!
//! ```no_run
//! use zerorpc_tests::haproxy::Config;
//!
//! let haproxy = Config::new(
//!     "global
//!         stats socket /run/haproxy/admin.sock mode 600 level admin expose-fd listeners
//!     defaults
//!         mode tcp
//!         timeout connect 1s
//!         timeout client 60s
//!         timeout server 60s
//!     listen calculator
//!         bind :4242
//!         server one 10.0.0.1:4242",
//! )
//! .front(":4242")
//! .backend("10.0.0.1:4242", "tcp://127.0.0.1:40001")
//! .start();
//! let Some(haproxy) = haproxy else { return };
//! println!("calls go to {}", haproxy.endpoint());
//! ```

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::{net::UnixStream, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::{needed::available, peers::endpoints};

/// The folder that configurations put sockets into; a temporary one takes its place.
const RUN: &str = "/run/haproxy/";

/// Where configurations have the socket for operators.
const ADMIN: &str = "admin.sock";

/// How long anything may take; machines that run tests are slow and busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a port that was free is allowed to be taken.
const TRIES: usize = 10;

/// A configuration, and what is to be exchanged in it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Config {
    text: String,
    fronts: Vec<String>,
}

impl Config {
    /// A whole configuration. It must have `stats socket /run/haproxy/admin.sock` with `level admin`.
    ///
    /// # Panics
    /// When it has not.
    pub fn new(text: &str) -> Self {
        let socket = format!("stats socket {RUN}{ADMIN}");
        assert!(text.contains(&socket), "the configuration has no {socket}");
        Self { text: format!("{text}\n"), fronts: Vec::new() }
    }

    /// What follows `bind` in it is to be a free loopback port. May be repeated.
    ///
    /// # Panics
    /// When the configuration does not bind there.
    pub fn front(mut self, address: &str) -> Self {
        assert!(self.text.contains(&bind(address)), "the configuration has no {}", bind(address));
        self.fronts.push(address.to_owned());
        self
    }

    /// A server of it is at this `tcp://` endpoint instead.
    ///
    /// # Panics
    /// When the configuration does not name that server.
    pub fn backend(self, address: &str, endpoint: &str) -> Self {
        self.exchange(address, endpoint.trim_start_matches("tcp://"))
    }

    /// Something else is there instead of something.
    ///
    /// # Panics
    /// When it is not there.
    pub fn exchange(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "the configuration has no {from}");
        self.text = self.text.replace(from, to);
        self
    }

    /// Runs HAProxy with it, and waits until it listens; `None` where there is no HAProxy.
    ///
    /// # Panics
    /// When HAProxy does not come up, with what it says; under `CI=true` also where there is none.
    #[must_use]
    pub fn start(&self) -> Option<HaProxy> {
        available("HAProxy", installed())?;
        for _ in 0..TRIES {
            match HaProxy::try_start(self) {
                Ok(haproxy) => return Some(haproxy),
                // Somebody was faster.
                Err(why) if why.contains("cannot bind") || why.contains("in use") => {}
                Err(why) => panic!("HAProxy does not start: {why}\nwith:\n{}", self.text),
            }
        }
        panic!("HAProxy finds no free port")
    }

    /// The text with free ports and a temporary folder in it, and where its fronts are.
    fn fit(&self, folder: &TempDir) -> (String, Vec<String>) {
        let mut text = self.text.replace(RUN, &format!("{}/", folder.path().display()));
        let mut fronts = Vec::new();
        for front in &self.fronts {
            let endpoint = endpoints::tcp();
            text = text.replace(&bind(front), &bind(endpoint.trim_start_matches("tcp://")));
            fronts.push(endpoint);
        }
        (text, fronts)
    }
}

fn bind(address: &str) -> String {
    format!("bind {address}\n")
}

fn installed() -> Result<(), String> {
    let found = Command::new("haproxy").arg("-v").stdout(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`haproxy -v` ends with {status}")),
        Err(error) => Err(format!("{error}; on Debian: apt-get install haproxy")),
    }
}

/// A HAProxy at work: a master process with its worker. It is killed when dropped.
#[derive(Debug)]
pub struct HaProxy {
    child: Child,
    folder: TempDir,
    fronts: Vec<String>,
}

impl HaProxy {
    fn try_start(config: &Config) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (text, fronts) = config.fit(&folder);
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, text).map_err(|error| error.to_string())?;
        let log = File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        let output = log.try_clone().map_err(|error| error.to_string())?;
        // It must not outlive a test that is killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "haproxy", "-W", "-db", "-f"])
            .arg(&path)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(log)
            .spawn();
        let child = child.map_err(|error| format!("setpriv (of util-linux): {error}"))?;
        let mut haproxy = Self { child, folder, fronts };
        haproxy.wait_until_it_listens()?;
        Ok(haproxy)
    }

    fn wait_until_it_listens(&mut self) -> Result<(), String> {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("it ended with {status}:\n{}", self.log()));
            }
            // A port that somebody else was faster to bind answers too; the worker's socket does not.
            let listens =
                |front: &String| TcpStream::connect(front.trim_start_matches("tcp://")).is_ok();
            if self.try_command("show info").is_ok() && self.fronts.iter().all(listens) {
                return Ok(());
            }
            if Instant::now() > patience {
                return Err(format!("it does not listen after {PATIENCE:?}:\n{}", self.log()));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where its first front listens.
    ///
    /// # Panics
    /// When the configuration has none.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.fronts.first().expect("a front")
    }

    /// Where all its fronts listen, in the order in which they were given.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.fronts
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Has it obey a command of operators, and returns what it says.
    ///
    /// # Panics
    /// When its socket does not answer.
    pub fn command(&self, line: &str) -> String {
        self.try_command(line).unwrap_or_else(|error| panic!("{line}: {error}\n{}", self.log()))
    }

    fn try_command(&self, line: &str) -> io::Result<String> {
        let mut socket = UnixStream::connect(self.admin())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.write_all(format!("{line}\n").as_bytes())?;
        let mut said = String::new();
        socket.read_to_string(&mut said)?;
        Ok(said)
    }

    fn admin(&self) -> PathBuf {
        self.folder.path().join(ADMIN)
    }

    /// Sends no new connections to a server, given as `backend/server`; those that are open stay.
    ///
    /// # Panics
    /// When there is no such server.
    pub fn drain(&self, server: &str) {
        self.set_state(server, "drain");
    }

    /// Sends connections to a server again.
    ///
    /// # Panics
    /// When there is no such server.
    pub fn ready(&self, server: &str) {
        self.set_state(server, "ready");
    }

    fn set_state(&self, server: &str, state: &str) {
        let said = self.command(&format!("set server {server} state {state}"));
        assert!(said.trim().is_empty(), "{server}: {said}");
    }

    /// What it knows of a server, by the names of `show stat`: `status`, `scur`, `stot`, `lastsess` and others.
    ///
    /// # Panics
    /// When there is no such server, or no such column.
    #[must_use]
    pub fn server(&self, server: &str, column: &str) -> String {
        let table = self.command("show stat");
        let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let names = lines.next().expect("a line of names");
        let index = names.iter().position(|name| *name == column).expect("a column of this name");
        let (backend, server) = server.split_once('/').expect("backend/server");
        let row = lines.find(|row| row.first() == Some(&backend) && row.get(1) == Some(&server));
        row.expect("a server of this name")[index].to_owned()
    }

    /// Has the master start a worker anew with the same configuration, and waits until it is at work. The old worker stays
    /// until its last connection has ended.
    ///
    /// # Panics
    /// When no new worker comes up.
    pub fn reload(&self) {
        let before = self.worker();
        kill_process(Pid::from_child(&self.child), Signal::USR2).expect("it runs");
        let patience = Instant::now() + PATIENCE;
        // The socket is handed over: for a moment nobody may answer.
        while self.try_worker().is_none_or(|worker| worker == before) {
            assert!(Instant::now() < patience, "no new worker: {}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The process id of the worker that takes connections.
    fn worker(&self) -> u32 {
        self.try_worker().unwrap_or_else(|| panic!("it has no worker: {}", self.log()))
    }

    fn try_worker(&self) -> Option<u32> {
        let said = self.try_command("show info").ok()?;
        let mut lines = BufReader::new(said.as_bytes()).lines().map_while(Result::ok);
        lines.find_map(|line| line.strip_prefix("Pid: ").and_then(|id| id.trim().parse().ok()))
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        // Both fail only where all processes are gone already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- HAProxy:\n{}---", self.log());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use zerorpc::{Client, Server, TransportKind};

    use super::*;
    use crate::site::{Gate, methods};

    const CONFIG: &str = "
global
    stats socket /run/haproxy/admin.sock mode 600 level admin expose-fd listeners
defaults
    mode tcp
    timeout connect 1s
    timeout client 60s
    timeout server 60s
listen tested
    bind :4242
    server one 10.0.0.1:4242
    server two 10.0.0.2:4242
";

    fn server(name: &str) -> Server {
        let builder = Server::builder().transport(TransportKind::Mio).bind("tcp://127.0.0.1:*");
        builder.service(methods(name, |_| (), Gate::default())).build().expect("a server")
    }

    fn name(client: &Client) -> String {
        client.call("note", (0, 0)).expect("a name")
    }

    #[test]
    fn it_forwards_drains_and_reloads() {
        let servers = ["one", "two"].map(server);
        let config = Config::new(CONFIG)
            .front(":4242")
            .backend("10.0.0.1:4242", &servers[0].endpoints()[0])
            .backend("10.0.0.2:4242", &servers[1].endpoints()[0]);
        let Some(haproxy) = config.start() else { return };
        let client = || Client::connect(haproxy.endpoint()).expect("a client");
        let names = || (0..4).map(|_| name(&client())).collect::<BTreeSet<_>>();
        let both = BTreeSet::from(["one".to_owned(), "two".to_owned()]);
        assert_eq!(names(), both);

        let early = client();
        let early_name = name(&early);
        haproxy.drain("tested/one");
        assert_eq!(haproxy.server("tested/one", "status"), "DRAIN");
        assert_eq!(names(), BTreeSet::from(["two".to_owned()]));
        assert_eq!(name(&early), early_name, "its connection stays");
        haproxy.ready("tested/one");
        assert_eq!(names(), both);

        let worker = haproxy.worker();
        haproxy.reload();
        assert_ne!(haproxy.worker(), worker);
        assert_eq!(name(&early), early_name, "its connection stays");
        assert_eq!(names(), both);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_told() {
        if available("HAProxy", installed()).is_none() {
            return;
        }
        let told = std::panic::catch_unwind(|| {
            let config = Config::new(CONFIG).exchange("timeout connect 1s", "timeout connect soon");
            config.start()
        });
        let told = told.expect_err("it cannot start");
        let told = told.downcast_ref::<String>().expect("words");
        assert!(told.contains("timeout connect") && told.contains("soon"), "{told}");
    }
}
