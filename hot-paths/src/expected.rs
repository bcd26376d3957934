//! What is expected of each path: one small file, which `hot-paths update` writes.

use std::{fmt, fs};

use zerorpc_hot_paths::{Error, Path};

/// The file. It is part of the sources.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/expected.txt");

/// How to write the file.
pub(crate) const UPDATE: &str = "cargo run --release -p zerorpc-hot-paths -- update";

/// By how many percent a count may differ before something is said.
const TOLERANCE: u64 = 10;

/// What is expected.
#[derive(Debug)]
pub(crate) struct Expected(Vec<(Path, u64)>);

/// What is to be said of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good { count: u64, expected: u64 },
    Better { count: u64, expected: u64 },
    Worse { count: u64, expected: u64 },
    Unknown { count: u64 },
}

impl Expected {
    pub(crate) fn read() -> Result<Self, Error> {
        let content = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        Self::parse(&content)
    }

    fn parse(content: &str) -> Result<Self, Error> {
        let lines = content.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let counts = lines.map(|line| {
            let mut words = line.split_whitespace();
            let (path, count) = (words.next().and_then(Path::named), words.next());
            let (Some(path), Some(count), None) = (path, count, words.next()) else {
                return Err(format!("{FILE}: {line:?} is no path with a count").into());
            };
            Ok((path, count.parse()?))
        });
        Ok(Self(counts.collect::<Result<_, Error>>()?))
    }

    pub(crate) fn judge(&self, path: Path, count: u64) -> Verdict {
        let Some((_, expected)) = self.0.iter().find(|(known, _)| *known == path).copied() else {
            return Verdict::Unknown { count };
        };
        if count * 100 > expected * (100 + TOLERANCE) {
            Verdict::Worse { count, expected }
        } else if count * 100 < expected * (100 - TOLERANCE) {
            Verdict::Better { count, expected }
        } else {
            Verdict::Good { count, expected }
        }
    }
}

/// Writes what was counted.
pub(crate) fn write(counts: &[(Path, u64)]) -> Result<(), Error> {
    let mut content =
        "# Instructions that each path takes, on x86-64. Do not edit; write with:\n# ".to_owned();
    content += UPDATE;
    content += "\n";
    for (path, count) in counts {
        content += &format!("{:14} {count}\n", path.name());
    }
    Ok(fs::write(FILE, content).map_err(|error| format!("{FILE}: {error}"))?)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good { count, expected } => write!(f, "{count:6}, expected {expected}"),
            Self::Better { count, expected } => {
                write!(f, "{count:6}, expected {expected}: fewer, lower the number with {UPDATE}")
            }
            Self::Worse { count, expected } => {
                write!(f, "{count:6}, expected {expected}: TOO MANY")
            }
            Self::Unknown { count } => write!(f, "{count:6}, but nothing is known of it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_more_is_too_many() -> Result<(), Error> {
        let expected = Expected::parse("# a comment\nbeat 1000\n")?;
        let judge = |count| expected.judge(Path::Beat, count);
        assert_eq!(judge(1100), Verdict::Good { count: 1100, expected: 1000 });
        assert_eq!(judge(1101), Verdict::Worse { count: 1101, expected: 1000 });
        assert_eq!(judge(899), Verdict::Better { count: 899, expected: 1000 });
        assert_eq!(expected.judge(Path::ZmtpIn, 5), Verdict::Unknown { count: 5 });
        Ok(())
    }

    #[test]
    fn the_file_knows_every_path() -> Result<(), Error> {
        let expected = Expected::read()?;
        for path in Path::ALL {
            assert!(expected.0.iter().any(|(known, _)| *known == path), "{path:?}: {UPDATE}");
        }
        Ok(())
    }

    #[test]
    fn lines_that_cannot_be_read_are_told() {
        for wrong in ["beat", "nowhere 5", "beat five", "beat 5 6"] {
            assert!(Expected::parse(wrong).is_err(), "{wrong}");
        }
    }
}
