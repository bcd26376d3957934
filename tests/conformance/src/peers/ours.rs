//! Our own programs, which are built from the repository.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::{environment, quoted, workspace};

/// A server and a client of the library over one of its transports.
pub(super) fn lines(transport: &str) -> Result<[String; 2], String> {
    let program =
        built(&["-p", "zerorpc-conformance", "--example", "zerorpc-conformance-ours"], |folder| {
            folder.join("examples").join("zerorpc-conformance-ours")
        })?;
    let program = quoted(&program);
    let line = |role| format!("{program} {role} {transport} {{endpoint}} {{heartbeat}}");
    Ok([
        format!("{} {{pull}} {{sub}} {{more}}", line("server")),
        format!("{} push={{push}} pub={{pub}} {{more}}", line("client")),
    ])
}

/// The command `zerorpc`, which serves the module.
pub(super) fn command_line(programs: &Path) -> Result<String, String> {
    let program =
        built(&["-p", "zerorpc-cli", "--bin", "zerorpc"], |folder| folder.join("zerorpc"))?;
    Ok(format!(
        "env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={} {} --server --heartbeat {{heartbeat}} --bind {{endpoint}} service",
        quoted(&programs.join("python")),
        quoted(&program),
    ))
}

/// A program in the folder that this one was built into. Tests find it there; others see to it that it is up to date.
fn built(what: &[&str], place: impl Fn(&Path) -> PathBuf) -> Result<PathBuf, String> {
    let this =
        env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let folder = this.parent().unwrap_or(&this);
    if folder.ends_with("deps") {
        let program = place(folder.parent().unwrap_or(folder));
        if program.exists() {
            return Ok(program);
        }
    }
    let workspace = workspace()
        .ok_or("our own programs are built from the repository, which is not here any more")?;
    let target = folder.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    let target = target.map_or_else(|| workspace.join("target"), Path::to_owned);
    let release = folder.ends_with("release");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked"]).args(what).arg("--target-dir").arg(&target);
    if release {
        cargo.arg("--release");
    }
    environment::run(cargo.current_dir(workspace))?;
    Ok(place(&target.join(if release { "release" } else { "debug" })))
}
