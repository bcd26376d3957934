//! Ten thousand scenarios, each of which the reference model judges (`world/model.rs`).

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::{
        Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use zerorpc_proto::Fault;

use super::plan::{Plan, plan};

/// How many scenarios there are, unless `ZERORPC_SCENARIOS` names another number.
const SCENARIOS: u64 = 10_000;

thread_local! {
    /// Panics of this thread are caught, and are nothing to look at.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does something that may panic; what it said then.
fn attempt(work: impl FnOnce()) -> Result<(), String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                others(info);
            }
        }));
    });
    IS_QUIET.set(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(false);
    done.map_err(|payload| words(&*payload))
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_default()
}

/// Whatever a seed stands for is the same everywhere and always.
fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// The scenario of a seed, and what is wrong in it.
pub(crate) fn judge(seed: u64) -> Result<(), String> {
    let mut runner = runner(seed);
    let tree = plan().new_tree(&mut runner).expect("nothing is filtered");
    attempt(|| tree.current().run(false))
}

/// The smallest scenario that fails like that of this seed does, with everything that happens in it.
fn explain(seed: u64) -> String {
    let mut runner = runner(seed);
    let tree = plan().new_tree(&mut runner).expect("nothing is filtered");
    let test = |plan: Plan| attempt(|| plan.run(false)).map_err(TestCaseError::fail);
    match runner.run_one(tree, test) {
        Err(TestError::Fail(reason, plan)) => {
            eprintln!("the smallest scenario that fails: {plan:#?}");
            drop(attempt(|| plan.run(true)));
            format!("ZERORPC_SEED={seed} repeats it: {reason}")
        }
        other => format!("seed {seed} fails once, and then no more: {other:?}"),
    }
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

/// The first seed that fails, of those from `first` on; how many scenarios were looked at. As many threads as there are
/// processors share them.
fn search(first: u64, count: u64, fault: Option<Fault>) -> (Option<u64>, u64) {
    let (next, found) = (AtomicU64::new(first), AtomicU64::new(u64::MAX));
    let work = || {
        Fault::put_in(fault);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count || seed > found.load(Ordering::Relaxed) {
                return;
            }
            if judge(seed).is_err() {
                found.fetch_min(seed, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let seen = next.into_inner().min(first + count) - first;
    (Some(found.into_inner()).filter(|seed| *seed != u64::MAX), seen)
}

#[test]
fn scenarios() {
    let begun = Instant::now();
    let (first, count) = match number("ZERORPC_SEED") {
        Some(seed) => (seed, 1),
        None => (0, number("ZERORPC_SCENARIOS").unwrap_or(SCENARIOS)),
    };
    let (failed, seen) = search(first, count, None);
    println!("{seen} scenarios in {:.1} s", begun.elapsed().as_secs_f64());
    if let Some(seed) = failed {
        panic!("{}", explain(seed));
    }
}

/// Each fault that is put into the core on purpose is found among the scenarios that every run looks at.
#[test]
fn faults_are_found() {
    let found: Vec<_> = Fault::ALL
        .into_iter()
        .map(|fault| {
            let (failed, _) = search(0, SCENARIOS, Some(fault));
            println!("{fault:?}: {failed:?}");
            (fault, failed)
        })
        .collect();
    assert!(found.iter().all(|(_, failed)| failed.is_some()), "not found: {found:?}");
}
