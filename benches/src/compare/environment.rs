//! What is not a program of this crate, made once below `target`: the peers in Python and Node with their
//! packages, and the zerorpc command.
//!
//! The peers are those of the tests, down to the lists of their packages. An environment is named after a hash
//! of all that went into it and stamped when it is finished, so that nothing stale or torn is ever used.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use zerorpc_benches::Result;

use crate::program::Program;

const REQUIREMENTS: &str = include_str!("../../../tests/peers/python/requirements.txt");
const COMPAT: &str = include_str!("../../../tests/peers/python/zerorpc_compat.py");

/// What npm needs, by path in the environment.
const PACKAGES: [(&str, &str); 5] = [
    (".npmrc", include_str!("../../../tests/peers/node/.npmrc")),
    ("package.json", include_str!("../../../tests/peers/node/package.json")),
    ("package-lock.json", include_str!("../../../tests/peers/node/package-lock.json")),
    ("zeromq/package.json", include_str!("../../../tests/peers/node/zeromq/package.json")),
    ("zeromq/index.js", include_str!("../../../tests/peers/node/zeromq/index.js")),
];

/// The folder of the programs in other languages.
pub(crate) fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Python with zerorpc-python.
#[derive(Debug, Clone)]
pub(crate) struct Python {
    environment: PathBuf,
}

impl Python {
    pub(crate) fn prepare() -> Result<Self> {
        let version = "import sys; print(sys.version, sys.base_prefix)";
        let version = run(Command::new("python3").args(["-c", version]))?;
        let environment = prepare("python", &[&version, REQUIREMENTS, COMPAT], install_python)?;
        Ok(Self { environment })
    }

    /// A tool of the environment: `python`, or `zerorpc`.
    pub(crate) fn tool(&self, name: &str) -> Program {
        // Keeps compiled files out of the source tree.
        Program::new(self.environment.join("bin").join(name))
            .variable("PYTHONDONTWRITEBYTECODE", "1")
    }
}

fn install_python(directory: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
    let requirements = directory.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    let python = directory.join("bin").join("python");
    // Wheels only: no compiler takes part. All dependencies are in the list.
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"])
        .args(["--no-deps", "--only-binary", ":all:", "--requirement"])
        .arg(&requirements))?;
    let place = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = PathBuf::from(run(Command::new(&python).args(["-c", place]))?);
    fs::write(packages.join("zerorpc_compat.py"), COMPAT)?;
    Ok(fs::write(packages.join("zerorpc_compat.pth"), "import zerorpc_compat\n")?)
}

/// Node with zerorpc-node, which then runs a script.
pub(crate) fn node(script: &Path) -> Result<Program> {
    let version = run(Command::new("node").arg("--version"))?;
    let mut ingredients = vec![version.as_str()];
    ingredients.extend(PACKAGES.iter().flat_map(|(path, content)| [*path, *content]));
    let environment = prepare("node", &ingredients, install_node)?;
    Ok(Program::new("node")
        .options(["--no-deprecation".as_ref(), script.as_os_str()])
        .variable("NODE_PATH", environment.join("node_modules")))
}

fn install_node(directory: &Path) -> Result<()> {
    for (path, content) in PACKAGES {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, content)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]);
    npm.arg("--cache").arg(root().join("npm-cache"));
    run(npm.current_dir(directory)).map(drop)
}

/// The zerorpc command, built as it is installed: with its default features, apart from all else here.
pub(crate) fn command() -> Result<Program> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("Cargo.toml");
    let target = root().join("command");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--locked", "--quiet", "--package", "zerorpc-cli"]);
    build.args(["--bin", "zerorpc", "--manifest-path"]).arg(project);
    build.arg("--target-dir").arg(&target);
    run(&mut build)?;
    Ok(Program::new(target.join("release").join("zerorpc")))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers")
}

/// The environment `name` with these ingredients, which `make` fills if that was not done before.
fn prepare(
    name: &str,
    ingredients: &[&str],
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (root(), ingredients).hash(&mut hasher);
    let directory = root().join(format!("{name}-{:016x}", hasher.finish()));
    let stamp = directory.join("complete");
    if stamp.exists() {
        return Ok(directory);
    }
    eprintln!("installing {name} packages in {}", directory.display());
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    make(&directory)?;
    fs::write(&stamp, "")?;
    Ok(directory)
}

/// Runs a tool to its end and returns what it printed.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed ({}):\n{}", output.status, told.trim()).into())
}
