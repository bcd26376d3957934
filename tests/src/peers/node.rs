use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Peer, environment};

/// What npm needs, by path in the environment.
const FILES: [(&str, &str); 5] = [
    (".npmrc", include_str!("../../peers/node/.npmrc")),
    ("package.json", include_str!("../../peers/node/package.json")),
    ("package-lock.json", include_str!("../../peers/node/package-lock.json")),
    ("zeromq/package.json", include_str!("../../peers/node/zeromq/package.json")),
    ("zeromq/index.js", include_str!("../../peers/node/zeromq/index.js")),
];

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
        let environment = PREPARED.get_or_init(|| {
            let version = environment::run(Command::new("node").arg("--version"))?;
            let mut ingredients = vec![version.as_str()];
            ingredients.extend(FILES.iter().flat_map(|(path, content)| [*path, *content]));
            environment::prepare("node", &ingredients, install)
        });
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

fn install(directory: &Path) -> Result<(), String> {
    for (path, content) in FILES {
        environment::write(&directory.join(path), content)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]);
    npm.arg("--cache").arg(environment::root().join("npm-cache"));
    environment::run(npm.current_dir(directory)).map(drop)
}
