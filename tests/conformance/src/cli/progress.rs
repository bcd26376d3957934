//! How far the run is, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    plan::Candidate,
    verdict::{CaseResult, Verdict},
};

/// A line on stderr, where that is a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn start(count: usize) -> Self {
        let bar = ProgressBar::new(count as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")
        {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// A case is over. Those that failed beside others come once more.
    pub(super) fn tell(&self, candidate: &Candidate, result: &CaseResult) {
        if let Verdict::Failed { .. } = result.verdict
            && !result.repeated
        {
            self.bar.inc_length(1);
        }
        self.bar.inc(1);
        self.bar.set_message(format!("{}: {}", candidate.name, result.case.name));
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
