//! zerorpc-node 0.9.8, over the prebuilt zeromq 6 in place of the native zeromq 4.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::environment;

/// What npm needs, by path in the environment.
const FILES: [(&str, &str); 5] = [
    (".npmrc", include_str!("../../../peers/node/.npmrc")),
    ("package.json", include_str!("../../../peers/node/package.json")),
    ("package-lock.json", include_str!("../../../peers/node/package-lock.json")),
    ("zeromq/package.json", include_str!("../../../peers/node/zeromq/package.json")),
    ("zeromq/index.js", include_str!("../../../peers/node/zeromq/index.js")),
];

/// The folder below `root` with its packages in `node_modules`, made with npm if it is not there yet.
///
/// # Errors
/// In words, when it cannot be had.
pub fn environment(root: &Path) -> Result<PathBuf, String> {
    let version = environment::run(Command::new("node").arg("--version"))?;
    let mut ingredients = vec![version.as_str()];
    ingredients.extend(FILES.iter().flat_map(|(path, content)| [*path, *content]));
    environment::prepare(root, "node", &ingredients, |directory| install(root, directory))
}

fn install(root: &Path, directory: &Path) -> Result<(), String> {
    for (path, content) in FILES {
        environment::write(&directory.join(path), content)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]);
    npm.arg("--cache").arg(root.join("npm-cache"));
    environment::run(npm.current_dir(directory)).map(drop)
}
