//! What the system tells of processes; `None` where it does not.

use std::fs;

use rustix::param::clock_ticks_per_second;

/// The seconds of processor time that a process and its descendants have used.
pub(crate) fn cpu(pid: u32) -> Option<f64> {
    let ticks = family(pid).into_iter().map(|pid| {
        // User and system time.
        let stat = Stat::of(pid)?;
        Some(stat.number(11)? + stat.number(12)?)
    });
    Some(ticks.sum::<Option<u64>>()? as f64 / clock_ticks_per_second() as f64)
}

/// The bytes of memory that are resident for a process and its descendants.
pub(crate) fn memory(pid: u32) -> Option<u64> {
    family(pid)
        .into_iter()
        .map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
        })
        .sum()
}

/// The processes that a process has started and that are still there.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    others
        .filter(|other| Stat::of(*other).and_then(|stat| stat.number(1)) == Some(pid.into()))
        .collect()
}

fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        family.extend(children(member));
        next += 1;
    }
    family
}

/// The fields of a process behind its name, counted from 0.
struct Stat(String);

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold spaces.
        stat.rsplit_once(')').map(|(_, fields)| Self(fields.to_owned()))
    }

    fn number(&self, field: usize) -> Option<u64> {
        self.0.split_ascii_whitespace().nth(field)?.parse().ok()
    }
}
