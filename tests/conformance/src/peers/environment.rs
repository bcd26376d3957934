//! Installed peers, made once in a folder and shared by all processes.
//!
//! An environment is made in the place where it stays, because the scripts that pip installs hold
//! their own path. Its directory is named after a hash of all that went into it, so a change makes
//! a new one and never pulls an old one from under a running test. A lock keeps the makers apart;
//! a stamp, written last, tells a finished environment from the remains of a maker that was killed.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const STAMP: &str = "complete";

/// The environment `name` below `root` with these `ingredients`, which `make` fills if nobody did before.
///
/// # Errors
/// In words, when it cannot be made.
pub fn prepare(
    root: &Path,
    name: &str,
    ingredients: &[&str],
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let directory = root.join(format!("{name}-{:016x}", hash(root, ingredients)));
    let in_directory = |error: io::Error| format!("{}: {error}", directory.display());

    let stamp = directory.join(STAMP);
    if stamp.exists() {
        return Ok(directory);
    }
    fs::create_dir_all(root).map_err(in_directory)?;
    let lock = File::create(root.join(format!("{name}.lock"))).map_err(in_directory)?;
    lock.lock().map_err(in_directory)?;
    if stamp.exists() {
        return Ok(directory);
    }
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(in_directory)?;
    }
    fs::create_dir(&directory).map_err(in_directory)?;
    make(&directory)?;
    File::create(&stamp).map_err(in_directory)?;
    Ok(directory)
}

fn hash(root: &Path, ingredients: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (root, ingredients).hash(&mut hasher);
    hasher.finish()
}

/// Writes a file of the environment, and the folders on the way to it.
///
/// # Errors
/// In words, when that fails.
pub fn write(path: &Path, content: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, content))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs a tool to its end and returns what it printed.
///
/// # Errors
/// In words, when it cannot be run, or fails.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed ({}):\n{}", output.status, told.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_environment_is_made_again_and_a_finished_one_is_kept() {
        let name = "test";
        let root = std::env::temp_dir().join(format!("zerorpc-conformance-{}", std::process::id()));
        let failed = prepare(&root, name, &["a"], |_| Err("no network".to_owned()));
        assert_eq!(failed, Err("no network".to_owned()));

        let made =
            prepare(&root, name, &["a"], |directory| write(&directory.join("x/y"), "content"))
                .expect("the second try succeeds");
        let kept = prepare(&root, name, &["a"], |_| Err("must not be made twice".to_owned()));
        assert_eq!(kept, Ok(made.clone()));
        assert_eq!(fs::read_to_string(made.join("x/y")).expect("the file written"), "content");
        fs::remove_dir_all(root).expect("the test's own environment");
    }

    #[test]
    fn a_tool_that_fails_or_is_missing_says_so() {
        let failed = run(Command::new("sh").args(["-c", "echo sorry >&2; exit 3"]));
        assert!(failed.is_err_and(|why| why.contains("sorry") && why.contains('3')));
        let missing = run(&mut Command::new("no-such-tool-anywhere"));
        assert!(missing.is_err_and(|why| why.contains("no-such-tool-anywhere")));
    }
}
