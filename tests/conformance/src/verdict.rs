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
    /// What stood in the way, in which roles.
    pub obstacles: Vec<Obstacle>,
    /// In the order of the cases.
    pub results: Vec<CaseResult>,
}

/// Why most cases could not be played, or none.
#[derive(Clone, Debug)]
pub struct Obstacle {
    /// As what the implementation was to be judged.
    pub role: Role,
    /// In a few words: `it did not start`.
    pub words: String,
    /// What was to happen before the first case, and what did.
    pub failure: Failure,
    /// Which cases can be played all the same.
    pub leaves: Leaves,
}

/// Which cases an obstacle leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leaves {
    /// None.
    Nothing,
    /// Those about greetings and handshakes.
    Handshakes,
    /// Those that need no method of the contract, and those about frames that are sent.
    WithoutMethods,
}

impl Obstacle {
    /// Whether this case can be played all the same.
    #[must_use]
    pub fn leaves(&self, case: &Case) -> bool {
        let is_of = |group| case.name.starts_with(group);
        // The flags of a client are those of its READY, too.
        let of_handshakes =
            ["greeting.", "handshake.", "client.greeting.", "client.ready.", "client.frames.flags"];
        match self.leaves {
            Leaves::Nothing => false,
            Leaves::Handshakes => of_handshakes.into_iter().any(is_of),
            Leaves::WithoutMethods => case.needs.is_empty() || is_of("frames.sent."),
        }
    }
}

impl Judged {
    /// The cases that were played, or could have been: nothing stood in their way.
    pub fn played(&self) -> impl Iterator<Item = &CaseResult> {
        self.results.iter().filter(|result| {
            let obstacle = self.obstacles.iter().find(|it| it.role == result.case.role);
            obstacle.is_none_or(|obstacle| obstacle.leaves(result.case))
        })
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
