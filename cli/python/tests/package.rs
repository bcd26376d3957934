//! The package `zerorpc` of served code passes its own tests, on the oldest and newest Python at hand.

use std::{env, path::PathBuf, process::Command};

/// The default Python, and those of pyenv where it has any.
fn pythons() -> Vec<PathBuf> {
    let default = env::var_os("ZERORPC_PYTHON").unwrap_or_else(|| "python3".into());
    let root = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv")));
    let versions = root.and_then(|root| root.join("versions").read_dir().ok());
    let wanted = |name: &str| ["3.8.", "3.13."].iter().any(|version| name.starts_with(version));
    let others = versions.into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        wanted(entry.file_name().to_str()?).then(|| entry.path().join("bin/python"))
    });
    std::iter::once(default.into()).chain(others).collect()
}

#[test]
fn the_package_passes_its_own_tests() {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    for python in pythons() {
        for name in ["test_zerorpc_calls.py", "test_zerorpc_sockets.py", "test_zerorpc_names.py"] {
            let output = Command::new(&python)
                .args(["-B", "-W", "error"])
                .arg(tests.join(name))
                .output()
                .expect("Python starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{} {name}: {said}", python.display());
        }
    }
}
