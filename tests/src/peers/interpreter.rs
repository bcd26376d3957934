//! Python interpreters as they are found on this machine, and environments with packages for each.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::environment;

/// The oldest Python that modules are served with.
const OLDEST: (u32, u32) = (3, 8);

/// What an interpreter is asked for: its version, and whether it is fit for environments.
const ASK: &str = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1])";

/// A Python interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    version: (u32, u32),
    executable: PathBuf,
}

impl Interpreter {
    /// Its version, such as `(3, 8)`.
    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// Where it is.
    #[must_use]
    pub fn executable(&self) -> &Path {
        &self.executable
    }

    fn ask(executable: PathBuf) -> Option<Self> {
        let told = environment::run(Command::new(&executable).args(["-c", ASK])).ok()?;
        let (major, minor) = told.split_once(' ')?;
        let version = (major.parse().ok()?, minor.parse().ok()?);
        (version >= OLDEST).then_some(Self { version, executable })
    }

    /// This interpreter in an environment of its own.
    pub(super) fn with_packages(&self, packages: Packages) -> Result<Self, String> {
        let (major, minor) = self.version;
        let name = format!("{}-{major}.{minor}", packages.name());
        let place = self.executable.to_string_lossy();
        let ingredients = [&*place, packages.requirements(), COMPAT];
        let directory = environment::prepare(&name, &ingredients, |directory| {
            install(&self.executable, directory, packages.requirements())
        })?;
        Ok(Self { version: self.version, executable: directory.join("bin").join("python") })
    }
}

/// Packages from PyPI that served modules use, with everything that they need themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packages {
    /// zerorpc 0.6.3 itself, and gevent, which it is made of.
    Zerorpc,
    /// numpy, pandas, pydantic, attrs, msgpack, SQLAlchemy, peewee, structlog and gevent; not zerorpc.
    Data,
}

impl Packages {
    fn name(self) -> &'static str {
        match self {
            Self::Zerorpc => "zerorpc",
            Self::Data => "data",
        }
    }

    fn requirements(self) -> &'static str {
        match self {
            Self::Zerorpc => include_str!("../../peers/python/environments/zerorpc.txt"),
            Self::Data => include_str!("../../peers/python/environments/data.txt"),
        }
    }
}

pub(super) use zerorpc_conformance::peers::python::{COMPAT, install};

/// The interpreters at hand, one of each version from 3.8 on, the oldest first: pyenv's, and those on `PATH`.
pub fn interpreters() -> &'static [Interpreter] {
    static FOUND: OnceLock<Vec<Interpreter>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut found: Vec<_> = candidates().into_iter().filter_map(Interpreter::ask).collect();
        found.sort_by_key(Interpreter::version);
        found.dedup_by_key(|interpreter| interpreter.version);
        found
    })
}

fn candidates() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from).or(home);
    let folder = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let versions = folder.into_iter().flatten().filter_map(Result::ok);
    let mut candidates: Vec<_> =
        versions.map(|entry| entry.path().join("bin").join("python3")).collect();
    let path = env::var_os("PATH").unwrap_or_default();
    for folder in
        env::split_paths(&path).filter(|folder| folder.file_name() != Some(OsStr::new("shims")))
    {
        candidates.push(folder.join("python3"));
        candidates.extend((OLDEST.1..30).map(|minor| folder.join(format!("python3.{minor}"))));
    }
    candidates.retain(|candidate| candidate.exists());
    candidates
}
