//! One section's commands, run and compared with what is shown.

use std::{
    env,
    ffi::OsString,
    fs::{self, Permissions},
    io::{self, PipeReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use snapbox::{Assert, IntoData, assert::Action};
use tempfile::TempDir;

use crate::{
    page::{self, Section},
    process::{Output, Process},
};

/// Runs all commands of a section.
///
/// # Errors
/// Which command prints something else than what is shown, and the difference.
pub(crate) fn check(section: &Section) -> Result<(), String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let mut names = Names::new(folder.path());
    for page::File { name, text } in &section.files {
        let path = folder.path().join(name);
        // Some of them have passwords.
        let written = fs::write(&path, names.exchange(text))
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o600)));
        written.map_err(|error| format!("{name}: {error}"))?;
    }

    let mut servers = Vec::new();
    let mut waiting = Vec::new();
    for shown in &section.commands {
        let has = |flag: &str| shown.line.split(' ').any(|word| word == flag);
        let mut running = Running::start(shown, folder.path(), &mut names);
        if has("--server") {
            running.serves()?;
            servers.push(running);
        } else if has("--bind") {
            waiting.push(running);
        } else {
            running.ends()?;
        }
    }
    waiting.into_iter().try_for_each(|mut running| running.ends())
}

/// A command that was started.
struct Running {
    /// How messages call it.
    title: String,
    expected: String,
    process: Process,
    /// All that a terminal would show.
    output: Output,
}

impl Running {
    fn start(shown: &page::Command, folder: &Path, names: &mut Names<'_>) -> Self {
        let line = names.exchange(&shown.line);
        let (output, errors) = io::pipe().expect("a pipe");
        let mut shell = Command::new("sh");
        // The process is to be the command itself, which is what gets killed.
        shell.arg("-c").arg(format!("exec env {line}")).current_dir(folder).env("PATH", path());
        shell.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("RUST_LOG").stdin(Stdio::null());
        shell.stdout(errors.try_clone().expect("a second end of the pipe")).stderr(errors);
        Self::of(shown, &mut shell, output, names)
    }

    fn of(
        shown: &page::Command,
        shell: &mut Command,
        output: PipeReader,
        names: &mut Names<'_>,
    ) -> Self {
        Self {
            title: format!("line {}: {}", shown.number, shown.line),
            expected: names.exchange(&shown.output),
            process: Process::start(shell),
            output: Output::of(output),
        }
    }

    /// Waits until a server serves, and compares what it has printed by then.
    fn serves(&self) -> Result<(), String> {
        let serving = |text: &str| {
            text.lines().any(|line| line.starts_with("serving \"")) && text.ends_with('\n')
        };
        let text = self.output.wait_for(serving).map_err(|why| self.blame(&why))?;
        self.compare(text)
    }

    /// Waits until a command ends, and compares all it has printed.
    fn ends(&mut self) -> Result<(), String> {
        self.process.wait().map_err(|why| self.blame(&why))?;
        // It has ended, and with it what it has started: nobody writes any more.
        let text = self.output.wait_end().map_err(|why| self.blame(&why))?;
        self.compare(text)
    }

    fn compare(&self, text: String) -> Result<(), String> {
        Assert::new()
            .action(Action::Verify)
            .normalize_paths(false)
            .try_eq(Some(&"what it prints"), text.into_data(), self.expected.clone().into_data())
            .map_err(|difference| self.blame(&difference.to_string()))
    }

    fn blame(&self, why: &str) -> String {
        format!("{}\n{why}", self.title)
    }
}

/// Where the shell finds the commands that were built for this test.
fn path() -> OsString {
    let built = Path::new(env!("CARGO_BIN_EXE_zerorpc")).parent().expect("it is in a folder");
    let others = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(built.to_owned()).chain(env::split_paths(&others)))
        .expect("the build folder's path has no colon")
}

/// What names of the page stand for while its section runs.
struct Names<'a> {
    folder: &'a Path,
    /// Pairs of a port of the page and a free one.
    ports: Vec<(String, String)>,
}

impl<'a> Names<'a> {
    fn new(folder: &'a Path) -> Self {
        Self { folder, ports: Vec::new() }
    }

    fn exchange(&mut self, text: &str) -> String {
        let folder = format!("{}/", self.folder.display());
        let mut exchanged = String::new();
        let mut parts = text.split("tcp://");
        exchanged.push_str(parts.next().unwrap_or_default());
        for part in parts {
            exchanged.push_str("tcp://");
            let is_host = |c: char| c.is_alphanumeric() || "*.-".contains(c);
            let host = part.find(|c| !is_host(c)).unwrap_or(part.len());
            let (host, rest) = part.split_at(host);
            exchanged.push_str(host);
            match rest.strip_prefix(':') {
                Some(rest) => {
                    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                    exchanged.push(':');
                    exchanged.push_str(self.port(&rest[..end]));
                    exchanged.push_str(&rest[end..]);
                }
                None => exchanged.push_str(rest),
            }
        }
        exchanged.replace("/tmp/", &folder)
    }

    /// The free port for one of the page; no port stays none.
    fn port(&mut self, shown: &str) -> &str {
        let index = self.ports.iter().position(|(known, _)| known == shown).unwrap_or_else(|| {
            let free = if shown.is_empty() { String::new() } else { free_port() };
            self.ports.push((shown.to_owned(), free));
            self.ports.len() - 1
        });
        &self.ports[index].1
    }
}

/// On all interfaces, because that is what most servers of the page bind.
fn free_port() -> String {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
    listener.local_addr().expect("the address of a bound socket").port().to_string()
}
