use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::{
    DialOptions, Peer, PeerProcess, PeerReceiver, PeerSender, PeerSocket, PeerSockets,
    ServeOptions, environment,
};

/// zerorpc-python 0.6.3 in a virtual environment of its own, with any Python from 3.11 on.
#[derive(Debug, Clone)]
pub struct PythonPeer {
    environment: PathBuf,
}

impl PythonPeer {
    pub(super) fn prepare() -> Result<Self, String> {
        static PREPARED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let environment = PREPARED
            .get_or_init(|| zerorpc_conformance::peers::python::environment(&environment::root()));
        Ok(Self { environment: environment.clone()? })
    }

    /// The console script `zerorpc` with `args`, yet to be run.
    #[must_use]
    pub fn cli<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.command("zerorpc");
        command.args(args);
        command
    }

    /// The interpreter that finds zerorpc-python and pyzmq, yet to be run.
    #[must_use]
    pub fn interpreter(&self) -> Command {
        self.command("python")
    }

    /// Starts a PUSH socket. Heartbeat and timeout play no role in unconnected patterns.
    #[must_use]
    pub fn pusher(&self, options: DialOptions) -> PeerSender {
        PeerSender::start(self.name(), self.program("client"), &options.to_json("pusher"))
    }

    /// Starts a PUB socket. What it sends before a subscriber has joined is lost.
    #[must_use]
    pub fn publisher(&self, options: DialOptions) -> PeerSender {
        PeerSender::start(self.name(), self.program("client"), &options.to_json("publisher"))
    }

    /// Starts a PULL socket that keeps all it receives, whatever the method.
    #[must_use]
    pub fn puller(&self, options: DialOptions) -> PeerReceiver {
        PeerReceiver::start(self.name(), self.program("client"), &options.to_json("puller"))
    }

    /// Starts a SUB socket that keeps all it receives, whatever the method.
    #[must_use]
    pub fn subscriber(&self, options: DialOptions) -> PeerReceiver {
        PeerReceiver::start(self.name(), self.program("client"), &options.to_json("subscriber"))
    }

    /// Starts a queue: callers connect to the first endpoint that it binds, servers to the others; it
    /// connects to further servers or queues by itself. Heartbeat and pool play no role.
    #[must_use]
    pub fn proxy(&self, options: ServeOptions) -> PeerProcess {
        PeerProcess::start("pyzmq's proxy", self.program("proxy"), &options.to_json()).0
    }

    /// Opens sockets of pyzmq alone.
    #[must_use]
    pub fn sockets(&self, sockets: &[PeerSocket]) -> PeerSockets {
        PeerSockets::start("pyzmq", self.program("sockets"), sockets)
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.environment.join("bin").join(tool));
        command.env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        // Keeps compiled files out of the source tree.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

impl Peer for PythonPeer {
    fn name(&self) -> &'static str {
        "zerorpc-python 0.6.3"
    }

    fn program(&self, stem: &str) -> Command {
        let mut command = self.command("python");
        command.arg(environment::programs("python").join(stem).with_extension("py"));
        command
    }
}
