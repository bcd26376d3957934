use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::{Peer, environment};

/// zerorpc-node 0.9.8, over the prebuilt zeromq 6 in place of the native zeromq 4.
///
/// It offers calls and streams only: no push, no publish, and no command of its own.
#[derive(Debug, Clone)]
pub struct NodePeer {
    modules: PathBuf,
}

impl NodePeer {
    pub(super) fn prepare() -> Result<Self, String> {
        static PREPARED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let environment = PREPARED
            .get_or_init(|| zerorpc_conformance::peers::node::environment(&environment::root()));
        Ok(Self { modules: environment.clone()?.join("node_modules") })
    }
}

impl Peer for NodePeer {
    fn name(&self) -> &'static str {
        "zerorpc-node 0.9.8"
    }

    fn program(&self, stem: &str) -> Command {
        let mut command = Command::new("node");
        command.env("NODE_PATH", &self.modules);
        command.arg("--no-deprecation");
        command.arg(environment::programs("node").join(stem).with_extension("js"));
        command
    }
}
