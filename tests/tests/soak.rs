//! A few seconds of `examples/soak`, which takes an hour unless it is told otherwise: everything in it works.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Built as `cargo test --workspace` builds it: then nothing is left to do.
fn soak() -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--workspace", "--examples", "--locked", "--message-format=json"]);
    let built = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(built.status.success(), "{cargo:?}: {}", built.status);
    let messages = String::from_utf8_lossy(&built.stdout);
    let path = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let path = message["executable"].as_str()?;
        (message["target"]["name"] == "soak").then(|| path.into())
    });
    path.expect("the soak is an example of this package")
}

#[test]
#[cfg(target_os = "linux")]
fn seconds_of_mixed_load_leave_everything_flat() {
    let folder = tempfile::tempdir().expect("a folder");
    let plot = folder.path().join("soak.svg");
    let mut command = Command::new(soak());
    command.args(["--duration=3", "--connections=40", "--channels=100", "--restarts=20"]);
    command.args(["--callers=4", "--heartbeat=1", "--plot"]).arg(&plot);
    let ran = command.output().expect("it starts");
    let [said, complaints] = [&ran.stdout, &ran.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(ran.status.success(), "{said}{complaints}");
    assert!(said.contains("20 restarts of peers"), "{said}");
    assert!(said.contains("server that stays: 100 channels"), "{said}");
    let plot = fs::read_to_string(plot).expect("curves are drawn");
    // Four of memory and two in each of the other panels, of more points than axes have.
    let curves = plot.lines().filter(|line| line.starts_with("<polyline") && line.len() > 150);
    assert_eq!(curves.count(), 10);
}
