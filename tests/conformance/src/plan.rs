//! Which cases are run, against whom, and how fast.

use std::time::Duration;

use glob::Pattern;

use crate::{
    case::{Case, Level},
    cases::CASES,
    subject::{Role, Source},
};

/// The heartbeat interval of the protocol.
const INTERVAL: Duration = Duration::from_secs(5);

/// An implementation under test.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it is called in the output.
    pub name: String,
    /// How its server is had, where that is under test.
    pub server: Option<Source>,
    /// How its client is had, where that is under test.
    pub client: Option<Source>,
}

impl Candidate {
    /// How it is had in this role.
    #[must_use]
    pub fn source(&self, role: Role) -> Option<&Source> {
        match role {
            Role::Server => self.server.as_ref(),
            Role::Client => self.client.as_ref(),
        }
    }
}

/// Which cases are run, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Cases whose name matches one of these; all where there is none.
    pub only: Vec<Pattern>,
    /// This level and those above it.
    pub level: Level,
    /// By how much the heartbeat interval is multiplied where the command has the placeholder for it.
    pub time_scale: f64,
    /// How many cases run at a time.
    pub jobs: usize,
    /// Whether a case that failed beside others has another chance alone: machines may be too busy for it.
    pub repeat: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { only: Vec::new(), level: Level::May, time_scale: 0.2, jobs: 24, repeat: true }
    }
}

impl Plan {
    /// Whether this case is wanted.
    #[must_use]
    pub fn wants(&self, case: &Case) -> bool {
        case.level <= self.level
            && (self.only.is_empty() || self.only.iter().any(|glob| glob.matches(case.name)))
    }

    /// The cases that are wanted of one role.
    #[must_use]
    pub fn cases(&self, role: Role) -> Vec<&'static Case> {
        CASES
            .iter()
            .copied()
            .flatten()
            .filter(|case| case.role == role && self.wants(case))
            .collect()
    }

    /// The source with its heartbeat interval filled in, and that interval.
    #[must_use]
    pub fn timed(&self, source: &Source) -> (Source, Duration) {
        let mut source = source.clone();
        let Some(line) = source.line_mut().filter(|line| line.contains("{heartbeat}")) else {
            return (source, INTERVAL);
        };
        // Whole milliseconds, which every program can read.
        let millis = (INTERVAL.as_secs_f64() * self.time_scale * 1000.0).round().max(1.0);
        let interval = Duration::from_millis(millis as u64);
        *line = line.replace("{heartbeat}", &interval.as_secs_f64().to_string());
        (source, interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(line: &str, time_scale: f64) -> (String, Duration) {
        let source = Source::Command { line: line.to_owned(), role: Role::Server };
        let (mut source, interval) = Plan { time_scale, ..Plan::default() }.timed(&source);
        (source.line_mut().expect("a command").clone(), interval)
    }

    #[test]
    fn time_is_scaled_where_the_command_can_be_told() {
        let second = Duration::from_secs(1);
        assert_eq!(scaled("s {endpoint}", 0.2), ("s {endpoint}".to_owned(), 5 * second));
        assert_eq!(scaled("s --hb {heartbeat}", 0.2), ("s --hb 1".to_owned(), second));
        assert_eq!(scaled("s {heartbeat}", 0.05), ("s 0.25".to_owned(), second / 4));
        assert_eq!(scaled("s {heartbeat}", 0.0), ("s 0.001".to_owned(), second / 1000));
    }

    #[test]
    fn globs_and_levels_choose_cases() {
        let case = CASES.iter().copied().flatten().find(|case| case.name == "answer.ok.value");
        let case = case.expect("a case of that name");
        let wants = |globs: &[&str], level| {
            let only = globs.iter().map(|glob| Pattern::new(glob).expect("a pattern")).collect();
            Plan { only, level, ..Plan::default() }.wants(case)
        };
        assert!(wants(&[], Level::Must));
        assert!(wants(&["answer.*"], Level::May));
        assert!(wants(&["x", "*.value"], Level::Should));
        assert!(!wants(&["answer"], Level::May));
        assert!(!wants(&["stream.*"], Level::May));
    }

    #[test]
    fn names_are_unique_and_rules_and_methods_are_known() {
        let all: Vec<&Case> = CASES.iter().copied().flatten().collect();
        let mut names: Vec<_> = all.iter().map(|case| case.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "two cases have the same name");
        for case in all {
            assert!(case.rule.starts_with("ZRPC-"), "{}: {}", case.name, case.rule);
            assert!(
                case.explain.trim_end_matches(')').ends_with('.'),
                "{}: {}",
                case.name,
                case.explain
            );
            for method in case.needs {
                assert!(crate::contract::METHODS.contains(method), "{}: {method}", case.name);
            }
        }
    }
}
