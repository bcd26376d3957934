//! What a case is.

use std::fmt::{self, Display};

use crate::{failure::Failure, subject::Role, trial::Trial};

/// One thing that is expected of an implementation.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Group, subject and expectation, joined by dots: `channel.credit.not-exceeded`.
    pub name: &'static str,
    /// The rule of `docs/protocol.md` that it follows from: `ZRPC-6.3`.
    pub rule: &'static str,
    /// How much depends on it.
    pub level: Level,
    /// Who is under test.
    pub role: Role,
    /// Methods of the contract that a server under test has to offer; the case is skipped where one is missing.
    pub needs: &'static [&'static str],
    /// Whom it may run beside.
    pub sharing: Sharing,
    /// What is done, what is expected and why, in a sentence or two.
    pub explain: &'static str,
    /// Plays the case. What is not as expected is a [`Failure`].
    pub run: Run,
}

/// Runs a case.
pub type Run = fn(&mut Trial) -> Result<(), Failure>;

impl Case {
    /// One of a server that shares its process with others, and needs a method to echo.
    #[must_use]
    pub const fn server(
        level: Level,
        name: &'static str,
        rule: &'static str,
        explain: &'static str,
        run: Run,
    ) -> Self {
        let needs = &["echo"];
        Self {
            name,
            rule,
            level,
            role: Role::Server,
            needs,
            sharing: Sharing::Shared,
            explain,
            run,
        }
    }

    /// One of a client, whose process is its own.
    #[must_use]
    pub const fn client(
        level: Level,
        name: &'static str,
        rule: &'static str,
        explain: &'static str,
        run: Run,
    ) -> Self {
        Self {
            role: Role::Client,
            needs: &[],
            sharing: Sharing::Own,
            ..Self::server(level, name, rule, explain, run)
        }
    }

    /// The same with these methods of the contract instead.
    #[must_use]
    pub const fn needing(self, needs: &'static [&'static str]) -> Self {
        Self { needs, ..self }
    }

    /// The same beside others, or not.
    #[must_use]
    pub const fn sharing(self, sharing: Sharing) -> Self {
        Self { sharing, ..self }
    }
}

/// How much depends on a rule.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Without it, calls fail with peers that keep to the protocol.
    Must,
    /// Without it, calls fail in circumstances that happen, or peers of some kind are shut out.
    Should,
    /// It is good to have.
    May,
}

impl Level {
    /// `MUST`, `SHOULD` or `MAY`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

impl Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// Whom a case may run beside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sharing {
    /// Others use the same process at the same time.
    Shared,
    /// It has a process of its own, which it may stop, kill or flood; other cases run meanwhile.
    Own,
    /// It has a process of its own and nothing else runs: for what is about time or memory.
    Alone,
}
