//! Network namespaces: networks of a test's own, in which packets can be dropped.
//!
//! ```no_run
//! use zerorpc_tests::namespace::Namespace;
//!
//! let Some(network) = Namespace::new() else { return };
//! network.run(|| {
//!     // Sockets of this thread, and of those that it starts, are in the namespace: they see its loopback alone.
//!     let server = std::net::TcpListener::bind("127.0.0.1:4242").expect("the port is free here");
//!     let _client = std::net::TcpStream::connect("127.0.0.1:4242").expect("it listens");
//!     assert_eq!(network.drop_flows(4242), 1, "as if the cable had been pulled");
//! });
//! ```
//!
//! They need root, `ip` and `nft`.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    os::fd::AsFd,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::{
    process::{Pid, geteuid, test_kill_process},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::needed::{available, skipped};

/// Where `ip` keeps the namespaces that have a name.
const FOLDER: &str = "/run/netns";

/// What names of ours begin with; the process id and a number follow.
const PREFIX: &str = "zerorpc-tests-";

/// What is dropped: flows by both ports, and new connections to some.
const RULES: &str = "\
table inet zerorpc {
    set flows { type inet_service . inet_service; }
    set closed { type inet_service; }
    chain input {
        type filter hook input priority 0; policy accept;
        tcp sport . tcp dport @flows drop
        tcp dport @closed tcp flags syn / syn,ack drop
    }
}
";

/// A network with nothing but a loopback interface. It is removed when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    link: File,
}

impl Namespace {
    /// A new namespace, or `None` where there can be none.
    ///
    /// # Panics
    /// When it cannot be made by root under `CI=true`.
    #[must_use]
    pub fn new() -> Option<Self> {
        // Whoever runs the tests as somebody else has chosen to do without.
        if !geteuid().is_root() {
            skipped("a network namespace", "only root can make one");
            return None;
        }
        let hint = "it takes ip and nft, on Debian: apt-get install iproute2 nftables";
        available("a network namespace", Self::make().map_err(|why| format!("{why}; {hint}")))
    }

    fn make() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_those_left_behind();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]), "")?;
        // From here on it is removed, whatever happens.
        let link = File::open(Path::new(FOLDER).join(&name)).map_err(|error| {
            remove(&name);
            format!("{name}: {error}")
        })?;
        let namespace = Self { name, link };
        run(Command::new("ip").args(["-n", &namespace.name, "link", "set", "lo", "up"]), "")?;
        namespace.nft(RULES)?;
        Ok(namespace)
    }

    /// Runs something on a thread in the namespace, and waits for its end. Threads and processes that it starts are there,
    /// too.
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            self.enter();
            act()
        };
        match thread::scope(|scope| scope.spawn(inside).join()) {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn enter(&self) {
        let entered =
            move_into_link_name_space(self.link.as_fd(), Some(LinkNameSpaceType::Network));
        entered.unwrap_or_else(|error| panic!("cannot enter {}: {error}", self.name));
    }

    /// A command that runs a program in the namespace.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Drops, from now on, every packet of the TCP connections that are established with this port, in both directions: no
    /// FIN, no RST. How many they are. New connections are not affected.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn drop_flows(&self, port: u16) -> usize {
        let flows: Vec<(u16, u16)> = self.run(|| established(port));
        let mut rules = String::new();
        for (one, other) in &flows {
            let element = format!("{{ {one} . {other}, {other} . {one} }}");
            writeln!(rules, "add element inet zerorpc flows {element}").expect("a string has room");
        }
        self.nft(&rules).unwrap_or_else(|why| panic!("{why}"));
        flows.len()
    }

    /// Drops the first packets of connections to a port: nobody answers there.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn close_port(&self, port: u16) {
        let rule = format!("add element inet zerorpc closed {{ {port} }}\n");
        self.nft(&rule).unwrap_or_else(|why| panic!("{why}"));
    }

    /// Lets everything through again.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn lift(&self) {
        let rules = "flush set inet zerorpc flows\nflush set inet zerorpc closed\n";
        self.nft(rules).unwrap_or_else(|why| panic!("{why}"));
    }

    fn nft(&self, rules: &str) -> Result<(), String> {
        run(self.command("nft").args(["-f", "-"]), rules)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// The connections of this thread's network that have a port: their ports, each pair once.
fn established(port: u16) -> Vec<(u16, u16)> {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string("/proc/thread-self/net/tcp").expect("Linux tells");
    let port_of = |address: &str| {
        let (_, port) = address.split_once(':')?;
        u16::from_str_radix(port, 16).ok()
    };
    let flow = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (local, remote) = (port_of(words.get(1)?)?, port_of(words.get(2)?)?);
        // That is the end that has the port; the other end has a line of its own, or is in another network.
        (words.get(3) == Some(&ESTABLISHED) && local == port).then_some((local, remote))
    };
    table.lines().filter_map(flow).collect()
}

/// Removes what processes have left behind that were killed.
fn remove_those_left_behind() {
    let Ok(folder) = fs::read_dir(FOLDER) else { return };
    for entry in folder.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let owner = owner.and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
        if owner.is_some_and(|owner| test_kill_process(owner).is_err()) {
            remove(&name);
        }
    }
}

fn remove(name: &str) {
    // Nobody is left to be told, and the next namespace removes it.
    let _ = run(Command::new("ip").args(["netns", "delete", name]), "");
}

/// Runs a tool to its end.
fn run(command: &mut Command, input: &str) -> Result<(), String> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn();
    let mut child = child.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that has ended says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed ({}): {}", output.status, told.trim()))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Read},
        net::{TcpListener, TcpStream},
        time::Duration,
    };

    use super::*;

    /// Nothing comes within this time: what would have come is long there.
    const MOMENT: Duration = Duration::from_millis(100);

    #[test]
    fn flows_can_be_dropped_and_ports_closed() {
        let Some(network) = Namespace::new() else { return };
        let path = Path::new(FOLDER).join(&network.name);
        network.run(|| {
            let listener = TcpListener::bind("127.0.0.1:4242").expect("the port is free here");
            let address = listener.local_addr().expect("an address");
            let connect = || {
                let near = TcpStream::connect_timeout(&address, 10 * MOMENT);
                near.map(|near| (near, listener.accept().expect("it is connected").0))
            };
            let hears = |(near, far): &(TcpStream, TcpStream)| {
                (&mut &*far).write_all(b"x").expect("it is open");
                near.set_read_timeout(Some(MOMENT)).expect("an option");
                (&mut &*near).read(&mut [0]).map_err(|error| error.kind())
            };
            let early = connect().expect("it listens");
            assert_eq!(hears(&early), Ok(1));
            assert_eq!(network.drop_flows(4242), 1);
            assert_eq!(hears(&early), Err(ErrorKind::WouldBlock));
            let late = connect().expect("it listens");
            assert_eq!(hears(&late), Ok(1));

            network.close_port(4242);
            let refused = connect().expect_err("nobody answers").kind();
            assert_eq!(refused, ErrorKind::TimedOut);
            assert_eq!(hears(&late), Ok(1));
            network.lift();
            let free = connect().expect("it listens again");
            assert_eq!(hears(&free), Ok(1));
        });
        assert!(network.command("true").status().expect("a program").success());
        drop(network);
        assert!(!path.exists());
    }
}
