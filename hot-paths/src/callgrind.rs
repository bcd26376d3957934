//! Counting with valgrind's callgrind: this program runs under it and follows one path.
//!
//! Only what happens within `counted` is collected, so neither start-up nor warming up nor the other side counts.

use std::{
    fmt,
    io::ErrorKind,
    process::{Command, Stdio},
};

use zerorpc_hot_paths::{Error, Path};

/// How many times a path is followed for its count. A multiple of 51, after which credit repeats itself.
const TIMES: u64 = 1020;

/// Why nothing can be counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// There is no valgrind.
    NoValgrind,
    /// Expected counts are for another kind of processor or system.
    OtherMachine,
}

impl Unavailable {
    /// Whether there is something to be done about it.
    pub(crate) fn can_be_helped(self) -> bool {
        self == Self::NoValgrind
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoValgrind => "there is no valgrind; install the package of that name",
            Self::OtherMachine => "the expected counts are those of x86-64 under Linux",
        })
    }
}

/// How many instructions a path takes each time.
pub(crate) fn count(path: Path) -> Result<Result<u64, Unavailable>, Error> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(Err(Unavailable::OtherMachine));
    }
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=zerorpc_hot_paths::*::counted*")
        .arg(std::env::current_exe()?)
        .args(["run", path.name(), &TIMES.to_string()])
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Err(Unavailable::NoValgrind));
        }
        output => output?,
    };
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind failed ({}):\n{told}", output.status).into());
    }
    match collected(&told) {
        Some(collected) if collected > 0 => Ok(Ok(collected / TIMES)),
        _ => Err(format!("valgrind counted nothing of {}:\n{told}", path.name()).into()),
    }
}

/// The number in the line `==123== Collected : 456`.
fn collected(told: &str) -> Option<u64> {
    let (_, behind) = told.lines().find_map(|line| line.split_once("Collected : "))?;
    behind.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let told = "==9== \n==9== Events    : Ir\n==9== Collected : 123456\n==9== \n";
        assert_eq!(collected(told), Some(123_456));
        assert_eq!(collected("==9== Command: collected"), None);
    }
}
