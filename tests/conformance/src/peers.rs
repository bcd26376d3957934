//! Ready-made peers: the service and the client of the contract for implementations that are in use.

pub mod environment;
pub mod node;
mod ours;
pub mod python;

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    plan::Candidate,
    subject::{Role, Source},
};

/// The programs, by path.
const PROGRAMS: [(&str, &str); 5] = [
    ("python/service.py", include_str!("../peers/python/service.py")),
    ("python/server.py", include_str!("../peers/python/server.py")),
    ("python/client.py", include_str!("../peers/python/client.py")),
    ("node/server.js", include_str!("../peers/node/server.js")),
    ("node/client.js", include_str!("../peers/node/client.js")),
];

/// The peer of this name, with all that it needs.
///
/// # Errors
/// When there is none, or something that it needs cannot be had.
pub fn ready_made(name: &str) -> Result<Candidate, String> {
    let (title, [server, client]) = match name {
        "python" => ("zerorpc-python 0.6.3", python_lines()?),
        "node" => ("zerorpc-node 0.9.8", node_lines()?),
        "ours" => ("zerorpc (Rust)", ours::lines("mio")?),
        "ours-zmq" => ("zerorpc (Rust, libzmq)", ours::lines("zmq")?),
        "ours-command" => {
            let line = ours::command_line(&programs()?)?;
            let server = Source::Command { line, role: Role::Server };
            return Ok(Candidate {
                name: "zerorpc --server (Rust)".to_owned(),
                server: Some(server),
                client: None,
            });
        }
        _ => {
            return Err(format!(
                "there is no ready-made peer @{name}; there are @python, @node, @ours, @ours-zmq and @ours-command"
            ));
        }
    };
    Ok(Candidate {
        name: title.to_owned(),
        server: Some(Source::Command { line: server, role: Role::Server }),
        client: Some(Source::Command { line: client, role: Role::Client }),
    })
}

/// The client of this name.
///
/// # Errors
/// When there is none, or something that it needs cannot be had.
pub fn client(name: &str) -> Result<Candidate, String> {
    if name == "ours-command" {
        return Err(
            "@ours-command has a server alone; for a client of ours there is @ours".to_owned()
        );
    }
    Ok(Candidate { server: None, ..ready_made(name)? })
}

/// The server of this name as one that connects to its endpoint.
///
/// # Errors
/// When there is none, or something that it needs cannot be had.
pub fn worker(name: &str) -> Result<Candidate, String> {
    let mut candidate = ready_made(name)?;
    let line = candidate.server.as_mut().and_then(Source::line_mut).map(std::mem::take);
    let line = line.unwrap_or_default();
    let line = match name {
        "ours-command" => line.replace("--bind", "--connect"),
        _ => line
            .replace("{endpoint}", "{endpoint} --worker")
            .replace("--worker {heartbeat}", "{heartbeat} --worker"),
    };
    Ok(Candidate { server: Some(Source::Worker(line)), client: None, ..candidate })
}

fn python_lines() -> Result<[String; 2], String> {
    let interpreter = quoted(&python::environment(&root())?.join("bin").join("python"));
    let programs = programs()?.join("python");
    let line = |program| {
        let program = quoted(&programs.join(program));
        format!("env PYTHONDONTWRITEBYTECODE=1 {interpreter} {program} {{endpoint}} {{heartbeat}}")
    };
    Ok([
        format!("{} --pull {{pull}} --sub {{sub}} {{more}}", line("server.py")),
        format!("{} push={{push}} pub={{pub}} {{more}}", line("client.py")),
    ])
}

fn node_lines() -> Result<[String; 2], String> {
    let modules = quoted(&node::environment(&root())?.join("node_modules"));
    let programs = programs()?.join("node");
    Ok(["server.js", "client.js"].map(|program| {
        let program = quoted(&programs.join(program));
        format!(
            "env NODE_PATH={modules} node --no-deprecation {program} {{endpoint}} {{heartbeat}} {{more}}"
        )
    }))
}

/// Writes the programs of all peers into a folder.
///
/// # Errors
/// When that fails.
pub fn write(folder: &Path) -> Result<(), String> {
    PROGRAMS.iter().try_for_each(|(path, content)| environment::write(&folder.join(path), content))
}

fn programs() -> Result<PathBuf, String> {
    let ingredients: Vec<&str> =
        PROGRAMS.iter().flat_map(|(path, content)| [*path, *content]).collect();
    environment::prepare(&root(), "programs", &ingredients, write)
}

/// Where packages of peers and programs are put: below the repository, or in the user's cache.
fn root() -> PathBuf {
    match workspace() {
        Some(workspace) => workspace.join("target").join("peers"),
        None => {
            let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
            cache.or_else(home).unwrap_or_else(env::temp_dir).join("zerorpc-conformance")
        }
    }
}

/// The repository that this was built in, where that is still there.
fn workspace() -> Option<&'static Path> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    workspace.join("tests").join("conformance").is_dir().then_some(workspace)
}

/// A path as one word of the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn unknown_peers_are_told_which_there_are() {
        assert!(ready_made("ruby").is_err_and(|words| words.contains("@python")));
    }
}
