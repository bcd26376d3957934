//! The server that cases share, which is replaced when one of them has broken it.

use std::sync::Mutex;

use crate::{
    failure::Failure,
    subject::{Source, Subject},
};

use super::locked;

/// A server that runs, or none yet.
#[derive(Debug, Default)]
pub(super) struct Shared {
    current: Mutex<Current>,
}

#[derive(Debug, Default)]
struct Current {
    subject: Option<Subject>,
    generation: u64,
}

/// The server for the time of one case.
pub(super) struct Lent {
    pub(super) subject: Subject,
    pub(super) generation: u64,
}

impl Shared {
    /// The server, which is started if there is none.
    pub(super) fn lend(&self, source: &Source) -> Result<Lent, Failure> {
        let mut current = locked(&self.current);
        let generation = current.generation;
        let subject = current.subject.get_or_insert_with(|| Subject::new(source.clone()));
        let lent = subject.address().map(|address| Subject::lent(address, subject.pid()));
        match lent {
            Ok(subject) => Ok(Lent { subject, generation }),
            Err(failure) => {
                current.subject = None;
                Err(failure)
            }
        }
    }

    /// What is wrong with the server of this generation, which nobody gets any longer in that case.
    pub(super) fn illness(&self, generation: u64, pings: bool) -> Option<String> {
        let mut current = locked(&self.current);
        if current.generation != generation {
            return Some("it was broken by one of the cases that ran at the same time".to_owned());
        }
        let subject = current.subject.as_mut()?;
        let words = match subject.death() {
            Some(words) => words,
            None if pings => subject.ping().err()?.to_string(),
            None => return None,
        };
        current.subject = None;
        current.generation += 1;
        Some(words)
    }

    /// The last lines that it said, for the end of a sentence.
    pub(super) fn last_lines(&self) -> String {
        locked(&self.current).subject.as_ref().map(Subject::last_lines).unwrap_or_default()
    }

    pub(super) fn end(&self) {
        locked(&self.current).subject = None;
    }
}
