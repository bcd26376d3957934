//! Why a Python module cannot be served.

use std::{io, process::ExitStatus};

/// Why a Python module cannot be served; displays as one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PythonError {
    /// The interpreter did not start.
    #[error("cannot run {python}: {}; Python 3.8 or newer is needed", reason(.source))]
    #[non_exhaustive]
    NoPython {
        /// The program that was looked for.
        python: String,
        /// What the system said.
        source: io::Error,
    },
    /// The interpreter runs, but there is nothing to serve: no such module, an error while importing it…
    #[error("cannot serve {target:?}: {reason}")]
    #[non_exhaustive]
    Refused {
        /// What was to be served.
        target: String,
        /// Why it cannot be, in one line.
        reason: String,
        /// Where an import failed; empty when there is nothing to tell.
        traceback: String,
    },
    /// The interpreter ended before it had loaded the module.
    #[error("{python} ended while it loaded {target:?} ({status}); its output shows why")]
    #[non_exhaustive]
    Ended {
        /// The program that ran.
        python: String,
        /// What was to be served.
        target: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The system gave no thread or no pipe.
    #[error("cannot supervise Python: {0}")]
    System(#[from] io::Error),
}

impl PythonError {
    /// Where an import failed, if that is what has failed: several lines.
    #[must_use]
    pub fn traceback(&self) -> Option<&str> {
        match self {
            Self::Refused { traceback, .. } if !traceback.is_empty() => Some(traceback),
            _ => None,
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such program".to_owned(),
        _ => error.to_string(),
    }
}
