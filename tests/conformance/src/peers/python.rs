//! zerorpc-python 0.6.3 in a virtual environment of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::environment;

const REQUIREMENTS: &str = include_str!("../../../peers/python/requirements.txt");

/// Gives zerorpc 0.6.3 what newer versions of Python lack.
pub const COMPAT: &str = include_str!("../../../peers/python/zerorpc_compat.py");

/// The virtual environment below `root`, made with `python3` and pip if it is not there yet.
///
/// # Errors
/// In words, when it cannot be had.
pub fn environment(root: &Path) -> Result<PathBuf, String> {
    let version = environment::run(
        Command::new("python3").args(["-c", "import sys; print(sys.version, sys.base_prefix)"]),
    )?;
    environment::prepare(root, "python", &[&version, REQUIREMENTS, COMPAT], |directory| {
        install(Path::new("python3"), directory, REQUIREMENTS)
    })
}

/// Makes a virtual environment with these requirements, which name every package that is needed.
///
/// # Errors
/// In words, when that fails.
pub fn install(python: &Path, directory: &Path, requirements: &str) -> Result<(), String> {
    environment::run(Command::new(python).args(["-m", "venv"]).arg(directory))?;
    let list = directory.join("requirements.txt");
    environment::write(&list, requirements)?;
    let python = directory.join("bin").join("python");
    // Wheels only: no compiler takes part.
    environment::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--no-cache-dir", "--no-deps", "--only-binary", ":all:", "--requirement"])
            .arg(&list),
    )?;
    if !requirements.contains("zerorpc==") {
        return Ok(());
    }
    let packages = environment::run(
        Command::new(&python)
            .args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]),
    )?;
    let packages = Path::new(&packages);
    environment::write(&packages.join("zerorpc_compat.py"), COMPAT)?;
    environment::write(&packages.join("zerorpc_compat.pth"), "import zerorpc_compat\n")
}
