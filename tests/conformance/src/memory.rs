//! How much memory a process takes, with all that it has started, as Linux tells.

use std::{collections::HashMap, fs};

use crate::{
    failure::{Failure, ensure},
    trial::Trial,
};

/// What is resident of the process under test, before something is done to it.
#[derive(Clone, Copy, Debug)]
pub struct Before(u64);

impl Before {
    /// Looks at the process under test.
    ///
    /// # Errors
    /// Skips the case where nothing can be seen of it.
    pub fn of(trial: &Trial) -> Result<Self, Failure> {
        let words = "the memory of the process under test cannot be seen";
        trial.pid().and_then(resident).map(Self).ok_or_else(|| Failure::skip(words))
    }

    /// How many bytes more it takes now; none where it takes less.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn growth(self, trial: &Trial) -> Result<u64, Failure> {
        let now = trial.pid().and_then(resident);
        let now =
            now.ok_or_else(|| Failure::new("the process under test to run", "it has ended"))?;
        Ok(now.saturating_sub(self.0))
    }

    /// It takes at most so many MiB more than before.
    ///
    /// # Errors
    /// When it takes more.
    pub fn expect_growth_below(self, trial: &Trial, mebibytes: u64) -> Result<(), Failure> {
        let growth = self.growth(trial)? >> 20;
        trial.note(format!("the memory of the process under test has grown by {growth} MiB"));
        ensure(
            growth <= mebibytes,
            format!("the memory of the process to grow by {mebibytes} MiB at most"),
            format!("{growth} MiB"),
        )
    }
}

/// The resident bytes of a process and all that it has started.
fn resident(pid: u32) -> Option<u64> {
    let rest = field(pid, "VmRSS:")?;
    let started = descendants(pid)?.into_iter().filter_map(|child| field(child, "VmRSS:"));
    Some((rest + started.sum::<u64>()) * 1024)
}

/// All processes that a process has started, and those have.
fn descendants(pid: u32) -> Option<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = field(child, "PPid:").and_then(|parent| u32::try_from(parent).ok()) {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = children.remove(&pid).unwrap_or_default();
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        found.extend(children.remove(parent).unwrap_or_default());
        next += 1;
    }
    Some(found)
}

/// How many descriptors a process and all that it has started have open.
#[must_use]
pub fn descriptors(pid: u32) -> Option<usize> {
    let count = |pid: u32| fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count);
    let started = descendants(pid)?.into_iter().filter_map(count);
    Some(count(pid)? + started.sum::<usize>())
}

/// A number in what the system tells of a process.
fn field(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_its_children_are_seen() {
        let own = resident(std::process::id()).expect("it can be seen");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it starts");
        let with_child = resident(std::process::id()).expect("it can be seen");
        let alone = resident(child.id());
        child.kill().and_then(|()| child.wait()).expect("it runs");
        assert!(own > 1 << 20, "{own}");
        assert!(alone.is_some_and(|alone| alone > 0 && with_child >= alone), "{alone:?}");
        assert_eq!(resident(u32::MAX), None);
    }
}
