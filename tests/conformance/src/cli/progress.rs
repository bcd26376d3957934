//! How far the run is: on a terminal, and where it is interrupted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    plan::Candidate,
    verdict::{CaseResult, Judged, Verdict},
};

/// A line on stderr, where that is a terminal, and all that is known so far.
#[derive(Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
    so_far: Arc<Mutex<Vec<Judged>>>,
}

impl Progress {
    pub(super) fn start(count: usize) -> Self {
        let bar = ProgressBar::new(count as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")
        {
            bar.set_style(style);
        }
        Self { bar, so_far: Arc::default() }
    }

    /// A case is over. Those that failed beside others come once more.
    pub(super) fn tell(&self, candidate: &Candidate, result: &CaseResult) {
        self.keep(&candidate.name, result);
        if let Verdict::Failed { .. } = result.verdict
            && !result.repeated
        {
            self.bar.inc_length(1);
        }
        self.bar.inc(1);
        self.bar.set_message(format!("{}: {}", candidate.name, result.case.name));
    }

    fn keep(&self, name: &str, result: &CaseResult) {
        let mut so_far = self.so_far();
        let index = so_far.iter().position(|judged| judged.name == name).unwrap_or_else(|| {
            let name = name.to_owned();
            so_far.push(Judged { name, obstacles: Vec::new(), results: Vec::new() });
            so_far.len() - 1
        });
        let results = &mut so_far[index].results;
        results.retain(|other| other.case.name != result.case.name);
        results.push(result.clone());
    }

    /// What is known so far. Nothing is added, and no case is over, as long as somebody has it.
    pub(super) fn so_far(&self) -> MutexGuard<'_, Vec<Judged>> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
