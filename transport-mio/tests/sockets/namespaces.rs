//! Tests that run once more in namespaces of their own, where a machine can be made to lack something.

use std::{ffi::OsStr, process::Command};

/// What a script ends with when the system does not allow what it needs.
const REFUSED: i32 = 77;

/// Runs the test of that name in this program again: in the namespaces that these options of `unshare` make, after a
/// script for `sh` that prepares them, whose last command is `exec "$@"`. True within, where the test is to be done;
/// false outside, where it has passed.
///
/// Where the system does not allow that, the test is skipped, unless `CI` is `true`. Panics with the test.
pub(crate) fn within(
    test: &str,
    namespaces: &[&str],
    script: &str,
    variable: (&str, &OsStr),
) -> bool {
    const INSIDE: &str = "ZERORPC_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let run = |options: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(options).args(namespaces).args(["sh", "-c", script, "sh"]);
        command.arg(std::env::current_exe().expect("this program"));
        command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").env(variable.0, variable.1);
        outcome(test, command)
    };
    // Whoever is root does not need the option, and may be forbidden it.
    let ran = run(&["--map-root-user"]).or_else(|reason| run(&[]).map_err(|_| reason));
    match ran {
        Ok(()) => {}
        Err(reason) if std::env::var_os("CI").is_some_and(|ci| ci == "true") => {
            panic!("{test} needs namespaces of its own: {reason}")
        }
        Err(reason) => eprintln!("skipped {test}, which needs namespaces of its own: {reason}"),
    }
    false
}

fn outcome(test: &str, mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("unshare: {error}"))?;
    let (told, said) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        assert!(told.contains("1 passed"), "{test} is no test: {told}");
        return Ok(());
    }
    if output.status.code() == Some(REFUSED) || said.contains("unshare failed") {
        return Err(said.trim().to_owned());
    }
    panic!("in namespaces of its own: {said}\n{told}")
}
