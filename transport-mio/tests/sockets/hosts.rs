//! A file of hosts of one's own, so that names can change.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where a test finds the file that it may write.
const VARIABLE: &str = "ZERORPC_TEST_HOSTS";

/// Puts files in the place of those that the system looks names up in, for this process and its children alone: no
/// other resolver is asked.
const SCRIPT: &str = r#"
mount --bind "$1/hosts" /etc/hosts || exit 77
if [ -e /etc/nsswitch.conf ]; then mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf || exit 77; fi
shift
exec "$@"
"#;

/// What [`SCRIPT`] ends with when the system does not allow it.
const REFUSED: i32 = 77;

/// The addresses of a name that nobody else has.
pub(crate) struct Hosts(PathBuf);

impl Hosts {
    /// Within a namespace, where the file of hosts is one's own. Called outside of one, runs the test of that name again
    /// in it, and returns `None` when it has passed: there is nothing left to be done.
    ///
    /// Where the system does not allow that, the test is skipped, unless `CI` is `true`.
    pub(crate) fn own(test: &str) -> Option<Self> {
        if let Some(file) = std::env::var_os(VARIABLE) {
            return Some(Self(file.into()));
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("hosts"), "127.0.0.1 localhost\n").expect("a file");
        fs::write(folder.path().join("nsswitch.conf"), "hosts: files\n").expect("a file");
        match run(folder.path(), test) {
            Ok(()) => {}
            Err(reason) if std::env::var_os("CI").is_some_and(|ci| ci == "true") => {
                panic!("{test} needs a mount namespace: {reason}")
            }
            Err(reason) => eprintln!("skipped {test}, which needs a mount namespace: {reason}"),
        }
        None
    }

    /// The name, with a port.
    #[expect(clippy::unused_self, reason = "who has no hosts has no name")]
    pub(crate) fn endpoint(&self, port: u16) -> String {
        format!("tcp://service.test:{port}")
    }

    /// From now on, the name has the addresses 127.0.0.x.
    pub(crate) fn set(&self, addresses: &[u8]) {
        let lines = addresses.iter().map(|address| format!("127.0.0.{address} service.test\n"));
        // The file stays the same: it is what was mounted.
        fs::write(&self.0, lines.collect::<String>()).expect("the file can be written");
    }
}

/// Runs a test in a namespace; an error if there can be none. Panics with the test.
fn run(folder: &Path, test: &str) -> Result<(), String> {
    // Whoever is root does not need the first, and has the second where the first is forbidden.
    run_with(&["--map-root-user", "--mount"], folder, test)
        .or_else(|reason| run_with(&["--mount"], folder, test).map_err(|_| reason))
}

fn run_with(options: &[&str], folder: &Path, test: &str) -> Result<(), String> {
    let this = std::env::current_exe().expect("this program");
    let output = Command::new("unshare")
        .args(options)
        .args(["sh", "-c", SCRIPT, "sh"])
        .arg(folder)
        .arg(this)
        .args(["--exact", test, "--nocapture"])
        .env(VARIABLE, folder.join("hosts"))
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("1 passed"), "{test} is no test: {told}");
        return Ok(());
    }
    if output.status.code() == Some(REFUSED) || said.contains("unshare failed") {
        return Err(said.trim().to_owned());
    }
    panic!("in a namespace of its own: {said}\n{}", String::from_utf8_lossy(&output.stdout))
}
