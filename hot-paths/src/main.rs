//! Counts the instructions of the hot paths and compares them with what is expected of them.
//!
//! ```text
//! hot-paths check           counts all paths; one that takes more than expected is a failure
//! hot-paths update          counts all paths and writes what they took into the file of expected counts
//! hot-paths run PATH TIMES  follows one path, for profilers
//! ```

mod callgrind;
mod expected;

use std::{io::Write, process::ExitCode};

use callgrind::Unavailable;
use expected::{Expected, Verdict};
use zerorpc_hot_paths::{Error, Path};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["check"] => check(),
        ["update"] => update(),
        ["run", path, times] => run(path, times),
        _ => Err("usage: hot-paths check | update | run PATH TIMES".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Compares all paths with what is expected of them, and shows each.
fn check() -> Result<(), Error> {
    let expected = Expected::read()?;
    let mut slower = Vec::new();
    for path in Path::ALL {
        let count = match callgrind::count(path)? {
            Ok(count) => count,
            Err(unavailable) => return skip(&unavailable),
        };
        let verdict = expected.judge(path, count);
        println!("{:14} {verdict}", path.name());
        match verdict {
            Verdict::Good { .. } | Verdict::Better { .. } => {}
            Verdict::Worse { .. } | Verdict::Unknown { .. } => slower.push(path.name()),
        }
    }
    if slower.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} took more instructions than expected. Where that is worth it, or the compiler is another one: {}",
        slower.join(", "),
        expected::UPDATE
    )
    .into())
}

/// Leaves the check out, except where nothing may be left out.
fn skip(unavailable: &Unavailable) -> Result<(), Error> {
    if unavailable.can_be_helped() && std::env::var("CI").is_ok_and(|ci| ci == "true") {
        return Err(format!("CI=true allows no skipping: {unavailable}").into());
    }
    writeln!(std::io::stderr(), "SKIPPED, instructions were not counted: {unavailable}")?;
    Ok(())
}

/// Makes what is counted now what is expected from now on.
fn update() -> Result<(), Error> {
    let mut counts = Vec::new();
    for path in Path::ALL {
        let count = callgrind::count(path)?.map_err(|unavailable| unavailable.to_string())?;
        println!("{:14} {count}", path.name());
        counts.push((path, count));
    }
    expected::write(&counts)
}

fn run(path: &str, times: &str) -> Result<(), Error> {
    let Some(path) = Path::named(path) else {
        let names = Path::ALL.map(Path::name).join(", ");
        return Err(format!("there is no path {path:?}, but there are {names}").into());
    };
    path.run(times.parse()?)
}
