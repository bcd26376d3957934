//! What a run says of each case.

use crate::{
    case::{Case, Level},
    failure::{Failure, FailureKind},
    subject::Role,
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
    /// In which roles no case could be played, and why.
    pub obstacles: Vec<Obstacle>,
    /// In the order of the cases.
    pub results: Vec<CaseResult>,
}

/// Why no case could be played.
#[derive(Clone, Debug)]
pub struct Obstacle {
    /// As what the implementation was to be judged.
    pub role: Role,
    /// In a few words: `it did not start`.
    pub words: String,
    /// What was to happen before the first case, and what did.
    pub failure: Failure,
}

impl Judged {
    /// Why no case of this role could be played.
    #[must_use]
    pub fn obstacle(&self, role: Role) -> Option<&Obstacle> {
        self.obstacles.iter().find(|obstacle| obstacle.role == role)
    }

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
