//! What a run says of each case.

use crate::{
    case::{Case, Level},
    failure::{Failure, FailureKind},
};

/// How one case went.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// The case.
    pub case: &'static Case,
    /// What it came to.
    pub verdict: Verdict,
    /// What went over the wire, decoded; empty where nothing did.
    pub transcript: String,
    /// How long it took.
    pub seconds: f64,
    /// It failed beside others, and this is how it went alone.
    pub repeated: bool,
}

/// What a case came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// All was as expected.
    Passed,
    /// The rule is broken.
    Failed {
        /// What the rule asks for.
        expected: String,
        /// What was there instead.
        seen: String,
    },
    /// Nothing can be said, for this reason.
    Skipped(String),
}

impl From<Result<(), Failure>> for Verdict {
    fn from(outcome: Result<(), Failure>) -> Self {
        match outcome {
            Ok(()) => Self::Passed,
            Err(Failure { kind: FailureKind::Skipped, seen, .. }) => Self::Skipped(seen),
            Err(Failure { kind: FailureKind::Broken, expected, seen }) => {
                Self::Failed { expected, seen }
            }
        }
    }
}

/// All that a run says of one implementation.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What the implementation is called.
    pub name: String,
    /// Whether it came up at all, in each role.
    pub started: bool,
    /// In the order of the cases.
    pub results: Vec<CaseResult>,
}

impl Judged {
    /// How many cases of this level failed.
    #[must_use]
    pub fn failed(&self, level: Level) -> usize {
        self.count(|result| {
            matches!(result.verdict, Verdict::Failed { .. }) && result.case.level == level
        })
    }

    /// For how many cases this holds.
    pub fn count(&self, holds: impl Fn(&CaseResult) -> bool) -> usize {
        self.results.iter().filter(|result| holds(result)).count()
    }
}
