//! Where installed peers are: in `target/peers`, shared by all test processes and with the conformance kit.

use std::path::{Path, PathBuf};

pub(super) use zerorpc_conformance::peers::environment::run;

/// The folder of everything that peers need on disk.
pub(super) fn root() -> PathBuf {
    workspace().join("target").join("peers")
}

/// The folder of the peer programs in `language`.
pub(super) fn programs(language: &str) -> PathBuf {
    workspace().join("tests").join("peers").join(language)
}

fn workspace() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// The environment `name` with these `ingredients`, which `make` fills if nobody did before.
pub(super) fn prepare(
    name: &str,
    ingredients: &[&str],
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    zerorpc_conformance::peers::environment::prepare(&root(), name, ingredients, make)
}
