//! Random inputs by their seeds, and the smallest ones that show something.

use std::fmt;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

/// So many inputs that show something are made smaller and told; then it is enough.
const TOLD: u64 = 5;

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

/// Whatever a seed stands for is the same everywhere and always.
fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Judges so many inputs, or those that the environment names; panics with the smallest that fail like those that fail.
pub(crate) fn all<T: fmt::Debug>(
    count: u64,
    strategy: &impl Strategy<Value = T>,
    mut judge: impl FnMut(&T) -> Result<(), String>,
) {
    let (first, count) = match number("ZERORPC_SEED") {
        Some(seed) => (seed, number("ZERORPC_SEEDS").unwrap_or(1)),
        None => (0, count),
    };
    let mut told = Vec::new();
    for seed in first..first + count {
        let mut runner = runner(seed);
        let tree = strategy.new_tree(&mut runner).expect("few are filtered out");
        let Err(reason) = judge(&tree.current()) else { continue };
        if number("ZERORPC_SURVEY").is_some() {
            println!("{seed}:{reason}");
        } else {
            told.push(explain(seed, runner, tree, &mut judge));
        }
        if told.len() as u64 == number("ZERORPC_TOLD").unwrap_or(TOLD) {
            break;
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Does something that needs much of the stack, as making values does that hold others.
pub(crate) fn deep(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(1 << 26);
        let thread = thread.spawn_scoped(scope, work).expect("a thread");
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn explain<T: fmt::Debug>(
    seed: u64,
    mut runner: TestRunner,
    tree: impl ValueTree<Value = T>,
    judge: &mut impl FnMut(&T) -> Result<(), String>,
) -> String {
    let judge = std::cell::RefCell::new(judge);
    let test = |input: T| (judge.borrow_mut())(&input).map_err(TestCaseError::fail);
    match runner.run_one(tree, test) {
        Err(TestError::Fail(reason, input)) => {
            format!("ZERORPC_SEED={seed} repeats it: {reason}; the smallest: {input:?}")
        }
        other => format!("seed {seed} shows something once, and then no more: {other:?}"),
    }
}
