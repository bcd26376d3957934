//! Runs cases: side by side on a server that they share, or on one of their own; and those that failed once more, alone.

mod shared;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    case::{Case, Sharing},
    contract::Offer,
    failure::{Failure, FailureKind},
    plan::{Candidate, Plan},
    subject::{Role, Source, Subject},
    trial::Trial,
    verdict::{CaseResult, Judged, Verdict},
};
use shared::Shared;

/// Deep values are read by recursion, a thousand levels at most.
pub const STACK: usize = 64 << 20;

/// So many of the cases that failed run at a time when they are repeated.
const REPEATED: usize = 4;

/// Told of each case that is over, from many threads.
pub type Watcher<'a> = &'a (dyn Fn(&CaseResult) + Sync);

/// Runs all that the plan wants of one implementation.
#[must_use]
pub fn judge(candidate: &Candidate, plan: &Plan, watcher: Watcher<'_>) -> Judged {
    let (mut started, mut results) = (true, Vec::new());
    for role in [Role::Server, Role::Client] {
        let cases = plan.cases(role);
        let Some(source) = candidate.source(role).filter(|_| !cases.is_empty()) else { continue };
        match run_role(source, plan, &cases, watcher) {
            Ok(of_role) => results.extend(of_role),
            Err(failure) => {
                started = false;
                results.extend(not_started(&cases, &failure));
            }
        }
    }
    Judged { name: candidate.name.clone(), started, results }
}

fn run_role(
    source: &Source,
    plan: &Plan,
    cases: &[&'static Case],
    watcher: Watcher<'_>,
) -> Result<Vec<CaseResult>, Failure> {
    let (source, interval) = plan.timed(source);
    let bench = Bench { source, interval, shared: Shared::default(), offer: Offer::default() };
    let bench = bench.with_offer()?;
    let (alone, beside): (Vec<_>, Vec<_>) =
        cases.iter().partition(|case| case.sharing == Sharing::Alone);
    let mut results = Vec::new();
    let mut again = Vec::new();
    for result in bench.run_each(beside, plan.jobs, &Bench::run_one, watcher) {
        match result.verdict {
            Verdict::Failed { .. } if plan.repeat => again.push(result.case),
            _ => results.push(result),
        }
    }
    bench.shared.end();
    results.extend(bench.run_each(alone, 1, &|bench, case| bench.run_alone(case), watcher));
    results.extend(bench.run_each(again, plan.jobs.min(REPEATED), &Bench::run_again, watcher));
    results.sort_by_key(|result| cases.iter().position(|case| case.name == result.case.name));
    Ok(results)
}

/// Nothing can be said of one that does not start but that.
fn not_started(cases: &[&'static Case], failure: &Failure) -> Vec<CaseResult> {
    let result = |(index, case): (usize, &&'static Case)| {
        let verdict = if index == 0 || failure.kind == FailureKind::Skipped {
            Verdict::from(Err(failure.clone()))
        } else {
            Verdict::Skipped("the implementation under test did not start".to_owned())
        };
        CaseResult { case, verdict, transcript: String::new(), seconds: 0.0, repeated: false }
    };
    cases.iter().enumerate().map(result).collect()
}

struct Bench {
    source: Source,
    interval: Duration,
    shared: Shared,
    offer: Offer,
}

impl Bench {
    /// Starts a server that cases share, and asks it what it offers. What connects is seen to do so.
    fn with_offer(mut self) -> Result<Self, Failure> {
        if self.source.is_server() {
            let lent = self.shared.lend(&self.source)?;
            let mut trial = Trial::new(lent.subject, self.interval);
            self.offer = Offer::ask(&mut trial.connect()?, trial.soon())?;
            return Ok(self);
        }
        let mut trial = Trial::new(Subject::new(self.source.clone()), self.interval);
        match trial.accept_bytes() {
            Ok(_) => Ok(self),
            Err(mut failure) => {
                let mut subject = trial.into_subject();
                failure.seen += &match subject.death() {
                    Some(words) => format!("; {words}"),
                    None => subject.words(),
                };
                Err(failure)
            }
        }
    }

    /// Runs so many of them at a time, in their order.
    fn run_each(
        &self,
        cases: Vec<&'static Case>,
        jobs: usize,
        run: &(dyn Fn(&Self, &'static Case) -> CaseResult + Sync),
        watcher: Watcher<'_>,
    ) -> Vec<CaseResult> {
        let queue = Mutex::new(VecDeque::from(cases));
        let results = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                let builder = thread::Builder::new().stack_size(STACK);
                let spawned = builder.spawn_scoped(scope, || {
                    loop {
                        let Some(case) = locked(&queue).pop_front() else { break };
                        let result = run(self, case);
                        watcher(&result);
                        locked(&results).push(result);
                    }
                });
                spawned.expect("the system has room for a thread");
            }
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_one(&self, case: &'static Case) -> CaseResult {
        if case.sharing != Sharing::Shared || !self.source.is_server() {
            return self.run_alone(case);
        }
        let lent = match self.shared.lend(&self.source) {
            Ok(lent) => lent,
            Err(failure) => return played(case, Err(failure), String::new(), Duration::ZERO),
        };
        let generation = lent.generation;
        let mut result = self.play(case, lent.subject);
        if let Some(words) = self.shared.illness(generation, self.offer.pings)
            && result.verdict == Verdict::Passed
        {
            result.verdict = Verdict::from(Err(died(words)));
        }
        result
    }

    /// Once more, on a process of its own and in less of a crowd.
    fn run_again(&self, case: &'static Case) -> CaseResult {
        CaseResult { repeated: true, ..self.run_alone(case) }
    }

    fn run_alone(&self, case: &'static Case) -> CaseResult {
        self.play(case, Subject::new(self.source.clone()))
    }

    fn play(&self, case: &'static Case, subject: Subject) -> CaseResult {
        if let Some(method) = self.offer.lacks(case.needs) {
            let skipped = Failure::skip(format!("the server offers no `{method}`"));
            return played(case, Err(skipped), String::new(), Duration::ZERO);
        }
        let start = Instant::now();
        let mut trial = Trial::new(subject, self.interval);
        let outcome = catch_unwind(AssertUnwindSafe(|| (case.run)(&mut trial)));
        let mut outcome =
            outcome.unwrap_or_else(|_| Err(Failure::new("the case to be played", "it panicked")));
        let transcript = trial.transcript().render();
        let mut subject = trial.into_subject();
        if let Some(words) = subject.death() {
            match &mut outcome {
                Ok(()) => outcome = Err(died(words)),
                Err(failure) => failure.seen = format!("{}; {words}", failure.seen),
            }
        } else if outcome.is_ok() && self.offer.pings && subject.is_own_server() {
            outcome = subject.ping();
        }
        drop(subject);
        played(case, outcome, transcript, start.elapsed())
    }
}

fn died(words: String) -> Failure {
    Failure::new("the implementation under test to live on afterwards", words)
}

fn played(
    case: &'static Case,
    outcome: Result<(), Failure>,
    transcript: String,
    time: Duration,
) -> CaseResult {
    CaseResult {
        case,
        verdict: outcome.into(),
        transcript,
        seconds: time.as_secs_f64(),
        repeated: false,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
