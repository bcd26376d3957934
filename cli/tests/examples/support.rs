//! Starting examples and the command, and what they say.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

pub(crate) use crate::running::Running;

/// The examples of the whole workspace by name, built as `cargo test --workspace` builds them: then nothing is left to do.
static EXAMPLES: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(|| {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo.args(["build", "--workspace", "--examples", "--locked", "--message-format=json"]);
    let built = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(built.status.success(), "{cargo:?}: {}", built.status);
    String::from_utf8_lossy(&built.stdout).lines().filter_map(executable).collect()
});

/// The name and the path of an example that cargo tells of.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_example = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "example");
    let path = message["executable"].as_str().filter(|_| is_example)?;
    Some((message["target"]["name"].as_str()?.to_owned(), path.into()))
}

/// Starts an example.
pub(crate) fn example(name: &str, args: &[&str]) -> Running {
    let program = EXAMPLES.get(name).unwrap_or_else(|| panic!("there is no example {name}"));
    start(program, args)
}

/// Starts the command.
pub(crate) fn zerorpc(args: &[&str]) -> Running {
    start(env!("CARGO_BIN_EXE_zerorpc"), args)
}

/// Has the command serve a module that is here, at an endpoint of the system's choice.
pub(crate) fn serve(module: &str) -> (Running, String) {
    let server = zerorpc(&["--server", "--bind", "tcp://127.0.0.1:*", module]);
    let said = server.stderr.wait_for(|so_far| so_far.contains("serving \""));
    let said = said.unwrap_or_else(|why| panic!("{}: {why}", server.line));
    let endpoint = said.split("bound to \"").nth(1).and_then(|rest| rest.split('"').next());
    (server, endpoint.expect("it tells the port").to_owned())
}

fn start(program: impl AsRef<OsStr>, args: &[&str]) -> Running {
    let mut command = Command::new(program);
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples/modules");
    command.args(args).current_dir(modules).stdin(Stdio::null());
    command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("RUST_LOG");
    Running::start(command)
}

impl Running {
    /// The rest of the line of standard output that begins so, once it is there.
    pub(crate) fn says(&self, beginning: &str) -> String {
        let rest_of = |said: &str| {
            let mut lines = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            lines.find_map(|line| line.strip_prefix(beginning)).map(str::to_owned)
        };
        let said = self.stdout.wait_for(|so_far| rest_of(so_far).is_some());
        let said = said.unwrap_or_else(|why| {
            panic!("{} never said {beginning:?}: {why}{}", self.line, self.complaints())
        });
        rest_of(&said).expect("it was there")
    }

    /// Waits for a good end, and returns what was printed.
    #[track_caller]
    pub(crate) fn succeed(self) -> String {
        let (line, status, stdout, stderr) = self.end();
        assert!(status.success(), "{line} ended with {status}:\n{stdout}\n---\n{stderr}");
        stdout
    }

    /// Waits for the end with this code, and returns what was said on standard error.
    #[track_caller]
    pub(crate) fn fail(self, expected: i32) -> String {
        let (line, status, stdout, stderr) = self.end();
        assert!(
            status.code() == Some(expected),
            "{line} ended with {status}:\n{stdout}\n---\n{stderr}"
        );
        stderr
    }

    fn complaints(&self) -> String {
        self.stderr.wait_for(|_| true).unwrap_or_default()
    }
}
