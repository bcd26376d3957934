//! The peer with faults, for all tests that set it at work.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

/// The peer with faults, built as `cargo test --workspace` builds it: then nothing is left to do.
pub(crate) static FAULTY: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")));
    cargo.args(["build", "--workspace", "--examples", "--locked", "--message-format=json"]);
    let built = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(built.status.success(), "{cargo:?}: {}", built.status);
    let said = String::from_utf8_lossy(&built.stdout).into_owned();
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths =
        messages.filter(|message| message["target"]["name"] == "zerorpc-conformance-faulty");
    let path = paths.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    path.expect("the peer with faults is an example of this package")
});
