//! Why a case did not pass.

use std::fmt::{self, Display};

/// Why a case did not pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// What the rule asks for. Empty where `seen` says all.
    pub expected: String,
    /// What was there instead.
    pub seen: String,
}

/// Whose fault a [`Failure`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureKind {
    /// The implementation under test broke the rule.
    Broken,
    /// Nothing can be said: a part of the contract is missing, or the system lacks something.
    Skipped,
}

impl Failure {
    /// The implementation under test did something else.
    #[must_use]
    pub fn new(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { kind: FailureKind::Broken, expected: expected.into(), seen: seen.into() }
    }

    /// The case cannot be played here, for this reason.
    #[must_use]
    pub fn skip(reason: impl Into<String>) -> Self {
        Self { kind: FailureKind::Skipped, expected: String::new(), seen: reason.into() }
    }

    /// Whether nothing came in time.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        self.kind == FailureKind::Broken && self.seen == "silence"
    }

    /// The same, said of a step: `expected` gets `step: ` in front.
    #[must_use]
    pub fn during(mut self, step: impl Display) -> Self {
        if self.kind == FailureKind::Broken {
            self.expected = format!("{step}: {}", self.expected);
        }
        self
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FailureKind::Broken => {
                write!(formatter, "expected {}; seen: {}", self.expected, self.seen)
            }
            FailureKind::Skipped => formatter.write_str(&self.seen),
        }
    }
}

impl std::error::Error for Failure {}

/// Fails unless `holds`, saying what was `expected` and what was `seen`.
///
/// # Errors
/// When it does not hold.
pub fn ensure(
    holds: bool,
    expected: impl Into<String>,
    seen: impl Into<String>,
) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(expected, seen)) }
}
