//! Measures zerorpc beside what it could be and beside its peers, in one run, and prints ratios.
//!
//! Every cell of the tables is measured in several rounds; a round goes through all cells once, so that what
//! else the machine does falls on all of them. Server and client are processes of their own. See the README.

mod environment;
mod machine;
mod measure;
mod plot;
mod process;
mod procfs;
mod program;
mod rows;
mod save;
mod subjects;
mod syscalls;
mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use zerorpc_benches::Result;

use machine::Machine;
use rows::{How, ROWS, Row};
use save::Run;
use subjects::{Cast, KEYS};
use table::{Cell, Table};

/// Measures zerorpc beside plain TCP, bare ZeroMQ, other RPC in Rust, and zerorpc in Python and Node.
#[derive(Debug, Parser)]
struct Options {
    /// How often each cell is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long, in seconds, each time.
    #[arg(long, default_value_t = 1.0)]
    secs: f64,
    /// Only these rows, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = row_names())]
    only: Vec<String>,
    /// Only these subjects, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = KEYS)]
    subjects: Vec<String>,
    /// All but these subjects: for peers that cannot be had here.
    #[arg(long, value_delimiter = ',', value_parser = KEYS)]
    without: Vec<String>,
    /// Prints the tables as Markdown.
    #[arg(long)]
    markdown: bool,
    /// Writes results.json and plots into this folder, and a document of the same name beside it.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn wants_row(&self, row: &Row) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == row.name)
    }

    fn wants_subject(&self, key: &str) -> bool {
        (self.subjects.is_empty() || self.subjects.iter().any(|it| it == key))
            && !self.without.iter().any(|it| it == key)
    }
}

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn row_names() -> [&'static str; ROWS.len()] {
    ROWS.each_ref().map(|row| row.name)
}

fn compare(options: &Options) -> Result<()> {
    let mut omitted: Vec<String> =
        options.without.iter().map(|key| format!("{key}, as --without says")).collect();
    let wanted = ROWS.iter().filter(|row| options.wants_row(row));
    let rows = possible(wanted.collect(), &mut omitted)?;
    for line in &omitted {
        eprintln!("LEFT OUT: {line}");
    }
    let keys: Vec<&str> = KEYS.into_iter().filter(|key| options.wants_subject(key)).collect();
    let needs_command = rows.iter().any(|row| row.needs_command());
    let cast = Cast::prepare(&keys, needs_command)?;
    let tables = rows.into_iter().map(|row| table_of(row, &cast));
    let mut run = Run {
        machine: Machine::describe(),
        command: command(),
        rounds: options.rounds.max(1),
        secs: options.secs,
        tables: tables.filter(|table| !table.cells.is_empty()).collect(),
        omitted,
    };
    let failures = measure_all(&mut run);
    print!("{}", run.show(options.markdown));
    if let Some(folder) = &options.save {
        eprintln!("written: {}", run.save(folder)?.display());
    }
    match failures {
        0 => Ok(()),
        failures => Err(format!("{failures} measurements failed, see above").into()),
    }
}

/// Those rows that can be measured here; tells of the others.
fn possible(rows: Vec<&'static Row>, omitted: &mut Vec<String>) -> Result<Vec<&'static Row>> {
    let files = machine::allow_many_files()?;
    let (possible, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| match row.how {
        How::Syscalls(_) => syscalls::available(),
        _ => row.files() <= files,
    });
    for row in others {
        let why = match row.how {
            How::Syscalls(_) => "for want of a perf or an strace that may count".to_owned(),
            _ => format!("because a process may have only {files} files open"),
        };
        omitted.push(format!("the table {}, {why}", row.name));
    }
    Ok(possible)
}

/// Fills the tables; returns how many measurements failed, of which it tells at once and in the end.
fn measure_all(run: &mut Run) -> usize {
    let mut failures = Vec::new();
    for round in 0..run.rounds {
        for table in run.tables.iter_mut().filter(|table| round < table.row.rounds) {
            eprintln!("round {} of {}: {}", round + 1, run.rounds, table.row.name);
            // Nobody is always the first.
            let count = table.cells.len();
            for turn in 0..count {
                let cell = &mut table.cells[(turn + round) % count];
                match measure::measure(table.row, &cell.contender, run.secs) {
                    Ok(sample) => cell.samples.push(sample),
                    Err(error) => {
                        let failure = format!("round {}, {error}", round + 1);
                        eprintln!("FAILED: {failure}");
                        failures.push(failure);
                    }
                }
            }
        }
    }
    let count = failures.len();
    run.omitted.extend(failures);
    count
}

fn table_of(row: &'static Row, cast: &Cast) -> Table {
    let contenders = row.contenders(cast).into_iter();
    let cells = contenders.map(|contender| Cell { contender, samples: Vec::new() });
    Table { row, cells: cells.collect() }
}

/// The command line that repeats this run.
fn command() -> String {
    let words = std::env::args().skip(1).filter(|word| word != "--bench");
    words.fold("cargo bench --bench compare --".to_owned(), |line, word| format!("{line} {word}"))
}
