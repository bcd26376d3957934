//! Runs cases and tells how they went.

use std::time::Duration;

use crate::{
    case::{Case, FailureKind, Role},
    cases::CASES,
    subject::{Source, Subject},
    trial::Trial,
};

/// What to run, and against whom.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The implementation under test.
    pub source: Source,
    /// Its role.
    pub role: Role,
    /// Its heartbeat interval.
    pub interval: Duration,
    /// Only cases whose name contains this.
    pub only: String,
}

/// Runs them one after the other, and gives how many failed.
pub fn run_all(plan: &Plan) -> usize {
    let wanted = |case: &&&Case| case.role == plan.role && case.name.contains(&plan.only);
    let mut failed = 0;
    for case in CASES.iter().copied().flatten().collect::<Vec<_>>().iter().filter(wanted) {
        let mut trial = Trial::new(Subject::new(plan.source.clone()), plan.interval);
        match (case.run)(&mut trial) {
            Ok(()) => println!("ok      {} ({})", case.name, case.rule),
            Err(failure) if failure.kind == FailureKind::Skipped => {
                println!("skipped {}: {failure}", case.name);
            }
            Err(failure) => {
                failed += 1;
                println!("FAILED  {} ({}, {})\n  {failure}", case.name, case.rule, case.level);
                println!("{}", trial.transcript().render());
                let mut subject = trial.into_subject();
                if let Some(death) = subject.death() {
                    println!("  {death}");
                }
            }
        }
    }
    failed
}
