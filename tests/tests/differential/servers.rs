//! The same scripts to our server and to zerorpc-python's.

use std::{
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use zerorpc::Server;
use zerorpc_tests::peers::{self, Peer, PeerProcess, PythonPeer, ServeOptions};

use crate::{
    caller::{Caller, Outcome, Told},
    random,
    script::Step,
    search, service, shown,
    table::Table,
};

/// How many scripts are played, unless `ZERORPC_SCRIPTS` says otherwise.
const SCRIPTS: u64 = 120;

/// Long enough for no beat to be due while a script is played.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How long nothing is to be heard before it counts that nothing comes. A difference counts if it lasts.
const QUIET: [Duration; 3] =
    [Duration::from_millis(3), Duration::from_millis(25), Duration::from_millis(200)];

/// One server of each kind.
struct Pair {
    context: zmq::Context,
    ours: Server,
    theirs: PeerProcess,
    scripts: AtomicU64,
}

impl Pair {
    fn start(python: &PythonPeer) -> Self {
        let theirs = reference(python, HEARTBEAT);
        let ours = service::serve(HEARTBEAT);
        Self { context: zmq::Context::new(), ours, theirs, scripts: AtomicU64::new(0) }
    }

    /// Channels on which they differ: what theirs was told and told, and what ours was.
    fn differences(&self, steps: &[Step], quiet: Duration) -> Vec<[Told; 2]> {
        let number = self.scripts.fetch_add(1, Ordering::Relaxed);
        let play = &|endpoint: &str| {
            let caller = Caller::connect(&self.context, endpoint, quiet);
            caller
                .play(steps, number)
                .unwrap_or_else(|_| panic!("{endpoint} is deaf after {steps:?}"))
        };
        let [theirs, ours] = std::thread::scope(|scope| {
            [self.theirs.endpoint(), &self.ours.endpoints()[0]]
                .map(|endpoint| {
                    // Values may be hundreds of levels deep.
                    let thread = std::thread::Builder::new().stack_size(1 << 24);
                    thread.spawn_scoped(scope, move || play(endpoint)).expect("a thread")
                })
                .map(|played| played.join().expect("it was played to its end"))
        });
        differing(theirs, ours)
    }
}

/// The reference with the service that both have.
pub(crate) fn reference(python: &PythonPeer, heartbeat: Duration) -> PeerProcess {
    let command: Command = python.program("compared");
    let options = ServeOptions { heartbeat, ..ServeOptions::default() };
    PeerProcess::of_program("zerorpc-python", command, &options)
}

fn differing(mut theirs: Outcome, ours: Outcome) -> Vec<[Told; 2]> {
    let nothing = |sent: &str| Told { sent: sent.to_owned(), answers: "nothing".to_owned() };
    let mut all: Vec<[Told; 2]> = Vec::new();
    for (channel, our) in ours {
        let their = theirs.remove(&channel).unwrap_or_else(|| nothing(&our.sent));
        all.push([their, our]);
    }
    all.extend(theirs.into_values().map(|their| {
        let our = nothing(&their.sent);
        [their, our]
    }));
    all.retain(|[their, our]| their.answers != our.answers);
    all
}

/// The three texts of a difference.
fn texts([their, our]: &[Told; 2]) -> [&str; 3] {
    [&our.sent, &their.answers, &our.answers]
}

/// Plays a script until it shows no difference without a row, or has shown one each time.
fn judge(pair: &Pair, table: &mut Table, steps: &[Step]) -> Result<(), String> {
    let mut unknown = String::new();
    for quiet in QUIET {
        unknown.clear();
        for difference in pair.differences(steps, quiet) {
            let texts = texts(&difference);
            let name = table.find(texts).map(str::to_owned);
            match name {
                Some(name) => {
                    if search::number("ZERORPC_SURVEY") == Some(2) {
                        println!("{name}: {texts:?}");
                    }
                    table.count(&name);
                }
                None => {
                    let [sent, their, our] = texts;
                    unknown += &format!("\n  sent:   {sent}\n  theirs: {their}\n  ours:   {our}");
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
    }
    Err(unknown)
}

#[test]
fn servers_differ_as_the_table_says() {
    let Some(python) = peers::python() else { return };
    let begun = Instant::now();
    let pair = Pair::start(&python);
    let mut table = Table::below("Servers");
    let count = search::number("ZERORPC_SCRIPTS").unwrap_or(SCRIPTS);
    search::deep(|| {
        search::all(count, &random::script(), |steps| judge(&pair, &mut table, steps));
    });
    let played = pair.scripts.load(Ordering::Relaxed);
    println!("{count} seeds, {played} scripts in {:.1?}: {}", begun.elapsed(), table.told());
}

#[test]
fn each_row_has_a_script_that_shows_it() {
    let Some(python) = peers::python() else { return };
    let pair = Pair::start(&python);
    let table = Table::below("Servers");
    let shown = shown::scripts();
    let rows: Vec<_> = table.names().collect();
    let names: Vec<_> = shown.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows, names, "each row has a script of its own, in the same order");
    let mut stale = Vec::new();
    for (name, steps) in &shown {
        let shows = |quiet| {
            let differences = pair.differences(steps, quiet);
            let is_shown = differences.iter().any(|difference| table.is(name, texts(difference)));
            if is_shown { Ok(()) } else { Err(differences) }
        };
        if let Err(differences) =
            shows(QUIET[0]).or_else(|_| shows(QUIET[1])).or_else(|_| shows(QUIET[2]))
        {
            stale.push(format!("{name}: {differences:#?}"));
        }
    }
    assert!(stale.is_empty(), "these rows are not shown by their scripts: {}", stale.join("\n"));
}
