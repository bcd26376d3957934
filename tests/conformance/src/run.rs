//! Runs cases: side by side on a server that they share, or on one of their own; and those that failed once more, alone.

mod shared;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    case::{Case, Sharing},
    contract::{METHODS, Offer, unsupported},
    failure::{Failure, FailureKind},
    plan::{Candidate, Plan},
    raw::Bytes,
    subject::{Role, SAID, Source, Subject},
    trial::Trial,
    verdict::{CaseResult, Judged, Leaves, Obstacle, Verdict},
};
use shared::Shared;

/// Deep values are read by recursion, a thousand levels at most.
pub const STACK: usize = 64 << 20;

/// So many of the cases that failed run at a time when they are repeated.
const REPEATED: usize = 4;

/// So many characters of an outcome that was not asked for are shown.
const OUTCOME_SHOWN: usize = 200;

/// Told of each case that is over, from many threads.
pub type Watcher<'a> = &'a (dyn Fn(&CaseResult) + Sync);

/// Runs all that the plan wants of one implementation.
#[must_use]
pub fn judge(candidate: &Candidate, plan: &Plan, watcher: Watcher<'_>) -> Judged {
    let (mut obstacles, mut results) = (Vec::new(), Vec::new());
    for role in [Role::Server, Role::Client] {
        let cases = plan.cases(role);
        let Some(source) = candidate.source(role).filter(|_| !cases.is_empty()) else { continue };
        let (source, interval) = plan.timed(source);
        let bench = Bench { source, interval, shared: Shared::default(), offer: Offer::default() };
        let (bench, obstacle) = bench.prepared();
        let (played, others): (Vec<_>, Vec<_>) = cases
            .iter()
            .copied()
            .partition(|case| obstacle.as_ref().is_none_or(|it| it.leaves(case)));
        // Who keeps silent does not do so for want of time.
        let repeats = plan.repeat && obstacle.is_none() && bench.offer.refusal.is_none();
        let mut of_role = bench.run(&played, plan.jobs, repeats, watcher);
        if let Some(obstacle) = obstacle {
            of_role.extend(unplayed(&others, &obstacle, played.is_empty()));
            obstacles.push(obstacle);
        }
        of_role.sort_by_key(|result| cases.iter().position(|case| case.name == result.case.name));
        results.extend(of_role);
    }
    Judged { name: candidate.name.clone(), obstacles, results }
}

/// What an obstacle leaves, the words for it, and what was to happen.
type Hindrance = (Leaves, &'static str, Failure);

fn no_handshake(failure: Failure) -> Hindrance {
    (Leaves::Handshakes, "it does not complete a handshake of ZMTP", failure)
}

/// Has a client call a method. What is waited for here once would be waited for by each case.
fn seen_to_call(trial: &mut Trial, bytes: Bytes) -> Result<(), Hindrance> {
    /// So many times as long as in a case.
    const PATIENCE: u32 = 4;
    let mut peer = bytes.shake_hands("ROUTER").map_err(no_handshake)?;
    let ordered = trial.command(json!({ "call": METHODS[0], "args": [] }));
    let called = ordered.and_then(|_| peer.expect_request(trial.soon() * PATIENCE));
    match called {
        Err(failure) if failure.is_silence() => {
            Err((Leaves::Handshakes, "it makes no call", failure))
        }
        _ => Ok(()),
    }
}

/// What was said, for the end of a sentence.
fn exchange(trial: &Trial) -> String {
    format!("; the exchange:\n{}", trial.transcript().render().trim_end())
}

/// Nothing can be said but what stands in the way. Where no other case can say so, programs are told by the first one.
fn unplayed(cases: &[&'static Case], obstacle: &Obstacle, is_all: bool) -> Vec<CaseResult> {
    let result = |(index, case): (usize, &&'static Case)| {
        let verdict = if index == 0 && is_all {
            Verdict::from(Err(obstacle.failure.clone()))
        } else {
            Verdict::Skipped(obstacle.words.clone())
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
    /// Starts what is under test, and asks a server what it offers, or has a client call.
    fn prepared(mut self) -> (Self, Option<Obstacle>) {
        let obstacle =
            if self.source.is_server() { self.seen_to_listen() } else { self.seen_to_connect() };
        let obstacle = obstacle.err();
        (self, obstacle)
    }

    /// Starts a server that cases share.
    fn seen_to_listen(&mut self) -> Result<(), Obstacle> {
        let obstacle = |leaves, words: &str| {
            let words = words.to_owned();
            move |failure| Obstacle { role: Role::Server, words, failure, leaves }
        };
        let lent = self.shared.lend(&self.source);
        let lent = lent.map_err(obstacle(Leaves::Nothing, "it did not start"))?;
        let mut trial = Trial::new(lent.subject, self.interval);
        let bytes = trial.connect_bytes().map_err(|mut failure| {
            let Source::Running(address) = &self.source else {
                return obstacle(Leaves::Nothing, "it takes no connections")(failure);
            };
            failure.expected = format!("somebody to answer at tcp://{address}");
            failure.seen += "; start the server there first, or check the address";
            obstacle(Leaves::Nothing, &format!("nobody answers at tcp://{address}"))(failure)
        })?;
        let seen = self.seen_to_answer(&trial, bytes);
        seen.map_err(|(leaves, words, mut failure)| {
            failure.seen += &self.shared.last_lines();
            failure.seen += &exchange(&trial);
            obstacle(leaves, words)(failure)
        })
    }

    /// Starts what connects, and asks a worker what it offers, or has a client call.
    fn seen_to_connect(&mut self) -> Result<(), Obstacle> {
        let mut trial = Trial::new(Subject::new(self.source.clone()), self.interval);
        let seen = match trial.accept_bytes() {
            Ok(bytes) if self.source.is_worker() => self.seen_to_answer(&trial, bytes),
            Ok(bytes) => seen_to_call(&mut trial, bytes),
            Err(failure) => Err((Leaves::Nothing, "it did not connect", failure)),
        };
        let Err((leaves, words, mut failure)) = seen else { return Ok(()) };
        let exchange = exchange(&trial);
        let mut subject = trial.into_subject();
        if !subject.unread_outcomes().is_empty() {
            // It may have no means for a call, and have said so.
            return Ok(());
        }
        let death = subject.death();
        let words = match (leaves, &death) {
            (Leaves::Nothing, Some(_)) => "it did not start",
            _ => words,
        };
        failure.seen += &death.map_or_else(|| subject.words(), |how| format!("; {how}"));
        if leaves != Leaves::Nothing {
            failure.seen += &exchange;
        }
        let role = if self.source.is_worker() { Role::Server } else { Role::Client };
        Err(Obstacle { role, words: words.to_owned(), failure, leaves })
    }

    /// Asks what answers calls what it offers.
    fn seen_to_answer(&mut self, trial: &Trial, bytes: Bytes) -> Result<(), Hindrance> {
        let mut peer = bytes.shake_hands("DEALER").map_err(no_handshake)?;
        self.offer = Offer::ask(&mut peer, trial.soon());
        match &self.offer.refusal {
            Some(failure) if failure.is_silence() => {
                Err((Leaves::WithoutMethods, "it answers no call", failure.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Runs these cases, and once more those that failed beside others, if that is wanted.
    fn run(
        &self,
        cases: &[&'static Case],
        jobs: usize,
        repeats: bool,
        watcher: Watcher<'_>,
    ) -> Vec<CaseResult> {
        let (alone, beside): (Vec<_>, Vec<_>) =
            cases.iter().partition(|case| case.sharing == Sharing::Alone);
        let mut results = Vec::new();
        let mut again = Vec::new();
        for result in self.run_each(beside, jobs, &Self::run_one, watcher) {
            match result.verdict {
                Verdict::Failed { .. } if repeats => again.push(result.case),
                _ => results.push(result),
            }
        }
        self.shared.end();
        results.extend(self.run_each(alone, 1, &|bench, case| bench.run_alone(case), watcher));
        results.extend(self.run_each(again, jobs.min(REPEATED), &Self::run_again, watcher));
        results
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
        outcome = outcome.map_err(|failure| with_outcomes(failure, &mut subject));
        if let Some(words) = subject.death() {
            match &mut outcome {
                Ok(()) => outcome = Err(died(words)),
                Err(failure) => failure.seen = format!("{}; {words}", failure.seen),
            }
        } else if outcome.is_ok() && self.offer.pings && subject.is_own_server() {
            outcome = subject.ping();
        }
        if let Err(failure) = &mut outcome
            && failure.kind == FailureKind::Broken
            && !failure.seen.contains(SAID)
        {
            failure.seen += &subject.last_lines();
        }
        drop(subject);
        played(case, outcome, transcript, start.elapsed())
    }
}

/// A failure that came before the client was asked what became of its orders, with what it says of them.
fn with_outcomes(mut failure: Failure, subject: &mut Subject) -> Failure {
    for outcome in subject.unread_outcomes() {
        if let Some(why) = unsupported(&outcome) {
            return why;
        }
        if failure.kind == FailureKind::Broken {
            let words: String = outcome.to_string().chars().take(OUTCOME_SHOWN).collect();
            failure.seen += &format!("; there was an outcome: {words}");
        }
    }
    failure
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
